"""How kernels scale on threads: runs them, with controls and the machine's ceiling interleaved, into records."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from random import Random
from typing import Any, Self

import numpy as np

from gilfree import backends, parallel
from gilfree.explore.machine import info, start_numba_threads
from gilfree.explore.probe import LETS_GO, Probe
from gilfree.explore.probe import measure as probe
from gilfree.explore.record import Record, Run
from gilfree.explore.workloads import KERNELS, Workload

__all__ = ["DisagreementError", "measure", "thread_counts"]

# A speed-up from which a kernel counts as scaling, as a share of what the machine itself gained.
SCALES = 0.75
# A gain of threads over one that noise alone can make on a busy machine.
FLAT = 1.2
# Below it the machine itself gains so little from its CPUs that no verdict is possible.
LEAST_CEILING = 1.3

DOUBTFUL_SPREAD = 0.10
# From this share of its time on in which a control leaves the GIL free, it is not much of a control.
DOUBTFUL_CONTROL = 0.10
DOUBTFUL_SECONDS = 1e-3


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
    seconds: float = 8.0,
    rounds: int = 5,
    progress: Callable[[str, float], None] = lambda _doing, _share: None,
) -> Run:
    """Strong scaling of fixed amounts of work.

    Each kernel is measured in rounds. A round runs every backend with every number of threads once, in another order
    each time, and the machine's ceiling too: that many independent processes, each running its share of the same
    compiled kernel on one thread. So whatever disturbs the machine disturbs the controls and the ceiling as it does
    what they are compared with.

    Parameters
    ----------
    workloads
        What to run; see ``gilfree.explore.workloads``.
    names : list of str, optional
        Backends; all that are available by default.
    threads : list of int, optional
        Numbers of threads; 1, 2, 4, … up to the CPUs by default. 1 is always among them.
    seconds, rounds
        Measure a kernel for about so long, and for so many rounds at least.
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
        run.warnings.append(f"{counts[-1]} threads on {cpus} CPUs: beyond {cpus} nothing can scale")
    jobs = list(workloads)
    for done, workload in enumerate(jobs):

        def within(doing: str, share: float, done: int = done) -> None:
            progress(doing, (done + share) / len(jobs))

        _measure_kernel(run, workload, names, counts, seconds, rounds, within)
    progress("done", 1.0)
    return run


def _measure_kernel(
    run: Run,
    workload: Workload,
    names: list[str],
    counts: list[int],
    seconds: float,
    rounds: int,
    progress: Callable[[str, float], None],
) -> None:
    kernel = workload.kernel
    run.units[kernel] = workload.unit
    small = Workload(kernel, min(workload.size, KERNELS[kernel].python_size), workload.path)
    sized = {name: small if backends.BACKENDS[name].slowness > 1 else workload for name in names}
    progress(f"{kernel}: making data", 0.0)
    made = {job: job.data() for job in {small, *sized.values()}}
    progress(f"{kernel}: checking answers", 0.02)
    run.compile_seconds[kernel] = _check_answers(sized, small, made, counts[-1])
    progress(f"{kernel}: who lets go of the GIL", 0.05)
    run.probes[kernel] = {
        name: _probe(partial(job.call, made[job], backend=name, threads=1), f"{kernel}, {name}", seconds)
        for name, job in sized.items()
    }

    cases = [(name, count) for name in names for count in counts if _can(name, count)]
    taken: dict[tuple[str, int], list[float]] = {case: [] for case in cases}
    together: dict[int, list[float]] = {count: [] for count in counts}
    with Ceiling(workload, counts) as ceiling:
        began = time.perf_counter()
        done = 0
        while done < rounds or time.perf_counter() - began < seconds:
            # What ran before decides what is in the caches: in a fixed order one thread of `threshold` took twice as
            # long on one backend as on another, round after round, and two threads seemed to gain 2.5.
            for name, count in Random(done).sample(cases, len(cases)):  # noqa: S311 - no secret is drawn
                taken[name, count].append(_time(sized[name], made[sized[name]], name, count))
            for count in counts:
                together[count].append(ceiling.time(count))
            done += 1
            elapsed = time.perf_counter() - began
            progress(f"{kernel}: round {done}", min(0.99, done / rounds, elapsed / seconds if seconds else 1.0))
    run.ceiling[kernel] = {count: min(together[1]) / min(together[count]) for count in counts}
    for name, count in cases:
        run.records.append(
            Record(
                kernel,
                name,
                "numba" if backends.BACKENDS[name].threads == "numba" else "threads",
                count,
                sized[name].size,
                taken[name, count],
                min(taken[name, 1]) / min(taken[name, count]),
            )
        )
    run.verdicts[kernel] = verdict(run, kernel)
    run.warnings += _doubts(run, kernel)


def _can(name: str, count: int) -> bool:
    """Numba's own threads cannot outnumber those it was started with."""
    if backends.BACKENDS[name].threads != "numba":
        return True
    return count <= parallel.numba_thread_limit()


def _time(workload: Workload, data: Any, name: str, count: int) -> float:
    began = time.perf_counter()
    workload.call(data, backend=name, threads=count)
    return time.perf_counter() - began


def _probe(call: Callable[[], object], name: str, seconds: float) -> Probe:
    """Does one thread's call let go? In a twentieth of the kernel's time, or as long as the witness needs."""
    # The single waits make a plot that nobody asks for here.
    return replace(probe(call, name=name, seconds=max(0.2, seconds / 20)), waits=())


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
            first = _time(job, made[job], name, 1) if name.startswith("numba") and name not in compiling else None
            if first is not None:
                compiling[name] = max(0.0, first - _time(job, made[job], name, 1))
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


