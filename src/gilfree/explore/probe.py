"""Does this callable let go of the GIL? A verdict from witnesses, and how others fare meanwhile from knocks.

A thread that waits for the GIL asks the holder for it after ``sys.getswitchinterval()``, and the holder obliges when it
next comes to a bytecode that looks. Set the interval to far longer than a call, and nobody asks: whoever gets the GIL
strictly inside the call got it because the call let go by itself. That is a witness. Load on the machine can hide one
for a while and cannot fake one. Set the interval to far shorter, and run calls without a bytecode between them: whoever
asks and is not let in before the end was refused. Whether a call lets go is never judged by how long something took.

The knocks are those of the native thread in ``ext/heartbeat.pyx``.
"""

import inspect
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from gilfree import interpreter
from gilfree._heartbeat import Heartbeat, crowded, now

# To pytest: what lies between a test and what it probes says nothing to the reader of a traceback.
__tracebackhide__ = True

__all__ = ["LETS_GO", "VERDICTS", "HeldError", "Probe", "assert_releases_gil", "max_stall", "measure", "probe"]

# What each verdict says, as the end of "it ...".
VERDICTS = {
    "releases": "lets go of the GIL by itself and leaves it free nearly all the time",
    "partial": "lets go of the GIL by itself, for a part of its time",
    "holds": "keeps the GIL while it computes",
    "holds-blocked": "keeps the GIL while it sleeps or waits",
    "yields": "lets go only when asked, between two bytecodes",
    "no-gil": "has no GIL to hold: this Python runs without one",
    "inconclusive": "cannot be told from what was seen",
}
LETS_GO = ("releases", "partial", "no-gil")

# From this share of its time on, a call that leaves the GIL free "releases"; below it is "partial". Allocating results
# and reading arguments take the GIL for some percent of even the best call.
RELEASES = 0.9

SECONDS = 1.0  # time for one probe, besides the calls that it makes in any case
INTERVAL = 1e-3  # mean time between two knocks; costs a Python target under 2 %
RUN = 0.02  # seconds of calls in one run; shorter calls are repeated

# A witness needs a switch interval that nobody's wait exceeds; other Python threads may have to wait so long.
QUIET_INTERVAL = 1.0
QUIET_GAP = 2e-4
# Where other Python threads compute, each of them has the GIL for such an interval whenever a call lets go of it.
CROWDED_INTERVAL = 5e-3
# Asking needs one that is over well before the calls are.
ASKING_INTERVAL = 2e-4
# Bytecode answers within microseconds of its own time. What takes longer was in the middle of something.
ANSWER = 2.5e-4
CROWD = "another Python thread computed meanwhile"
# Where the system does not count voluntary context switches, a wait this short (in ns) counts as none.
NO_WAIT = 20_000

# How long `assert_releases_gil` looks for a witness before it gives up: seconds; seconds if there were many calls; and
# how many refusals make it give up sooner.
PATIENCE = 5.0
SHORT_PATIENCE, MANY_CALLS = 2.0, 200
REFUSALS, LONG_REFUSALS = 20, 3  # the second where calls are so long that each of them refuses


class Knock(NamedTuple):
    """One knock on the GIL: see ``Heartbeat.watch`` for the units."""

    came: int
    got: int
    until: int
    slept: int
    came_inside: int
    got_inside: int
    holder_cpu: int
    holder_queued: int
    own_queued: int

    @property
    def wait(self) -> int:
        """How long the call kept it from the GIL, in ns."""
        return max(0, self.until - self.came)  # the call may end between the look at it and the look at the clock

    @property
    def kept(self) -> int:
        """The same without the time in which one of the two had no CPU, as far as that is known."""
        return max(0, self.wait - max(0, self.own_queued) - max(0, self.holder_queued))

    @property
    def asleep(self) -> int | None:
        """How long the holder neither ran nor wanted to, meanwhile; None where that is unknown."""
        if min(self.holder_cpu, self.holder_queued, self.own_queued) < 0:
            return None
        return max(0, self.wait - self.holder_cpu - self.holder_queued - self.own_queued)

    @property
    def free(self) -> bool:
        """Whether it came during a call and found the GIL free."""
        at_once = self.slept == 0 if self.slept >= 0 else self.wait < NO_WAIT
        return at_once and 0 < self.came_inside == self.got_inside


