"""The house rules as functions of texts and paths, so that tests can also show them a bad example."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

HEAVY = ("numba", "numpy", "scipy", "matplotlib", "polars", "pydantic", "jinja2", "ruamel.yaml")
LARGEST_FILE_BYTES = 1_000_000

# Written in pieces, so that this file does not name what it forbids.
MACHINE_PATH = re.compile(r"(?<![\w.$}\]])/(?:" + "|".join(("root", "work", "home", "tmp")) + r")(?=/|\b)")
PACKAGE_INDEX = re.compile(r"https?://[^\s\"']*(?:/simple|/packages/|registry\.)|pypi" + r"\.org|python" + r"hosted\.org|127\.0\.0\.1:\d+/simple")
UNFINISHED = re.compile(
    r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "NotImplemented" + "Error", "place" + "holder", "dum" + "my", "st" + "ub")) + r")\b",
    re.I,
)
ADDRESS = re.compile(r"\b(?:https?|file|ftp)://")


def tracked_files(root: Path) -> list[Path]:
    """Return the files that git tracks or would add; without git, every file outside the folders that .gitignore names."""
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True)
    if listed.returncode == 0:
        return sorted(path for name in listed.stdout.split("\0") if name and (path := root / name).is_file())
    ignored = {line.strip().strip("/") for line in (root / ".gitignore").read_text().splitlines()} | {".git"}
    return sorted(
        path for path in root.rglob("*") if path.is_file() and not any(part in ignored or part.endswith(".egg-info") for part in path.relative_to(root).parts)
    )


def imported_modules(source: str, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Yield line and absolute name of every import in `source`, the source of `module`; also those inside functions."""
    here = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            origin = ".".join([*base, *(node.module.split(".") if node.module else [])])
            yield from ((node.lineno, f"{origin}.{name.name}") for name in node.names)


def part_of(module: str) -> str:
    """Return the part of the package a module belongs to: "market" for waxline.market.books, "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


def forbidden_imports(sources: Mapping[str, str], allowed: Mapping[str, set[str]]) -> list[str]:
    """Return a line for every import of `sources` (module name -> text) that its part is not `allowed`; "*" allows all.

    A package is named with a trailing ".__init__".
    """
    found = []
    for name, source in sources.items():
        is_package = name.endswith(".__init__")
        module = name.removesuffix(".__init__")
        part = part_of(module)
        if part not in allowed:
            found.append(f"{module}: the part {part!r} has no row in the table of imports")
            continue
        for line, imported in imported_modules(source, module, is_package):
            target = part_of(imported)
            if not imported.startswith("waxline.") or target in {part, "__version__"} or "*" in allowed[part]:
                continue
            if target not in allowed[part]:
                found.append(f"{module}:{line}: {part or 'the package itself'} must not import {target}")
    return found


def import_table(architecture: str) -> dict[str, set[str]]:
    """Return part -> parts it may import, read from the rows "| `part/` | what it holds | may import |" of ARCHITECTURE.md.

    "base" stands for all single files of the package; "all" for everything.
    """
    rows = re.findall(r"^\| `([\w.]+/?)` \|[^|]*\| ([^|]*) \|$", architecture, re.M)
    base = {name.removesuffix(".py") for name, _ in rows if name.endswith(".py") and not name.startswith("__")}
    table = {}
    for name, imports in rows:
        names = {item.strip() for item in imports.split(",") if item.strip() not in {"", "nothing"}}
        part = "" if name == "__init__.py" else name.removesuffix(".py").rstrip("/")
        table[part] = {"*"} if "all" in names else (names - {"base"}) | (base if "base" in names else set())
    return table


def parts_on_disk(package: Path) -> set[str]:
    """Return the folders (with a trailing slash) and the Python files that stand directly below `package`."""
    folders = {f"{path.name}/" for path in package.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    return folders | {path.name for path in package.glob("*.py")}


def avoided_constructs(source: str) -> list[str]:
    """Return a line for all that the house avoids in `source`: fast math, threads in kernels, global randomness, pickles, eval."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                on = isinstance(keyword.value, ast.Constant) and keyword.value.value is not False
                if keyword.arg in {"fastmath", "parallel"} and on:
                    found.append(f"{node.lineno}: {keyword.arg}")
            if isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec"}:
                found.append(f"{node.lineno}: {node.func.id}")
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "random":
            owner = node.value.value
            if isinstance(owner, ast.Name) and owner.id in {"np", "numpy"} and node.attr not in {"Generator", "Philox"}:
                found.append(f"{node.lineno}: numpy.random.{node.attr}")
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {name.name for name in node.names} | {getattr(node, "module", None) or ""}
            found.extend(f"{node.lineno}: import of {name}" for name in sorted(names & {"pickle", "random", "numpy.random"}))
    return found


