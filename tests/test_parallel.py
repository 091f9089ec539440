"""Workers: how many, who they are, how they are stopped, and that the caller notices nothing else."""

import asyncio
import concurrent.futures
import contextvars
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import child
import numpy as np
import pytest
from calls import ALONE, KERNELS, at_most
from judge import assert_same_bits
from selection import Some

import gilfree
from gilfree import backends, parallel, pixels, primes, reductions
from gilfree._tickets import Tickets

RELEASES, HOLDS = backends.BACKENDS["cython"], backends.BACKENDS["python"]


# --- how many --------------------------------------------------------------------------------------------------------


def test_thread_count_takes_the_argument_first() -> None:
    with gilfree.use(threads=3):
        assert parallel.thread_count() == 3
        assert parallel.thread_count(5) == 5
        number: Any = np.int64(2)
        assert parallel.thread_count(number) == 2


@pytest.mark.parametrize("threads", [0, -1, 1025, 10**30])
def test_threads_out_of_range(threads: int) -> None:
    with pytest.raises(ValueError, match=f"threads: got {threads}, expected an integer from 1 to 1024"):
        parallel.thread_count(threads)
    with pytest.raises(ValueError, match=f"threads: got {threads}"), gilfree.use(threads=threads):
        pass


@pytest.mark.parametrize("threads", [2.0, "2", True, [2]], ids=repr)
def test_threads_of_another_type(threads: Any) -> None:
    with pytest.raises(TypeError, match=f"threads: got {type(threads).__name__}, expected an integer from 1 to 1024"):
        parallel.thread_count(threads)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("size", [1, 20_000], ids=["inline", "threaded"])
def test_every_kernel_checks_threads_and_executor(backend: str, name: str, size: int) -> None:
    """Also where the input is too small for a second worker: what is wrong is wrong at any size."""
    call = KERNELS[name](1 if backend == "python" else size)
    with pytest.raises(ValueError, match="threads: got 0, expected an integer from 1 to 1024"):
        call(threads=0, backend=backend)
    with pytest.raises(TypeError, match="threads: got str, expected an integer from 1 to 1024"):
        call(threads="2", backend=backend)
    kind = "Executor" if name.startswith(("count_primes", "primerange")) else "ThreadPoolExecutor"
    with pytest.raises(TypeError, match=rf"executor: got int \(no executor\), expected a concurrent\.futures\.{kind}$"):
        call(executor=3, backend=backend)


def test_cpu_count_is_the_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5, 7}, raising=False)
    for quota, expected in ((math.inf, 4), (4.0, 4), (9.0, 4), (3.5, 4), (2.5, 3), (1.0, 1), (0.1, 1)):
        monkeypatch.setattr(parallel, "_quota", lambda quota=quota: quota)
        assert parallel.cpu_count() == expected


def test_cpu_count_without_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS and Windows."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(parallel, "_quota", lambda: math.inf)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert parallel.cpu_count() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert parallel.cpu_count() == 1


def test_the_affinity_of_this_moment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_quota", lambda: math.inf)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    with gilfree.use(threads=None):
        before = parallel.cpu_count()
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
        assert (before, parallel.cpu_count()) == (2, 1)


def quota(folder: Path, groups: str, files: dict[str, str]) -> float:
    """The quota that a file system with these files under /sys/fs/cgroup grants."""
    for name, content in files.items():
        file = folder / "cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    (folder / "self").write_text(groups)
    granted: float = parallel._quota.__wrapped__(folder / "self", folder / "cgroup")
    return granted


VERSION_1 = "12:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        pytest.param("0::/\n", {}, math.inf, id="v2-no-file"),
        pytest.param("0::/\n", {"cpu.max": "max 100000\n"}, math.inf, id="v2-no-limit"),
        pytest.param("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5, id="v2-limit"),
        pytest.param("0::/a/b\n", {"a/b/cpu.max": "50000 100000\n"}, 0.5, id="v2-in-a-group"),
        pytest.param(
            "0::/a/b\n",
            {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "200000 100000\n", "cpu.max": "max 100000\n"},
            2.0,
            id="v2-limit-of-a-parent",
        ),
        pytest.param(
            "0::/a/b\n",
            {"a/b/cpu.max": "300000 100000\n", "a/cpu.max": "200000 100000\n"},
            2.0,
            id="v2-parent-stricter",
        ),
        pytest.param("0::/host/path\n", {"cpu.max": "100000 100000\n"}, 1.0, id="v2-path-of-the-host"),
        pytest.param("0::/../../other\n", {"cpu.max": "100000 100000\n"}, 1.0, id="v2-outside-the-namespace"),
        pytest.param("0::/a:b\n", {"a:b/cpu.max": "100000 100000\n"}, 1.0, id="v2-colon-in-the-name"),
        pytest.param("0::/\n", {"cpu.max": "nonsense\n"}, math.inf, id="v2-unreadable"),
        pytest.param("0::/\n", {"cpu.max": ""}, math.inf, id="v2-empty"),
        pytest.param(
            VERSION_1,
            {
                "cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "250000\n",
                "cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
            },
            2.5,
            id="v1-limit",
        ),
        pytest.param(
            VERSION_1,
            {"cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "-1\n", "cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n"},
            math.inf,
            id="v1-no-limit",
        ),
        pytest.param(
            VERSION_1,
            {"cpu,cpuacct/cpu.cfs_quota_us": "100000\n", "cpu,cpuacct/cpu.cfs_period_us": "50000\n"},
            2.0,
            id="v1-path-of-the-host",
        ),
        pytest.param(
            VERSION_1,
            {"cpu,cpuacct/cpu.cfs_quota_us": "100000\n", "cpu,cpuacct/cpu.cfs_period_us": "0\n"},
            math.inf,
            id="v1-no-period",
        ),
        pytest.param(VERSION_1, {}, math.inf, id="v1-no-files"),
        pytest.param(
            "4:cpu:/\n0::/\n",
            {"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n", "cpu.max": "max 100000\n"},
            3.0,
            id="both-versions",
        ),
        pytest.param("", {}, math.inf, id="no-groups"),
    ],
)
def test_quota(groups: str, files: dict[str, str], expected: float, tmp_path: Path) -> None:
    assert quota(tmp_path, groups, files) == expected


