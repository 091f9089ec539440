"""The only file that knows threads and executors: how many workers, who they are, how they are stopped."""

import atexit
import math
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilfree import backends
from gilfree.backends import Backend
from gilfree.interpreter import is_main_thread, load, original_thread, signals_deferred

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future
    from typing import TypeGuard

    from gilfree._bell import Bell
    from gilfree._tickets import Tickets

__all__ = ["MAX_THREADS", "cpu_count", "each", "elsewhere", "overlapped", "run", "thread_count", "use"]

# More threads than any machine has CPUs, few enough that a slip of the keyboard does not exhaust the process.
MAX_THREADS = 1024

# Seconds that the end of the process waits for a worker: one that Ctrl-C kept from being started never ends.
DISMISSAL = 10

chosen: ContextVar[int | None] = ContextVar("gilfree_threads", default=None)


# --- how many --------------------------------------------------------------------------------------------------------


def check_threads(threads: object, argument: str = "threads") -> int:
    """``threads`` as an int, or an error that names ``argument``."""
    if isinstance(threads, bool) or not hasattr(threads, "__index__"):
        raise TypeError(f"{argument}: got {type(threads).__name__}, expected an integer from 1 to {MAX_THREADS}")
    count = int(threads.__index__())
    if not 1 <= count <= MAX_THREADS:
        raise ValueError(f"{argument}: got {count}, expected an integer from 1 to {MAX_THREADS}")
    return count


@cache
def _from_environment() -> int | None:
    text = os.environ.get("GILFREE_NUM_THREADS")
    if not text:
        return None
    if not text.strip().isdecimal():
        raise ValueError(f"GILFREE_NUM_THREADS: got {text!r}, expected an integer from 1 to {MAX_THREADS}")
    return check_threads(int(text), "GILFREE_NUM_THREADS")


def thread_count(threads: int | None = None) -> int:
    """The argument, else what ``gilfree.use`` says, else ``GILFREE_NUM_THREADS``, else ``cpu_count()``."""
    return _asked(threads) or cpu_count()


def _asked(threads: int | None) -> int | None:
    return check_threads(threads) if threads is not None else chosen.get() or _from_environment()


def cpu_count() -> int:
    """CPUs this process may use: its affinity mask, and its control group's quota rounded up."""
    has_affinity = hasattr(os, "sched_getaffinity")  # not on macOS and Windows
    allowed = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    quota = _quota()
    return allowed if quota >= allowed else max(1, math.ceil(quota))