# --- the machine's ceiling -------------------------------------------------------------------------------------------


class Ceiling:
    """Independent processes that run the compiled kernel at the same time, each on its share of the work."""

    def __init__(self, workload: Workload, counts: list[int]) -> None:
        self._workload = workload
        self._counts = counts
        self._processes: list[tuple[Any, Connection]] = []

    def __enter__(self) -> Self:
        # Spawned, not forked: nothing of this process's threads or memory is in them.
        context = multiprocessing.get_context("spawn")
        backend = next(name for name in ("cython", "numba", "python") if backends.missing(name) is None)
        work = self._workload
        if backend == "python":
            work = Workload(work.kernel, min(work.size, KERNELS[work.kernel].python_size), work.path)
        try:
            for part in range(self._counts[-1]):
                ours, theirs = context.Pipe()
                shares = [count for count in self._counts if part < count]
                process = context.Process(target=_share, args=(theirs, work, backend, part, shares), daemon=True)
                process.start()
                theirs.close()
                self._processes.append((process, ours))
            for _, connection in self._processes:
                connection.recv()  # ready
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process, connection in self._processes:
            connection.close()  # which ends the process's loop
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join()

    def time(self, count: int) -> float:
        """Seconds until the slowest of ``count`` processes has done its share."""
        for _, connection in self._processes[:count]:
            connection.send(count)
        return max(float(connection.recv()) for _, connection in self._processes[:count])


def _share(connection: Connection, workload: Workload, backend: str, part: int, counts: list[int]) -> None:
    """Body of one process: whenever told a number of processes, run this one's share and say how long it took."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes the pipe
    made = {count: workload.data(part, count) for count in counts}
    for data in made.values():
        workload.call(data, backend=backend, threads=1)
    connection.send(os.getpid())
    try:
        while True:
            count = connection.recv()
            connection.send(_time(workload, made[count], backend, 1))
    except EOFError:
        return


# --- what it means ---------------------------------------------------------------------------------------------------


def verdict(run: Run, kernel: str) -> str:
    """Answer in one line whether threads scale only when the GIL is released."""
    most = max(run.ceiling[kernel])
    ceiling = run.ceiling[kernel][most]
    pair = next((name for name in ("cython", "numba") if run.find(kernel, name, most)), None)
    if most == 1:
        return "cannot tell: only one thread was measured"
    if pair is None:
        return "cannot tell: no backend that releases the GIL was measured"
    released = run.find(kernel, pair, most)
    control = run.find(kernel, f"{pair}-held", most)
    assert released is not None  # pair was chosen so
    figures = f"{pair} {released.speedup:.2f} of {ceiling:.2f}"
    figures += f", its control {control.speedup:.2f}" if control else ", without its control"
    if ceiling < LEAST_CEILING:
        return f"cannot tell: the machine itself gains too little from {most} CPUs ({figures})"
    scales = released.speedup >= SCALES * ceiling
    one = run.find(kernel, pair, 1)
    if not scales and one is not None and one.best < DOUBTFUL_SECONDS:
        return f"cannot tell: runs of {one.best * 1e6:.0f} µs are too short to share ({figures})"
    if not run.machine["gil_enabled"]:
        said = "threads scale, held or released" if scales else "threads do not scale"
        return f"{said}: this Python runs without a GIL ({figures})"
    if control is None:
        return f"threads scale when the GIL is released: {'yes' if scales else 'no'}, {figures}"
    if scales and control.speedup <= FLAT:
        return f"threads scale only when the GIL is released: yes, {figures}"
    if scales:
        return f"threads scale only when the GIL is released: doubtful, {figures}"
    return f"threads scale only when the GIL is released: no, {figures}"


def _doubts(run: Run, kernel: str) -> list[str]:
    """What makes the figures of this kernel doubtful."""
    records = [record for record in run.records if record.kernel == kernel]
    short = [record for record in records if record.best < DOUBTFUL_SECONDS]
    wide = [record for record in records if record.spread > DOUBTFUL_SPREAD]
    found = []
    if short:
        found.append(f"{kernel}: runs under 1 ms ({_names(short)}); give it more work with --size")
    if wide:
        worst = max(wide, key=lambda record: record.spread)
        found.append(
            f"{kernel}: median more than {DOUBTFUL_SPREAD:.0%} above the best"
            f" ({_names(wide)}; {worst.spread:.0%} at most)"
        )
    if run.machine["gil_enabled"]:
        found += _broken_promises(run.probes.get(kernel, {}), kernel)
    beyond = [
        record
        for record in records
        if record.threads > 1
        and backends.BACKENDS[record.backend].releases
        and record.speedup > 1.15 * run.ceiling[kernel][record.threads]
    ]
    if beyond:
        found.append(f"{kernel}: faster than the ceiling ({_names(beyond)}): one of the two was disturbed")
    return found


def _broken_promises(probes: dict[str, Probe], kernel: str) -> list[str]:
    """Where a witness contradicts what the table of backends says, or would if it had had more time."""
    found = []
    for name, probed in probes.items():
        free = probed.free_share or 0.0
        if backends.BACKENDS[name].releases and probed.verdict not in LETS_GO:
            said = f"the probe says {probed.verdict}: {probed.why}"
            found.append(f"{kernel}: {name} should let go of the GIL, and {said}")
        elif not backends.BACKENDS[name].releases and free > DOUBTFUL_CONTROL:
            found.append(f"{kernel}: {name} should hold the GIL, and leaves it free for {free:.0%} of its time")
    return found


def _names(records: list[Record]) -> str:
    return ", ".join(f"{record.backend} × {record.threads}" for record in records)
