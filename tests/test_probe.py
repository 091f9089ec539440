"""The probe: what it says of functions whose behaviour is known, and that it leaves everything as it was.

Whether a function lets go is asserted outright, since no load can fake a witness. How long something took is never
asserted; where a class rests on how quickly others were let in, one right answer of several is enough.
"""

import gc
import importlib.util
import json
import math
import os
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import child
import pytest
from pieces import HOLDS, LETS_GO, PIECES, lets_go, right

import gilfree
from gilfree import Probe, assert_releases_gil, interpreter, max_stall, probe
from gilfree._heartbeat import Heartbeat, now, sleep_holding, spin
from gilfree.explore import probe as module
from gilfree.explore.probe import HeldError, Knock, measure

pytestmark = [pytest.mark.thread_unsafe(reason="the switch interval belongs to the process"), pytest.mark.clocks]
needs_a_gil = pytest.mark.skipif(not interpreter.gil_enabled(), reason="there is no GIL to hold")


# --- verdicts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PIECES)
def test_verdict(name: str) -> None:
    found: list[str] = []
    for seconds in (0.5, 0.5, 1, 2, 4):  # load can hide a witness for a while, and change a class
        probed = measure(PIECES[name][0], seconds=seconds)
        found.append(probed.verdict)
        if not lets_go(name):  # but it can fake none, not once
            assert probed.witnesses == 0, probed
            assert probed.verdict not in LETS_GO, probed
        if probed.verdict == right(name):
            assert (probed.witnesses > 0) is (interpreter.gil_enabled() and lets_go(name)), probed
            return
    pytest.fail(f"{right(name)} is right, and five probes said {', '.join(found)}")


# A failure takes some seconds, and each of these is another reason to fail.
@pytest.mark.parametrize("name", [name for name in PIECES if lets_go(name) or name in ("hold-5-ms", "bytecode")])
def test_assertion(name: str) -> None:
    func = PIECES[name][0]
    if lets_go(name):
        assert_releases_gil(func)
    else:
        with pytest.raises(HeldError, match="the GIL was not released"):
            assert_releases_gil(func)


def test_arguments_are_passed_on() -> None:
    seen = []

    def func(*args: int, **kwargs: int) -> None:
        seen.append((args, kwargs))
        time.sleep(1e-3)

    assert probe(func, 1, 2, three=3).verdict in LETS_GO
    assert_releases_gil(func, 1, 2, three=3)
    assert max_stall(func, 1, 2, three=3) >= 0
    assert len(seen) > 6
    assert all(call == ((1, 2), {"three": 3}) for call in seen)


@needs_a_gil
def test_a_call_too_short_to_judge_is_repeated() -> None:
    probed = measure(abs, (-1,), seconds=0.3)
    assert probed.verdict in HOLDS
    assert probed.loops > 100
    assert "in a run because one is too short to judge" in str(probed)
    assert measure(spin, (0.05,), seconds=0.3).loops == 1


@needs_a_gil
def test_a_call_longer_than_the_time_for_it() -> None:
    assert measure(spin, (0.3,), seconds=0.05).verdict == "holds"
    assert measure(time.sleep, (0.3,), seconds=0.05).verdict in LETS_GO


@needs_a_gil
def test_a_longer_hold_stalls_others_longer() -> None:
    probed = measure(spin, (0.05,), seconds=0.5)
    assert probed.longest_hold is not None
    assert probed.longest_hold > 0.02  # however late a knock comes, those before it came earlier
    assert probed.stalls["p50"] <= probed.stalls["p90"] <= probed.stalls["p99"] <= probed.stalls["max"]
    assert probed.stalls["max"] == max(probed.waits)
    assert probed.free_share is not None
    assert probed.free_share < 0.1
    assert max_stall(spin, 0.05) > 0.02


@needs_a_gil
def test_who_holds_and_sleeps_is_told_from_who_computes() -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux says what another thread does")
    computing, sleeping = measure(spin, (0.02,), seconds=0.3), measure(sleep_holding, (0.02,), seconds=0.3)
    assert computing.waiting is not None
    assert sleeping.waiting is not None
    for probed in (computing, sleeping):
        assert probed.waiting is not None
        assert math.isclose(sum(probed.waiting.values()), 1)
    assert computing.waiting["asleep"] < 0.5 < sleeping.waiting["asleep"]