@cache
def _quota(proc: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> float:
    """CPUs' worth of time that Linux control groups grant this process; infinite where there is no limit."""
    try:
        with signals_deferred():  # since Python 3.15 pathlib imports when it is used
            lines = proc.read_text().splitlines()
    except OSError:
        return math.inf
    least = math.inf
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if controllers == "":  # version 2: one hierarchy
            base, read = root, _quota_v2
        elif "cpu" in controllers.split(","):
            base, read = root / controllers, _quota_v1
        else:
            continue
        # Any group on the way up may set a limit. Inside a container the path may not be visible: its root is.
        folder = base / name.lstrip("/")
        for group in (folder, *folder.parents):
            least = min(least, read(group))
            if group == base:
                break
    return least


def _quota_v2(group: Path) -> float:
    try:
        quota, period = (group / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return math.inf
    return math.inf if quota == "max" else int(quota) / int(period)


def _quota_v1(group: Path) -> float:
    try:
        quota = int((group / "cpu.cfs_quota_us").read_text())
        period = int((group / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return math.inf
    return quota / period if quota > 0 and period > 0 else math.inf


@contextmanager
def use(*, backend: str | None = None, threads: int | None = None) -> Iterator[None]:
    """Choose the backend and the number of threads for the calls inside a ``with`` block.

    The choice belongs to the current context (``contextvars``): other threads and other asyncio tasks do not see it,
    and tasks made inside the block inherit it. None leaves a setting as it is. Arguments of a call go before it.

    Raises
    ------
    ValueError, TypeError
        If there is no such backend, or ``threads`` is not an integer from 1 to 1024.
    ModuleNotFoundError
        If the backend is missing here.
    """
    name = None if backend is None else backends.resolve(backend).name
    count = None if threads is None else check_threads(threads)
    outer = backends.chosen.get(), chosen.get()
    tokens = backends.chosen.set(name or outer[0]), chosen.set(count or outer[1])
    try:
        yield
    finally:
        backends.chosen.reset(tokens[0])
        chosen.reset(tokens[1])


# --- who -------------------------------------------------------------------------------------------------------------


_thread = original_thread
# Both can be taken again by a signal handler that calls a kernel while its thread has them.
_lock = _thread.RLock()  # guards the number of workers
_numba_lock = _thread.RLock()  # Numba's workqueue layer ends the process when two threads enter it
_numba_started_in: int | None = None  # the process whose Numba threads are running
_jobs: "deque[_Job | None]" = deque()  # what no worker has taken yet
_idle: "list[Bell]" = []  # of the workers that wait for a job; the last to begin waiting is the first called
_workers: "list[tuple[Bell, Bell]]" = []  # of each: what it waits for, and what is rung when it has ended
_here = _thread._local()  # .worker is true in a thread that is working for `run`


@cache
def _compiled(name: str) -> Any:
    return load(f"gilfree.{name}")


class _Job:
    """A call that a worker is asked to make, with what `_wait` needs of a Future.

    Ctrl-C may come between any two steps of the caller's, so each of them can be done again. Once it is over or called
    off it has no arguments: a caller may close or resize an array as soon as its call has returned.
    """

    __slots__ = ("arguments", "begun", "error", "function", "over", "seen")

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.function: Callable[..., Any] | None = function
        self.arguments: tuple[Any, ...] = arguments
        self.error: BaseException | None = None
        self.begun = _thread.allocate_lock()  # taken by who is first: the worker, or the caller who calls the job off
        self.seen = False  # by a worker, who will ring when it is over, or was called off
        self.over: Bell = _compiled("_bell").Bell()

    def run(self) -> None:
        self.seen = True
        if self.begun.acquire(False):
            try:
                assert self.function is not None
                self.function(*self.arguments)
            except BaseException as error:  # noqa: BLE001 - the caller's, who waits for it
                self.error = error
        self._forget()

    def run_and_ring(self) -> None:
        self.run()
        self.over.ring()

    def cancel(self) -> bool:
        # Taken, but seen by no worker: the caller called it off before.
        called_off = self.begun.acquire(False) or not self.seen
        if called_off:
            self._forget()
        return called_off

    def _forget(self) -> None:
        self.function, self.arguments = None, ()

    def done(self) -> bool:
        return self.over.is_rung()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        if not self.over.wait(timeout):
            raise TimeoutError
        return self.error

    def result(self, timeout: float | None = None) -> None:
        error = self.exception(timeout)
        if error is not None:
            raise error


def _work(name: str, jobs: "deque[_Job | None]", idle: "list[Bell]", bell: "Bell", ended: "Bell") -> None:
    """Do jobs, one after the other, for as long as the process lives.

    At a bell of its own, a thread is at work 2 to 8 µs after it is called. One of a ThreadPoolExecutor takes 20 to 50,
    for there a future, a queue and a semaphore are Python's, and each step of them needs the GIL.
    """
    threading.current_thread().name = name
    _here.worker = True
    over = None
    while True:
        try:
            job = jobs.popleft()
        except IndexError:
            bell.silence()
            idle.append(bell)
            if not jobs:  # or one came before it could be known that this worker is idle
                # The caller hears that a job is over when it can have the GIL.
                bell.wait(None, over)
                over = None
            idle.remove(bell)
            continue
        if over is not None:
            over.ring()
            over = None
        if job is None:
            jobs.append(None)  # for the next one
            ended.ring()
            return
        job.run()
        over = job.over
        del job  # or what it holds would live until the next one


def _hire(count: int) -> None:
    """Have so many workers, or one for each CPU: one that is done with a job may not be idle yet.

    Fewer where the system gives no more threads (``ulimit -u``, a control group's ``pids.max``): the next call asks for
    them again.
    """
    with _lock:
        if not _workers:
            atexit.unregister(_dismiss)
            atexit.register(_dismiss)
        while len(_workers) < max(count, cpu_count()):
            worker = _compiled("_bell").Bell(), _compiled("_bell").Bell()
            try:
                _workers.append(worker)
                _thread.start_new_thread(_work, (f"gilfree_{len(_workers) - 1}", _jobs, _idle, *worker))
            except BaseException as error:
                _workers.remove(worker)
                if _no_thread(error):
                    return
                raise


def _no_thread(error: BaseException) -> bool:
    """Whether the system, or an interpreter that is about to end, gives no thread."""
    return isinstance(error, RuntimeError) and "new thread" in str(error)


def _ask(job: _Job, tickets: "Tickets | None" = None) -> None:
    """Leave a job to the first worker that has time for it, and can have the GIL when the first ticket is taken."""
    _jobs.append(job)
    # A copy: going through the list itself would end early if another thread took a bell from it meanwhile.
    for bell in _idle[::-1]:
        if bell.ring(tickets):
            return
    # All are at work, or on their way to look for more.


def _dismiss() -> None:
    """Have the workers end before the interpreter does; who calls a kernel later works alone."""
    _jobs.append(None)
    for bell, _ in _workers:
        bell.ring()  # one that is at work looks for more by itself
    for _, ended in _workers:
        ended.wait(DISMISSAL)
    _idle.clear()


def _after_fork() -> None:
    """A child process has none of its parent's threads: forget them, and locks another thread may have held."""
    global _lock, _numba_lock, _jobs, _idle, _workers
    _lock, _numba_lock = _thread.RLock(), _thread.RLock()
    _jobs, _idle, _workers = deque(), [], []


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


# --- how -------------------------------------------------------------------------------------------------------------


def run(
    backend: Backend,
    door: Callable[..., bool],
    *buffers: Any,
    units: int,
    grain: int,
    pause: int,
    threads: int | None = None,
    executor: "Executor | None" = None,
    private: Callable[[], tuple[Any, ...]] = tuple,
) -> list[tuple[Any, ...]]:
    """Call a door from as many workers as pay, until every unit is done.

    Parameters
    ----------
    backend, door, buffers
        What to run; see ``backends.kernels``.
    units, grain
        Length of the range, and units a ticket: fixed for a kernel, never a share of ``units``, so that the answer
        does not depend on the number of workers. A second worker is woken from two tickets on, so a ticket should
        be worth more than waking a thread, which costs up to 10 µs. A slow backend gets fewer units a ticket.
    pause
        Tickets that take about 30 ms. After so many, a worker that would otherwise keep Python from handling Ctrl-C
        (the main thread, and any that holds the GIL) comes back to bytecode for a moment.
    threads, executor
        How many workers, the caller being one of them, and who the others are: any executor whose workers share
        this process's memory.
    private
        Makes the buffers that belong to one worker; they follow ``buffers``.

    Returns
    -------
    list
        What ``private`` made for each worker that took part.

    Raises
    ------
    TypeError
        If ``executor`` is not a thread pool.
    KeyboardInterrupt
        Within 100 ms of Ctrl-C; all workers have stopped by then.
    """
    check(threads, executor)
    if backend.threads == "numba":
        owned = [private()]
        # For a single ticket, waking Numba's threads would cost more than they save.
        alone = units <= grain or getattr(_here, "worker", False)
        tickets = _compiled("_tickets").Tickets(units, grain * pause)
        _run_numba(backend, door, (*buffers, *owned[0]), tickets, threads, alone)
        return owned

    tickets = _compiled("_tickets").Tickets(units, max(1, grain // backend.slowness))
    workers = 1
    if len(tickets) > 1 and not getattr(_here, "worker", False):
        workers = min(thread_count(threads), len(tickets))
    owned = [private() for _ in range(workers)]
    holds = not backend.releases
    main = is_main_thread()

    def work(own: tuple[Any, ...], most: int) -> None:
        nested = getattr(_here, "worker", False)
        _here.worker = True
        try:
            while door(*buffers, *own, tickets, most, backend.releases):
                pass
        except BaseException:
            tickets.stop()
            raise
        finally:
            _here.worker = nested

    # Workers' calls end with the range, but where they keep the GIL; the caller's also keeps a main thread from Ctrl-C.
    most = [pause if holds or main else -1] + [pause if holds else -1] * (workers - 1)
    _spread(work, list(zip(owned, most, strict=True)), tickets, executor)
    return owned


def share(door: Callable[..., bool], *, units: int, grain: int, pause: int, threads: int | None = None) -> None:
    """As ``run``, for calls of less than 100 µs: few words are spent on a compiled door that has its buffers."""
    tickets = _compiled("_tickets").Tickets(units, grain)
    alone = getattr(_here, "worker", False)
    workers = 1 if alone else min(thread_count(threads), len(tickets))

    def work(most: int) -> None:
        while door(tickets, most, True):
            pass

    _spread(work, [(pause,)] + [(-1,)] * (workers - 1), tickets, None)


def _spread(
    call: Callable[..., None], arguments: list[tuple[Any, ...]], tickets: "Tickets", executor: "Executor | None"
) -> None:
    """Make these calls, the first one here and the others on other threads, which share the tickets."""
    jobs = [_Job(call, *other) for other in arguments[1:]]
    try:
        if executor is not None:
            for job in jobs:
                try:
                    executor.submit(job.run_and_ring)
                except RuntimeError as error:
                    if not _no_thread(error):
                        raise
        elif jobs:
            if len(_workers) < len(jobs):
                _hire(len(jobs))
            for job in jobs[: len(_workers)]:
                _ask(job, tickets)
        call(*arguments[0])
        _wait(jobs)
    except BaseException:
        tickets.stop()
        _wait_whatever_happens(jobs)
        raise


def _wait(jobs: list[_Job]) -> None:
    """Wait for workers that began; those that did not have nothing left to do. Raises what a worker raised."""
    # Windows does not wake a waiting lock for Ctrl-C, so there the wait is cut into slices.
    step = 0.05 if sys.platform == "win32" else None
    for job in jobs:
        if job.cancel():
            continue
        while True:
            try:
                job.result(step)
                break
            except TimeoutError:
                if job.done():
                    raise


def _wait_whatever_happens(futures: "list[_Job] | list[Future[Any]]") -> None:
    """Wait until no worker writes to the caller's buffers any more, however often Ctrl-C is pressed meanwhile."""
    for future in futures:
        while not (future.cancel() or future.done()):
            try:
                future.exception(0.05)
            except (TimeoutError, KeyboardInterrupt):
                continue


def check(threads: object, executor: object, *, anywhere: bool = False) -> None:
    """Raise unless ``run`` would take these two; with ``anywhere``, unless it or ``each`` would."""
    if threads is not None:
        check_threads(threads)
    if executor is None:
        return
    from concurrent.futures import Executor, ThreadPoolExecutor

    if not isinstance(executor, Executor) or _is_interpreter_pool(executor):
        kind = "NumPy does not load in its interpreters" if isinstance(executor, Executor) else "no executor"
    elif anywhere or isinstance(executor, ThreadPoolExecutor):
        return
    else:
        kind = "an executor without shared memory"
    expected = "concurrent.futures.Executor" if anywhere else "concurrent.futures.ThreadPoolExecutor"
    raise TypeError(f"executor: got {type(executor).__name__} ({kind}), expected a {expected}")


def elsewhere(executor: "Executor | None") -> "TypeGuard[Executor]":
    """Whether the workers of an executor are in other processes, of this machine or of others."""
    if executor is None:
        return False
    from concurrent.futures import ThreadPoolExecutor

    return not isinstance(executor, ThreadPoolExecutor)


def each(
    executor: "Executor", function: Callable[..., Any], arguments: Iterable[tuple[Any, ...]], ahead: int = 256
) -> Iterator[Any]:
    """What ``function`` returns for each tuple of arguments, in their order, from workers elsewhere.

    No more than ``ahead`` calls wait at a time. Those that have not begun are called off when one raises, or when the
    caller leaves.
    """
    futures: deque[Future[Any]] = deque()
    todo = iter(arguments)
    try:
        while True:
            futures.extend(executor.submit(function, *one) for one in islice(todo, ahead - len(futures)))
            if not futures:
                return
            yield futures.popleft().result()
    finally:
        for future in futures:
            future.cancel()


def overlapped(
    function: Callable[..., Any],
    arguments: Iterable[tuple[Any, ...]],
    *,
    threads: int | None = None,
    executor: "Executor | None" = None,
) -> Generator[Any]:
    """What ``function`` returns for each tuple of arguments, as they come, from threads of this process.

    For jobs that are long, or wait for disks: they get threads of their own, so that kernels of other callers find
    those of ``run`` free. Kernels that a job calls run inline, and so do a job's own jobs. One thread is one beside the
    caller, who looks after results and Ctrl-C. (glibc gives the main thread's memory back to the system after each big
    picture and asks for it again: there, reading and binarizing 60 of them took a third longer.)

    At most one call for each thread is under way, and one more waits where the threads are our own; ``arguments`` is
    read no further ahead, and results wait until the caller takes them. When one raises, or the caller leaves, calls
    that have not begun are called off, and those under way are waited for. Leave by ``contextlib.closing``: an
    exception keeps a generator alive.

    Parameters
    ----------
    function, arguments
        What to call, with what.
    threads, executor
        How many at a time, and on what; an executor must have a thread to spare for this, or nothing ever begins.

    Raises
    ------
    TypeError, ValueError
        If ``run`` would not take ``threads`` or ``executor``.
    """
    check(threads, executor)
    return _overlapped(function, arguments, thread_count(threads), executor)


def _overlapped(
    function: Callable[..., Any],
    arguments: Iterable[tuple[Any, ...]],
    count: int,
    executor: "Executor | None",
) -> Generator[Any]:
    if executor is None and getattr(_here, "worker", False):
        for one in arguments:
            yield _as_worker(function, *one)
        return
    from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

    own = ThreadPoolExecutor(count, thread_name_prefix="gilfree") if executor is None else None
    pool = own or executor
    assert pool is not None
    # One that waits spares a thread the wait for the caller. Somebody else's threads may be more than we were given.
    ahead = count + (own is not None)
    step = 0.05 if sys.platform == "win32" else None  # as in `_wait`
    futures: list[Future[Any]] = []  # in the order in which they began, so that none is forgotten for long
    todo = iter(arguments)
    try:
        while True:
            for one in islice(todo, ahead - len(futures)):
                call = _Call(function, one)
                futures.append(call.future)  # before it may begin, so that Ctrl-C finds it
                try:
                    pool.submit(call).add_done_callback(call.called_off)
                except RuntimeError as error:
                    if not _no_thread(error):
                        raise
                    call()  # here, unless one of the threads that there are was faster
            if not futures:
                return
            while not (done := wait(futures, step, FIRST_COMPLETED).done):
                pass
            first = next(future for future in futures if future in done)
            futures.remove(first)
            yield first.result()
    finally:
        _wait_whatever_happens(futures)
        if own is not None:
            own.shutdown(cancel_futures=True)


class _Call:
    """A call on a thread of a pool, or on the caller's if none can be had; whoever comes first makes it."""

    __slots__ = ("arguments", "begun", "function", "future")

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        from concurrent.futures import Future

        self.function: Callable[..., Any] | None = function
        self.arguments: tuple[Any, ...] = arguments
        self.begun = _thread.allocate_lock()
        self.future: Future[Any] = Future()

    def __call__(self) -> None:
        if not self.begun.acquire(False):
            return
        function, arguments, self.function, self.arguments = self.function, self.arguments, None, ()
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            assert function is not None
            result = _as_worker(function, *arguments)
        except BaseException as error:  # noqa: BLE001 - the caller's, who asks for the result
            del function, arguments  # who has the result may close what they hold
            self.future.set_exception(error)
        else:
            del function, arguments
            self.future.set_result(result)

    def called_off(self, submitted: "Future[None]") -> None:
        """Say so where somebody else has shut the pool down."""
        if submitted.cancelled() and self.future.cancel():
            self()


def _as_worker(function: Callable[..., Any], *arguments: Any) -> Any:
    nested = getattr(_here, "worker", False)
    _here.worker = True
    try:
        return function(*arguments)
    finally:
        _here.worker = nested


def _is_interpreter_pool(executor: object) -> bool:
    import concurrent.futures

    pool = getattr(concurrent.futures, "InterpreterPoolExecutor", None)  # new in 3.14; a kind of thread pool there
    return pool is not None and isinstance(executor, pool)


def _numba() -> Any:
    # As a name to import: what of Numba has types differs from one version to the next.
    return load("numba")


def numba_thread_limit() -> int:
    """How many threads Numba can ever have in this process (NUMBA_NUM_THREADS)."""
    return int(_numba().config.NUMBA_NUM_THREADS)


def start_numba_threads() -> None:
    """Start Numba's threads, on the layer that it chooses; those of a forked child's parent are not this process's."""
    global _numba_started_in  # noqa: PLW0603 - as in `_run_numba`
    with _numba_lock:
        _numba().get_num_threads()
        _numba_started_in = _numba_started_in or os.getpid()


def numba_threading_layer() -> str | None:
    """The layer Numba's threads run on; None before they first start, when Numba chooses it."""
    try:
        return str(_numba().threading_layer())
    except ValueError:
        return None


def _run_numba(
    backend: Backend,
    door: Callable[..., bool],
    buffers: tuple[Any, ...],
    tickets: "Tickets",
    threads: int | None,
    alone: bool,
) -> None:
    """Let Numba's own threads share each ticket. One Python thread at a time, whatever the threading layer."""
    global _numba_started_in  # noqa: PLW0603 - as the threads it tells of, it belongs to the process
    numba = _numba()
    most = numba_thread_limit()
    asked = _asked(threads)
    if asked is not None and asked > most:
        raise ValueError(f"threads: got {asked}, expected at most {most} (NUMBA_NUM_THREADS) on numba-parallel")
    count = 1 if alone else min(asked or cpu_count(), most)
    with _numba_lock:
        layer = numba_threading_layer()
        if _numba_started_in not in (None, os.getpid()) and layer != "tbb":
            raise RuntimeError(
                "numba-parallel: this process was forked after its parent had used it, and Numba's"
                f" {layer} layer does not survive that; use another backend, the spawn start"
                " method, or the tbb layer"
            )
        before = numba.get_num_threads()
        numba.set_num_threads(count)
        try:
            _numba_started_in = _numba_started_in or os.getpid()
            door(*buffers, tickets, -1, backend.releases)
        finally:
            numba.set_num_threads(before)
