"""Every public kernel with an input of a given size, for tests of what all kernels have in common."""

import math
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from gilfree import parallel, pixels, primes, reductions

Call = Callable[..., Any]


def at_most(backend: str, threads: int) -> int:
    """So many threads, or as many as the backend can have: Numba makes no more than there are CPUs."""
    return min(threads, parallel.numba_thread_limit()) if backend == "numba-parallel" else threads


def _is_prime(size: int) -> Call:
    n = np.arange(2**63 + 1, 2**63 + 1 + 2 * size, 2, dtype=np.uint64)
    return lambda **how: primes.is_prime(n, **how)


def _count_by_sieve(size: int) -> Call:
    start, length = 2**24, max(100 * size, 2**13)
    return lambda **how: primes.count_primes(start, start + length, **how)


def _count_with_marks(size: int) -> Call:
    """With primes above those that the sieve turns the wheel of."""
    start, length = 2**37, max(100 * size, 2**15)
    return lambda **how: primes.count_primes(start, start + length, **how)


def _count_by_test(size: int) -> Call:
    return lambda **how: primes.count_primes(2**63, 2**63 + size, **how)


def _primerange(size: int) -> Call:
    start, length = 2**24, max(100 * size, 2**13)
    return lambda **how: primes.primerange(start, start + length, **how)


def _count_by_leaves(size: int) -> Call:
    # Wide enough to be counted without a visit to each number.
    return lambda **how: primes.count_primes(max(10**5 * size, 2 * 10**8), **how)


def _nth_prime(size: int) -> Call:
    return lambda **how: primes.nth_prime(10**4 * size, **how)