@needs_a_gil
def test_the_share_that_is_free_bounds_the_speed_up() -> None:
    for _ in range(5):
        probed = measure(spin, (5e-3, 15e-3), seconds=0.5)
        assert probed.free_share is not None
        assert probed.free_share_interval is not None
        assert probed.speedup_bound is not None
        low, high = probed.free_share_interval
        assert 0 <= low <= probed.free_share <= high <= 1
        assert math.isclose(probed.speedup_bound, 1 / (1 - probed.free_share))
        if 0.6 < probed.free_share < 0.9:  # on a machine that has a CPU for each of the two
            return
    pytest.fail(f"three quarters are free, and the last of five probes says {probed.free_share}")


def test_threads_that_a_call_starts_are_counted() -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux lists the threads of a process")
    over = threading.Event()
    threads: list[threading.Thread] = []

    def starts_one() -> None:
        if not threads:
            threads.append(threading.Thread(target=over.wait))
            threads[0].start()
        spin(0, 2e-3)

    try:
        assert measure(starts_one, seconds=0.1).native_threads == 1
        assert measure(starts_one, seconds=0.1).native_threads == 0
    finally:
        over.set()
        threads[0].join()


def test_thread_pools_of_others_are_named() -> None:
    pytest.importorskip("threadpoolctl")
    assert all(" × " in pool for pool in measure(spin, (0, 1e-3), seconds=0.05).thread_pools)


# --- nothing can fake a witness --------------------------------------------------------------------------------------

CROWD = """
import sys, threading, time
from gilfree.explore.probe import _Call, _Session, HeldError, assert_releases_gil, measure
from gilfree._heartbeat import spin

over = False
def busy():
    while not over:
        sum(range(1000))
def restless():
    while not over:
        time.sleep(0.001)
        sum(range(5000))
threads = [threading.Thread(target=target) for target in ([busy] * {busy} + [restless] * {restless})]
for thread in threads:
    thread.start()
def bytecode():
    return sum(number for number in range(30_000))
try:
    {body}
finally:
    over = True
    for thread in threads:
        thread.join()
"""


def crowd(body: str, busy: int, restless: int) -> str:
    return child.output(CROWD.format(body=body.replace("\n", "\n    "), busy=busy, restless=restless))


@needs_a_gil
@pytest.mark.parametrize(("busy", "restless"), [(0, 3), (2, 2)])
def test_no_witness_to_bytecode(busy: int, restless: int) -> None:
    """Other threads of the process ask for the GIL all the time, and bytecode answers them, but not while we look."""
    body = """
with _Session() as session:
    call = _Call(bytecode, (), {})
    call.warm_up()
    print(sum(session.witness(call, 2e-4, 0.3).witnesses for _ in range(5)))"""
    assert crowd(body, busy, restless) == "0"


@needs_a_gil
@pytest.mark.parametrize(("busy", "restless"), [pytest.param(0, 3, marks=pytest.mark.thorough), (1, 1)])
def test_no_false_answer_in_a_crowd(busy: int, restless: int) -> None:
    """Where another Python thread takes each chance, "cannot tell" is an answer and "holds" would be a lie."""
    body = """
found = [measure(spin, (0, 0.01)).verdict for _ in range(3)]
found += [measure(bytecode, seconds=0.3).verdict for _ in range(3)]
try:
    assert_releases_gil(spin, 0, 0.01)
    said = "released"
except HeldError as error:
    said = str(error).partition(":")[0]
print(*found, said, sep=";")"""
    *found, said = crowd(body, busy, restless).split(";")
    assert set(found[:3]) <= {"releases", "partial", "inconclusive"}
    assert set(found[3:]) <= {"holds", "yields", "inconclusive"}
    assert said in ("released", "cannot tell whether the GIL was released")


@needs_a_gil
def test_cannot_tell_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module._Session, "finds_witness", lambda *_: False)
    doubtful = replace(measure(spin, (1e-3,), seconds=0.05), verdict="inconclusive", why="somebody was in the way")
    monkeypatch.setattr(module, "measure", lambda *_: doubtful)
    with pytest.raises(
        HeldError,
        match=r"cannot tell whether the GIL was released: .* is inconclusive\n(.*\n)+.*somebody was in the way",
    ):
        assert_releases_gil(spin, 1e-3)


