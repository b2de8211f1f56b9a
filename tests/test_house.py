"""The house rules hold in this checkout, and every guard turns red on a bad example."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import guards
from conftest import ROOT
from waxline import jit
from waxline.cli.main import COMMANDS

PACKAGE = ROOT / "src" / "waxline"
TRACKED = guards.tracked_files(ROOT)
SOURCES = sorted(PACKAGE.rglob("*.py"))
DOCUMENTS = [path for path in TRACKED if path.suffix == ".md"]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


def texts(paths: list[Path]) -> dict[str, str]:
    """Return name -> text of the files that are texts."""
    found = {}
    for path in paths:
        try:
            found[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


def test_imports_go_one_way_as_architecture_md_says() -> None:
    table = guards.import_table((ROOT / "ARCHITECTURE.md").read_text())
    sources = {module_name(path): path.read_text() for path in SOURCES}
    assert guards.forbidden_imports(sources, table) == []


@pytest.mark.parametrize(
    ("module", "source", "says"),
    [
        ("waxline.market.books", "from waxline.accounts.tables import Accounts", "market must not import accounts"),
        ("waxline.accounts.margin", "import waxline.market.kernels", "accounts must not import market"),
        ("waxline.report.page", "def f():\n    from waxline.simulation import step", "report must not import simulation"),
        ("waxline.analysis.causes", "from ..simulation import run", "analysis must not import simulation"),
        ("waxline.agents.maker", "from waxline import shocks", "agents must not import shocks"),
        ("waxline.units", "from .market import tables", "units must not import market"),
        ("waxline.__init__", "from . import simulation", "the package itself must not import simulation"),
        ("waxline.market.__init__", "from ..liquidation import waterfall", "market must not import liquidation"),
        ("waxline.simulation.step", "from waxline.cli import main", "simulation must not import cli"),
        ("waxline.helpers.x", "", "'helpers' has no row"),
    ],
)
def test_the_import_guard_turns_red(module: str, source: str, says: str) -> None:
    table = guards.import_table((ROOT / "ARCHITECTURE.md").read_text())
    (found,) = guards.forbidden_imports({module: source}, table)
    assert says in found


def test_the_import_guard_lets_the_right_direction_pass() -> None:
    table = guards.import_table((ROOT / "ARCHITECTURE.md").read_text())
    right = {
        "waxline.market.books": "from waxline.units import BPS\nfrom .kernels import walk\nimport numpy",
        "waxline.liquidation.closeout": "from waxline.market import kernels\nfrom ..accounts import tables",
        "waxline.cli.run": "from waxline.simulation import run",
    }
    assert guards.forbidden_imports(right, table) == []


def test_every_folder_and_file_of_the_package_stands_in_architecture_md() -> None:
    rows = set(re.findall(r"^\| `([\w.]+/?)` \|", (ROOT / "ARCHITECTURE.md").read_text(), re.M))
    assert rows == guards.parts_on_disk(PACKAGE)


def test_the_folder_map_guard_sees_a_new_folder(tmp_path: Path) -> None:
    (tmp_path / "market").mkdir()
    (tmp_path / "market" / "books.py").touch()
    (tmp_path / "units.py").touch()
    (tmp_path / "__pycache__").mkdir()
    assert guards.parts_on_disk(tmp_path) == {"market/", "units.py"}


def test_numba_is_imported_in_jit_py_only() -> None:
    assert [str(path) for path in SOURCES if path != PACKAGE / "jit.py" and guards.numba_imports(path.read_text())] == []
    assert guards.numba_imports((PACKAGE / "jit.py").read_text()) != []


@pytest.mark.parametrize("source", ["from numba import njit", "import numba as nb", "def f():\n    from numba.core import types"])
def test_the_numba_guard_turns_red(source: str) -> None:
    assert guards.numba_imports(source) != []


def test_sources_use_no_fast_math_no_threads_in_kernels_no_global_randomness_no_pickles() -> None:
    assert {str(path): found for path in SOURCES if (found := guards.avoided_constructs(path.read_text()))} == {}


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("njit(fastmath=True)", "fastmath"),
        ("njit(fastmath={'nnan'})(f)", None),
        ("njit(parallel=True)", "parallel"),
        ("njit(parallel=False)", None),
        ("np.random.seed(1)", "numpy.random.seed"),
        ("x = numpy.random.default_rng()", "numpy.random.default_rng"),
        ("import random", "import of random"),
        ("from pickle import dumps", "import of pickle"),
        ("from numpy import random", "import of random"),
        ("eval('1')", "eval"),
    ],
)
def test_the_guard_of_avoided_constructs_turns_red(source: str, says: str | None) -> None:
    found = guards.avoided_constructs(source)
    assert found == [] if says is None else says in found[0]


def test_no_tracked_file_names_a_path_of_a_machine_or_a_package_index() -> None:
    for pattern in (guards.MACHINE_PATH, guards.PACKAGE_INDEX):
        found = {name: lines for name, text in texts(TRACKED).items() if (lines := guards.lines_matching(pattern, text))}
        assert found == {}


def test_no_source_carries_a_mark_of_unfinished_work() -> None:
    found = {name: lines for name, text in texts(SOURCES).items() if (lines := guards.lines_matching(guards.UNFINISHED, text))}
    assert found == {}


def test_the_guards_of_texts_turn_red() -> None:
    slash = "/"
    for bad in (f"see {slash}root/x", f"'{slash}work/main'", f"cd {slash}home/anna", f"open('{slash}tmp/x')", f"{slash}tmp"):
        assert guards.lines_matching(guards.MACHINE_PATH, bad) != [], bad
    for good in ("../work/x", "tests/tmp/x", "https://example.org/en/home/page", "$HOME/work", "per day/week"):
        assert guards.lines_matching(guards.MACHINE_PATH, good) == [], good
    for bad in ("http://127.0.0.1:8080" + f"{slash}simple", f"https://mirror.example{slash}simple", "https://pypi." + "org/x"):
        assert guards.lines_matching(guards.PACKAGE_INDEX, bad) != [], bad
    for bad in ("# TO" + "DO later", "raise NotImplemented" + "Error", "a du" + "mmy value"):
        assert guards.lines_matching(guards.UNFINISHED, bad) != [], bad


def test_the_lock_pins_versions_and_hashes_and_holds_no_address() -> None:
    assert guards.unlocked((ROOT / "requirements.lock").read_text()) == []


@pytest.mark.parametrize(
    ("lock", "says"),
    [
        ("numpy==2.4.6", "no hash"),
        ("numpy>=2 \\\n    --hash=sha256:00", "no exact version"),
        ("numpy @ https://example.org/numpy.whl \\\n    --hash=sha256:00", "address"),
        ("--index-url https://example.org\nnumpy==2.4.6 \\\n    --hash=sha256:00", "index option"),
    ],
)
def test_the_lock_guard_turns_red(lock: str, says: str) -> None:
    assert any(says in wrong for wrong in guards.unlocked(lock))


def test_every_dependency_of_the_project_is_in_the_lock() -> None:
    declared = re.findall(r'^  "([\w.-]+)>=[\w.]+,<[\w.]+",$', (ROOT / "pyproject.toml").read_text(), re.M)
    locked = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.M))
    assert len(declared) > 10
    assert {name.replace(".", "-").lower() for name in declared} - locked == set()


def test_documents_show_only_commands_that_exist() -> None:
    targets = guards.make_targets((ROOT / "Makefile").read_text())
    assert {"demo", "test", "check", "slow", "docs", "lock", "clean"} <= targets
    for path in DOCUMENTS:
        assert guards.unknown_commands(path.read_text(), targets, COMMANDS) == [], path.name


def test_the_guard_of_shown_commands_turns_red() -> None:
    shown = "```sh\nmake demo\nmake coffee\n.venv/bin/waxline brew oct-2025  # strong\nwaxline --help\n```\n"
    assert guards.unknown_commands(shown, {"demo"}, {"run"}) == ["make coffee", "waxline brew oct-2025"]


def test_every_target_that_makefile_declares_phony_has_a_help_line() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.M)
    assert set(phony.split()) == guards.make_targets(makefile)


def test_links_and_pictures_in_documents_lead_somewhere() -> None:
    assert {path.name: broken for path in DOCUMENTS if (broken := guards.broken_links(path, path.read_text()))} == {}


def test_the_guard_of_links_turns_red() -> None:
    text = "[a](README.md) ![b](docs/img/none.png) [c](https://example.org) [d](#there)"
    assert guards.broken_links(ROOT / "README.md", text) == ["docs/img/none.png"]


def test_no_tracked_file_is_larger_than_one_megabyte(tmp_path: Path) -> None:
    assert guards.too_large(TRACKED) == []
    (tmp_path / "large").write_bytes(b"x" * 11)
    assert guards.too_large([tmp_path / "large"], most_bytes=10) == [str(tmp_path / "large")]


LOADED = "import json, sys\nprint(json.dumps(sorted(m for m in sys.modules if m.split('.')[0] in set(sys.argv[1].split(',')))))"


@pytest.mark.parametrize("first", ["import waxline", "import sys; sys.argv = ['waxline', '--help', *sys.argv[1:]]"])
def test_neither_import_nor_help_loads_a_heavy_library(first: str) -> None:
    assert heavy_loaded_by(first, with_help="--help" in first) == []


def test_the_guard_of_loaded_libraries_turns_red() -> None:
    assert "numpy" in heavy_loaded_by("import numpy", with_help=False)


def heavy_loaded_by(first: str, with_help: bool) -> list[str]:
    """Return the heavy libraries in memory after `first` (and, with help, after the command line has printed it)."""
    libraries = ",".join(name.split(".")[0] for name in guards.HEAVY)
    start = f"{first}\n"
    if with_help:
        start = (
            "import sys, contextlib, io\nlibraries = sys.argv.pop(1)\nsys.argv = ['waxline', '--help']\n"
            "from waxline.cli.main import main\n"
            "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n    main()\n"
            "sys.argv = ['', libraries]\n"
        )
    done = subprocess.run([sys.executable, "-c", start + LOADED, libraries], capture_output=True, text=True, check=True, cwd=ROOT / "src")
    loaded: list[str] = json.loads(done.stdout)
    return loaded


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_command_files_exist_and_import_nothing_heavy_at_the_top(name: str) -> None:
    source = (PACKAGE / "cli" / f"{name.replace('-', '_')}.py").read_text()
    assert guards.heavy_imports_at_the_top(source) == []


def test_the_guard_of_heavy_imports_turns_red() -> None:
    top = "import polars as pl\nfrom waxline.simulation import run\nfrom waxline import results\nimport typer\n"
    bad = top + "def f():\n    import numba\n"
    assert guards.heavy_imports_at_the_top(bad) == ["polars", "waxline.simulation.run", "waxline.results"]


def test_every_source_file_is_part_of_the_key_of_compiled_kernels(tmp_path: Path) -> None:
    package = tmp_path / "waxline"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    before = jit.sources_key(package)
    assert before == jit.sources_key(PACKAGE), "the key must not depend on where the package lies"
    seen = {before}
    for path in sorted(package.rglob("*.py")):
        path.write_text(path.read_text() + "\n# changed\n")
        seen.add(jit.sources_key(package))
    assert len(seen) == len(SOURCES) + 1
    (package / "new.py").write_text("LEVELS = 1\n")
    assert jit.sources_key(package) not in seen


@pytest.mark.parametrize("flag", ["NUMBA_BOUNDSCHECK", "NUMBA_DISABLE_JIT", "NUMBA_CPU_NAME"])
def test_flags_that_change_machine_code_change_the_key(flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(flag, raising=False)
    without = jit.sources_key()
    monkeypatch.setenv(flag, "1")
    assert jit.sources_key() != without


def test_a_changed_constant_in_another_file_reaches_an_already_compiled_kernel(tmp_path: Path) -> None:
    package = tmp_path / "waxline"
    package.mkdir()
    for name in ("__init__.py", "jit.py"):
        shutil.copy(PACKAGE / name, package / name)
    (package / "caller.py").write_text("from waxline.jit import njit\nfrom waxline.constant import K\n@njit\ndef f(x):\n    return K * x\nprint(f(1.0))\n")
    printed = []
    for constant in ("2.0", "3.0"):
        (package / "constant.py").write_text(f"K = {constant}\n")
        environment = {"PATH": "", "HOME": str(tmp_path), "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", "import waxline.caller"],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
            cwd=tmp_path,
        )
        printed.append(float(done.stdout))
    assert printed == [2.0, 3.0]


def test_bounds_checks_are_on_in_this_test_run() -> None:
    import os

    import numpy as np

    if os.environ.get("WAXLINE_FAST") == "1":
        pytest.skip("WAXLINE_FAST=1 leaves bounds checks out")

    @jit.njit
    def read(values: object, place: int) -> float:
        return values[place]  # type: ignore[index,no-any-return]

    with pytest.raises(IndexError):
        read(np.zeros(3), 7)


def test_the_output_shown_in_documents_is_what_the_program_prints_now() -> None:
    spec = importlib.util.spec_from_file_location("refresh", ROOT / "docs" / "refresh.py")
    assert spec is not None and spec.loader is not None
    refresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(refresh)
    text = (ROOT / "docs" / "commands.md").read_text()
    assert refresh.refreshed(text, only={"help"}) == text, "stale: run `make docs`"
    assert refresh.refreshed("<!-- output:help -->\nold\n<!-- /output -->\n") != "<!-- output:help -->\nold\n<!-- /output -->\n"
