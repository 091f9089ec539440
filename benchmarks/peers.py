"""Holds gilfree against the libraries people would use instead: interleaved in one run, best of many, as ratios.

    python benchmarks/peers.py [primes] [reductions] [pixels] [--threads N] [--seconds S]

A peer that is not installed is named and left out. A ratio above 1 means that gilfree is faster.
"""

import argparse
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from gilfree import parallel, pixels, primes, reductions

Call = Callable[[], Any]


def reduction_cases(threads: int) -> dict[str, tuple[Call, dict[str, Call]]]:
    """Large arrays, and one that fits the cache, against NumPy."""
    rng = np.random.default_rng(0)
    arrays = {
        "float64, 5·10⁷": rng.standard_normal(5 * 10**7),
        "float64, 10⁷": rng.standard_normal(10**7),
        "float32, 10⁷": rng.standard_normal(10**7, np.float32),
        "uint8, 10⁷": rng.integers(0, 256, 10**7, np.uint8),
        "float64, 10⁶": rng.standard_normal(10**6),
    }
    cases = {}
    for name, x in arrays.items():
        for function in ("sum", "min"):
            cases[f"{function} {name}"] = (
                lambda x=x, function=function: getattr(reductions, function)(x, threads=threads),
                {"NumPy": lambda x=x, function=function: getattr(np, function)(x)},
            )
    return cases


def prime_cases(threads: int) -> dict[str, tuple[Call, dict[str, Call]]]:
    """Arrays of numbers against a loop over a library that tests one."""
    rng = np.random.default_rng(0)
    cases: dict[str, tuple[Call, dict[str, Call]]] = {}
    for name, low, high, only_primes in (
        ("random odd, 64 bits", 2**63, 2**64, False),
        ("primes, 64 bits", 2**63, 2**64, True),
        ("primes, 52 bits", 2**51, 2**52, True),
        ("primes, 32 bits", 2**31, 2**32, True),
    ):
        numbers = rng.integers(low, high, 100_000, dtype=np.uint64) | np.uint64(1)
        if only_primes:
            numbers = numbers[primes.is_prime(numbers)]
        listed = numbers.tolist()
        peers: dict[str, Call] = {}
        flint = found("flint")
        if flint:
            boxed = [flint.fmpz(n) for n in listed]
            peers["python-flint"] = lambda boxed=boxed: [n.is_prime() for n in boxed]
        sympy = found("sympy")
        if sympy:
            few = listed[:1000]
            peers["SymPy, first 1000 scaled"] = Scaled(
                lambda few=few, sympy=sympy: [sympy.isprime(n) for n in few], len(listed) / len(few)
            )
        cases[f"is_prime {name}"] = (lambda n=numbers: primes.is_prime(n, threads=threads), peers)
    return cases


def pixel_cases(threads: int) -> dict[str, tuple[Call, dict[str, Call]]]:
    """A large picture and one of a camera's preview against OpenCV and scikit-image."""
    rng = np.random.default_rng(0)
    cases: dict[str, tuple[Call, dict[str, Call]]] = {}
    cv2, filters = found("cv2"), found("skimage.filters")
    if cv2:
        cv2.setNumThreads(threads)
    for name, height, width in (("33 megapixels", 4400, 7500), ("2 megapixels", 1080, 1920)):
        colour = rng.integers(0, 256, (height, width, 3), np.uint8)
        grey = pixels.grayscale(colour)
        out = np.zeros_like(grey)
        rows: dict[str, tuple[Call, dict[str, Call]]] = {
            "grayscale": (lambda c=colour, o=out: pixels.grayscale(c, out=o, threads=threads), {}),
            "threshold": (lambda g=grey, o=out: pixels.threshold(g, 127, out=o, threads=threads), {}),
            "threshold_otsu": (lambda g=grey: pixels.threshold_otsu(g, threads=threads), {}),
        }
        if cv2:
            rows["grayscale"][1]["OpenCV"] = lambda c=colour, o=out: cv2.cvtColor(c, cv2.COLOR_RGB2GRAY, dst=o)
            rows["threshold"][1]["OpenCV"] = lambda g=grey, o=out: cv2.threshold(g, 127, 255, 0, dst=o)
            rows["threshold_otsu"][1]["OpenCV, which applies it too"] = lambda g=grey, o=out: cv2.threshold(
                g, 0, 255, cv2.THRESH_OTSU, dst=o
            )
        if filters:
            rows["threshold_otsu"][1]["scikit-image"] = lambda g=grey: filters.threshold_otsu(g)
        cases |= {f"{kernel}, {name}": row for kernel, row in rows.items()}
    return cases


class Scaled:
    """A call whose time counts several times over, because it does a share of the work."""

    def __init__(self, call: Call, factor: float) -> None:
        self.call = call
        self.factor = factor

    def __call__(self) -> Any:
        return self.call()


def found(module: str) -> Any:
    """The module, or None where it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        print(f"{module} is not installed: left out")
        return None


def compare(ours: Call, peers: dict[str, Call], seconds: float) -> dict[str, float]:
    """Best time of each, called in turn for about so many seconds."""
    calls = {"gilfree": ours, **peers}
    best = dict.fromkeys(calls, float("inf"))
    began = time.perf_counter()
    rounds = 0
    while rounds < 3 or time.perf_counter() - began < seconds:
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            best[name] = min(best[name], (time.perf_counter() - start) * getattr(call, "factor", 1.0))
        rounds += 1
    return best


def main() -> None:
    """Print one line a case and peer."""
    sections = {"primes": prime_cases, "reductions": reduction_cases, "pixels": pixel_cases}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", choices=[*sections, []], help="all by default")
    parser.add_argument("--threads", type=int, default=parallel.cpu_count())
    parser.add_argument("--seconds", type=float, default=3.0, help="for each case")
    options = parser.parse_args()
    for section in options.sections or sections:
        print(f"\n{section}, {options.threads} threads")
        for name, (ours, peers) in sections[section](options.threads).items():
            best = compare(ours, peers, options.seconds)
            for peer in peers:
                ratio = best[peer] / best["gilfree"]
                ours_ms, peer_ms = best["gilfree"] * 1e3, best[peer] * 1e3
                print(f"  {name:<32} {ours_ms:9.3f} ms  {peer:<28} {peer_ms:9.3f} ms  ratio {ratio:5.2f}")


if __name__ == "__main__":
    main()