def test_quota_where_there_are_no_control_groups(tmp_path: Path) -> None:
    assert parallel._quota.__wrapped__(tmp_path / "none", tmp_path) == math.inf


THREADS = "from gilfree import parallel; print(parallel.thread_count())"


@pytest.mark.parametrize(("text", "expected"), [("1", "1"), ("7", "7"), (" 3 ", "3")])
def test_environment_threads(text: str, expected: str) -> None:
    assert child.output(THREADS, GILFREE_NUM_THREADS=text) == expected


def test_environment_threads_unset() -> None:
    default = child.output("from gilfree import parallel; print(parallel.cpu_count())")
    assert child.output(THREADS) == default
    assert child.output(THREADS, GILFREE_NUM_THREADS="") == default


@pytest.mark.parametrize("text", ["0", "-1", "two", "2.0", "1025", "0x2"])
def test_environment_threads_refused(text: str) -> None:
    """When it is used, not when gilfree is imported."""
    done = child.python("import gilfree; " + THREADS, GILFREE_NUM_THREADS=text)
    assert done.returncode == 1
    assert "ValueError: GILFREE_NUM_THREADS: got " in done.stderr
    assert "expected an integer from 1 to 1024" in done.stderr
    assert "in thread_count" in done.stderr


def test_an_argument_goes_before_the_environment() -> None:
    code = """
from gilfree import parallel, use
with use(threads=2):
    print(parallel.thread_count(), parallel.thread_count(4))
print(parallel.thread_count())
"""
    assert child.output(code, GILFREE_NUM_THREADS="3").split() == ["2", "4", "3"]


# --- use() -----------------------------------------------------------------------------------------------------------


def test_use_nests() -> None:
    outside = parallel.chosen.get(), backends.chosen.get()
    with gilfree.use(backend="python", threads=2):
        assert (backends.resolve().name, parallel.thread_count()) == ("python", 2)
        with gilfree.use(threads=4):
            assert (backends.resolve().name, parallel.thread_count()) == ("python", 4)
            with gilfree.use(backend="cython"):
                assert (backends.resolve().name, parallel.thread_count()) == ("cython", 4)
        assert (backends.resolve().name, parallel.thread_count()) == ("python", 2)
        assert backends.resolve("cython").name == "cython"
    assert (parallel.chosen.get(), backends.chosen.get()) == outside


def test_use_is_undone_by_an_error() -> None:
    outside = parallel.chosen.get()
    with pytest.raises(ZeroDivisionError), gilfree.use(threads=7):
        raise ZeroDivisionError
    assert parallel.chosen.get() == outside


def test_use_changes_nothing_when_refused() -> None:
    outside = parallel.chosen.get(), backends.chosen.get()
    with pytest.raises(ValueError, match="threads"), gilfree.use(backend="python", threads=0):
        pass
    with pytest.raises(ValueError, match="backend"), gilfree.use(backend="no such", threads=2):
        pass
    assert (parallel.chosen.get(), backends.chosen.get()) == outside


def test_use_takes_names_only() -> None:
    with pytest.raises(TypeError):
        gilfree.use("python")  # type: ignore[call-arg]


def test_use_decorates() -> None:
    @gilfree.use(threads=6)
    def inside() -> int:
        return parallel.thread_count()

    assert inside() == inside() == 6


def test_use_reaches_the_kernels(backend: str) -> None:
    with gilfree.use(backend=backend, threads=1):
        assert primes.count_primes(1000) == 168


def test_another_thread_does_not_see_it() -> None:
    """One that ran before: since Python 3.14 a new one may inherit."""
    ask, answer = threading.Event(), []

    def other() -> None:
        ask.wait(60)
        answer.append((parallel.chosen.get(), backends.chosen.get()))

    thread = threading.Thread(target=other)
    thread.start()
    with gilfree.use(backend="python", threads=3):
        ask.set()
        thread.join()
    assert answer == [(None, None)]


