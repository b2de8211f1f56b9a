"""The run of the news alone is the same in its own process as in this one, and its end is told."""

from __future__ import annotations

import subprocess
import sys

import pytest

import small_world
from waxline.simulation import news_alone
from waxline.simulation.news_alone import NewsAlone, NewsAloneError, without_feedback
from waxline.simulation.run import assemble, simulate


def test_the_process_gives_the_falls_of_a_run_in_this_one() -> None:
    asked = small_world.scenario()
    beside = NewsAlone(asked)
    beside.start()
    alone = without_feedback(asked)
    assert not alone.feedback and alone.seed == asked.seed
    state, recorder, ledger = simulate(alone)
    assert beside.falls() == assemble(alone, state, recorder, ledger, 0.0).drawdowns()


def test_what_the_process_said_is_told_when_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news_alone, "COMMAND", (sys.executable, "-c", "import sys; sys.exit('no room')"))
    with pytest.raises(NewsAloneError, match="status 1: no room"):
        NewsAlone(small_world.scenario()).falls()


def test_the_process_ends_when_nobody_waits_for_it_any_more() -> None:
    process = subprocess.Popen(news_alone.COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b'"no yaml: [\\n"\n')
    process.stdin.close()
    assert process.wait(timeout=60) != 0
