"""Holds gilfree against the libraries people would use instead: interleaved in one run, best of many, as ratios.

    python benchmarks/peers.py [primes] [reductions] [pixels] [--threads N ...] [--isa NAME ...] [--seconds S] [--quick]
    python benchmarks/peers.py reductions [--functions NAME ...] [--dtypes NAME ...] [--sizes N ...]
                                          [--parts table axes beside] [--plot FILE.png]

By default on one core and on all, with the best instruction set that this machine can run (primes: with each). A peer
that is not installed is named and left out. A ratio above 1 means that gilfree is faster.

    pip install bottleneck numexpr polars pyarrow numba matplotlib          for the reductions
    pip install --group oracles primesieve                                  for the rest

The part about reductions is in folds.py: every function, dtype and size against every peer in a table, then arrays of
more dimensions along each axis, then the worst of each function. --parts beside measures a sum beside a thread that is
busy in Python and one that is busy in C.

The part about pixels is in pictures.py: photographs of several sizes against OpenCV, scikit-image and Doxa, how little
the size of a window matters, and at the end what is slower than a peer and which targets are met.
"""

import argparse
import os
import time
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import folds  # the reductions, beside this file
import numpy as np
import pictures  # the pixels, beside this file

from gilfree import backends, parallel, primes

Call = Callable[[], Any]
Cases = dict[str, tuple[Call, dict[str, Call]]]


def prime_cases(threads: int) -> Cases:
    """Arrays of numbers against a loop over a library that tests one; ranges against other sieves."""
    return test_cases(threads) | range_cases(threads)


def test_cases(threads: int) -> Cases:
    """Numbers of several lengths, prime and any."""
    rng = np.random.default_rng(0)
    flint, gmpy2, sympy = found("flint"), found("gmpy2"), found("sympy")
    cases: Cases = {}
    for name, low, high, only_primes in (
        ("random odd, 64 bits", 2**63, 2**64, False),
        ("primes, 64 bits", 2**63, 2**64, True),
        ("primes, 63 bits", 2**62, 2**63, True),
        ("primes, 52 bits", 2**51, 2**52, True),
        ("primes, 40 bits", 2**39, 2**40, True),
        ("primes, 32 bits", 2**31, 2**32, True),
        ("primes, 20 bits", 2**19, 2**20, True),
    ):
        size = 2_000_000 if only_primes else 300_000
        numbers = rng.integers(low, high, size, dtype=np.uint64) | np.uint64(1)
        if only_primes:
            numbers = numbers[primes.is_prime(numbers)]
        peers: dict[str, Call] = {}
        if flint:
            boxed = [flint.fmpz(n) for n in numbers.tolist()]
            peers["python-flint"] = lambda boxed=boxed: [n.is_prime() for n in boxed]
        few = numbers[:1000].tolist()
        if gmpy2:
            large = [gmpy2.mpz(n) for n in few]
            peers["gmpy2"] = Scaled(lambda large=large: [gmpy2.is_prime(n) for n in large], len(numbers) / len(few))
        if sympy:
            peers["SymPy"] = Scaled(lambda few=few: [sympy.isprime(n) for n in few], len(numbers) / len(few))
        cases[f"is_prime {name}"] = (lambda n=numbers: primes.is_prime(n, threads=threads), peers)
    numbers = rng.integers(2**62, 2**63, 20_000, dtype=np.uint64)
    few = numbers[:200].tolist()
    following: dict[str, Call] = {}
    if gmpy2:
        following["gmpy2"] = Scaled(lambda: [gmpy2.next_prime(n) for n in few], len(numbers) / len(few))
    if sympy:
        following["SymPy"] = Scaled(lambda: [sympy.nextprime(n) for n in few], len(numbers) / len(few))
    cases["next_prime 63 bits"] = (lambda: primes.next_prime(numbers, threads=threads), following)
    semiprimes = [p * q for p, q in rng.choice(primes.primerange(2**31, 2**31 + 10**6), (20, 2)).tolist()]
    factors: dict[str, Call] = {}
    if flint:
        factors["python-flint"] = lambda: [flint.fmpz(n).factor() for n in semiprimes]
    if sympy:
        # It remembers what it has factored: a product is new to it each time.
        fresh = iter(
            [
                p * q
                for p, q in np.random.default_rng(threads)
                .choice(primes.primerange(2**31, 2**31 + 10**6), (1000, 2))
                .tolist()
            ]
        )
        factors["SymPy"] = Scaled(lambda: sympy.factorint(next(fresh)), len(semiprimes))
    cases["factorint two primes of 32 bits"] = (lambda: [primes.factorint(n, threads=1) for n in semiprimes], factors)
    return cases