def numba_imports(source: str) -> list[int]:
    """Return the lines of `source` that import numba; only waxline/jit.py may, because it chooses the cache folder first."""
    return [line for line, name in imported_modules(source, "waxline.x", False) if name.split(".")[0] == "numba"]


def heavy_imports_at_the_top(source: str) -> list[str]:
    """Return the heavy libraries that `source` imports outside functions; commands must not, or `waxline --help` gets slow."""
    top = ast.Module(body=[node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)], type_ignores=[])
    names = [name for _, name in imported_modules(ast.unparse(top), "waxline.cli.x", False)]
    light = ("waxline.errors", "waxline.units", "waxline.limits", "waxline.cli", "waxline.__version__")
    heavy = [name for name in names if any(name == lib or name.startswith(lib + ".") for lib in HEAVY)]
    return heavy + [name for name in names if name.startswith("waxline.") and not name.startswith(light)]


def lines_matching(pattern: re.Pattern[str], text: str) -> list[str]:
    """Return "line: text" for every line of `text` in which `pattern` occurs."""
    return [f"{number}: {line.strip()}" for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)]


def unlocked(requirements: str) -> list[str]:
    """Return what is wrong with a lock file: addresses, index options, packages without exact version or without hashes."""
    wrong = [f"address in line {line}" for line in lines_matching(ADDRESS, requirements)]
    wrong += [f"index option in line {line}" for line in lines_matching(re.compile(r"^\s*(?:-i|-f|--(?:extra-)?index|--find)"), requirements)]
    packages = re.split(r"\n(?=[a-zA-Z0-9])", re.sub(r"^#.*\n", "", requirements, flags=re.M).strip())
    wrong += [f"no exact version: {entry.split()[0]}" for entry in packages if not re.match(r"[\w.-]+==[\w.!+]+", entry)]
    wrong += [f"no hash: {entry.split()[0]}" for entry in packages if "--hash=sha256:" not in entry]
    return wrong


def make_targets(makefile: str) -> set[str]:
    """Return the targets of a Makefile that have a help line."""
    return set(re.findall(r"^([a-z]+):.*## ", makefile, re.M))


def shown_commands(markdown: str) -> list[list[str]]:
    """Return the words of every command line (make ..., waxline ...) in the code blocks of a document."""
    blocks = re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", markdown, re.M | re.S)
    lines = [line.split("#")[0].removeprefix("$ ").split() for block in blocks for line in block.splitlines()]
    cleaned = [[word.removeprefix(".venv/bin/") for word in words] for words in lines]
    return [words for words in cleaned if words and words[0] in {"make", "waxline"}]


def unknown_commands(markdown: str, targets: Iterable[str], commands: Iterable[str]) -> list[str]:
    """Return the commands shown in `markdown` that are neither targets of the Makefile nor commands of the program."""
    known = {"make": set(targets), "waxline": set(commands)}
    shown = [words for words in shown_commands(markdown) if len(words) > 1 and not words[1].startswith("-")]
    return [" ".join(words) for words in shown if words[1] not in known[words[0]]]


def broken_links(document: Path, text: str) -> list[str]:
    """Return the relative links and pictures of a document that lead to no file."""
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.S))]
    return [target for target in targets if target and "://" not in target and not (document.parent / target).exists()]


def too_large(files: Iterable[Path], most_bytes: int = LARGEST_FILE_BYTES) -> list[str]:
    """Return the files above `most_bytes`."""
    return [str(path) for path in files if path.stat().st_size > most_bytes]
