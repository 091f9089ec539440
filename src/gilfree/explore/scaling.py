"""How kernels scale on threads: runs them, with controls and the machine's ceilings side by side, into records."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from statistics import median
from typing import Any

import numpy as np

from gilfree import backends, parallel
from gilfree.explore.ceiling import Processes, Reading, timed
from gilfree.explore.machine import huge_pages, info, start_numba_threads
from gilfree.explore.probe import LETS_GO, Probe
from gilfree.explore.probe import measure as probe
from gilfree.explore.record import Gain, Memory, Record, Run
from gilfree.explore.workloads import KERNELS, Workload

__all__ = ["DisagreementError", "measure", "share_of_ceiling", "thread_counts", "verdict"]

# A speed-up from which a kernel counts as scaling, as a share of what the machine itself gained.
SCALES = 0.75
# A gain of threads over one that noise alone can make on a busy machine.
FLAT = 1.2
# Below it the machine itself gains so little from its CPUs that no verdict is possible.
LEAST_CEILING = 1.3
# From this share on of what threads that only read get out of memory, memory is what limits a kernel.
AT_MEMORY = 0.75
# Below this share, memory is none of a kernel's concern, and reading it is not measured.
FAR_FROM_MEMORY = 0.125

DOUBTFUL_SPREAD = 0.10
# From this share of its time on in which a control leaves the GIL free, it is not much of a control.
DOUBTFUL_CONTROL = 0.10
DOUBTFUL_SECONDS = 1e-3
# A faster call begins with what the one before it left in the caches: one that is not timed goes first.
WARM = 0.02


class DisagreementError(Exception):
    """Two backends gave different answers, so their times mean nothing."""


def thread_counts(most: int | None = None) -> list[int]:
    """1, 2, 4, … and ``most``, the CPUs this process may use by default."""
    most = most or parallel.cpu_count()
    counts = [1]
    while counts[-1] * 2 < most:
        counts.append(counts[-1] * 2)
    return counts if most == 1 else [*counts, most]


def measure(
    workloads: Iterable[Workload],
    names: list[str] | None = None,
    threads: list[int] | None = None,
    *,
    seconds: float = 7.0,
    probing: float = 0.3,
    rounds: int = 5,
    progress: Callable[[str, float], None] = lambda _doing, _share: None,
) -> Run:
    """Strong scaling of fixed amounts of work.

    A round belongs to one backend: its call with every number of threads, as many independent processes each with its
    share of the same compiled kernel on one thread, and for a kernel that does little but read memory, as many
    threads that do nothing else. All of that comes one right after the other, in another order each time, so that
    whatever disturbs the machine disturbs what is compared alike; a speed-up is the median of the rounds' ratios. The
    next round goes to the backend that has had the least time, so that fast ones get many rounds however slow others
    are, and their figures do not depend on which others are measured.

    Parameters
    ----------
    workloads
        What to run; see ``gilfree.explore.workloads``.
    names : list of str, optional
        Backends; all that are available by default.
    threads : list of int, optional
        Numbers of threads; 1, 2, 4, … up to the CPUs by default. 1 is always among them.
    seconds, rounds
        Measure a kernel for about so long, and each backend for so many rounds at least.
    probing
        Seconds to find out whether one backend releases the GIL; a probe needs 0.2 at least.
    progress
        Called with what is being done and the share of the whole that is behind.

    Raises
    ------
    DisagreementError
        If two backends give different answers, before any time is taken.
    ValueError, ModuleNotFoundError
        For a backend that is unknown or missing here.
    """
    if names is None:
        names = [name for name in backends.BACKENDS if backends.missing(name) is None]
    for name in names:
        backends.resolve(name)
    counts = sorted({1, *(threads or thread_counts())})
    start_numba_threads()
    run = Run(machine=info())
    cpus = parallel.cpu_count()
    if counts[-1] > cpus:
        run.warnings["threads"] = [f"{counts[-1]} threads on {cpus} CPUs: beyond {cpus} nothing can scale"]
    jobs = list(workloads)
    for done, workload in enumerate(jobs):

        def within(doing: str, share: float, done: int = done) -> None:
            progress(doing, (done + share) / len(jobs))

        _measure_kernel(run, workload, names, counts, _Effort(seconds, probing, rounds), within)
    progress("done", 1.0)
    return run


@dataclass(frozen=True)
class _Effort:
    seconds: float
    probing: float
    rounds: int


@dataclass
class _Case:
    """A backend, and what its rounds brought: one time for each number of threads and each round."""

    name: str
    workload: Workload
    counts: list[int]
    spent: float = 0.0
    rounds: int = 0
    taken: dict[int, list[float]] = field(default_factory=dict)


def _measure_kernel(
    run: Run,
    workload: Workload,
    names: list[str],
    counts: list[int],
    effort: _Effort,
    progress: Callable[[str, float], None],
) -> None:
    kernel = workload.kernel
    run.units[kernel] = workload.unit
    small = Workload(kernel, min(workload.size, KERNELS[kernel].python_size), workload.path)
    sized = {name: small if backends.BACKENDS[name].slowness > 1 else workload for name in names}
    progress(f"{kernel}: making data", 0.0)
    with _part(run, "data and answers"):
        made = {job: job.data() for job in {small, *sized.values()}}
        progress(f"{kernel}: checking answers", 0.02)
        run.compile_seconds[kernel] = _check_answers(sized, small, made, counts[-1])
    progress(f"{kernel}: who releases the GIL", 0.05)
    with _part(run, "probing"):
        run.probes[kernel] = {
            name: _probe(partial(job.call, made[job], backend=name, threads=1), f"{kernel}, {name}", effort.probing)
            for name, job in sized.items()
        }
    cases = [
        _Case(name, sized[name], [n for n in counts if _can(name, n)], taken={n: [] for n in counts}) for name in names
    ]
    with _part(run, "measuring"), Processes(workload, counts) as processes:
        reading = _reading(workload, made.get(workload))
        together: dict[int, list[float]] = {count: [] for count in counts}
        read: dict[int, list[float]] = {count: [] for count in counts}
        began = time.perf_counter()
        elapsed = 0.0
        random = Random(0)  # noqa: S311 - no secret is drawn
        while elapsed < effort.seconds or min(case.rounds for case in cases) < effort.rounds:
            case = min(cases, key=lambda case: (case.spent, case.rounds))
            if case.rounds >= effort.rounds and elapsed >= effort.seconds:
                case = min(cases, key=lambda case: case.rounds)
            _round(case, made[case.workload], random, processes, together, reading, read)
            elapsed = time.perf_counter() - began
            rounds = min(case.rounds for case in cases)
            share = min(rounds / effort.rounds, elapsed / effort.seconds if effort.seconds else 1.0)
            progress(f"{kernel}: measuring", 0.1 + 0.89 * min(1.0, share))
    run.ceiling[kernel] = {count: Gain.of(together[1], together[count]) for count in counts}
    if reading is not None:
        run.memory[kernel] = Memory(
            reading.moved,
            reading.written,
            huge_pages(reading.address),
            {count: reading.bytes / median(read[count]) for count in counts},
            {count: Gain.of(read[1], read[count]) for count in counts},
        )
    for case in cases:
        engine = "numba" if backends.BACKENDS[case.name].threads == "numba" else "threads"
        run.records += [
            Record(
                kernel, case.name, engine, count, case.workload.size, case.taken[count],
                Gain.of(case.taken[1], case.taken[count]),
            )
            for count in case.counts
        ]  # fmt: skip
    run.verdicts[kernel] = verdict(run, kernel)
    _doubt(run, kernel)


class _part:  # noqa: N801 - used as a function is
    """Adds the time of a ``with`` block to a part of the run."""

    def __init__(self, run: Run, name: str) -> None:
        self._run, self._name = run, name

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        spent = self._run.took.get(self._name, 0.0)
        self._run.took[self._name] = spent + time.perf_counter() - self._began


def _round(
    case: _Case,
    data: Any,
    random: Random,
    processes: Processes,
    together: dict[int, list[float]],
    reading: Reading | None,
    read: dict[int, list[float]],
) -> None:
    """One round of a backend: see ``measure``."""
    began = time.perf_counter()
    if case.rounds == 0 or min(case.taken[1]) < WARM:
        timed(case.workload, data, case.name, 1)
    # In a fixed order one thread of `threshold` took twice as long on one backend as on another, round after round,
    # and two threads seemed to gain 2.5: what ran before decides what is in the caches.
    for count in random.sample(case.counts, len(case.counts)):
        case.taken[count].append(timed(case.workload, data, case.name, count))
    for count in random.sample(sorted(together), len(together)):
        together[count].append(processes.time(count))
        if reading is not None:
            read[count].append(reading.time(count))
    case.rounds += 1
    case.spent += time.perf_counter() - began


def _reading(workload: Workload, data: Any) -> Reading | None:
    """What reads the memory of a kernel that may be limited by it."""
    found = None if data is None else workload.memory(data)
    if found is None or backends.missing("cython") is not None:
        return None
    array, moved = found
    reading = Reading(array, moved)
    kernel = min(timed(workload, data, "cython", 1) for _ in range(3))
    alone = min(reading.time(1) for _ in range(3))
    return reading if moved / kernel >= FAR_FROM_MEMORY * reading.bytes / alone else None


def _can(name: str, count: int) -> bool:
    """Numba's own threads cannot outnumber those it was started with."""
    if backends.BACKENDS[name].threads != "numba":
        return True
    return count <= parallel.numba_thread_limit()


