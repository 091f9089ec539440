"""How often is the probe right? Functions with known behaviour, probed again and again on a machine kept busy.

    python benchmarks/verdicts.py --busy 0,2,4 --repeats 20     verdicts of gilfree.probe
    python benchmarks/verdicts.py --busy 4 --asserts 2000       answers of gilfree.assert_releases_gil

Every row says how many verdicts were right, apart for the witness (does it let go?) and for the class (how?). The last
line sums up; the exit status is 1 if a witness was wrong, or an assertion.
"""

import argparse
import ctypes
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context

from gilfree import assert_releases_gil, interpreter, probe
from gilfree._heartbeat import sleep_holding, spin


def bytecode() -> int:
    total = 0
    for number in range(100_000):
        total += number
    return total


holding = ctypes.PyDLL(None) if sys.platform != "win32" else None  # calls C without letting go


def blocked() -> None:
    if holding is None:
        sleep_holding(0.02)
    else:
        holding.usleep(20_000)


# name → what to call, and the verdict that is right
PIECES: dict[str, tuple[Callable[[], object], str]] = {
    "hold 1 ms": (lambda: spin(1e-3), "holds"),
    "hold 5 ms": (lambda: spin(5e-3), "holds"),
    "hold 20 ms": (lambda: spin(20e-3), "holds"),
    "hold 200 ms": (lambda: spin(200e-3), "holds"),
    "release 20 ms": (lambda: spin(0, 20e-3), "releases"),
    "hold 5, release 15 ms": (lambda: spin(5e-3, 15e-3), "partial"),
    "sleep 20 ms, holding": (blocked, "holds-blocked"),
    "release 50 µs, 200 times": (lambda: spin(0, 50e-6, 200), "releases"),
    "sleep 20 ms": (lambda: time.sleep(0.02), "releases"),
    "bytecode": (bytecode, "yields"),
}


def burn() -> None:
    while True:
        bytecode()


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes beside this one that do nothing but compute."""
    processes = [get_context("spawn").Process(target=burn, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        if processes:
            time.sleep(1)  # until they have started
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def lets_go(verdict: str) -> bool | None:
    """What a verdict says about the witness; None if it says nothing."""
    return None if verdict == "inconclusive" else verdict in ("releases", "partial", "no-gil")


def judge_verdicts(repeats: int, beside: int, seconds: float) -> Counter[str]:
    total: Counter[str] = Counter()
    for name, (func, right) in PIECES.items():
        expected = right if interpreter.gil_enabled() else "no-gil"
        found = Counter(probe_for(func, seconds) for _ in range(repeats))
        witnesses = sum(count for verdict, count in found.items() if lets_go(verdict) is lets_go(expected))
        wrong = ", ".join(f"{count} {verdict}" for verdict, count in found.items() if verdict != expected)
        print(
            f"{beside} busy  {name:<26} {expected:<14} witness {witnesses}/{repeats}  class {found[expected]}/{repeats}"
            f"  {wrong}",
            flush=True,
        )
        total += Counter(all=repeats, witness=witnesses, right=found[expected])
    return total


def probe_for(func: Callable[[], object], seconds: float) -> str:
    if seconds == 1:
        return probe(func).verdict
    from gilfree.explore.probe import measure

    return measure(func, seconds=seconds).verdict


def judge_asserts(repeats: int, beside: int) -> Counter[str]:
    """Those that let go must pass every time; each tenth call is one that must fail."""
    yes = [name for name, (_, right) in PIECES.items() if lets_go(right)]
    no = [name for name, (_, right) in PIECES.items() if not lets_go(right)]
    total: Counter[str] = Counter()
    began = time.monotonic()
    for turn in range(repeats):
        name = no[turn // 10 % len(no)] if turn % 10 == 9 else yes[turn % len(yes)]
        try:
            assert_releases_gil(PIECES[name][0])
            passed = True
        except AssertionError:
            passed = False
        right = passed is (name in yes or not interpreter.gil_enabled())
        total += Counter(all=1, witness=int(right), right=int(right))
        if not right:
            print(f"{beside} busy  wrong about {name} in turn {turn}", flush=True)
    took = time.monotonic() - began
    print(f"{beside} busy  {repeats} assertions in {took:.0f} s, {total['right']} right", flush=True)
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--busy", default="0,2,4", help="numbers of busy processes beside (default: 0,2,4)")
    parser.add_argument("--repeats", type=int, default=20, help="probes of each function (default: 20)")
    parser.add_argument("--seconds", type=float, default=1.0, help="seconds for a probe (default: 1)")
    parser.add_argument("--asserts", type=int, metavar="N", help="make N assertions instead of probes")
    options = parser.parse_args()
    total: Counter[str] = Counter()
    for beside in map(int, options.busy.split(",")):
        with busy(beside):
            if options.asserts:
                total += judge_asserts(options.asserts, beside)
            else:
                total += judge_verdicts(options.repeats, beside, options.seconds)
    version = sys.version.split()[0] + ("" if interpreter.gil_enabled() else " without a GIL")
    counts = f"witness right {total['witness']} of {total['all']}, class right {total['right']} of {total['all']}"
    print(f"{version}: {counts}")
    return 0 if total["witness"] == total["all"] else 1


if __name__ == "__main__":
    sys.exit(main())
