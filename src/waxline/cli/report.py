"""Write the report of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    out: Annotated[Path | None, typer.Option("--out", help="HTML file to write; without it report.html in the run folder.")] = None,
    picture: Annotated[Path | None, typer.Option("--picture", help="Write the one picture of the run, a PNG, too.")] = None,
) -> None:
    """Write the report of a run folder as one HTML file without any outside request, to e-mail and to print."""
    from waxline.errors import ResultsError
    from waxline.report.document import write_report
    from waxline.report.picture import write_picture
    from waxline.results.files import REPORT
    from waxline.results.run_result import RunResult

    found = RunResult.load(run)
    path = out if out is not None else run / REPORT
    for target, write in ((path, write_report), (picture, write_picture)):
        if target is None:
            continue
        try:
            if target.is_dir():
                raise ResultsError(f"{target}: is a folder: name a file in it, such as {target / 'report.html'}")
            target.parent.mkdir(parents=True, exist_ok=True)
            write(found, target)
        except OSError as error:
            raise ResultsError(f"{target}: cannot be written ({error.strerror or error}): choose another place") from error
        typer.echo(f"{'report' if target == path else 'picture'}: {target}")
