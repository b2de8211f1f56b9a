"""Errors a user can cause, each with the place, the rule, the value and the remedy, and an exit status."""

from __future__ import annotations


class WaxlineError(Exception):
    """Report a mistake the user can mend; the command line prints its text and exits with `exit_status`."""

    exit_status = 1


class ScenarioError(WaxlineError):
    """Report a scenario (file, override or combination) that cannot be run."""

    exit_status = 2


class ResultsError(WaxlineError):
    """Report a run folder that is missing, unfinished, damaged or of an unknown version."""

    exit_status = 4


class FactsError(WaxlineError):
    """Report a facts file that cannot be read."""

    exit_status = 2


class SimulationLimitError(WaxlineError):
    """Report that a run does not fit: a table of it is full, or its memory is not there."""

    exit_status = 3
