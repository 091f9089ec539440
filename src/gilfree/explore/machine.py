"""What this machine, this Python and this gilfree are: the frame of every measurement."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gilfree import backends, interpreter, parallel

__all__ = ["huge_pages", "info", "start_numba_threads"]

# Packages whose version can change a measurement.
PACKAGES = ("gilfree", "numpy", "numba", "llvmlite", "tbb")


def info() -> dict[str, Any]:
    """What a bug report or a benchmark needs to say about where it ran, ready for JSON.

    Keys: ``python``, ``implementation``, ``free_threaded_build``, ``gil_enabled``, ``gil_enabled_by`` (None unless
    something switched it back on), ``system``, ``machine``, ``cpu`` (its name), ``cpus`` (all of them), ``isa``,
    ``isas`` (usable, best first), ``threads`` (what ``threads=None`` means now), ``backends`` (name →
    ``available``, ``why``, ``releases_gil``, ``default``), ``numba_threading_layer``, ``versions``.
    """
    default = backends.resolve().name
    compiled = backends.missing("cython") is None
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "free_threaded_build": interpreter.free_threaded_build(),
        "gil_enabled": interpreter.gil_enabled(),
        "gil_enabled_by": interpreter.gil_enabled_by(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "cpu": _cpu_name(),
        "cpus": os.cpu_count(),
        "isa": backends.isa() if compiled else None,
        "isas": list(backends.isas()) if compiled else [],
        "threads": parallel.thread_count(),
        "backends": {name: _describe(name, default) for name in backends.BACKENDS},
        "numba_threading_layer": _numba_layer(),
        "versions": {package: found for package in PACKAGES if (found := _version(package))},
    }


def _describe(name: str, default: str) -> dict[str, Any]:
    why = backends.missing(name)
    return {
        "available": why is None,
        "why": why or "",
        "releases_gil": backends.BACKENDS[name].releases or not interpreter.gil_enabled(),
        "default": name == default,
    }


def _numba_layer() -> str | None:
    """The layer Numba's threads run on; Numba chooses it when they first start. None without Numba."""
    if backends.missing("numba-parallel"):
        return None
    return parallel.numba_threading_layer() or "chosen when first used"


def start_numba_threads() -> None:
    """Make Numba choose its threading layer, without compiling anything."""
    if backends.missing("numba-parallel") is None:
        parallel.start_numba_threads()


def huge_pages(address: int, maps: Path = Path("/proc/self/smaps")) -> float | None:
    """The share of the memory around an address that lies in huge pages; None where the system does not tell.

    A page of 2 MiB spares 511 looks at the page tables of every 512: such memory was read twice as fast here.
    """
    try:
        lines = maps.read_text().splitlines()
    except OSError:
        return None  # not Linux
    size, here = 0, False
    for line in lines:
        word, _, rest = line.partition(" ")
        if "-" in word and ":" not in word:
            first, last = (int(bound, 16) for bound in word.split("-"))
            here = first <= address < last
        elif here and word == "Size:":
            size = int(rest.split()[0])
        elif here and word == "AnonHugePages:":
            return int(rest.split()[0]) / size if size else None
    return None


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