# --- what knocks mean ------------------------------------------------------------------------------------------------


def knock(wait: int, *, free: bool = False, let_in: bool = False, cpu: int = 0, queued: int = 0, own: int = 0) -> Knock:
    """A knock that came during call 1 and was kept waiting for so many ns."""
    return Knock(0, wait, wait, 0 if free else 1, 1, 1 if free or let_in else 2, cpu, queued, own)


def watched(*knocks: Knock, witnesses: int = 0, runs: int = 10) -> module._Watched:
    found = module._Watched(1e-3, calls=100, runs=runs, witnesses=witnesses, busy=1.0, wall=1.0, knocks=list(knocks))
    assert found.gap == 1_000_000
    return found


def test_share_of_free_knocks() -> None:
    assert module._free_share(watched(*[knock(0, free=True)] * 9)) == (None, None)  # too few
    assert module._free_share(watched(*[knock(0, free=True)] * 50))[0] == 1
    # Who waits 2 ms stands for himself and the two that would have come meanwhile.
    share, between = module._free_share(watched(*[knock(0, free=True)] * 90, *[knock(2_000_000)] * 10))
    assert share == 90 / 120
    assert between is not None
    # Knocks that came half as often as they should stand for twice the time.
    late = watched(*[knock(0, free=True)] * 90, *[knock(2_000_000)] * 10)
    late.gaps, late.gap_sum = 99, 99 * 2_000_000
    assert module._free_share(late)[0] == 90 / 110
    # Wilson's interval for 90 of 120, as computed by hand.
    assert between == pytest.approx((0.6656, 0.8189), abs=1e-4)


@pytest.mark.parametrize(
    ("quiet", "share", "asks", "asleep", "crowded", "verdict", "said"),
    [
        (None, None, [], 0, False, "no-gil", "without a GIL"),
        (watched(witnesses=9), 0.95, [], 0, False, "releases", "in 9 of 10 runs another thread got the GIL"),
        (watched(witnesses=9), 0.5, [], 0, False, "partial", "but the call holds it for 50% of its time"),
        (watched(witnesses=1), None, [], 0, False, "partial", "too few knocks came"),
        (watched(witnesses=1), None, [], 0, True, "partial", "another Python thread computed meanwhile"),
        (watched(), 0.0, [], 0, False, "inconclusive", "no other thread wanted the GIL long enough"),
        (watched(), 0.0, [knock(9_000_000, cpu=9_000_000)] * 3, 0.1, False, "holds", "3 times one that asked had to"),
        (watched(), 0.0, [knock(9_000_000)] * 3, 0.9, False, "holds-blocked", "while the holder slept"),
        (watched(), 0.0, [knock(5_100_000, let_in=True, cpu=5_100_000)], 0, False, "yields", "this is bytecode"),
        (watched(), 0.0, [knock(9_000_000, let_in=True, cpu=9_000_000)], 0, False, "holds", "the holder computed"),
        # Slow to answer, but only because it had no CPU.
        (watched(), 0.0, [knock(9_000_000, let_in=True, cpu=5_100_000, queued=3_900_000)], 0, False, "yields", ""),
        (watched(), 0.0, [knock(9_000_000, let_in=True, cpu=5_100_000, own=3_900_000)], 0, False, "yields", ""),
        (watched(), 0.0, [knock(5_100_000, let_in=True)], 0, True, "inconclusive", "probe in a child process"),
        (watched(), 0.0, [knock(9_000_000, cpu=9_000_000)] * 3, 0, True, "holds", ""),
    ],
    ids=[
        "no-gil", "released", "half-released", "few-knocks", "released-in-a-crowd", "nobody-asked", "held", "blocked",
        "answered", "answered-late", "holder-had-no-cpu", "knock-had-no-cpu", "answered-in-a-crowd", "held-in-a-crowd",
    ],
)  # fmt: skip
def test_what_is_concluded(
    quiet: Any, share: float | None, asks: list[Knock], asleep: float, crowded: bool, verdict: str, said: str
) -> None:
    found, why = module._verdict(quiet, share, asks, 5e-3, asleep, crowded)
    assert found == verdict
    assert said in why