def _probe(call: Callable[[], object], name: str, seconds: float) -> Probe:
    """Find out whether one thread's call releases the GIL."""
    # The single waits make a plot that nobody asks for here.
    return replace(probe(call, name=name, seconds=max(0.2, seconds)), waits=())


def _check_answers(
    sized: dict[str, Workload], small: Workload, made: dict[Workload, Any], most: int
) -> dict[str, float]:
    """Compare all backends on the small work and the compiled ones on the large; also warms everything up.

    Returns the seconds each Numba backend took to compile (or to load from Numba's cache on disk).
    """
    compiling = {}
    expected: dict[Workload, tuple[str, Any]] = {}
    for name, large in sized.items():
        for job in dict.fromkeys((small, large)):
            first = timed(job, made[job], name, 1) if name.startswith("numba") and name not in compiling else None
            if first is not None:
                compiling[name] = max(0.0, first - timed(job, made[job], name, 1))
            threads = most if _can(name, most) else 1
            answer = np.array(job.call(made[job], backend=name, threads=threads))
            reference, right = expected.setdefault(job, (name, answer))
            if not _same(answer, right):
                raise DisagreementError(
                    f"{job.kernel}, {job.size} {job.unit}: {name} with {threads} threads does not"
                    f" give the answer of {reference}"
                )
    return compiling


