"""Compile kernels with numba, in a cache folder keyed by a hash of this package's sources.

numba looks only at the file of the function it caches: a changed callee or constant in another file would leave old machine
code in use, silently. So the folder's name carries a hash of every source file of the package and of the flags that change
the generated code. Import `njit` from here and from nowhere else; a test holds this.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

PACKAGE = Path(__file__).resolve().parent
FLAGS = ("NUMBA_BOUNDSCHECK", "NUMBA_DISABLE_JIT", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_OPT", "NUMBA_SLP_VECTORIZE")


def sources_key(package: Path = PACKAGE) -> str:
    """Return the hash of all Python sources below `package`, of the numba flags and of the Python version, 16 hex digits."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(str(path.relative_to(package)).encode())
        digest.update(path.read_bytes())
    for flag in FLAGS:
        digest.update(f"{flag}={os.environ.get(flag, '')};".encode())
    digest.update(f"{sys.version_info[:2]}".encode())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Return the folder of compiled kernels for these sources: the user's cache, or the temporary folder if that is read-only."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "waxline" / "numba"
    try:
        base.mkdir(parents=True, exist_ok=True)
        if not os.access(base, os.W_OK):
            raise PermissionError(base)
    except OSError:
        base = Path(tempfile.gettempdir()) / f"waxline-numba-{os.getuid()}"
    return base / sources_key()


# Sums that stand side by side (what an account has, what it must have) are made in one register; no sum runs in another order for it.
os.environ.setdefault("NUMBA_SLP_VECTORIZE", "1")
if "NUMBA_CACHE_DIR" not in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = str(cache_folder())

import numba  # noqa: E402  (the cache folder must be chosen first)

numba.config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"]  # type: ignore[attr-defined]  # numba sets its options at run time
numba.config.SLP_VECTORIZE = int(os.environ["NUMBA_SLP_VECTORIZE"])  # type: ignore[attr-defined]

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def njit(kernel: Kernel) -> Kernel:
    """Compile `kernel` on its first call; the machine code is kept in `cache_folder()` and runs without the interpreter lock."""
    return _compiled(kernel)


def lean(kernel: Kernel) -> Kernel:
    """Compile `kernel` as `njit` does, without numba's memory manager: it counts no references to arrays, and what allocates does not compile.

    For kernels on many arrays that run per market and level: counting took longer than their work.
    """
    return _compiled(kernel, _nrt=False)


def inlined(kernel: Kernel) -> Kernel:
    """Compile `kernel` as `lean` does, and into every kernel that calls it: handing over many arrays costs more than a small kernel does."""
    return _compiled(kernel, _nrt=False, forceinline=True)


def _compiled(kernel: Kernel, **options: bool) -> Kernel:
    compiler: Any = numba.njit
    return cast(Kernel, compiler(cache=True, nogil=True, error_model="numpy", **options)(kernel))


def is_compiled() -> bool:
    """Tell whether the kernels of a run are on disk for these sources, so that a first run can say it compiles."""
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    return folder.is_dir() and any(folder.rglob("*clear_markets*.nbi"))
