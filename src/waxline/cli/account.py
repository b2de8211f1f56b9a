"""Tell what happened to an account of a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    account: Annotated[str, typer.Argument(metavar="ID", help="Number of the account, or its name.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell in time order what happened to an account: prices, slack, calls, top-ups, closes, who bought, what it cost, what it looked like from outside."""
    import json

    from waxline.analysis.account_story import story_of
    from waxline.analysis.account_text import story_text
    from waxline.results.run_result import RunResult

    story = story_of(RunResult.load(run), account)
    typer.echo(json.dumps(story.as_dict(), ensure_ascii=False, allow_nan=False) if as_json else story_text(story))