def test_unknown_times_are_no_zeros() -> None:
    """Where the system does not say what another thread does."""
    unknown = knock(9_000_000, cpu=-1, queued=-1, own=-1)
    assert unknown.asleep is None
    assert module._waiting(watched(unknown)) is None
    assert unknown.kept == unknown.wait == 9_000_000
    assert Knock(0, 5_000, 5_000, -1, 1, 1, -1, -1, -1).free  # too short a wait to have slept
    assert not Knock(0, 90_000, 90_000, -1, 1, 1, -1, -1, -1).free


def test_time_without_a_cpu_is_nobodys_hold() -> None:
    assert knock(9_000_000, own=4_000_000).kept == 5_000_000
    assert knock(9_000_000, queued=3_000_000, own=4_000_000).kept == 2_000_000
    assert knock(1_000, own=4_000_000).kept == 0
    alone = watched(*[knock(0, free=True)] * 90, *[knock(2_000_000, queued=2_000_000)] * 10)
    assert module._free_share(alone)[0] == 90 / 100
    # 50 ms without a CPU, of which 20 while others waited: in 30 of the free ones the call stood still.
    alone.queued = 0.05
    assert module._free_share(alone)[0] == pytest.approx(60 / 70)
    split = module._waiting(watched(knock(10_000_000, cpu=6_000_000, queued=1_000_000, own=1_000_000)))
    assert split == {"on_cpu": 6 / 9, "queued": 1 / 9, "asleep": 2 / 9}
    assert module._waiting(watched(knock(0, free=True))) is None


# --- it leaves everything as it was ----------------------------------------------------------------------------------


def threads_here() -> int:
    """Native threads, where the system lists them; they take a moment to go."""
    if sys.platform != "linux":
        return 0
    return len(list(Path("/proc/self/task").iterdir()))


class OursError(Exception):
    pass


def fails() -> None:
    raise OursError("as it should")


@pytest.mark.parametrize("call", [probe, assert_releases_gil, max_stall], ids=lambda call: call.__name__)
@pytest.mark.parametrize("error", [OursError, KeyboardInterrupt, SystemExit], ids=lambda error: error.__name__)
def test_what_is_raised_is_raised_again(call: Callable[..., Any], error: type[BaseException]) -> None:
    # An assertion is sure of itself after one call where there is no GIL.
    calls, last = 0, 4 if interpreter.gil_enabled() else 1

    def fails_in_the_end() -> None:
        nonlocal calls
        calls += 1
        sleep_holding(1e-3)
        if calls == last:
            raise error("as it should")

    interval, threads = sys.getswitchinterval(), threads_here()
    try:
        sys.setswitchinterval(0.0123)
        with pytest.raises(error, match="as it should"):
            call(fails_in_the_end)
        assert sys.getswitchinterval() == pytest.approx(0.0123)
        call(time.sleep, 1e-4)  # and the next one is not kept waiting
        assert sys.getswitchinterval() == pytest.approx(0.0123)
    finally:
        sys.setswitchinterval(interval)
    for _ in range(1000):
        if threads_here() <= threads:
            return
        time.sleep(1e-3)
    assert threads_here() <= threads


@pytest.mark.parametrize("call", [probe, assert_releases_gil, max_stall], ids=lambda call: call.__name__)
def test_what_cannot_be_probed_is_refused(call: Callable[..., Any]) -> None:
    async def coroutine() -> None:
        pass

    with pytest.raises(TypeError, match="func: got int, expected something that can be called"):
        call(3)
    with pytest.raises(TypeError, match=r"func: got a coroutine function, .* lambda: asyncio.run\(func\(\)\)"):
        call(coroutine)
    with pytest.raises(RuntimeError, match="it cannot probe a probe"):
        call(call, time.sleep, 1e-4)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"seconds": 0}, "seconds: got 0, expected 0.01 to 3600"),
        ({"seconds": math.nan}, "seconds: got nan"),
        ({"interval": 1e-6}, "interval: got 1e-06, expected seconds from 1e-5 to 10"),
        ({"interval": math.inf}, "interval: got inf"),
    ],
    ids=str,
)
def test_settings_out_of_bounds(settings: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        measure(abs, (1,), **settings)  # type: ignore[arg-type]


def test_from_any_thread_one_after_the_other() -> None:
    interval = sys.getswitchinterval()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: measure(spin, (0, 1e-3), seconds=0.1).verdict, range(8)))
    assert set(found) <= LETS_GO | {"inconclusive"}
    assert sys.getswitchinterval() == interval