@dataclass(frozen=True, repr=False)
class Probe:
    """What was found out about one callable. Times are in seconds, shares from 0 to 1."""

    name: str
    verdict: str  # one of VERDICTS
    why: str  # one sentence
    witnesses: int  # runs in which another thread got the GIL because the call let go by itself
    runs: int  # runs that could show one
    free_share: float | None  # of the time of a call, in which the GIL is free; None where too few knocks came
    free_share_interval: tuple[float, float] | None  # 95 %
    speedup_bound: float | None  # 1 / (1 - free_share): the most that threads can gain; infinite if it was never held
    longest_hold: float | None  # the longest that a call kept somebody waiting and had a CPU; None where nobody came
    stalls: dict[str, float]  # p50, p90, p99, max of the waits of threads that want the GIL during a call
    switch_interval: float  # under which those waits were taken
    waiting: dict[str, float] | None  # where the holder was meanwhile: on_cpu, queued, asleep; shares of the waits
    call: float | None  # mean time of a call; None where it was stopped
    loops: int  # calls in a run: more than one where a call alone is too short to judge
    cpu: float | None  # CPU time of the whole process for each second of the call
    native_threads: int | None  # threads of the system that the calls started and left; None where that is unknown
    thread_pools: tuple[str, ...] = ()  # of other libraries, as threadpoolctl finds them
    gil_enabled_by: str | None = None  # who switched it back on, where a Python could be without one
    waits: tuple[float, ...] = field(default=(), compare=False)  # what the percentiles were taken from

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON: an infinite bound is None."""
        plain = asdict(self)
        if self.speedup_bound is not None and math.isinf(self.speedup_bound):
            plain["speedup_bound"] = None
        return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Self:
        """What ``to_dict`` made, read back."""
        tuples = ("free_share_interval", "thread_pools", "waits")
        fields: dict[str, Any] = {
            key: tuple(value) if key in tuples and value is not None else value for key, value in plain.items()
        }
        if fields["speedup_bound"] is None and fields["free_share"] == 1.0:
            fields["speedup_bound"] = math.inf
        return cls(**fields)

    def rows(self) -> list[tuple[str, str]]:
        """The findings as pairs of words, for people."""
        rows = [("verdict", self.verdict), ("why", self.why)]
        if self.runs:
            rows.append(("witnesses", f"{self.witnesses} of {self.runs} runs"))
        if self.free_share is not None and self.free_share_interval is not None:
            low, high = self.free_share_interval
            rows.append(("GIL free", f"{self.free_share:.1%} of the call ({low:.1%} to {high:.1%})"))
        if self.speedup_bound is not None and self.verdict in ("releases", "partial"):
            bounded = self.free_share_interval is not None and self.free_share_interval[1] < 0.999
            bound = f"at most {self.speedup_bound:.3g} times" if bounded else "the GIL sets no bound that was seen"
            rows.append(("speed-up", f"{bound}, on any number of threads"))
        if self.longest_hold is not None:
            rows.append(("longest hold", _duration(self.longest_hold)))
        if self.stalls:
            stalls = " · ".join(f"{name} {_duration(seconds)}" for name, seconds in self.stalls.items())
            rows.append(("others wait", f"{stalls}  (switch interval {_duration(self.switch_interval)})"))
        if self.waiting:
            names = {"on_cpu": "on a CPU", "queued": "waiting for a CPU", "asleep": "asleep"}
            shares = ", ".join(f"{share:.0%} {names[key]}" for key, share in self.waiting.items() if share >= 0.005)
            rows.append(("meanwhile", f"the holder was {shares}"))
        looped = f", {self.loops} in a run because one is too short to judge" if self.loops > 1 else ""
        if self.call is not None:
            rows.append(("a call", f"{_duration(self.call)}, {self.cpu:.2f} CPUs busy{looped}"))
        if self.native_threads:
            rows.append(("it started", f"{self.native_threads} native threads"))
        if self.gil_enabled_by:
            rows.append(("the GIL", f"this Python can be without one; switched on by {self.gil_enabled_by}"))
        if self.thread_pools:
            rows.append(("thread pools", ", ".join(self.thread_pools)))
        return rows

    def __repr__(self) -> str:
        parts = [f"{self.verdict}", f"witnesses {self.witnesses} of {self.runs}"]
        if self.free_share is not None:
            parts.append(f"GIL free {self.free_share:.1%}")
        if self.longest_hold is not None:
            parts.append(f"longest hold {_duration(self.longest_hold)}")
        return f"<Probe {self.name}: {', '.join(parts)}>"

    def __str__(self) -> str:
        rows = self.rows()
        width = max(len(word) for word, _ in rows)
        return "\n".join([self.name, *(f"  {word:<{width}}  {text}" for word, text in rows)])

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{escape(word)}</th><td>{escape(text)}</td></tr>" for word, text in self.rows())
        return f"<table><caption>{escape(self.name)}</caption>{rows}</table>"


def _duration(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


class HeldError(AssertionError):
    """No witness to a call that lets go: an AssertionError that the callable itself cannot have raised."""


# --- the front door --------------------------------------------------------------------------------------------------


def probe(func: Callable[..., object], /, *args: Any, **kwargs: Any) -> Probe:
    """Find out whether ``func(*args, **kwargs)`` lets go of the GIL, and how other threads fare meanwhile.

    The call is made many times, for about a second, and at least four times if it is longer; what it returns is thrown
    away. Meanwhile other Python threads may have to wait for up to a second, as the switch interval of the process is
    changed; it is put back in the end. One probe runs at a time, others wait.

    Parameters
    ----------
    func : callable
        Anything that can be called, other than a coroutine function.
    *args, **kwargs
        What to call it with.

    Returns
    -------
    Probe
        ``verdict`` and ``why`` first; ``print`` shows all of it.

    Raises
    ------
    TypeError
        If ``func`` cannot be called, or is a coroutine function, whose call only makes a coroutine.
    RuntimeError
        If ``func`` is a probe itself, or no thread can be started.
    BaseException
        Whatever ``func`` raises.

    Notes
    -----
    A witness is a thread that got the GIL inside the call while nobody could have asked for it. ``free_share`` comes
    from knocks at random moments: those that come while another one waits would have found the GIL held, so a wait
    counts for as many knocks as would have come in it; time in which the call had no CPU is left out (on Linux, which
    tells). Its interval is Wilson's (E. B. Wilson, "Probable inference, the law of succession, and statistical
    inference", 1927). ``stalls`` are the waits of a thread that comes back to the GIL a millisecond after it last had
    it, under the switch interval of the process.
    """
    return measure(func, args, kwargs)


def assert_releases_gil(func: Callable[..., object], /, *args: Any, **kwargs: Any) -> None:
    """Raise an AssertionError unless ``func(*args, **kwargs)`` lets go of the GIL by itself.

    Judged by a witness alone, never by how long something took, so load on the machine makes it slower and not wrong.
    It passes at the first moment in which another thread got the GIL inside a call though nobody can have asked for it.
    It fails when the calls refused all who asked, or when two to five seconds of calls brought no witness. The error's
    text is a whole probe's. Without a GIL it passes.

    Other threads of this process that compute in Python meanwhile take the GIL at each chance and hide witnesses; where
    none comes through, the error says that it cannot tell.

    Raises
    ------
    HeldError
        If the call does not let go, or that cannot be told: an AssertionError.
    TypeError, RuntimeError, BaseException
        As ``probe`` does.
    """
    check_callable(func)
    with _Session() as session:
        call = _Call(func, args, kwargs)
        call.warm_up()
        if not interpreter.gil_enabled() or session.finds_witness(call):
            return
    found = measure(func, args, kwargs)
    if found.verdict == "inconclusive":
        raise HeldError(f"cannot tell whether the GIL was released: {found.name} is {found.verdict}\n{found}")
    if found.verdict not in LETS_GO:
        raise HeldError(f"the GIL was not released: {found.name} {found.verdict}\n{found}\n\n{hint(found)}")


def max_stall(func: Callable[..., object], /, *args: Any, **kwargs: Any) -> float:
    """The longest that ``func(*args, **kwargs)`` kept another thread from the GIL, in seconds.

    For latency budgets: a maximum over some hundred knocks, in half a second of calls and three of them at least. Time
    in which either of the two had to wait for a CPU is not counted (on Linux, which tells).

    Raises
    ------
    TypeError, RuntimeError, BaseException
        As ``probe`` does.
    """
    check_callable(func)
    with _Session() as session:
        call = _Call(func, args, kwargs)
        call.warm_up()
        watched = session.watch(call, INTERVAL, 0.5, least=3)
    return max((knock.kept for knock in watched.inside), default=0) * 1e-9


def hint(found: Probe) -> str:
    """What to look at in the source of a function that does not let go."""
    if found.verdict == "holds-blocked":
        return (
            "It waits and holds the GIL: put Py_BEGIN_ALLOW_THREADS around the system call (ctypes: CDLL, not PyDLL)."
        )
    look = (
        "Look for:\n"
        "- a loop outside `with nogil:` (Cython), a missing nogil=True (Numba), py::gil_scoped_release (pybind11)\n"
        "  or Python::detach (PyO3)\n"
        "- a Cython function without `noexcept`, which takes the GIL after each call\n"
        "- a Python object touched inside the loop\n"
        "- an input so small that the library does not bother"
    )
    if found.verdict == "yields":
        return (
            "It is bytecode, which holds the GIL, or native calls that are too short to be told from it;\n"
            f"only native code can let go. If there is some, {look[0].lower()}{look[1:]}"
        )
    return look


# --- how it is measured ----------------------------------------------------------------------------------------------


@dataclass
class _Turn:
    """Whose turn it is to probe: the switch interval is the process's."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    owner: int | None = None  # a thread
    interval: float | None = None  # what to put back


