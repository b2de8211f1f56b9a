"""Run the commands whose output the documents show, and write that output into them (`make docs`).

A block starts with <!-- output:NAME --> and ends with <!-- /output -->; NAME is a key of COMMANDS. Between them stands what the
command printed on stdout, nothing written by hand.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMANDS: dict[str, tuple[str, ...]] = {
    "help": ("--help",),
    "demo": ("demo",),
    "scenarios": ("scenario", "list"),
}
BLOCK = re.compile(r"(<!-- output:([\w-]+) -->\n)(.*?)(<!-- /output -->)", re.S)
WIDTH = "100"
PICTURE = ROOT / "docs" / "img" / "oct-2025.png"


@cache
def output_of(name: str) -> str:
    """Return what command `name` prints on stdout, without colours, 100 characters wide."""
    settings = {**os.environ, "COLUMNS": WIDTH, "TERMINAL_WIDTH": WIDTH, "NO_COLOR": "1", "PYTHONPATH": str(ROOT / "src")}
    for forced in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS"):
        settings.pop(forced, None)
    done = subprocess.run([sys.executable, "-m", "waxline", *COMMANDS[name]], stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT, env=settings)
    lines = [line.rstrip() for line in done.stdout.replace(f"{ROOT}/", "").splitlines()]
    return "\n".join(lines).strip("\n")


def refreshed(text: str, only: set[str] | None = None) -> str:
    """Return `text` with the blocks named in `only` (all, if none) filled anew."""

    def fill(block: re.Match[str]) -> str:
        if only is not None and block[2] not in only:
            return block[0]
        return f"{block[1]}```text\n{output_of(block[2])}\n```\n{block[4]}"

    return BLOCK.sub(fill, text)


def draw_picture(demo_output: str) -> None:
    """Let the program draw the picture of README.md from the run that the demo wrote."""
    match = re.search(r"^run folder: (.+)$", demo_output, re.M)
    if match is None:
        raise SystemExit("the demo printed no run folder, so that there is nothing to draw the picture from")
    PICTURE.parent.mkdir(exist_ok=True)
    subprocess.run([sys.executable, "-m", "waxline", "report", match[1], "--picture", str(PICTURE)], check=True, cwd=ROOT)


def main() -> None:
    """Fill the blocks named on the command line (all, if none) in README.md and the documents; with the demo, draw its picture."""
    only = set(sys.argv[1:]) or set(COMMANDS)
    if unknown := only - set(COMMANDS):
        raise SystemExit(f"no such block: {', '.join(sorted(unknown))}; there are {', '.join(COMMANDS)}")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        new = refreshed(text, only)
        if new != text:
            path.write_text(new, encoding="utf-8")
            print(f"refreshed {path.relative_to(ROOT)}")
    if "demo" in only:
        draw_picture(output_of("demo"))


if __name__ == "__main__":
    main()