def test_fork() -> None:
    """A child made during a probe, or after one, probes on its own; and the parent's goes on."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    code = """
import os, sys, time, warnings
warnings.simplefilter("ignore")  # of a process that has threads: that is the point
from gilfree import probe
from gilfree._heartbeat import spin
first = probe(time.sleep, 1e-3).verdict
parent = os.getpid()
def forks():
    if os.getpid() == parent and os.fork() == 0:
        ok = sys.getswitchinterval() < 0.1 or "during"
        os._exit(0)
    while os.getpid() == parent:
        try:
            os.wait()
        except ChildProcessError:
            break
during = probe(forks).verdict
pid = os.fork()
if pid == 0:
    good = probe(spin, 0, 1e-3).verdict in ("releases", "partial", "no-gil") and sys.getswitchinterval() < 0.1
    os._exit(0 if good else 1)
print(first, during, os.waitpid(pid, 0)[1], sys.getswitchinterval())
"""
    first, during, status, interval = child.output(code).split()
    assert first in LETS_GO
    assert during in LETS_GO  # it waits
    assert status == "0"
    assert float(interval) == 0.005


def test_fork_inside_a_probe_from_which_the_child_returns() -> None:
    """The child's part of a call that forked: no thread of ours is there, and the probe ends all the same."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    code = """
import os, warnings
warnings.simplefilter("ignore")
from gilfree.explore.probe import measure
pids = []
def forks():
    if not pids:
        pids.append(os.fork())
measure(forks, seconds=0.05)
if pids[0] == 0:
    os._exit(0)
print(os.waitpid(pids[0], 0)[1])
"""
    assert child.output(code) == "0"


@pytest.mark.parametrize("daemon", [True, False])
def test_the_process_ends_in_the_middle_of_a_probe(daemon: bool) -> None:
    code = f"""
import sys, threading, time
from gilfree import probe
began = threading.Event()
def func():
    began.set()
    time.sleep(1e-3)
threading.Thread(target=lambda: probe(func), daemon={daemon}).start()
began.wait()
time.sleep(0.1)
print("over")
"""
    assert child.output(code, "-W", "error") == "over"


def test_no_thread_is_left_at_exit() -> None:
    """Heartbeats that nobody stopped, one of them known only to a cycle: the interpreter ends as ever."""
    code = """
from gilfree._heartbeat import Heartbeat
kept = Heartbeat(1e-4)
cycle = [Heartbeat(1e-4)]
cycle.append(cycle)
print(kept.is_alive and cycle.pop(0).is_alive)
cycle.append(Heartbeat(1e-5))
del cycle
"""
    assert child.output(code) == "True"


def test_a_subinterpreter_is_probed_from_its_creator() -> None:
    """With a GIL of its own, a subinterpreter leaves its creator's alone."""
    if importlib.util.find_spec("_interpreters") is None:
        pytest.skip("this Python's subinterpreters have no stable interface")
    code = """
import _interpreters
from gilfree.explore.probe import measure
one = _interpreters.create()
found = measure(_interpreters.run_string, (one, "sum(range(300_000))"), seconds=0.3)
_interpreters.destroy(one)
print(found.verdict)
"""
    assert child.output(code) in LETS_GO


# --- the thread that knocks ------------------------------------------------------------------------------------------


def test_heartbeat() -> None:
    heart = Heartbeat(1e-4, seed=3)
    try:
        for hand_over in (False, True):
            calls, busy, queued, knocks = heart.watch(spin, (1e-3,), {}, calls=30, seconds=60, hand_over=hand_over)
            assert calls == 30
            assert busy > 0
            assert queued >= 0
            for one in map(Knock._make, knocks):
                assert one.came <= one.until <= one.got or not one.came_inside
                assert one.came_inside >= 0
            # Each call has a number of its own where others are let in between two of them, and else all have one.
            serials = {one[4] for one in knocks} - {0}
            assert len(serials) > 1 if hand_over else len(serials) <= 1
    finally:
        heart.stop()
    assert not heart.is_alive
    heart.stop()  # once more does nothing
    with pytest.raises(RuntimeError, match="the knocking thread is not there"):
        heart.meet()
    assert heart.watch(abs, (1,), {}, calls=2, seconds=1, hand_over=True)[0] == 2  # without knocks