_turn = _Turn()


def _start_afresh() -> None:
    """In a child made by fork: the thread whose turn it was did not come along, and the interval may be its own."""
    if _turn.owner != threading.get_ident():
        if _turn.interval is not None:
            sys.setswitchinterval(_turn.interval)
        _turn.lock, _turn.owner, _turn.interval = threading.Lock(), None, None


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_start_afresh)


def check_callable(func: object) -> None:
    """Refuse what cannot be probed."""
    if not callable(func):
        raise TypeError(f"func: got {type(func).__name__}, expected something that can be called")
    if inspect.iscoroutinefunction(func):
        raise TypeError("func: got a coroutine function, whose call runs nothing: probe lambda: asyncio.run(func())")


@dataclass
class _Call:
    """What is probed, and how long it takes."""

    func: Callable[..., object]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    seconds: float = 0.0  # of one call, as last seen

    def warm_up(self) -> None:
        """Call once: the first call may import, compile or fail."""
        began = now()
        self.func(*self.args, **self.kwargs)
        self.seconds = (now() - began) * 1e-9


@dataclass
class _Watched:
    """Some runs' worth of knocks."""

    asked_gap: float
    calls: int = 0
    runs: int = 0
    witnesses: int = 0
    busy: float = 0.0
    queued: float = 0.0
    wall: float = 0.0
    cpu: float = 0.0
    thread_cpu: float = 0.0
    knocks: list[Knock] = field(default_factory=list)
    gaps: int = 0  # between a knock and the next of the same run: how many,
    gap_sum: int = 0  # and ns of all

    def __iadd__(self, other: Self) -> Self:
        for name in [entry.name for entry in fields(self)[1:]]:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    @property
    def gap(self) -> float:
        """Mean time between two knocks, in ns: a busy machine makes it longer than was asked for."""
        return self.gap_sum / self.gaps if self.gaps >= 10 else self.asked_gap * 1e9

    @property
    def inside(self) -> list[Knock]:
        """The knocks that came during a call."""
        return [knock for knock in self.knocks if knock.came_inside]