def _next_prime(size: int) -> Call:
    n = np.arange(2**63, 2**63 + 100 * max(1, size // 20), 100, dtype=np.uint64)
    return lambda **how: primes.next_prime(n, **how)


def _prev_prime(size: int) -> Call:
    n = np.arange(2**40, 2**40 + 100 * max(1, size // 10), 100, dtype=np.uint64)
    return lambda **how: primes.prev_prime(n, **how)


def _factorint(size: int) -> Call:
    n = 1073741789 * 1073741783 if size > 1000 else 65537 * 65539  # some hundred microseconds, one number at a time
    return lambda **how: np.array(list(primes.factorint(n, **how).items()))


def _floats(name: str) -> Callable[[int], Call]:
    """A reduction of doubles."""

    def call(size: int) -> Call:
        x = np.random.default_rng(1).normal(size=20 * size)
        return lambda **how: getattr(reductions, name)(x, **how)

    return call


def _integers(name: str) -> Callable[[int], Call]:
    def call(size: int) -> Call:
        x = np.random.default_rng(2).integers(-1000, 1000, 20 * size)
        return lambda **how: getattr(reductions, name)(x, **how)

    return call


def _truth(name: str, value: float) -> Callable[[int], Call]:
    """Of numbers that let nobody stop before the last one."""

    def call(size: int) -> Call:
        x = np.full(20 * size, value)
        return lambda **how: getattr(reductions, name)(x, **how)

    return call


def _some_nan(name: str) -> Callable[[int], Call]:
    def call(size: int) -> Call:
        x: Any = np.random.default_rng(3).normal(size=20 * size)
        x[::7] = np.nan
        return lambda **how: getattr(reductions, name)(x, **how)

    return call


def _prod_complex(size: int) -> Call:
    x = np.exp(1j * np.random.default_rng(4).normal(size=20 * size))
    return lambda **how: reductions.prod(x, **how)


def _dot(dtype: type) -> Callable[[int], Call]:
    def call(size: int) -> Call:
        x: Any = np.random.default_rng(5).integers(-1000, 1000, 20 * size).astype(dtype)
        return lambda **how: reductions.dot(x, x, **how)

    return call


def _fsum_rows(size: int) -> Call:
    """Rows of one piece, which another door adds than longer ones."""
    x = np.random.default_rng(6).normal(size=(20, 2 * size))[:, :16384]
    return lambda **how: reductions.fsum(x, 1, **how)


def _greater(a: Any, b: Any) -> Any:
    return max(a, b)


def _reduce(size: int) -> Call:
    x = np.random.default_rng(9).normal(size=20 * size)
    return lambda **how: reductions.reduce(_greater, x, **how)


def _place(value: Any, index: Any) -> Any:
    return value, index


def _lesser(a: Any, b: Any) -> Any:
    return b if b[0] < a[0] else a


def _reduce_states(size: int) -> Call:
    x = np.random.default_rng(10).normal(size=20 * size)
    return lambda **how: np.array(reductions.reduce(_lesser, x, init=_place, **how))


def _grayscale(size: int) -> Call:
    image = np.random.default_rng(5).integers(0, 256, (20 * size, 3), np.uint8)
    return lambda **how: pixels.grayscale(image, **how)


def _threshold(size: int) -> Call:
    image = np.random.default_rng(6).normal(size=20 * size)
    return lambda **how: pixels.threshold(image, 0.5, **how)


def _threshold_otsu(size: int) -> Call:
    image = np.random.default_rng(7).integers(0, 256, 20 * size, np.uint8)
    return lambda **how: pixels.threshold_otsu(image, **how)


def _threshold_otsu_16_bits(size: int) -> Call:
    image = np.random.default_rng(7).integers(0, 65536, 20 * size, np.uint16)
    return lambda **how: pixels.threshold_otsu(image, **how)


def _threshold_otsu_floats(size: int) -> Call:
    image = np.random.default_rng(8).normal(size=20 * size)
    return lambda **how: pixels.threshold_otsu(image, **how)


def _levels(name: str) -> Callable[[int], Call]:
    """Of an integer image with two peaks in its histogram."""

    def call(size: int) -> Call:
        hump = np.array([48, 49, 50, 50, 50, 51, 52], np.uint8)
        image = np.tile(np.concatenate([hump, hump + 150]), 2 * size)[: 20 * size]
        return lambda **how: getattr(pixels, name)(image, **how)

    return call


def _pixels_of(name: str, dtype: type, images: int = 0) -> Callable[[int], Call]:
    """Of a float image, or a stack of images."""

    def call(size: int) -> Call:
        image: Any = np.random.default_rng(11).normal(100, 20, 20 * size).clip(0, 255).astype(dtype)
        if images == 0:
            return lambda **how: getattr(pixels, name)(image, **how)
        stack = image[: len(image) // images * images].reshape(images, -1)
        return lambda **how: getattr(pixels, name)(stack, per_image=True, **how)

    return call


def _apply_hysteresis_threshold(size: int) -> Call:
    """A volume with so much in a step along the first axis that bands are narrow, and much to unite between them."""
    side = max(1, math.isqrt(20 * size // 30))
    image = np.random.default_rng(12).normal(size=(30, side, side))
    return lambda **how: pixels.apply_hysteresis_threshold(image, 0, 2, **how)


def _two_levels(name: str) -> Callable[[int], Call]:
    """Of a picture that has two peaks whatever its size."""

    def call(size: int) -> Call:
        image = np.resize(np.array([40, 59, 60, 60, 60, 61, 199, 200, 200, 200, 201, 220], np.uint8), 20 * size)
        return lambda **how: getattr(pixels, name)(image, **how)

    return call


def _windowed(name: str, **arguments: Any) -> Callable[[int], Call]:
    """A threshold for each pixel, of bytes: rows that are short enough to give many pieces."""

    def call(size: int) -> Call:
        image = np.random.default_rng(11).integers(0, 256, (max(1, size // 8), 96), np.uint8)
        return lambda **how: getattr(pixels, name)(image, **arguments, **how)

    return call


# What one thread does alone, whatever the size.
ALONE = {"factorint"}

KERNELS: dict[str, Callable[[int], Call]] = {
    "is_prime": _is_prime,
    "count_primes-sieve": _count_by_sieve,
    "count_primes-marks": _count_with_marks,
    "count_primes-test": _count_by_test,
    "count_primes-leaves": _count_by_leaves,
    "primerange": _primerange,
    "nth_prime": _nth_prime,
    "next_prime": _next_prime,
    "prev_prime": _prev_prime,
    "factorint": _factorint,
    "sum-floats": _floats("sum"),
    "sum-integers": _integers("sum"),
    "prod-floats": _floats("prod"),
    "prod-integers": _integers("prod"),
    "prod-complex": _prod_complex,
    "min-floats": _floats("min"),
    "min-integers": _integers("min"),
    "max-floats": _floats("max"),
    "max-integers": _integers("max"),
    "minmax-floats": _floats("minmax"),
    "minmax-integers": _integers("minmax"),
    "argmin": _floats("argmin"),
    "argmax": _floats("argmax"),
    "mean": _floats("mean"),
    "var": _floats("var"),
    "std": _floats("std"),
    "any": _truth("any", 0.0),
    "all": _truth("all", 1.0),
    "count_nonzero": _floats("count_nonzero"),
    "dot-floats": _dot(np.float64),
    "dot-integers": _dot(np.int64),
    "dot-complex": _dot(np.complex128),
    "fsum": _floats("fsum"),
    "fsum-rows": _fsum_rows,
    "nansum": _some_nan("nansum"),
    "nanmean": _some_nan("nanmean"),
    "nanmin": _some_nan("nanmin"),
    "nanmax": _some_nan("nanmax"),
    "grayscale": _grayscale,
    "threshold": _threshold,
    "threshold_otsu-integers": _threshold_otsu,
    "threshold_otsu-16-bits": _threshold_otsu_16_bits,
    "threshold_otsu-floats": _threshold_otsu_floats,
    "threshold_otsu-stack": _pixels_of("threshold_otsu", np.uint8, 10),
    "threshold_otsu-stack-floats": _pixels_of("threshold_otsu", np.float32, 10),
    "threshold_multiotsu": _levels("threshold_multiotsu"),
    "threshold_yen": _levels("threshold_yen"),
    "threshold_isodata": _levels("threshold_isodata"),
    "threshold_minimum": _two_levels("threshold_minimum"),
    "threshold_triangle": _levels("threshold_triangle"),
    "threshold_mean": _pixels_of("threshold_mean", np.float64),
    "threshold_li-integers": _levels("threshold_li"),
    "threshold_li-floats": _pixels_of("threshold_li", np.float32),
    "histogram": _levels("histogram"),
    "apply_hysteresis_threshold": _apply_hysteresis_threshold,
    "adaptive_threshold-mean": _windowed("adaptive_threshold", block_size=15, c=5),
    "adaptive_threshold-gaussian": _windowed("adaptive_threshold", method="gaussian", block_size=7, c=5),
    "threshold_local-mean": _windowed("threshold_local", block_size=15, method="mean"),
    "threshold_local-gaussian": _windowed("threshold_local", block_size=7),
    "threshold_niblack": _windowed("threshold_niblack"),
    "threshold_sauvola": _windowed("threshold_sauvola"),
    "threshold_wolf": _windowed("threshold_wolf", window_size=15),
    "threshold_nick": _windowed("threshold_nick", window_size=15),
    "threshold_bradley": _windowed("threshold_bradley", window_size=15),
    "threshold_phansalkar": _windowed("threshold_phansalkar", window_size=15),
    "threshold_singh": _windowed("threshold_singh", window_size=15),
    "binarize": _windowed("binarize", method="sauvola"),
}

if find_spec("numba"):  # which compiles a user's function for every backend but python
    KERNELS |= {"reduce": _reduce, "reduce-states": _reduce_states}
