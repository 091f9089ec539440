"""What the machine allows: processes that run the same kernel, and threads that do nothing but read its memory."""

import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, Self

import numpy as np

from gilfree import backends, parallel
from gilfree.explore.workloads import KERNELS, Workload

__all__ = ["Processes", "Reading", "timed"]

# Words that a thread reads at a time: 1 MiB, so that taking the next ones costs nothing. So many of these in 30 ms at
# 20 GB/s.
GRAIN = 2**17
CHUNKS = 600


def timed(workload: Workload, data: Any, backend: str, threads: int) -> float:
    """Seconds that one call takes."""
    began = time.perf_counter()
    workload.call(data, backend=backend, threads=threads)
    return time.perf_counter() - began


class Reading:
    """Threads that read an array and do nothing else: the ceiling of kernels that are limited by memory.

    ``moved`` is the number of bytes that a call of the kernel reads and writes, of which ``array`` is what it reads.
    """

    def __init__(self, array: Any, moved: int) -> None:
        from gilfree import _cpu

        self.address: int = array.ctypes.data
        self.moved, self.written = moved, moved > array.nbytes
        self._kernel = _cpu.read_words
        flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        self._words = flat[: flat.size // 8 * 8].view(np.uint64)
        self.bytes = self._words.nbytes

    def time(self, threads: int) -> float:
        """Seconds that so many threads need to read all of it."""
        began = time.perf_counter()
        parallel.run(
            backends.BACKENDS["cython"],
            self._kernel,
            self._words,
            units=len(self._words),
            grain=GRAIN,
            pause=CHUNKS,
            threads=threads,
        )
        return time.perf_counter() - began


class Processes:
    """Independent processes that run the compiled kernel at the same time, each on its share of the work."""

    def __init__(self, workload: Workload, counts: Sequence[int]) -> None:
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
            connection.send(timed(workload, made[count], backend, 1))
    except EOFError:
        return