def test_heartbeat_meets() -> None:
    heart = Heartbeat(1e-4)
    try:
        before = now()
        stamps = [heart.meet() for _ in range(5)]
        assert before <= stamps[0]
        assert stamps == sorted(stamps)
        assert stamps[-1] <= now()
    finally:
        heart.stop()


@pytest.mark.parametrize("gap", [0, -1, 9e-6, 10.1, math.nan, math.inf])
def test_heartbeat_gap_out_of_bounds(gap: float) -> None:
    with pytest.raises(ValueError, match=r"gap: got .*, expected seconds from 1e-5 to 10"):
        Heartbeat(gap)


def test_a_heartbeat_that_is_thrown_away_ends() -> None:
    before = threads_here()
    for _ in range(20):
        Heartbeat(1e-4)
    gc.collect()
    for _ in range(1000):
        if threads_here() <= before:
            return
        time.sleep(1e-3)
    assert threads_here() <= before


# --- the answer as data and as text ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def probed() -> Probe:
    return measure(time.sleep, (1e-3,), seconds=0.1)


def test_a_probe_survives_json(probed: Probe) -> None:
    again = Probe.from_dict(json.loads(json.dumps(probed.to_dict(), allow_nan=False)))
    assert again == probed
    assert again.waits == probed.waits
    free = replace(probed, free_share=1.0, free_share_interval=(0.9, 1.0), speedup_bound=math.inf)
    assert Probe.from_dict(json.loads(json.dumps(free.to_dict(), allow_nan=False))) == free


def test_a_probe_is_frozen(probed: Probe) -> None:
    with pytest.raises(FrozenInstanceError):
        probed.verdict = "releases"  # type: ignore[misc]


def test_a_probe_in_words(probed: Probe) -> None:
    assert probed.name == "time.sleep"
    assert repr(probed).startswith(f"<Probe time.sleep: {probed.verdict}, witnesses ")
    text = str(probed)
    for word in ("time.sleep", "verdict", "why", "a call", "switch interval"):
        assert word in text
    assert all(len(line) < 200 for line in text.splitlines())
    shown = replace(probed, name="<b>&", why="a < b", gil_enabled_by="import of some.module", native_threads=2)
    html = shown._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;&amp;" in html
    assert "a &lt; b" in html
    assert "switched on by import of some.module" in html
    assert "2 native threads" in html


@pytest.mark.parametrize(
    ("func", "name"),
    [(time.sleep, "time.sleep"), (len, "len"), (Path.exists, "pathlib"), (str.upper, "str.upper")],
    ids=["module", "builtin", "method", "slot"],
)
def test_names(func: Callable[..., object], name: str) -> None:
    assert name in module.name_of(func)


@pytest.mark.parametrize("verdict", sorted(HOLDS))
def test_hints(probed: Probe, verdict: str) -> None:
    """Each says what to look at."""
    hint = module.hint(replace(probed, verdict=verdict))
    words = {"holds": "nogil", "holds-blocked": "Py_BEGIN_ALLOW_THREADS", "yields": "only native code can"}
    assert words[verdict] in hint
    if verdict != "holds-blocked":
        assert "noexcept" in hint
        assert "object touched inside" in hint


@needs_a_gil
def test_the_failure_says_what_was_seen() -> None:
    with pytest.raises(HeldError) as failed:
        assert_releases_gil(spin, 5e-3)
    text = str(failed.value)
    for word in ("the GIL was not released", "verdict", "holds", "witnesses", "0 of", "longest hold", "nogil"):
        assert word in text


def test_on_a_free_threaded_build_it_says_who_switched_the_gil_on() -> None:
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("this build always has its GIL")
    code = "from gilfree import probe; import time; print(probe(time.sleep, 1e-3))"
    assert "switched on by -X gil=1 or PYTHON_GIL=1" in child.output(code, PYTHON_GIL="1")
    assert "no-gil" in child.output(code, PYTHON_GIL="0")


def test_public_names() -> None:
    for name in ("Probe", "probe", "assert_releases_gil", "max_stall", "imports"):
        assert name in gilfree.__all__
        assert name in dir(gilfree)
    assert set(module.VERDICTS) == LETS_GO | HOLDS | {"inconclusive"}