def _same(a: Any, b: Any) -> bool:
    """The same bits."""
    return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())


# --- what it means ---------------------------------------------------------------------------------------------------

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def number(count: int) -> str:
    """A small number as a word."""
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def memory_limit(run: Run, kernel: str, backend: str, count: int) -> float | None:
    """The speed-up with which a backend would read as fast as threads that do nothing else; None if that is far off."""
    memory, one = run.memory.get(kernel), run.find(kernel, backend, 1)
    if memory is None or one is None or count not in memory.read:
        return None
    return memory.read[count] * one.median / memory.moved


def share_of_ceiling(run: Run, record: Record) -> float:
    """The speed-up as a share of the lower of the two ceilings: what processes gain, and what memory gives."""
    ceiling = run.ceiling[record.kernel][record.threads].value
    limit = memory_limit(run, record.kernel, record.backend, record.threads)
    # A limit below one is no ceiling of a speed-up: one thread alone reads as fast as many that only read.
    return record.speedup / min(ceiling, max(limit, 1.0) if limit is not None else ceiling)


def verdict(run: Run, kernel: str) -> str:
    """Answer in one sentence whether threads scale only when the GIL is released, and why."""
    most = max(run.ceiling[kernel])
    ceiling = run.ceiling[kernel][most].value
    pair = next((name for name in ("cython", "numba") if run.find(kernel, name, most)), None)
    if most == 1:
        return "cannot tell: only one thread was measured."
    if pair is None:
        return "cannot tell: no backend that releases the GIL was measured."
    released, control, one = (run.find(kernel, *which) for which in ((pair, most), (f"{pair}-held", most), (pair, 1)))
    assert released is not None  # pair was chosen so
    threads, gil = f"{number(most)} threads", run.machine["gil_enabled"]
    held = f"; held, {control.speedup:.2f}." if control else "; no control was measured."
    gains = f"{threads} are {released.speedup:.2f} times one (this machine allows {ceiling:.2f})"
    memory = run.memory.get(kernel)
    if memory is not None:
        reached, there = memory.moved / released.median / 1e9, memory.read[most] / 1e9
        if reached >= AT_MEMORY * there:
            verb = "move" if memory.written else "read"
            figures = (
                f"{threads} {verb} {reached:.0f} of the {there:.0f} GB/s there are, {released.speedup:.2f} times one"
            )
            limited = "limited by memory, not by the GIL" if gil else "limited by memory"
            if gil and control is not None and control.speedup > FLAT:
                return f"doubtful. It is {limited}: {figures}{held}"
            return f"{limited}: {figures}{held}"
    if ceiling < LEAST_CEILING:
        return f"cannot tell: the machine itself gains too little from {number(most)} CPUs. {gains.capitalize()}{held}"
    scales = released.speedup >= SCALES * ceiling
    if not scales and one is not None and one.best < DOUBTFUL_SECONDS:
        short = f"runs of {one.best * 1e6:.0f} µs are too short to share"
        return f"cannot tell: {short}. {gains.capitalize()}{held}"
    if not gil:
        said = "threads scale, held or released" if scales else "threads do not scale"
        return f"{said}: this Python runs without a GIL. {gains.capitalize()}{held}"
    if not scales:
        return f"no. Released, {gains}{held}"
    if control is not None and control.speedup > FLAT:
        return f"doubtful. Released, {gains}{held}"
    return f"yes. Released, {gains}{held}"