def test_threads_have_their_own() -> None:
    together, seen = threading.Barrier(4), {}

    def work(threads: int) -> None:
        with gilfree.use(threads=threads):
            together.wait(60)
            seen[threads] = parallel.thread_count()
            together.wait(60)

    workers = [threading.Thread(target=contextvars.Context().run, args=(work, n)) for n in (1, 2, 3, 4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert seen == {1: 1, 2: 2, 3: 3, 4: 4}


def test_asyncio_tasks_have_their_own() -> None:
    """Tasks take turns inside their blocks; one made inside a block inherits."""

    async def work(threads: int) -> list[int]:
        seen = []
        with gilfree.use(threads=threads):
            for _ in range(3):
                await asyncio.sleep(0)
                seen.append(parallel.thread_count())
            seen.append(await asyncio.create_task(inherited()))
        return seen

    async def inherited() -> int:
        return parallel.thread_count()

    async def together() -> list[list[int]]:
        return await asyncio.gather(*(work(n) for n in (1, 2, 3)))

    assert asyncio.run(together()) == [[1] * 4, [2] * 4, [3] * 4]


# --- who -------------------------------------------------------------------------------------------------------------


def test_a_small_input_runs_inline(backend: str, some: Some, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_ask", lambda _: pytest.fail("asked for a worker"))
    most = {"cython": len(KERNELS), "python": 20, "cython-held": 20}.get(backend, 6)  # Numba compiles each
    for name, kernel in some(KERNELS.items(), most):
        # Never small: all big primes are gone through; a million numbers.
        if name not in ("threshold_otsu-floats", "count_primes-marks", "count_primes-leaves"):
            kernel(1)(backend=backend, threads=at_most(backend, 4))


def test_the_pool_does_not_grow() -> None:
    """However often it is asked: a worker may still be on its way home when the next call looks for an idle one."""
    code = """
import threading
import numpy as np
from gilfree import parallel, pixels, primes, reductions
x = np.ones(300_000)
for _ in range(2000):
    assert reductions.sum(x, threads=3) == 300_000
print(threading.active_count() <= max(3, parallel.cpu_count()), threading.active_count())
"""
    assert child.output(code).split()[0] == "True"


# Of several such tests at once each could have some of the workers, and wait for the others.
needs_workers = pytest.mark.thread_unsafe(reason="its workers wait for each other")


def together(workers: int) -> Callable[..., bool]:
    """A door that every worker enters before any leaves, and that then takes all tickets."""
    barrier = threading.Barrier(workers)

    def door(seen: list[str], tickets: Tickets, most: int, release: bool) -> bool:
        barrier.wait(60)
        seen.append(threading.current_thread().name)
        for _ in tickets:
            pass
        return False

    return door


@needs_workers
def test_the_caller_is_a_worker() -> None:
    seen: list[str] = []
    parallel.run(RELEASES, together(3), seen, units=9, grain=1, pause=1, threads=3)
    assert len(set(seen)) == 3
    assert threading.current_thread().name in seen
    assert sum(name.startswith("gilfree") for name in seen) == 2


@needs_workers
def test_no_more_workers_than_tickets() -> None:
    seen: list[str] = []
    parallel.run(RELEASES, together(2), seen, units=10, grain=5, pause=1, threads=100)
    assert len(seen) == 2


def test_executor_makes_the_threads() -> None:
    seen: list[str] = []
    with ThreadPoolExecutor(2, thread_name_prefix="mine") as pool:
        parallel.run(RELEASES, together(3), seen, units=9, grain=1, pause=1, threads=3, executor=pool)
    assert sum(name.startswith("mine") for name in seen) == 2


class Counting(ThreadPoolExecutor):
    """Counts what it is given."""

    count = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.count += 1
        return super().submit(fn, *args, **kwargs)


@pytest.mark.most({"numba": 6, "numba-held": 2, "numba-parallel": 2})
@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_uses_the_executor(backend: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Large caches have large segments, of which one may be all.
    monkeypatch.setattr(backends, "cache_size", {1: 2**15, 2: 2**18}.__getitem__)
    call = KERNELS[name](1 if backend == "python" else 100_000)
    with Counting(2) as pool:
        got = call(backend=backend, threads=at_most(backend, 2), executor=pool)
    assert_same_bits(got, call(backend=backend, threads=1))
    if backend not in ("python", "numba-parallel") and name not in ALONE:
        assert pool.count >= 1


def test_a_busy_executor_does_not_hold_the_caller_up() -> None:
    """Workers that never began have nothing left to do."""
    free, x = threading.Event(), np.ones(10**6)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(free.wait, 60)
        try:
            assert reductions.sum(x, threads=2, executor=pool) == 10**6
        finally:
            free.set()


def test_an_executor_that_is_shut_down() -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        reductions.sum(np.ones(10**6), threads=2, executor=pool)


class Remote(Executor):
    """An executor whose workers may be anywhere: each call and its answer go there and back as bytes."""

    def __init__(self) -> None:
        self.waiting = self.most = self.submitted = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        assert not kwargs
        self.submitted += 1
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        test = self

        class Later(Future[Any]):
            def result(self, timeout: float | None = None) -> Any:
                if not self.done():
                    test.waiting -= 1
                    function, arguments = pickle.loads(pickle.dumps((fn, args)))
                    try:
                        self.set_result(pickle.loads(pickle.dumps(function(*arguments))))
                    except Exception as error:  # noqa: BLE001 - as an executor does
                        self.set_exception(error)
                return super().result(timeout)

        return Later()


def test_executors_without_shared_memory_refused(backend: str) -> None:
    message = r"executor: got Remote \(an executor without shared memory\), expected a concurrent.futures.ThreadPool"
    calls: list[Callable[..., Any]] = [
        lambda **how: reductions.sum([1, 2], **how),
        lambda **how: primes.is_prime([1, 2], **how),
        lambda **how: primes.next_prime([1, 2], **how),
        lambda **how: primes.nth_prime(10**6, **how),
        primes.iter_primes,
        lambda **how: primes.factorint(12, **how),
    ]
    for call in calls:
        pool = Remote()
        with pytest.raises(TypeError, match=message):
            call(executor=pool, backend=backend)
        assert pool.submitted == 0


@pytest.mark.thread_unsafe(reason="a pool of processes may fork")
def test_pools_of_processes_and_interpreters_refused() -> None:
    kinds: list[Any] = [ProcessPoolExecutor]
    kinds += filter(None, [getattr(concurrent.futures, "InterpreterPoolExecutor", None)])  # new in Python 3.14
    for kind in kinds:
        with kind(1) as pool, pytest.raises(TypeError, match=f"executor: got {kind.__name__}"):
            reductions.sum([1, 2], executor=pool)
        if kind is not ProcessPoolExecutor:
            with kind(1) as pool, pytest.raises(TypeError, match=r"NumPy does not load in its interpreters"):
                primes.count_primes(100, executor=pool)


def test_each_asks_for_few_at_a_time_and_keeps_the_order() -> None:
    pool = Remote()
    assert list(parallel.each(pool, divmod, ((n, 3) for n in range(20)), ahead=4)) == [divmod(n, 3) for n in range(20)]
    assert (pool.most, pool.submitted) == (4, 20)
    assert list(parallel.each(pool, divmod, [])) == []


def test_each_calls_off_what_has_not_begun() -> None:
    pool = Remote()
    futures: list[Future[Any]] = []
    submit = pool.submit

    def noted(*call: Any) -> Future[Any]:
        futures.append(submit(*call))
        return futures[-1]

    pool.submit = noted  # type: ignore[method-assign]
    answers = parallel.each(pool, divmod, [(7, 2), (7, 0), (7, 1), (7, 3)], ahead=3)
    assert next(answers) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        next(answers)
    assert [future.cancelled() for future in futures] == [False, False, True, True]
    assert list(answers) == []


# --- jobs that overlap -----------------------------------------------------------------------------------------------


class Crowd:
    """Counts how many threads are in it, and how many have come."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = self.most = self.came = 0

    def job(self, number: int) -> int:
        with self.lock:
            self.inside += 1
            self.came += 1
            self.most = max(self.most, self.inside)
        time.sleep(0.002)
        with self.lock:
            self.inside -= 1
        return number


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("own", [True, False], ids=["own-threads", "executor"])
def test_overlapped_runs_so_many_at_a_time(threads: int, own: bool) -> None:
    crowd, read, taken = Crowd(), 0, 0

    def arguments() -> Iterator[tuple[int]]:
        nonlocal read
        for number in range(40):
            read += 1
            assert read <= taken + threads + 2  # at work, one that waits, and the one that the caller has in hand
            yield (number,)

    seen = []
    with ThreadPoolExecutor(8) as pool:
        jobs = parallel.overlapped(crowd.job, arguments(), threads=threads, executor=None if own else pool)
        for number in jobs:
            seen.append(number)
            taken += 1
    assert sorted(seen) == list(range(40))
    assert crowd.came == 40
    assert crowd.most <= threads
    assert threads == 1 or crowd.most > 1


def test_overlapped_does_not_wait_for_the_slow() -> None:
    """Results come as they are; the first job ends when the last is known."""
    last = threading.Event()

    def job(number: int) -> int:
        if number == 0:
            assert last.wait(60)
        return number

    seen = []
    for number in parallel.overlapped(job, ((n,) for n in range(10)), threads=2):
        seen.append(number)
        if number == 9:
            last.set()
    assert seen == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]


def test_overlapped_with_one_thread_leaves_the_caller_free() -> None:
    names = set(parallel.overlapped(lambda _: threading.current_thread().name, [(1,), (2,)], threads=1))
    assert len(names) == 1
    assert names != {threading.current_thread().name}
    assert list(parallel.overlapped(divmod, [], threads=3)) == []


def test_overlapped_uses_the_executor_and_leaves_it_open() -> None:
    with ThreadPoolExecutor(2, thread_name_prefix="mine") as pool:
        jobs = parallel.overlapped(lambda _: threading.current_thread().name, [(1,)] * 4, threads=2, executor=pool)
        assert all(name.startswith("mine") for name in jobs)
        assert pool.submit(int).result() == 0


def test_overlapped_checks_before_it_begins() -> None:
    """When it is called, not when its first answer is asked for."""
    with pytest.raises(ValueError, match="threads: got 0"):
        parallel.overlapped(divmod, [], threads=0)
    with pytest.raises(TypeError, match="executor: got Remote"):
        parallel.overlapped(divmod, [], executor=Remote())


@pytest.mark.parametrize("own", [True, False], ids=["own-threads", "executor"])
def test_overlapped_calls_off_and_waits(own: bool) -> None:
    """Whether a job raises or the caller leaves: nothing begins any more, and nothing is under way afterwards."""
    crowd = Crowd()

    def job(number: int) -> int:
        if number == 3:
            raise BrokenError
        return crowd.job(number)

    with ThreadPoolExecutor(2) as pool:
        executor = None if own else pool
        with pytest.raises(BrokenError):
            list(parallel.overlapped(job, ((n,) for n in range(1000)), threads=2, executor=executor))
        assert crowd.inside == 0
        came = crowd.came
        assert came < 10
        jobs = parallel.overlapped(crowd.job, ((n,) for n in range(1000)), threads=2, executor=executor)
        next(jobs)
        jobs.close()
        assert crowd.inside == 0
        assert crowd.came < came + 6


@needs_workers
def test_overlapped_jobs_are_workers() -> None:
    """Kernels that they call run inline, and so do jobs of jobs; the caller is free again afterwards."""
    names: list[tuple[str, str]] = []

    def inner(outer: str, tickets: Tickets, most: int, release: bool) -> bool:
        names.extend((outer, threading.current_thread().name) for _ in tickets)
        return False

    def job() -> None:
        name = threading.current_thread().name
        parallel.run(RELEASES, inner, name, units=20, grain=1, pause=1, threads=4)
        names.extend((name, other) for other in parallel.overlapped(lambda: threading.current_thread().name, [()] * 3))

    for threads in (1, 3):
        list(parallel.overlapped(job, [()] * 5, threads=threads))
    assert len(names) == 2 * 5 * (20 + 3)
    assert all(outer == inner for outer, inner in names)
    seen: list[str] = []
    parallel.run(RELEASES, together(2), seen, units=2, grain=1, pause=1, threads=2)
    assert len(seen) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to send to a process there")
@pytest.mark.parametrize("threads", [1, 2])
def test_overlapped_is_interrupted(threads: int) -> None:
    """By Ctrl-C while the caller waits: what is under way ends first, and nothing else begins."""
    code = f"""
import os, signal, threading, time
from contextlib import closing
from gilfree import parallel
signal.signal(signal.SIGINT, signal.default_int_handler)
begun, ended = [], []
def job(number):
    begun.append(number)
    if number == 4:
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.05)
    ended.append(number)
try:
    with closing(parallel.overlapped(job, ((n,) for n in range(1000)), threads={threads})) as jobs:
        list(jobs)
except KeyboardInterrupt:
    print(4 in begun, len(begun) < 10, len(begun) - len(ended), threading.active_count())
"""
    assert child.output(code) == "True True 0 1"


def test_a_kernel_within_a_worker_runs_inline() -> None:
    names: list[tuple[str, str]] = []

    def inner(outer: str, tickets: Tickets, most: int, release: bool) -> bool:
        names.extend((outer, threading.current_thread().name) for _ in tickets)
        return False

    def outer(tickets: Tickets, most: int, release: bool) -> bool:
        for _ in tickets:
            name = threading.current_thread().name
            parallel.run(RELEASES, inner, name, units=20, grain=1, pause=1, threads=4)
        return False

    parallel.run(RELEASES, outer, units=20, grain=1, pause=1, threads=3)
    assert len(names) == 400
    assert all(outer == inner for outer, inner in names)


@needs_workers
def test_after_a_nested_call_workers_are_free_again() -> None:
    seen: list[str] = []
    parallel.run(RELEASES, together(2), seen, units=2, grain=1, pause=1, threads=2)
    parallel.run(RELEASES, together(2), seen, units=2, grain=1, pause=1, threads=2)
    assert len(seen) == 4


@needs_workers
def test_private_buffers_belong_to_one_worker() -> None:
    barrier = threading.Barrier(3)

    def door(own: list[int], tickets: Tickets, most: int, release: bool) -> bool:
        barrier.wait(60)
        own += [first for first, _ in tickets]
        return False

    made = parallel.run(RELEASES, door, units=100, grain=1, pause=1, threads=3, private=lambda: ([],))
    assert len(made) == 3
    assert sorted(first for (own,) in made for first in own) == list(range(100))


def test_a_worker_comes_back_for_more() -> None:
    """A door that stops after ``most`` tickets is called again until none is left."""
    asked = []

    def door(tickets: Tickets, most: int, release: bool) -> bool:
        asked.append((most, release))
        return any(count == most for count, _ in enumerate(tickets, 1))

    parallel.run(HOLDS, door, units=10, grain=1, pause=4, threads=1)
    assert asked == [(4, False)] * 3


class BrokenError(Exception):
    """Raised by the door below."""


@needs_workers
@pytest.mark.parametrize("row", [RELEASES, HOLDS], ids=lambda row: row.name)
@pytest.mark.parametrize("breaks", ["caller", "worker"])
def test_errors_of_workers(row: backends.Backend, breaks: str) -> None:
    """They reach the caller, and the others stop at their next ticket."""
    caller, barrier = threading.current_thread(), threading.Barrier(2)
    done = []

    def door(tickets: Tickets, most: int, release: bool) -> bool:
        barrier.wait(60)
        if (threading.current_thread() is caller) == (breaks == "caller"):
            raise BrokenError
        for first, _ in tickets:
            done.append(first)
            time.sleep(0.001)
        return False

    with pytest.raises(BrokenError):
        parallel.run(row, door, units=60_000, grain=1, pause=1, threads=2)
    finished = len(done)
    assert finished < 60_000
    time.sleep(0.01)
    assert len(done) == finished  # nobody works on
    seen: list[str] = []
    parallel.run(row, together(2), seen, units=2, grain=1, pause=1, threads=2)
    assert len(seen) == 2


def test_many_callers_at_once(backend: str) -> None:
    """Each of eight threads asks for three: the answers are right, and Numba's layer is not entered twice."""
    x = np.random.default_rng(0).normal(size=20_000 if backend == "python" else 400_000)
    expected = reductions.sum(x, backend=backend)
    begin = threading.Barrier(8)
    answers: list[Any] = []
    errors: list[Exception] = []
    threads = at_most(backend, 3)

    def call() -> None:
        begin.wait(60)
        try:
            answers.extend(reductions.sum(x, backend=backend, threads=threads) for _ in range(5))
            answers.append(reductions.sum(x, backend=backend))
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)

    callers = [threading.Thread(target=call) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not errors
    assert len(answers) == 48
    assert set(answers) == {expected}


def test_numba_has_a_limit() -> None:
    why = backends.missing("numba-parallel")
    if why:
        pytest.skip(why)
    import numba

    most = parallel.numba_thread_limit()
    with pytest.raises(ValueError, match=rf"threads: got {most + 1}, expected at most {most} \(NUMBA_NUM_THREADS\)"):
        reductions.sum([1, 2], threads=most + 1, backend="numba-parallel")
    before = numba.get_num_threads()  # belongs to the calling thread
    reductions.sum([1, 2], threads=1, backend="numba-parallel")
    assert numba.get_num_threads() == before


# --- fork ------------------------------------------------------------------------------------------------------------

FORK = """
import os, sys, warnings
import numpy as np
from gilfree import reductions
x = np.ones(10**6)
def total():
    return reductions.sum(x, threads=2, backend=sys.argv[1])
def fork():
    child = os.fork()
    if not child:
        try:
            status = 0 if total() == 10**6 else 1
        except RuntimeError as error:
            status = 2 if "forked" in str(error) else 3
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of fork beside threads
fork()
assert total() == 10**6
fork()
assert total() == 10**6
"""


NEEDS_FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@NEEDS_FORK
@pytest.mark.parametrize(
    "backend",
    [pytest.param(name, marks=[pytest.mark.thorough] if "held" in name else []) for name in backends.BACKENDS],
    indirect=True,
)
def test_fork(backend: str) -> None:
    """Child and parent compute, before the parent ever did and after; neither hangs."""
    command = [sys.executable, "-c", FORK, backend]
    environment = child.environment(NUMBA_NUM_THREADS="2")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    before, after = done.stdout.split()
    assert before == "0", done.stderr
    # Most of Numba's layers do not survive a fork, and numba-parallel says so instead of hanging.
    assert after in ({"0", "2"} if backend == "numba-parallel" else {"0"}), done.stderr


AT_THE_END = """
import atexit, os, sys
import numpy as np
from gilfree import parallel, reductions
x = np.ones(400_000)
def total():
    return reductions.sum(x, backend="cython", threads=3)
atexit.register(lambda: print(total(), flush=True))  # when no worker is left
print([total() for _ in range(100)] == [400_000] * 100, len(parallel._workers) >= 2, flush=True)
if sys.argv[1:] == ["fork"]:
    child = os.fork()
    assert total() == 400_000
    if child:
        assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.parametrize("how", ["", pytest.param("fork", marks=NEEDS_FORK)])
def test_workers_end_before_the_interpreter(how: str) -> None:
    """Whoever computes later does so alone, in a forked child too."""
    command = [sys.executable, "-c", AT_THE_END, how]
    done = subprocess.run(command, env=child.environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "True", "400000.0", "400000.0"][: 4 if how else 3]


@pytest.mark.thread_unsafe(reason="it keeps all workers, which others would wait for")
def test_more_jobs_than_workers() -> None:
    """A worker that is done looks for what was left, and a job that nobody began is called off."""
    begun, free = threading.Semaphore(0), threading.Event()

    def hold() -> None:
        begun.release()
        free.wait(60)

    parallel._hire(3)
    workers = len(parallel._workers)
    held = [parallel._Job(hold) for _ in range(3 * workers)]
    for job in held:
        parallel._ask(job)
    left = parallel._Job(pytest.fail, "it was called off")
    parallel._ask(left)
    for _ in range(workers):
        assert begun.acquire(timeout=60)
    assert left.cancel()
    assert left.cancel()  # as one does who was interrupted
    assert not held[0].cancel()
    assert not held[0].done()
    with pytest.raises(TimeoutError):
        held[0].result(0.01)
    free.set()
    for job in (*held, left):
        job.result(60)  # of the one called off, too, once a worker has seen it
    broken = parallel._Job(int, "one")
    parallel._ask(broken)
    with pytest.raises(ValueError, match="one"):
        broken.result(60)


# --- surroundings ----------------------------------------------------------------------------------------------------

GREEN = """
import sys
import numpy as np
package, early = sys.argv[1:]
if early == "later":
    from gilfree import parallel, primes, reductions
if package == "gevent":
    import gevent.monkey, gevent.pool
    gevent.monkey.patch_all()
    pool = gevent.pool.Pool(4)
else:
    import eventlet
    eventlet.monkey_patch()
    pool = eventlet.GreenPool(4)
from gilfree import parallel, primes, reductions
x, ticks = np.ones(4_000_000), []
def total(_):
    return reductions.sum(x, threads=2)
def count(n):
    return primes.count_primes(n, n + 10**7, threads=2)
print(total(0), *(pool.map if package == "gevent" else pool.imap)(total, range(4)))
print(*pool.imap(count, [10**9] * 3))
print(*parallel.overlapped(total, [(0,)] * 3, threads=2))
print(len(parallel._workers) > 0, parallel.is_main_thread(), flush=True)
"""


@pytest.mark.parametrize("early", ["first", "later"])
@pytest.mark.parametrize("package", ["gevent", "eventlet"])
def test_beside_green_threads(package: str, early: str) -> None:
    """Workers are threads of the system even where ``threading`` makes greenlets, and nobody waits for ever."""
    if find_spec(package) is None:  # not imported here: greenlet switches the GIL of a free-threaded Python back on
        pytest.skip(f"{package} is not installed")
    command = [sys.executable, "-W", "ignore", "-c", GREEN, package, early]
    done = subprocess.run(command, env=child.environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["4000000.0"] * 5 + ["482449"] * 3 + ["4000000.0"] * 3 + ["True", "True"]


NO_THREADS = """
import threading
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from gilfree import parallel, reductions
x, pool, small_pool = np.ones(10**6), ThreadPoolExecutor(2), ThreadPoolExecutor(2)
small_pool.submit(int).result()
def totals():
    return [reductions.sum(x, threads=2, executor=executor) for executor in (None, pool, small_pool)]
def overlapped(executor):
    return sorted(parallel.overlapped(str, [(n,) for n in range(20)], threads=2, executor=executor))
# More memory than there are addresses for: there is no thread to be had, as beyond the limits of a user or a container.
threading.stack_size(2**46)
print(totals() == [10**6] * 3, len(parallel._workers))
print(*(overlapped(executor) == sorted(map(str, range(20))) for executor in (None, pool, small_pool)))
threading.stack_size(0)
print(totals() == [10**6] * 3, len(parallel._workers) > 0, len(parallel._jobs))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows reserves a large stack without complaint")
def test_no_thread_to_be_had() -> None:
    """What there is does the work, and the next call asks again."""
    assert child.output(NO_THREADS).split() == ["True", "0", "True", "True", "True", "True", "True", "0"]


SMALL_STACKS = """
import sys, threading
sys.path.insert(0, sys.argv[1])
import numpy as np
from calls import KERNELS
from gilfree import parallel
size, backend, wrong = int(sys.argv[2]), "cython", []
for name, kernel in KERNELS.items():
    kernel(1)(backend=backend, threads=1)  # what is imported needs more stack
right = {name: kernel(size)(backend=backend, threads=1) for name, kernel in KERNELS.items()}
def check():
    for name, kernel in KERNELS.items():
        for threads in (1, 4):
            np.testing.assert_array_equal(kernel(size)(backend=backend, threads=threads), right[name], name)
    print(len(right) > 40)
threading.stack_size(65536)
check()
thread = threading.Thread(target=check)  # the caller is a worker, too
thread.start()
thread.join()
"""


@pytest.mark.parametrize("size", [300, 40_000])
def test_small_stacks(size: int) -> None:
    """In threads of 64 KiB, of which Python takes its part; those of musl have 128."""
    command = [sys.executable, "-c", SMALL_STACKS, str(Path(__file__).parent), str(size)]
    done = subprocess.run(command, env=child.environment(), capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "True"], done.stderr


AGAIN = """
import signal, sys
import numpy as np
from gilfree import parallel, primes, reductions
backend = sys.argv[1]
x, calls, depth = np.ones(400_000), 0, 0
def total():
    assert reductions.sum(x, threads=2, backend=backend) == 400_000
    assert primes.count_primes(10**9, 10**9 + 10**7, threads=2, backend=backend) == 482_449
def handler(*_):
    global calls, depth
    if depth < 2:
        depth += 1
        total()
        calls += 1
        depth -= 1
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.002)
while calls < 100:
    total()
signal.setitimer(signal.ITIMER_REAL, 0)
print(parallel._numba().get_num_threads() if "numba" in backend else 2)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer here that interrupts")
@pytest.mark.parametrize("backend", ["cython", "numba-parallel"], indirect=True)
def test_a_signal_handler_computes(backend: str) -> None:
    """While its thread is in a kernel, starts workers, imports or compiles."""
    command = [sys.executable, "-c", AGAIN, backend]
    environment = child.environment(NUMBA_NUM_THREADS="2")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2"]


@pytest.mark.thread_unsafe(reason="it keeps all workers, which others would wait for")
@pytest.mark.parametrize("own", [True, False], ids=["own-threads", "executor"])
def test_a_call_that_has_returned_has_let_go_of_its_arguments(own: bool) -> None:
    """Whoever was asked to help and did not come in time holds nothing: the caller may resize, close or free."""
    free = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        if own:
            parallel._hire(2)
            held = [parallel._Job(free.wait, 60) for _ in parallel._workers]
            for job in held:
                parallel._ask(job)
        else:
            for _ in range(2):
                pool.submit(free.wait, 60)
        try:
            buffer = bytearray(8 * 10**6)
            x, out = np.frombuffer(buffer), np.empty(10**6, np.uint8)
            before = sys.getrefcount(x), sys.getrefcount(out)
            for _ in range(5):
                assert reductions.sum(x, threads=3, executor=None if own else pool) == 0
                pixels.threshold(np.zeros(10**6, np.uint8), 1, out=out, threads=3, executor=None if own else pool)
                with pytest.raises(ZeroDivisionError):
                    parallel.run(RELEASES, fails, x, units=4, grain=1, pause=1, executor=None if own else pool)
            assert (sys.getrefcount(x), sys.getrefcount(out)) == before
            del x
            buffer.append(1)  # a BufferError if somebody still looked at it
        finally:
            free.set()
        if own:
            for job in held:
                job.result(60)


def fails(*_: Any) -> bool:
    return bool(1 / 0)


def test_arrays_may_be_resized_after_each_call() -> None:
    for call in range(300):
        x = np.ones(300_000)
        assert reductions.max(x, threads=2) == 1
        x.resize(10)  # a ValueError if a worker still held it
        overlapped = list(parallel.overlapped(np.size, [(x,)], threads=2)) if call % 10 == 0 else [10]
        assert overlapped == [10]
        x.resize(5)


# --- Ctrl-C ----------------------------------------------------------------------------------------------------------

INTERRUPTED_EVERYWHERE = """
import random, signal, time
import numpy as np
from gilfree import parallel, pixels, reductions
x, image = np.ones(400_000), np.zeros((1500, 2000), np.uint8)
interrupts, inside = 0, False
def again():
    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-4, 4e-3))
def interrupt(*_):
    global inside
    again()
    if inside:
        inside = False
        raise KeyboardInterrupt
def compute():
    assert reductions.sum(x, threads=2, backend="cython") == 400_000
    pixels.threshold(image, 3, threads=2)
compute()  # what is imported at the first call may swallow an interrupt
signal.signal(signal.SIGALRM, interrupt)
again()
while interrupts < 500:
    try:
        while True:
            inside = True
            compute()
    except KeyboardInterrupt:
        interrupts += 1
signal.signal(signal.SIGALRM, signal.SIG_IGN)  # one that has come by now may set the timer again
signal.setitimer(signal.ITIMER_REAL, 0)
compute()
end = time.monotonic() + 20
# One that was called a moment ago counts as idle until it has woken up.
while (parallel._jobs or len(parallel._idle) < len(parallel._workers)) and time.monotonic() < end:
    time.sleep(0.01)
print(len(parallel._idle) - len(parallel._workers), len(parallel._jobs))
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer here that interrupts")
def test_ctrl_c_at_any_moment() -> None:
    """Between any two steps of a caller: it never waits for what will not come, and no worker or job is lost."""
    assert child.output(INTERRUPTED_EVERYWHERE).split() == ["0", "0"]


# Calls that would take hours, one after another; each is interrupted from outside.
INTERRUPTED = """
import signal, sys, time
from concurrent.futures import ThreadPoolExecutor
from gilfree import backends, primes
backend = sys.argv[1]
root = 2**31 // backends.BACKENDS[backend].slowness
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
pool = ThreadPoolExecutor(1)
limit = primes.COMBINATORIAL_LIMIT
def visit(*bounds, **how):
    primes.COMBINATORIAL_LIMIT, primes.TEST_SHARE = 0, 2.0**70
    return primes.count_primes(*bounds, **how)
def test(*bounds, **how):
    primes.COMBINATORIAL_LIMIT, primes.TEST_SHARE = 0, 2.0**-70
    return primes.count_primes(*bounds, **how)
def count(stop, leaves, **how):
    primes.COMBINATORIAL_LIMIT, primes.LEAVES = limit, leaves
    return primes.count_primes(stop, **how)
calls = {
    "sieve": lambda **how: visit(0, 2**35, **how),
    "marks": lambda **how: visit(root**2, 2 * root**2, **how),
    "primes": lambda **how: sum(primes.iter_primes(2**33, **how)),
    "test": lambda **how: test(2**63, 2**63 + 2**40, **how),
    "tables": lambda **how: count(10**18, 2600, **how),
    "easy-leaves": lambda **how: count(10**16, 2600, **how),
    "hard-leaves": lambda **how: count(10**16, 10**6, **how),
}
small = {
    "sieve": lambda: visit(2**20, 2**20 + 2**12, backend=backend),
    "marks": lambda: visit(2**37, 2**37 + 2**15, backend=backend),
    "primes": lambda: len(primes.primerange(2**20, 2**20 + 2**12, backend=backend)),
    "test": lambda: test(2**63, 2**63 + 1000, backend=backend),
    "tables": lambda: count(10**7, 2600, backend=backend),
    "easy-leaves": lambda: count(10**7, 2600, backend=backend),
    "hard-leaves": lambda: count(10**7, 2600, backend=backend),
}
for name, call in calls.items():
    expected = small[name]()  # compiles
    for threads in (1, 2):
        try:
            print("running", name, threads, flush=True)
            call(backend=backend, threads=threads, executor=pool)
            print("was not interrupted", flush=True)
        except KeyboardInterrupt:
            print("interrupted", time.monotonic(), flush=True)
        assert small[name]() == expected
        pool.submit(int).result(60)  # comes back only if its thread is free
print("done", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send Ctrl-C to one process")
@pytest.mark.thread_unsafe(reason="a time is taken")
@pytest.mark.parametrize(
    "backend",
    [pytest.param(name, marks=[pytest.mark.thorough] if name == "numba-held" else []) for name in backends.BACKENDS],
    indirect=True,
)
def test_ctrl_c(backend: str) -> None:
    """KeyboardInterrupt comes soon, the workers have stopped, and the next call is right."""
    command = [sys.executable, "-c", INTERRUPTED, backend]
    environment = child.environment(NUMBA_NUM_THREADS="2")
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as python:
        assert python.stdout is not None
        assert python.stderr is not None
        try:
            for line in python.stdout:
                word, *rest = line.split()
                if word == "running":
                    time.sleep(0.1)  # until it runs; earlier would do no harm
                    sent = time.monotonic()
                    python.send_signal(signal.SIGINT)
                    which = " on ".join(rest)
                elif word == "interrupted":
                    delay = float(rest[0]) - sent  # one clock for all processes
                    print(f"{backend}: {which}: {1000 * delay:.0f} ms")
                    assert delay < 5  # 0.1 is promised; a busy machine may be late, the uninterrupted call takes hours
                else:
                    assert word == "done", line
            assert python.wait(60) == 0, python.stderr.read()
        finally:
            python.kill()


@pytest.mark.parametrize(
    "call",
    [
        lambda **how: primes.is_prime([], **how),
        lambda **how: primes.count_primes(5, 5, **how),
        lambda **how: reductions.sum([], **how),
        lambda **how: pixels.grayscale(np.zeros((0, 3), np.uint8), **how),
        lambda **how: pixels.threshold(np.zeros(0, np.uint8), 1, **how),
    ],
    ids=["is_prime", "count_primes", "sum", "grayscale", "threshold"],
)
def test_bad_arguments_are_errors_even_where_there_is_nothing_to_do(call: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="threads: got 0, expected an integer from 1 to 1024"):
        call(threads=0)
    with pytest.raises(TypeError, match="executor: got int"):
        call(executor=3)


@pytest.mark.parametrize("own", [True, False], ids=["own", "executor"])
def test_an_error_waits_for_workers_that_still_write(own: bool) -> None:
    """What a worker has begun it finishes, and until then nobody hears of the caller's error."""
    caller, begun = threading.current_thread(), threading.Event()
    written = []

    def door(tickets: Tickets, most: int, release: bool) -> bool:
        if threading.current_thread() is caller:
            assert begun.wait(60)
            raise BrokenError
        for first, _ in tickets:
            begun.set()
            time.sleep(0.2)
            written.append(first)
        return False

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(BrokenError):
            parallel.run(RELEASES, door, units=9, grain=1, pause=1, threads=2, executor=None if own else pool)
        assert written == [0]