class _Session:
    """The right to change the switch interval and to knock; a context manager."""

    def __enter__(self) -> Self:
        if _turn.owner == threading.get_ident():
            raise RuntimeError("a probe is already running in this thread: it cannot probe a probe")
        self._lock = _turn.lock
        self._lock.acquire()
        self.interval = sys.getswitchinterval()
        self.crowded = False  # whether another Python thread was seen to compute
        _turn.owner, _turn.interval = threading.get_ident(), self.interval
        return self

    def __exit__(self, *_: object) -> None:
        sys.setswitchinterval(self.interval)
        _turn.owner = _turn.interval = None
        self._lock.release()

    def watch(
        self,
        call: _Call,
        gap: float,
        seconds: float,
        *,
        interval: float | None = None,
        least: int = 1,
        hand_over: bool = True,
        quiet: bool = False,
        enough: Callable[[_Watched], bool] = lambda _: False,
    ) -> _Watched:
        """Runs of calls under knocks: for so long and so many at least, or until enough was seen.

        ``interval`` is the switch interval meanwhile. In a ``quiet`` watch nobody can ask for the GIL before that is
        over, who gets it all the same is a witness, and no run starts later.
        """
        interval = interval or self.interval
        watched = _Watched(gap)
        heart = Heartbeat(gap, seed=now() & 0xFFFF_FFFF)
        try:
            sys.setswitchinterval(interval)
            start = heart.meet() if quiet else now()
            asked, ends = start + int(interval * 1e9), start + int(seconds * 1e9)
            while True:
                cpu, thread_cpu, began = time.process_time(), time.thread_time(), now()
                calls, busy, queued, knocks = heart.watch(
                    call.func, call.args, call.kwargs, calls=2**62, seconds=RUN, hand_over=hand_over
                )
                late = now()
                seen = [Knock(*knock) for knock in knocks]
                watched.cpu += time.process_time() - cpu
                watched.thread_cpu += time.thread_time() - thread_cpu
                watched.wall += (late - began) * 1e-9
                watched.calls += calls
                watched.runs += 1
                watched.busy += busy
                watched.queued += queued
                watched.witnesses += quiet and any(knock.got_inside and knock.got < asked for knock in seen)
                watched.knocks += seen
                watched.gaps += max(0, len(seen) - 1)
                watched.gap_sum += sum(after.came - before.got for before, after in pairwise(seen))
                call.seconds = min(call.seconds, busy / calls)
                if (watched.runs >= least and (late >= ends or enough(watched))) or (quiet and late >= asked):
                    return watched
        finally:
            heart.stop()
            sys.setswitchinterval(self.interval)

    def witness(
        self, call: _Call, gap: float, seconds: float, enough: Callable[[_Watched], bool] = lambda _: False
    ) -> _Watched:
        """Runs of calls under knocks while nobody can ask for the GIL, and in how many somebody got it all the same."""
        self.crowded = crowded(self.interval)
        if not self.crowded:
            interval = max(QUIET_INTERVAL, 2 * seconds, 4 * call.seconds, self.interval)
            return self.watch(call, gap, seconds, interval=interval, quiet=True, enough=enough)
        # Somebody else takes the GIL whenever it is free, and has it for a whole switch interval. So make that short,
        # and look only at what follows when it has come back: by then the knocking thread has waited longest.
        interval = CROWDED_INTERVAL
        watched = _Watched(gap)
        ends = now() + int(seconds * 1e9)
        while True:
            watched += self.watch(call, gap, 0, interval=interval, quiet=True, hand_over=False)
            if now() >= ends or enough(watched):
                return watched
            interval *= 2  # for a call that lets go later than that

    def ask(self, call: _Call, seconds: float) -> _Watched:
        """Runs of calls with no bytecode between them, under knocks that soon ask for the GIL."""
        asked = _Watched(ASKING_INTERVAL)
        for _ in range(5):  # on a busy machine, a thread that has just started may come too late
            asked += self.watch(call, ASKING_INTERVAL, seconds, interval=ASKING_INTERVAL, hand_over=False)
            if _asks(asked, ASKING_INTERVAL):
                break
        return asked

    def finds_witness(self, call: _Call) -> bool:
        """Look for a witness until there is one, or until there is hardly a hope."""
        began = now()
        calls = refusals = 0
        lets_in = False  # at least those who ask: bytecode does, and whoever lets go for moments only
        while True:
            watched = self.witness(call, QUIET_GAP, 0.5, lambda seen: seen.witnesses > 0)
            if watched.witnesses:
                return True
            calls += watched.calls
            if not lets_in:
                asked = self.ask(call, 0.25)
                lets_in = any(knock.came_inside == knock.got_inside for knock in asked.inside)
                refusals += len(_asks(asked, ASKING_INTERVAL))
            waited = (now() - began) * 1e-9
            if not lets_in and refusals >= (REFUSALS if call.seconds < 5 * RUN else LONG_REFUSALS):
                return False
            if waited > PATIENCE or (waited > SHORT_PATIENCE and calls >= MANY_CALLS):
                return False