def range_cases(threads: int) -> Cases:
    """Counts and arrays, low and high; where a formula is shorter than a sieve, the sieve as well."""
    primesieve, primecount = found("primesieve"), found("primecountpy")
    if primesieve:
        primesieve.set_num_threads(threads)
    cases: Cases = {}
    for name, low, high in (
        ("[0, 10⁹)", 0, 10**9),
        ("[0, 10¹⁰)", 0, 10**10),
        ("[10⁹, 2·10⁹)", 10**9, 2 * 10**9),
        ("10⁹ numbers at 10¹²", 10**12, 10**12 + 10**9),
        ("10⁹ numbers at 10¹⁵", 10**15, 10**15 + 10**9),
        ("10⁸ numbers at 10¹⁸", 10**18, 10**18 + 10**8),
    ):
        peers: dict[str, Call] = {}
        if primesieve:
            peers["primesieve"] = lambda low=low, high=high: primesieve.count_primes(low, high - 1)
        counted = lambda low=low, high=high: primes.count_primes(low, high, threads=threads)  # noqa: E731
        cases[f"count_primes {name}, sieved"] = (Sieved(counted), peers)
        if high <= 10**10:
            also = dict(peers)
            if primecount and low == 0:
                also["primecount, all cores"] = lambda high=high: primecount.prime_pi(high - 1)
            cases[f"count_primes {name}"] = (counted, also)
    for name, high in (("0, 10⁸", 10**8), ("0, 10⁷", 10**7)):
        arrays = {"primesieve": lambda high=high: primesieve.primes(0, high - 1)} if primesieve else {}
        cases[f"primerange({name})"] = (lambda high=high: primes.primerange(high, threads=threads), arrays)
    return cases


class Scaled:
    """A call whose time counts several times over, because it does a share of the work."""

    def __init__(self, call: Call, factor: float) -> None:
        self.call = call
        self.factor = factor

    def __call__(self) -> Any:
        return self.call()


class Sieved:
    """A count of primes that no formula shortens."""

    def __init__(self, call: Call) -> None:
        self.call = call

    def __call__(self) -> Any:
        limit, primes.COMBINATORIAL_LIMIT = primes.COMBINATORIAL_LIMIT, 0
        try:
            return self.call()
        finally:
            primes.COMBINATORIAL_LIMIT = limit


class Built:
    """A call of gilfree with the kernels built for one instruction set."""

    def __init__(self, call: Call, isa: str) -> None:
        self.call = call
        self.isa = isa

    def prepare(self) -> None:
        """Before the clock runs: the choice is read once from the environment, as a user makes it."""
        os.environ["GILFREE_ISA"] = self.isa
        backends.isa.cache_clear()
        backends.kernels.cache_clear()
        backends.kernels("primes", "cython")  # to look for the modules takes a quarter of a millisecond

    def __call__(self) -> Any:
        return self.call()


@cache
def found(module: str) -> Any:
    """The module, or None where it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        print(f"{module} is not installed: left out")
        return None


def compare(calls: dict[str, Call], seconds: float) -> dict[str, float]:
    """Best time of each, called in turn for about so many seconds."""
    best = dict.fromkeys(calls, float("inf"))
    began = time.perf_counter()
    rounds = 0
    while rounds < 3 or time.perf_counter() - began < seconds:
        for name, call in calls.items():
            getattr(call, "prepare", int)()
            start = time.perf_counter()
            call()
            best[name] = min(best[name], (time.perf_counter() - start) * getattr(call, "factor", 1.0))
        rounds += 1
    return best


def main() -> None:
    """Print one line a case and peer: its time, and the time and the ratio of each build of gilfree."""
    reports = {"reductions": folds.report, "pixels": pictures.report}
    sections = ("primes", "reductions", "pixels")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", choices=[*sections, []], help="all by default")
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, parallel.cpu_count()}))
    parser.add_argument("--isa", nargs="+", choices=backends.isas(), help="default: the best; for primes all")
    parser.add_argument(
        "--seconds",
        type=float,
        help=f"for each case (default: 3; reductions: {folds.SECONDS}; pixels: {pictures.SECONDS})",
    )
    parser.add_argument("--quick", action="store_true", help="reductions, pixels: few sizes, within two minutes")
    only = parser.add_argument_group("reductions")
    only.add_argument("--functions", nargs="+", choices=folds.FUNCTIONS, metavar="NAME")
    only.add_argument("--dtypes", nargs="+", choices=folds.ALL, metavar="NAME")
    only.add_argument("--sizes", type=lambda text: int(float(text)), nargs="+", metavar="N", help="elements, as 1e6")
    only.add_argument("--parts", nargs="+", choices=("table", "axes", "beside"), default=["table", "axes"])
    only.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the table as bytes a second against bytes")
    options = parser.parse_args()
    seconds = options.seconds
    for section in options.sections or sections:
        if section in reports:
            options.seconds = seconds
            reports[section](options)
            continue
        for threads in options.threads:
            print(f"\n{section}, {threads} thread{'s' if threads > 1 else ''}")
            for name, (ours, peers) in prime_cases(threads).items():
                builds = {isa: Built(ours, isa) for isa in options.isa or backends.isas()}
                best = compare(builds | peers, seconds or 3.0)
                for peer in peers:
                    columns = [f"{isa} {best[isa] * 1e3:9.3f} ms {best[peer] / best[isa]:7.2f} x" for isa in builds]
                    print(f"  {name:<36} {peer:<28} {best[peer] * 1e3:9.3f} ms   {'   '.join(columns)}", flush=True)


if __name__ == "__main__":
    main()
