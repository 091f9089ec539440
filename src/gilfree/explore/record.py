"""One measurement as data: what was run where, every repeat of it, and JSON in and out."""

import json
import platform
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from gilfree import interpreter
from gilfree.explore.probe import Probe

__all__ = ["Record", "Run", "default_path", "load", "save", "write", "write_text"]


@dataclass(frozen=True)
class Record:
    """Every repeat of one kernel on one backend with one number of threads."""

    kernel: str
    backend: str
    engine: str  # who shares the work: "threads" (Python's) or "numba" (its own)
    threads: int
    size: int
    seconds: list[float]
    speedup: float

    @property
    def best(self) -> float:
        """Shortest repeat, in seconds: the one that other programs disturbed least."""
        return min(self.seconds)

    @property
    def spread(self) -> float:
        """How far the median lies above the best, as a share of it."""
        return median(self.seconds) / self.best - 1


@dataclass
class Run:
    """A whole benchmark: the machine, its ceiling, the records, and what was noticed on the way."""

    machine: dict[str, Any]
    ceiling: dict[str, dict[int, float]] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    probes: dict[str, dict[str, Probe]] = field(default_factory=dict)  # kernel → backend → does it let go of the GIL?
    units: dict[str, str] = field(default_factory=dict)  # what sizes count
    compile_seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def kernels(self) -> list[str]:
        """Names of the kernels measured, in order."""
        return list(dict.fromkeys(record.kernel for record in self.records))

    def find(self, kernel: str, backend: str, threads: int) -> Record | None:
        """The record of that kernel, backend and number of threads, if there is one."""
        for record in self.records:
            if (record.kernel, record.backend, record.threads) == (kernel, backend, threads):
                return record
        return None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        plain = asdict(self)
        for row, record in zip(plain["records"], self.records, strict=True):
            row["best"] = record.best
        plain["probes"] = {
            kernel: {backend: probe.to_dict() for backend, probe in rows.items()}
            for kernel, rows in self.probes.items()
        }
        return plain


def save(run: Run, path: Path) -> None:
    """Write a run as JSON."""
    write(run.to_dict(), path)


def write(data: dict[str, Any], path: Path) -> None:
    """Write JSON, as ``write_text`` does."""
    write_text(json.dumps(data, indent=1) + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write a file: to a neighbour first, then renamed, so that no half a file is ever there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)  # still there if it was interrupted


def load(path: Path) -> Run:
    """Read a run that ``save`` wrote.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it holds something else.
    """
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        for row in plain["records"]:
            del row["best"]
        plain["records"] = [Record(**row) for row in plain["records"]]
        plain["ceiling"] = {
            kernel: {int(threads): speedup for threads, speedup in rows.items()}
            for kernel, rows in plain["ceiling"].items()
        }
        plain["probes"] = {
            kernel: {backend: Probe.from_dict(probe) for backend, probe in rows.items()}
            for kernel, rows in plain.get("probes", {}).items()
        }
        return Run(**plain)
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: expected the JSON of a gilfree benchmark ({error!r})") from error


def default_path(folder: Path = Path("results")) -> Path:
    """``results/<date>-<python>.json``, numbered from the second run of a day on."""
    python = platform.python_version() + ("t" if interpreter.free_threaded_build() else "")
    name = f"{time.strftime('%Y-%m-%d')}-{python}"
    path, number = folder / f"{name}.json", 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}.json"
    return path
