"""How often is the probe right? Functions with known behaviour, probed again and again on a machine kept busy.

    python benchmarks/verdicts.py --busy 0,2,4 --repeats 20     verdicts of gilfree.probe
    python benchmarks/verdicts.py --busy 4 --asserts 2000       answers of gilfree.assert_releases_gil

Every row says how many verdicts were right, apart for the witness (does it let go?) and for the class (how?). The last
line sums up; the exit status is 1 if a witness was wrong, or an assertion.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from gilfree import assert_releases_gil, interpreter
from gilfree.explore.probe import measure

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from pieces import LETS_GO, PIECES, bytecode, lets_go, right  # the same that the suite uses


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


def judge_verdicts(repeats: int, beside: int, seconds: float) -> Counter[str]:
    total: Counter[str] = Counter()
    for name, (func, _) in PIECES.items():
        found = Counter(measure(func, seconds=seconds).verdict for _ in range(repeats))
        # "inconclusive" says nothing that could be right.
        decided = {verdict: count for verdict, count in found.items() if verdict != "inconclusive"}
        witness = sum(count for verdict, count in decided.items() if (verdict in LETS_GO) is lets_go(name))
        wrong = ", ".join(f"{count} {verdict}" for verdict, count in found.items() if verdict != right(name))
        print(
            f"{beside} busy  {name:<26} {right(name):<14} witness {witness}/{repeats}"
            f"  class {found[right(name)]}/{repeats}  {wrong}",
            flush=True,
        )
        total += Counter(all=repeats, witness=witness, right=found[right(name)])
    return total


def judge_asserts(repeats: int, beside: int) -> Counter[str]:
    """Those that let go must pass every time; each tenth call is one that must fail."""
    yes = [name for name, (_, verdict) in PIECES.items() if verdict in LETS_GO]
    no = [name for name in PIECES if name not in yes]
    total: Counter[str] = Counter()
    began = time.monotonic()
    for turn in range(repeats):
        name = no[turn // 10 % len(no)] if turn % 10 == 9 else yes[turn % len(yes)]
        try:
            assert_releases_gil(PIECES[name][0])
            passed = True
        except AssertionError:
            passed = False
        is_right = passed is lets_go(name)
        total += Counter(all=1, witness=int(is_right), right=int(is_right))
        if not is_right:
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
