"""Find and read tables that checks need and that do not come with the program."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from waxline.errors import WaxlineError

VARIABLE = "WAXLINE_SHARED"
BESIDE = Path("..") / "shared"


class DataFileError(WaxlineError):
    """Report a data file whose columns or numbers are not those that the check reads."""

    exit_status = 4


def data_folder(given: Path | None = None) -> Path:
    """Return the folder of data: the one given, else data below $WAXLINE_SHARED, else ../shared/data."""
    return given if given is not None else Path(os.environ.get(VARIABLE) or BESIDE) / "data"


def columns_of(path: Path, names: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the named columns of a CSV file as texts, in the order of its rows; raises DataFileError where one is missing."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [name for name in names if name not in (reader.fieldnames or ())]
            if missing:
                raise DataFileError(f"{path}: has no column {', '.join(missing)}: take the file from the source that the check names")
            rows = list(reader)
    except OSError as error:
        raise DataFileError(f"{path}: cannot be read ({error.strerror}): take the file from the source that the check names") from error
    return {name: [row[name] for row in rows] for name in names}


def numbers_of(path: Path, names: tuple[str, ...]) -> dict[str, list[float]]:
    """Return the named columns as numbers; raises DataFileError where one is none."""
    found: dict[str, list[float]] = {}
    for name, texts in columns_of(path, names).items():
        try:
            found[name] = [float(text) for text in texts]
        except ValueError as error:
            raise DataFileError(f"{path}: column {name} must hold numbers ({error})") from error
    return found
