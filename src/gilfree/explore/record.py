"""One measurement as data: what was run where, every repeat of it, and JSON in and out."""

import json
import math
import platform
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from gilfree import interpreter
from gilfree.explore.probe import Probe

__all__ = ["Gain", "Memory", "Record", "Run", "default_path", "load", "save", "write", "write_text"]


@dataclass(frozen=True)
class Gain:
    """How many times as fast: the median of ratios, each of two times taken one right after the other."""

    value: float
    low: float  # of an interval that holds the true median in 95 of 100 cases
    high: float

    @classmethod
    def of(cls, before: list[float], after: list[float]) -> "Gain":
        """The gain from ``before`` to ``after``, which were taken in pairs.

        The interval is that of the sign test: between two of the sorted ratios, whatever their distribution. Fewer
        than six pairs cannot give 95 of 100; theirs goes from the least to the greatest.
        """
        ratios = sorted(one / other for one, other in zip(before, after, strict=True))
        n = len(ratios)
        outside, left = 0.0, 0
        while left < (n - 1) // 2 and outside + math.comb(n, left) / 2**n <= 0.025:
            outside += math.comb(n, left) / 2**n
            left += 1
        left = max(0, left - 1)
        return cls(median(ratios), ratios[left], ratios[n - 1 - left])


@dataclass(frozen=True)
class Memory:
    """How fast the memory that a kernel works on can be read, by threads that do nothing else."""

    moved: int  # bytes that a call reads and writes
    written: bool  # whether some of them are written
    huge_pages: float | None  # share of the memory that lies in pages of 2 MiB or so; None where that is not told
    read: dict[int, float]  # threads → bytes a second
    gain: dict[int, Gain]  # threads → how many times as fast as one


@dataclass(frozen=True)
class Record:
    """Every repeat of one kernel on one backend with one number of threads."""

    kernel: str
    backend: str
    engine: str  # who shares the work: "threads" (Python's) or "numba" (its own)
    threads: int
    size: int
    seconds: list[float]  # in the order in which they were taken; the pairs of those with other numbers of threads
    gain: Gain  # over one thread

    @property
    def speedup(self) -> float:
        """How many times as fast as one thread."""
        return self.gain.value

    @property
    def median(self) -> float:
        """Median of the repeats, in seconds."""
        return median(self.seconds)

    @property
    def best(self) -> float:
        """Shortest repeat, in seconds: the one that other programs disturbed least."""
        return min(self.seconds)

    @property
    def spread(self) -> float:
        """How far the median lies above the best, as a share of it."""
        return self.median / self.best - 1


@dataclass
class Run:
    """A whole benchmark: the machine, its ceiling, the records, and what was noticed on the way."""

    machine: dict[str, Any]
    ceiling: dict[str, dict[int, Gain]] = field(default_factory=dict)
    memory: dict[str, Memory] = field(default_factory=dict)  # of kernels that do little but read it
    records: list[Record] = field(default_factory=list)
    probes: dict[str, dict[str, Probe]] = field(default_factory=dict)  # kernel → backend → does it let go of the GIL?
    units: dict[str, str] = field(default_factory=dict)  # what sizes count
    compile_seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    # kind of doubt → each case of it
    warnings: dict[str, list[str]] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)  # part of the work → seconds

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
            row["best"], row["median"] = record.best, record.median
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
            del row["best"], row["median"]
            row["gain"] = Gain(**row["gain"])
        plain["records"] = [Record(**row) for row in plain["records"]]
        plain["ceiling"] = {kernel: _gains(rows) for kernel, rows in plain["ceiling"].items()}
        plain["memory"] = {
            kernel: Memory(
                **row | {"read": {int(n): speed for n, speed in row["read"].items()}, "gain": _gains(row["gain"])}
            )
            for kernel, row in plain["memory"].items()
        }
        plain["probes"] = {
            kernel: {backend: Probe.from_dict(probe) for backend, probe in rows.items()}
            for kernel, rows in plain.get("probes", {}).items()
        }
        return Run(**plain)
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: expected the JSON of a gilfree benchmark ({error!r})") from error


def _gains(rows: dict[str, dict[str, float]]) -> dict[int, Gain]:
    return {int(threads): Gain(**row) for threads, row in rows.items()}


def default_path(folder: Path = Path("results")) -> Path:
    """``results/<date>-<python>.json``, numbered from the second run of a day on."""
    python = platform.python_version() + ("t" if interpreter.free_threaded_build() else "")
    name = f"{time.strftime('%Y-%m-%d')}-{python}"
    path, number = folder / f"{name}.json", 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}.json"
    return path