def measure(
    func: Callable[..., object],
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
    *,
    name: str | None = None,
    seconds: float = SECONDS,
    interval: float = INTERVAL,
) -> Probe:
    """Probe one call; ``probe`` with the settings in reach.

    Parameters
    ----------
    func, args, kwargs
        What to call, and with what.
    name : str, optional
        What to call it in the answer; its own name by default.
    seconds : float
        Time to spend, besides the four calls that are made in any case.
    interval : float
        Mean time between two knocks while the stalls are taken, in seconds, from 1e-5 to 10.

    Raises
    ------
    TypeError, RuntimeError, BaseException
        As ``probe`` does.
    ValueError
        If ``seconds`` or ``interval`` lies outside its bounds.
    """
    check_callable(func)
    check_settings(seconds, interval)
    quiet = asked = None
    with _Session() as session:
        before = _native_threads()
        call = _Call(func, args, kwargs or {})
        call.warm_up()
        if interpreter.gil_enabled():  # now, for the first call may import what switches it on
            quiet = session.witness(call, QUIET_GAP, 0.4 * seconds)
            if not quiet.witnesses and call.seconds < 0.25 * seconds:
                asked = session.ask(call, 0.2 * seconds)
                if any(knock.came_inside == knock.got_inside for knock in asked.inside):
                    # Bytecode, or something that lets go for moments too short to be seen easily: look more closely.
                    quiet = session.witness(call, QUIET_GAP / 4, 0.5 * seconds, lambda seen: seen.witnesses > 0)
        usual = session.watch(call, interval, 0.4 * seconds)
        started = None if before is None else _started(before)
    return _conclude(name or name_of(func), session, quiet, asked, usual, started)


