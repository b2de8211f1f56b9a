"""Read a depth file of any known form: the form is told from its first lines, never from its name."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from waxline.depth.samples import DepthError, Samples
from waxline.limits import DEPTH_LINES

if TYPE_CHECKING:
    from waxline.depth.stream import Stream

FORMS = (
    "percent bands (header timestamp,percentage,depth,notional), single levels (header side,price,quantity), "
    "snapshots (asks[0].price,... or JSON with bids and asks), raw streams (local time and JSON per line, or header ...,is_snapshot,side,price,amount)"
)
RAW_LINE = re.compile(r"\d{13,19}\s+\{")


def read_depth(path: Path) -> tuple[Samples, Stream | None]:
    """Return the samples of a depth file, and the stream they were taken from where it is one; raises DepthError, LimitError.

    Plain text, .gz and .zip (with one file in it) are read.
    """
    from waxline.depth import bands, snapshots, stream

    lines = read_lines(path)
    first = next((line for line in lines if line.strip()), "")
    head = [name.strip().strip('"') for name in first.split(",")]
    if "percentage" in head:
        return bands.read_bands(lines, path.name), None
    if "is_snapshot" in head:
        found = stream.read_changes_csv(lines, path.name)
        return found.samples, found
    if "asks[0].price" in head:
        return snapshots.read_top_levels(lines, path.name), None
    if {"side", "price"} <= set(head):
        return snapshots.read_levels(lines, path.name), None
    if RAW_LINE.match(first):
        found = stream.read_raw_stream(lines, path.name)
        return found.samples, found
    if first.lstrip().startswith(("{", "[")):
        return snapshots.read_json(lines, path.name), None
    shown = first.strip()[:60]
    raise DepthError(f"{path}, line 1: must be one of the known forms, was {shown!r}: give {FORMS}")


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file, also of one packed as .gz or .zip; raises DepthError, LimitError."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
        lines = list(_limited(_text(path, magic), path))
    except FileNotFoundError as error:
        raise DepthError(f"{path}: is not there: check the name") from error
    except IsADirectoryError as error:
        raise DepthError(f"{path}: is a folder: name a file in it") from error
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DepthError(f"{path}: cannot be read to its end ({error}): fetch it again and compare its checksum") from error
    except UnicodeDecodeError as error:
        raise DepthError(f"{path}: is no text (byte {error.start}): unpack it first; .gz and .zip are unpacked here") from error
    if not any(line.strip() for line in lines):
        raise DepthError(f"{path}: is empty: give {FORMS}")
    return lines


def _text(path: Path, magic: bytes) -> io.TextIOBase:
    if magic[:2] == b"\x1f\x8b":
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8")
    if magic == b"PK\x03\x04":
        archive = zipfile.ZipFile(path)
        names = [name for name in archive.namelist() if not name.endswith("/")]
        if len(names) != 1:
            raise DepthError(f"{path}: must hold one file, holds {len(names)}: unpack it and name the file")
        return io.TextIOWrapper(archive.open(names[0]), encoding="utf-8")
    return path.open(encoding="utf-8-sig")


def _limited(text: io.TextIOBase, path: Path) -> Iterator[str]:
    with text:
        for number, line in enumerate(text, 1):
            if number > DEPTH_LINES.most:
                DEPTH_LINES.check(number, str(path))
            yield line


def number_of(text: object, place: str, what: str, *, least: float = 0.0) -> float:
    """Return a finite number of at least `least`; raises DepthError naming `place` (file and line) and `what`."""
    try:
        value = float(str(text))
    except ValueError:
        value = float("nan")
    if not (least <= value < float("inf")):
        raise DepthError(f"{place}: {what} must be a number of at least {least:g}, was {str(text)[:40]!r}: mend or leave out that line")
    return value
