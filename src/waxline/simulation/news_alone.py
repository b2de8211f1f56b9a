"""The news alone: the same scenario with the same draws and without feedback, in a process beside the run.

A thread would not do: between compiled loops both runs want the interpreter, and hand it over several hundred times a step.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from waxline.errors import WaxlineError

if TYPE_CHECKING:
    from waxline.scenario.schema import Scenario

LEDGER_EVERY_STEPS = 60
COMMAND = (sys.executable, "-c", "from waxline.simulation.news_alone import answer; answer()")


class NewsAloneError(WaxlineError):
    """Report that the run without feedback, which tells what the news alone would have done, has failed."""

    exit_status = 3


class NewsAlone:
    """Simulate a scenario without feedback in a process of its own and give each market's fall."""

    def __init__(self, scenario: Scenario) -> None:
        """Keep the twin of `scenario`: same seed, same draws, no feedback."""
        self.scenario = without_feedback(scenario)
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the process, if it is not running yet."""
        if self.process is not None:
            return
        self.process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            # The pipe stays open: its end tells the process that nobody waits for it any more.
            self.process.stdin.write(json.dumps(self.scenario.resolved_yaml()) + "\n")
            self.process.stdin.flush()

    def falls(self) -> dict[str, float]:
        """Wait for the process and return market name -> fall (0..1); raises NewsAloneError with what it said when it failed."""
        self.start()
        assert self.process is not None and self.process.stdout is not None and self.process.stderr is not None
        answer, said = self.process.stdout.read(), self.process.stderr.read()
        self.stop()
        if self.process.returncode != 0 or not answer:
            raise NewsAloneError(f"the run of the news alone ended with status {self.process.returncode}: {said.strip() or 'it said nothing'}")
        found: dict[str, float] = json.loads(answer)
        return found

    def stop(self) -> None:
        """End the process, if it runs."""
        if self.process is not None:
            if self.process.stdin is not None and not self.process.stdin.closed:
                with contextlib.suppress(BrokenPipeError):
                    self.process.stdin.close()
            self.process.wait()
            for stream in (self.process.stdout, self.process.stderr):
                if stream is not None:
                    stream.close()


def without_feedback(scenario: Scenario) -> Scenario:
    """Return the same scenario without feedback, its ledger checked now and then."""
    return scenario.model_copy(update={"feedback": False, "ledger": scenario.ledger.model_copy(update={"every_steps": LEDGER_EVERY_STEPS})})


def answer() -> None:
    """Read a scenario from stdin, a JSON text with YAML in it, simulate it, and print the falls of its markets as JSON."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    text = sys.stdin.readline()
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    from waxline.scenario.files import parse_scenario
    from waxline.simulation.run import assemble, simulate

    try:
        scenario = parse_scenario(json.loads(text))
        state, recorder, ledger = simulate(scenario)
        falls = assemble(scenario, state, recorder, ledger, 0.0).drawdowns()
    except WaxlineError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_status)
    print(json.dumps(falls), flush=True)


def _end_with_stdin() -> None:
    """End this process when stdin does: who asked is gone. (Past the buffer, whose lock the interpreter wants when it ends.)"""
    while os.read(0, 1024):
        pass
    os._exit(1)
