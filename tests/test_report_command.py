"""`waxline report` writes the report of a finished run, refuses what is no run, and names a place it cannot write to."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from synthetic_run import synthetic_run
from waxline.cli.main import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic_run().save(tmp_path_factory.mktemp("runs") / "one")


@pytest.mark.slow
def test_without_out_the_report_lies_in_the_run_folder(folder: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(folder)])
    assert result.exit_code == 0, result.output
    assert "report: " in result.output
    assert (folder / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_out_and_picture_say_where(folder: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(folder), "--out", str(tmp_path / "new" / "x.html"), "--picture", str(tmp_path / "x.png")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "new" / "x.html").is_file() and (tmp_path / "x.png").is_file()


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert result.exit_code == 4
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named_with_a_remedy(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = CliRunner().invoke(app, ["report", str(folder), "--out", str(tmp_path / "file" / "x.html")])
    assert result.exit_code == 4
    assert "choose another place" in result.output


def test_a_folder_in_the_place_of_the_report_is_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["report", str(folder), "--out", "."])
    assert result.exit_code == 4
    assert ".: is a folder: name a file in it, such as report.html" in result.output