def check_settings(seconds: float, interval: float) -> None:
    """Refuse settings out of bounds, by name."""
    if not 0.01 <= seconds <= 3600:
        raise ValueError(f"seconds: got {seconds}, expected 0.01 to 3600")
    if not 1e-5 <= interval <= 10:
        raise ValueError(f"interval: got {interval}, expected seconds from 1e-5 to 10")


def name_of(func: Callable[..., object]) -> str:
    """What people would call it."""
    name = getattr(func, "__qualname__", None) or getattr(func, "__name__", None) or repr(func)
    module = getattr(func, "__module__", None)
    return f"{module}.{name}" if module and module not in ("builtins", "__main__") else name


# --- what it means ---------------------------------------------------------------------------------------------------


def _conclude(
    name: str,
    session: _Session,
    quiet: _Watched | None,
    asked: _Watched | None,
    usual: _Watched,
    started: int | None,
) -> Probe:
    # What a crowd does to the GIL is not the call's doing.
    share, between = (None, None) if session.crowded else _free_share(usual if quiet is None else quiet)
    refused, interval = (usual, session.interval) if asked is None else (asked, ASKING_INTERVAL)
    waiting = _waiting(usual, *([] if asked is None else [asked]))
    asleep = waiting["asleep"] if waiting else 1 - usual.thread_cpu / usual.wall
    verdict, why = _verdict(quiet, share, _asks(refused, interval), interval, asleep, session.crowded)
    waits = [knock.wait * 1e-9 for knock in usual.inside]
    points = np.percentile(waits, [50, 90, 99, 100]).tolist() if waits else []
    bound = None if share is None else math.inf if share >= 1 else 1 / (1 - share)
    return Probe(
        name=name,
        verdict=verdict,
        why=why,
        witnesses=quiet.witnesses if quiet else 0,
        runs=quiet.runs if quiet else 0,
        free_share=share,
        free_share_interval=between,
        speedup_bound=bound,
        longest_hold=max((knock.kept * 1e-9 for knock in usual.inside), default=None),
        stalls=dict(zip(("p50", "p90", "p99", "max"), points, strict=False)),
        switch_interval=session.interval,
        waiting=waiting,
        call=usual.busy / usual.calls,
        loops=max(1, round(usual.calls / usual.runs)),
        cpu=usual.cpu / usual.wall,
        native_threads=started,
        thread_pools=_thread_pools(),
        gil_enabled_by=interpreter.gil_enabled_by(),
        waits=tuple(waits),
    )