def _doubt(run: Run, kernel: str) -> None:
    """Write down what makes the figures of this kernel doubtful, by kind."""
    records = [record for record in run.records if record.kernel == kernel]
    found: dict[str, list[str]] = {
        "short": [_name(record) for record in records if record.best < DOUBTFUL_SECONDS],
        "noise": [f"{_name(record)}: {record.spread:.0%}" for record in records if record.spread > DOUBTFUL_SPREAD],
        "beyond": [
            f"{_name(record)}: {record.gain.low:.2f} of {run.ceiling[kernel][record.threads].high:.2f}"
            for record in records
            if record.threads > 1
            and backends.BACKENDS[record.backend].releases
            and record.gain.low > 1.05 * run.ceiling[kernel][record.threads].high
        ],
        "promise": _broken_promises(run.probes.get(kernel, {}), kernel) if run.machine["gil_enabled"] else [],
    }
    for kind, cases in found.items():
        if cases:
            run.warnings.setdefault(kind, []).extend(cases)


def doubts(run: Run) -> list[str]:
    """What makes the figures doubtful, in one line a kind; the cases are in the data."""
    lines = []
    for kind, cases in run.warnings.items():
        if kind == "noise":
            worst = max(record.spread for record in run.records)
            lines.append(f"Noisy machine: medians up to {worst:.0%} above the best; details in the JSON.")
        elif kind == "short":
            lines.append(f"Runs under 1 ms say little (--size): {_and_more(cases)}.")
        elif kind == "beyond":
            lines.append(f"Faster than the ceiling, so one of the two was disturbed: {_and_more(cases)}.")
        else:
            lines.append(f"{_and_more(cases)}.")
    return lines


def _and_more(cases: Sequence[str]) -> str:
    return cases[0] + (f", and {len(cases) - 1} more" if len(cases) > 1 else "")


def _broken_promises(probes: dict[str, Probe], kernel: str) -> list[str]:
    """Where a witness contradicts what the table of backends says, or would if it had had more time."""
    found = []
    for name, probed in probes.items():
        free = probed.free_share or 0.0
        if backends.BACKENDS[name].releases and probed.verdict not in LETS_GO:
            said = f"the probe says {probed.verdict}: {probed.why}"
            found.append(f"{kernel}: {name} should release the GIL, and {said}")
        elif not backends.BACKENDS[name].releases and free > DOUBTFUL_CONTROL:
            found.append(f"{kernel}: {name} should hold the GIL, and leaves it free for {free:.0%} of its time")
    return found


def _name(record: Record) -> str:
    return f"{record.kernel}, {record.backend} × {record.threads}"