def _verdict(
    quiet: _Watched | None, share: float | None, asks: list[Knock], interval: float, asleep: float, crowded: bool
) -> tuple[str, str]:
    if quiet is None:
        return "no-gil", "this Python runs without a GIL, so there is none to hold; waits are pauses of all threads"
    if quiet.witnesses:
        seen = f"in {quiet.witnesses} of {quiet.runs} runs another thread got the GIL, though none had asked for it"
        if crowded:
            return "partial", f"{seen}; {CROWD}, so it cannot be told for how long it is free"
        if share is None:
            return "partial", f"{seen}; too few knocks came to say for how long it is free"
        if share >= RELEASES:
            return "releases", seen
        return "partial", f"{seen}, but the call holds it for {1 - share:.0%} of its time"
    if not asks:
        return "inconclusive", "no other thread wanted the GIL long enough during a call to find out"
    if crowded and any(knock.came_inside == knock.got_inside for knock in asks):
        return "inconclusive", f"{CROWD} and took the GIL at each chance: probe in a child process"
    if _answered(asks, interval):
        return "yields", "nobody got the GIL unasked, and those who asked got it at once: this is bytecode"
    kept = f"nobody got the GIL unasked, and {len(asks)} times one that asked had to wait while the holder"
    if asleep > 0.5:
        return "holds-blocked", f"{kept} slept"
    return "holds", f"{kept} computed"


def _free_share(watched: _Watched) -> tuple[float | None, tuple[float, float] | None]:
    """The share of a call's time in which the GIL is free, and Wilson's interval of 95 %.

    Time in which the call had no CPU is not the call's, whether it had the GIL then or not.
    """
    free = sum(knock.free for knock in watched.inside)
    kept = [knock for knock in watched.inside if not knock.free]
    held = sum(1 + knock.kept / watched.gap for knock in kept)
    queued = watched.queued * 1e9 - sum(max(0, knock.holder_queued) for knock in kept)
    running = max(0.0, free - max(0.0, queued) / watched.gap)
    n = running + held
    if n < 10:
        return None, None
    share, z = running / n, 1.96
    middle, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return share, (max(0.0, min(low, share)), min(1.0, max(high, share)))


def _asks(watched: _Watched, interval: float) -> list[Knock]:
    """The knocks that came during a call and waited long enough to ask for the GIL."""
    return [knock for knock in watched.inside if knock.wait > 1e9 * interval]


def _answered(asks: list[Knock], interval: float) -> bool:
    """Whether those who asked were let in by the call, and most of them at once."""
    quick = 0
    for knock in asks:
        asleep = knock.asleep
        # The holder's own time, for when there is no CPU for it, it cannot answer.
        own = knock.wait if asleep is None else knock.holder_cpu + asleep
        quick += knock.came_inside == knock.got_inside and own - 1e9 * interval < 1e9 * ANSWER
    return bool(asks) and quick >= 0.5 * len(asks)


def _waiting(*watches: _Watched) -> dict[str, float] | None:
    """Where the holder was while others waited for it."""
    on_cpu = queued = asleep = 0
    for knock in (knock for watched in watches for knock in watched.inside if not knock.free):
        if knock.asleep is None:
            return None
        on_cpu += knock.holder_cpu
        queued += knock.holder_queued
        asleep += knock.asleep
    total = on_cpu + queued + asleep
    return {"on_cpu": on_cpu / total, "queued": queued / total, "asleep": asleep / total} if total else None


def _native_threads() -> set[str] | None:
    try:
        return {path.name for path in Path("/proc/self/task").iterdir()}
    except OSError:
        return None  # not Linux


def _started(before: set[str]) -> int:
    """How many threads there are now that were not there before. Our own take a moment to go away."""
    for _ in range(20):
        new = (_native_threads() or set()) - before
        if not new:
            return 0
        time.sleep(1e-3)
    return len(new)


def _thread_pools() -> tuple[str, ...]:
    """Other libraries' pools in this process, where threadpoolctl is there to find them."""
    try:
        from threadpoolctl import threadpool_info
    except ModuleNotFoundError:
        return ()
    return tuple(f"{pool['prefix']} × {pool['num_threads']}" for pool in threadpool_info())
