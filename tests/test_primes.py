"""Exact primality and counting of primes: published tables, other libraries, and the same answers on every backend."""

import importlib.util
import math
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import child
import numpy as np
import pytest
from awkward import INTEGERS, LAYOUTS, Array
from calls import at_most
from hypothesis import given
from hypothesis import strategies as st
from judge import assert_same_bits
from selection import Some

from gilfree import backends, primes, use
from gilfree._tickets import Tickets
from gilfree.primes import (
    count_primes,
    factorint,
    is_prime,
    iter_primes,
    next_prime,
    nth_prime,
    prev_prime,
    primerange,
)

# --- what is known ---------------------------------------------------------------------------------------------------

# Strong pseudoprimes to the first 1, 2, 3 ... prime bases, the least of each (oeis.org/A014233).
PSI = [
    *(2047, 1373653, 25326001, 3215031751, 2152302898747, 3474749660383, 341550071728321),
    3825123056546413051,
]
# The first strong pseudoprimes to base 2 (oeis.org/A001262).
STRONG_BASE_2 = [
    *(2047, 3277, 4033, 4681, 8321, 15841, 29341, 42799, 49141, 52633, 65281, 74665, 80581, 85489, 88357, 90751),
]
# Carmichael numbers: the first ones, then the least with 3, 4, 5 ... prime factors (oeis.org/A002997, A006931).
CARMICHAEL = [
    *(561, 1105, 1729, 2465, 2821, 6601, 8911, 10585, 15841, 29341, 41041, 46657, 52633, 62745, 63973, 75361),
    *(825265, 321197185, 5394826801, 232250619601, 9746347772161, 1436697831295441, 60977817398996785),
    7156857700403137441,
]
# What only the strong test to base 2 sees: extra strong Lucas pseudoprimes (oeis.org/A217719).
EXTRA_STRONG_LUCAS = [
    *(989, 3239, 5777, 10877, 27971, 29681, 30739, 31631, 39059, 72389, 73919, 75077, 100127, 113573, 125249),
    *(137549, 137801, 153931, 155819, 161027, 162133, 189419, 218321, 231703, 249331),
]
# Strong Lucas pseudoprimes (oeis.org/A217255).
STRONG_LUCAS = [5459, 5777, 10877, 16109, 18971, 22499, 24569, 25199, 40309, 58519, 75077, 97439]
# The largest primes below 2**32.
BELOW_2_32 = [4294967291, 4294967279, 4294967231, 4294967197, 4294967189]
# The only known squares of primes that are pseudoprimes to base 2: those of the Wieferich primes.
WIEFERICH = [1093**2, 3511**2]
# 2**k - c is the largest prime below 2**k, for k = 2, 3 ... 64 (oeis.org/A013603).
BELOW_POWERS = [
    *(1, 1, 3, 1, 3, 1, 5, 3, 3, 9, 3, 1, 3, 19, 15, 1, 5, 1, 3, 9, 3, 15, 3, 39, 5, 39, 57, 3, 35, 1, 5),
    *(9, 41, 31, 5, 25, 45, 7, 87, 21, 11, 57, 17, 55, 21, 115, 59, 81, 27, 129, 47, 111, 33, 55, 5, 13, 27, 55),
    *(93, 1, 57, 25, 59),
]
# 2**k + c is the smallest prime above 2**k (oeis.org/A013597).
ABOVE_POWERS = {16: 1, 31: 11, 32: 15, 33: 17, 48: 21, 52: 21, 53: 5, 62: 135, 63: 29}
# Primes below 10**k (oeis.org/A006880).
PI = [0, 4, 25, 168, 1229, 9592, 78498, 664579, 5761455, 50847534]
# Primes within 2500 of 2**63, counted with python-flint.
NEAR_2_63 = 114


@cache
def sieve(stop: int) -> Array:
    """Whether each number below ``stop`` is prime, by NumPy."""
    flags = np.ones(stop, np.bool_)
    flags[:2] = False
    for n in range(2, math.isqrt(stop - 1) + 1):
        if flags[n]:
            flags[n * n :: n] = False
    return flags


# --- is_prime: what is known -----------------------------------------------------------------------------------------


def test_small_numbers(backend: str) -> None:
    """All of them, across the border of trial division at 67 * 67 and over many tickets."""
    assert_same_bits(is_prime(np.arange(30_000), backend=backend), sieve(30_000))


@pytest.mark.parametrize(
    "composites",
    [
        pytest.param(PSI, id="strong-to-many-bases"),
        pytest.param(STRONG_BASE_2, id="strong-to-base-2"),
        pytest.param(CARMICHAEL, id="carmichael"),
        pytest.param(EXTRA_STRONG_LUCAS, id="extra-strong-lucas"),
        pytest.param(STRONG_LUCAS, id="strong-lucas"),
        pytest.param(WIEFERICH, id="wieferich-squares"),
        pytest.param([p * p for p in BELOW_2_32], id="squares-near-2**64"),
        pytest.param([p * q for p in BELOW_2_32 for q in BELOW_2_32 if p < q], id="semiprimes-near-2**64"),
        pytest.param([67**3, 2642239**3], id="cubes"),
        pytest.param([67 * 67, 67 * 71, 71 * 71, 61 * 67], id="past-trial-division"),
        pytest.param([0, 1, 2**32, 2**63, 2**64 - 1, 2**64 - 2], id="ends-of-the-range"),
    ],
)
def test_composites(backend: str, composites: list[int]) -> None:
    answers = is_prime(np.array(composites, np.uint64), backend=backend)
    assert not answers.any(), [n for n, answer in zip(composites, answers, strict=True) if answer]


def test_largest_primes_below_powers_of_2(backend: str) -> None:
    """And every number between: a run of composites of every size."""
    for k, c in enumerate(BELOW_POWERS, start=2):
        expected = [True] + [False] * (c - 1)
        assert is_prime([2**k - c + i for i in range(c)], backend=backend).tolist() == expected, k


def test_smallest_primes_above_powers_of_2(backend: str) -> None:
    for k, c in ABOVE_POWERS.items():
        assert is_prime([2**k + i for i in range(c + 1)], backend=backend).tolist() == [False] * c + [True], k


# Primes above 2**52 for which AVX-512 compares a residue of 4 n or more at the end of the Lucas test: all terms of it
# lie near their bounds. Found among those whose P is large, 1 in 80 000; other primes hardly ever have one.
LARGE_RESIDUES = (4_656_572_856_936_001, 4_603_731_622_930_441, 4_644_860_248_468_441)


def test_large_residues(backend: str) -> None:
    """In every lane of a register."""
    n = np.repeat(np.array(LARGE_RESIDUES, np.uint64), 40)
    assert is_prime(n, backend=backend).all()


def test_squares_of_all_primes_past_trial_division(backend: str) -> None:
    """The Lucas test cannot judge a square; the root must be exact whatever the rounding."""
    roots = np.flatnonzero(sieve(70_000)) if backend != "python" else np.flatnonzero(sieve(5_000))
    squares = roots.astype(np.uint64) ** 2
    assert not is_prime(squares, backend=backend).any()


# --- is_prime: other libraries ---------------------------------------------------------------------------------------


def random_numbers(size: int) -> list[int]:
    """Odd numbers of every bit length, products of two primes and squares among them."""
    random = np.random.default_rng(7)
    numbers = [int(random.integers(0, 2**63)) * 2 + 1 >> int(random.integers(0, 60)) | 1 for _ in range(size)]
    factors = np.flatnonzero(sieve(2**16)).tolist()
    numbers += [int(random.choice(factors)) * int(random.choice(factors)) for _ in range(size // 10)]
    # The forms in which pseudoprimes come: (k + 1) * (r * k + 1)
    numbers += [(k + 1) * (2 * k + 1) for k in random.integers(2**28, 2**31, size // 10).tolist()]
    return numbers


@cache
def judged_by_flint(size: int) -> tuple[list[int], list[bool]]:
    flint = pytest.importorskip("flint", reason="python-flint is not installed")
    numbers = random_numbers(size)
    return numbers, [bool(flint.fmpz(n).is_prime()) for n in numbers]


def test_against_flint(backend: str) -> None:
    numbers, expected = judged_by_flint(500 if backend == "python" else 20_000)
    assert is_prime(np.array(numbers, np.uint64), backend=backend).tolist() == expected


def test_against_sympy(backend: str) -> None:
    sympy = pytest.importorskip("sympy", reason="SymPy is not installed")
    numbers = random_numbers(200)[::2]
    assert is_prime(numbers, backend=backend).tolist() == [sympy.isprime(n) for n in numbers]


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20))
def test_any_numbers(backend: str, numbers: list[int]) -> None:
    assert_same_bits(is_prime(numbers, backend=backend), is_prime(numbers, backend="python"))


@given(st.integers(2, 2**32 - 1), st.integers(2, 2**32 - 1))
def test_no_product_is_prime(backend: str, p: int, q: int) -> None:
    assert is_prime(p * q, backend=backend) is False


# --- is_prime: threads, instruction sets, dtypes, shapes -------------------------------------------------------------


def test_threads_change_nothing(backend: str) -> None:
    n = np.arange(2**63 - 1200, 2**63 + 1201, dtype=np.uint64)  # five tickets, the last one short
    expected = is_prime(n, backend="python", threads=1)
    assert expected.sum() > 30
    for threads in (1, 2, 3, 4, 5):
        assert_same_bits(is_prime(n, backend=backend, threads=at_most(backend, threads)), expected)


@pytest.mark.parametrize("isa", backends.isas())
def test_instruction_sets_agree(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = backends.kernels
    monkeypatch.setattr(backends, "kernels", lambda family, backend: kernels(family, backend, isa))
    numbers = [*PSI, *CARMICHAEL, *EXTRA_STRONG_LUCAS, *(2**k - c for k, c in enumerate(BELOW_POWERS, 2))]
    assert_same_bits(is_prime(numbers, backend="cython"), is_prime(numbers, backend="python"))
    assert_same_bits(is_prime(range(30_000), backend="cython"), sieve(30_000))
    assert count_primes(10**6, backend="cython") == PI[6]
    assert count_primes(2**64 - 5000, 2**64, backend="cython") == count_primes(2**64 - 5000, 2**64, backend="python")


@pytest.mark.parametrize("dtype", INTEGERS)
def test_dtypes(backend: str, dtype: str) -> None:
    """Both ends of every integer dtype; negative numbers are not prime."""
    limits = np.iinfo(dtype)
    values = [limits.min, limits.min + 1, *range(-8 if limits.min < 0 else 0, 128), limits.max - 1, limits.max]
    expected = [n > 1 and ((n < 128 and bool(sieve(128)[n])) or n in (2**31 - 1, 2**61 - 1)) for n in values]
    got = is_prime(np.array(values, dtype), backend=backend)
    assert got.dtype == np.bool_
    assert got.tolist() == expected


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["h", "Q"])
def test_layouts(backend: str, dtype: str, layout: Callable[[Array], Array]) -> None:
    n = layout(np.arange(6 * 7 * 8, dtype=dtype).reshape(6, 7, 8))
    before = n.copy()
    assert_same_bits(is_prime(n, backend=backend), sieve(1000)[np.array(n, np.int64)])
    np.testing.assert_array_equal(n, before)


def test_shapes(backend: str) -> None:
    assert is_prime(7, backend=backend) is True
    assert is_prime(-7, backend=backend) is False
    assert is_prime(2**64 - 59, backend=backend) is True
    assert is_prime(np.int8(-7), backend=backend) is False
    assert is_prime(np.uint64(2**64 - 59), backend=backend) is True
    assert_same_bits(is_prime(np.array(7), backend=backend), np.True_)
    for shape in ((0,), (0, 3), (2, 0)):
        assert_same_bits(is_prime(np.empty(shape, np.int32), backend=backend), np.empty(shape, np.bool_))
    assert_same_bits(is_prime([], backend=backend), np.empty(0, np.bool_))
    assert_same_bits(is_prime([[2, 4], [9, 11]], backend=backend), np.array([[True, False], [False, True]]))
    assert_same_bits(is_prime((2**64 - 59, -1), backend=backend), np.array([True, False]))
    assert_same_bits(is_prime(range(5), backend=backend), np.array([False, False, True, True, False]))


class Index:
    """An integer by ``__index__`` alone, as ``operator.index`` takes it."""

    def __index__(self) -> int:
        return 13


def test_index(backend: str) -> None:
    thirteen: Any = Index()
    assert is_prime(thirteen, backend=backend) is True
    assert count_primes(Index(), backend=backend) == 5


# --- is_prime: out= and refusals -------------------------------------------------------------------------------------


def test_out(backend: str) -> None:
    n = np.arange(24).reshape(4, 6)
    for out in (np.empty((4, 6), np.bool_), np.empty((6, 4), np.bool_).T, np.empty((4, 12), np.bool_)[:, ::2]):
        assert is_prime(n, out=out, backend=backend) is out
        np.testing.assert_array_equal(out, sieve(24).reshape(4, 6))
    single = np.empty((), np.bool_)
    number: Any = 7
    assert is_prime(number, out=single, backend=backend) is single
    assert single


def _read_only() -> Array:
    out = np.empty(8, np.bool_)
    out.flags.writeable = False
    return out


NUMBERS = np.arange(8, dtype=np.uint8)


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        pytest.param([True] * 8, TypeError, "out: got list, expected an ndarray", id="list"),
        pytest.param(np.empty(8, np.uint8), TypeError, "out: got dtype uint8, expected bool", id="dtype"),
        pytest.param(np.empty((2, 4), np.bool_), ValueError, r"out: got shape \(2, 4\), expected \(8,\)", id="shape"),
        pytest.param(_read_only(), ValueError, "out: got a read-only array, expected a writeable one", id="read-only"),
        pytest.param(NUMBERS.view(np.bool_), ValueError, "out: got an array that shares memory with n", id="overlap"),
    ],
)
def test_out_refused(out: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        is_prime(NUMBERS, out=out)


@pytest.mark.parametrize(
    ("n", "message"),
    [
        (True, "n: got bool, expected integers"),
        (2.0, "n: got float, expected integers"),
        ("7", "n: got str, expected integers"),
        (None, "n: got NoneType, expected integers"),
        (7j, "n: got complex, expected integers"),
        ([3, 2.0], "n: got float, expected integers"),
        ([3, True], "n: got bool, expected integers"),
        ([[2, 3], [5]], "n: got list, expected integers"),
        (np.bool_(True), "n: got dtype bool, expected an integer dtype"),
        (np.float64(7), "n: got dtype float64, expected an integer dtype"),
        (np.array([2.0]), "n: got dtype float64, expected an integer dtype"),
        (np.array([True]), "n: got dtype bool, expected an integer dtype"),
        (np.array(["7"]), "n: got dtype <U1, expected an integer dtype"),
        (np.array([7], object), "n: got dtype object, expected an integer dtype"),
        (np.array([7], "m8[s]"), "n: got dtype timedelta64.*, expected an integer dtype"),
    ],
    ids=lambda value: "" if isinstance(value, str) and value.startswith("n:") else repr(value),
)
def test_types_refused(n: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        is_prime(n)


@pytest.mark.parametrize("n", [2**64, 2**64 + 13, 10**100, [3, 2**64]], ids=["2**64", "more", "huge", "in-a-list"])
def test_too_large(n: Any) -> None:
    with pytest.raises(OverflowError, match=r"n: got \d+, expected integers below 2\*\*64"):
        is_prime(n)


# --- is_prime: every class of numbers, group and lane ----------------------------------------------------------------

# Borders of the classes that have an arithmetic of their own, and of what their numbers fit in.
BORDERS = [16, 20, 31, 32, 48, 51, 52, 53, 58, 63, 64]


def strong_to_base_2(n: int) -> bool:
    """The strong test to base 2 and nothing else, by Python's own powers."""
    s = ((n - 1) & (1 - n)).bit_length() - 1
    powers = [pow(2, (n - 1) >> r, n) for r in range(1, s + 1)]
    return powers[-1] == 1 or n - 1 in powers


@cache
def pseudoprimes(bits: int, size: int) -> list[int]:
    """Strong pseudoprimes to base 2 with so many bits, of the form (k + 1) * (2k + 1): about one in 50 candidates."""
    found: list[int] = []
    small = sieve(1000).nonzero()[0].tolist()[3:19]
    k = math.isqrt(2**bits // 2) - 1
    while len(found) < size:
        k -= 1
        n = (k + 1) * (2 * k + 1)
        if k % 2 == 0 and all(n % p for p in (3, 5, *small)) and strong_to_base_2(n):
            found.append(n)
    return found


@cache
def largest_primes(bits: int, size: int) -> list[int]:
    """The largest primes below a power of 2, by the plain test."""
    found: list[int] = []
    n = 2**bits + 1
    while len(found) < size:
        n -= 2
        if primes.is_prime(n, backend="python"):
            found.append(n)
    return found


@pytest.mark.parametrize("bits", BORDERS)
def test_borders_of_classes(backend: str, bits: int) -> None:
    """Every number near a power of 2, so that neighbours in an array take different ways."""
    wide = 40 if backend == "python" else 2000
    numbers = [2**bits + k for k in range(-wide, wide) if 2**bits + k < 2**64]
    assert_same_bits(is_prime(numbers, backend=backend), is_prime(numbers, backend="python"))


@pytest.mark.parametrize("bits", [32, 40, 52, 53, 57, 60, 64])
def test_pseudoprimes_in_every_lane(backend: str, bits: int) -> None:
    """Numbers that only the second test tells from primes: alone in a group, in all of its lanes, and among primes."""
    false = pseudoprimes(bits, 100)
    true = largest_primes(bits, 100)
    if backend == "python":
        false, true = false[:20], true[:20]
    assert all(strong_to_base_2(n) for n in false)
    assert not is_prime(false, backend=backend).any()
    assert is_prime(true, backend=backend).all()
    mixed = [n for pair in zip(false, true, strict=True) for n in pair]
    assert is_prime(mixed, backend=backend).tolist() == [False, True] * len(false)
    assert [is_prime(n, backend=backend) for n in mixed[:6]] == [False, True] * 3


def test_groups_of_every_size(backend: str) -> None:
    """So many numbers that no small factor tells: the last group is filled up, and what fills it must not answer."""
    for bits in (32, 45, 64):
        true, false = largest_primes(bits, 100), pseudoprimes(bits, 100)
        for size in range(1, 101) if backend != "python" else (1, 3):
            expected = [k % 3 != 1 for k in range(size)]
            numbers = [true[k] if k % 3 != 1 else false[k] for k in range(size)]
            assert is_prime(np.array(numbers, np.uint64), backend=backend).tolist() == expected


def test_full_queues(backend: str) -> None:
    """More primes than wait together, of all classes in turn, over several tickets."""
    true = [n for four in zip(*(largest_primes(bits, 100) for bits in (20, 32, 52, 64)), strict=True) for n in four]
    numbers = np.array(true * (1 if backend == "python" else 30), np.uint64)
    assert is_prime(numbers, backend=backend).all()
    numbers[::7] = 2**64 - 1
    expected = np.arange(len(numbers)) % 7 != 0
    assert_same_bits(is_prime(numbers, backend=backend), expected)


def test_long_tails(backend: str) -> None:
    """n - 1 or n + 1 with many factors 2: what the tests look at after their last bit of d."""
    numbers = [k * 2**s + c for s in range(1, 63) for k in (*range(1, 30, 2), 2**40 + 15) for c in (-1, 1)]
    numbers = [n for n in numbers if n < 2**64]
    assert_same_bits(is_prime(numbers, backend=backend), is_prime(numbers, backend="python"))


def test_squares_of_every_size(backend: str) -> None:
    """A square has no Lucas parameter; without small factors it comes to where that is noticed."""
    roots = [n for bits in range(8, 33) for n in largest_primes(bits, 2)]
    assert not is_prime([n * n for n in roots], backend=backend).any()


def test_listed_pseudoprimes() -> None:
    """The compiled table of ext/pseudoprimes.h: each one is what it says, and they are as many as there are.

    (C. Pomerance, J. Selfridge, S. Wagstaff, "The Pseudoprimes to 25 * 10**9", 1980, count 1282 below 10**9.)
    """
    header = Path(__file__).parent.parent / "ext" / "pseudoprimes.h"
    if not header.exists():
        pytest.skip("the sources are not here")
    listed = [int(word) for word in re.findall(r"(\d+)u", header.read_text(encoding="utf-8"))]
    assert listed[:16] == STRONG_BASE_2
    assert len(listed) == 2314
    assert sum(n < 10**9 for n in listed) == 1282
    assert listed == sorted(set(listed))
    assert all(strong_to_base_2(n) for n in listed)
    for name in backends.BACKENDS if backends.missing("numba") is None else ("python", "cython"):
        assert not is_prime(listed, backend=name).any()


@pytest.mark.parametrize("isa", backends.isas())
def test_a_million_numbers_of_every_length(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Odd numbers of 17 to 64 bits, products of two primes, and primes, by python-flint."""
    numbers, expected = million()
    kernels = backends.kernels
    monkeypatch.setattr(backends, "kernels", lambda family, backend: kernels(family, backend, isa))
    assert_same_bits(is_prime(numbers, backend="cython"), expected)
    for bits in (32, 52, 58, 64):
        assert not is_prime(pseudoprimes(bits, 100), backend="cython").any()
        assert is_prime(largest_primes(bits, 100), backend="cython").all()


@cache
def million() -> tuple[Array, Array]:
    flint = pytest.importorskip("flint", reason="python-flint is not installed")
    random = np.random.default_rng(11)
    numbers = random.integers(0, 2**63, 800_000, np.uint64) * np.uint64(2) + np.uint64(1)
    numbers >>= random.integers(0, 48, len(numbers), np.uint64)
    numbers |= np.uint64(1)
    factors = np.flatnonzero(sieve(2**16))[20:].astype(np.uint64)
    products = random.choice(factors, 100_000) * random.choice(factors, 100_000)
    bases = random.integers(2**20, 2**31, 100_000, np.uint64)
    forms = (bases + np.uint64(1)) * (np.uint64(2) * bases + np.uint64(1))
    numbers = np.concatenate([numbers, products, forms])
    return numbers, np.array([flint.fmpz(n).is_prime() for n in numbers.tolist()], np.bool_)


def test_many_numbers_of_every_length(backend: str) -> None:
    numbers, expected = million()
    few = slice(None, None, 1000 if backend == "python" else 5)
    assert_same_bits(is_prime(numbers[few], backend=backend), expected[few])


GMPY2 = """
import gmpy2, numpy as np
from gilfree.primes import is_prime, next_prime, prev_prime
random = np.random.default_rng(12)
n = random.integers(2**8, 2**63, 50_000, np.uint64) * np.uint64(2) >> random.integers(0, 48, 50_000, np.uint64)
n = np.maximum(n, np.uint64(3))
print((is_prime(n) == [gmpy2.is_prime(k) for k in n.tolist()]).all())
print((next_prime(n[:9000]) == [int(gmpy2.next_prime(k)) for k in n[:9000].tolist()]).all())
print((prev_prime(n[:9000]) == [int(gmpy2.prev_prime(k)) for k in n[:9000].tolist()]).all())
"""


def test_against_gmpy2() -> None:
    """In a process of its own, in which it may switch the GIL on."""
    if importlib.util.find_spec("gmpy2") is None:
        pytest.skip("gmpy2 is not installed")
    assert child.output(GMPY2).split() == ["True"] * 3


# --- next_prime and prev_prime ---------------------------------------------------------------------------------------


def test_neighbours_of_small_numbers(backend: str) -> None:
    """All of them by a plain sieve, across the end of the table of small primes."""
    stop = 3_000 if backend == "python" else 1_050_000 if backend == "cython" else 70_000
    known = np.flatnonzero(sieve(stop + 1000)).astype(np.uint64)
    n = np.arange(stop)
    assert_same_bits(next_prime(n, backend=backend), known[np.searchsorted(known, n, "right")])
    assert_same_bits(prev_prime(n[3:], backend=backend), known[np.searchsorted(known, n[3:]) - 1])


@pytest.mark.parametrize("bits", BORDERS)
def test_neighbours_at_borders(backend: str, bits: int) -> None:
    below = 2**bits - BELOW_POWERS[bits - 2]
    assert prev_prime(2**bits, backend=backend) == below
    assert prev_prime(below + 1, backend=backend) == below
    assert next_prime(below - 1, backend=backend) == below
    if bits in ABOVE_POWERS:
        above = 2**bits + ABOVE_POWERS[bits]
        assert next_prime(2**bits, backend=backend) == next_prime(below, backend=backend) == above
        assert prev_prime(above, backend=backend) == below


def test_neighbours_by_sympy(backend: str) -> None:
    sympy = pytest.importorskip("sympy", reason="SymPy is not installed")
    numbers = random_numbers(60)[:: 6 if backend == "python" else 1]
    assert next_prime(numbers, backend=backend).tolist() == [sympy.nextprime(n) for n in numbers]
    numbers = [n for n in numbers if n > 2]
    assert prev_prime(numbers, backend=backend).tolist() == [sympy.prevprime(n) for n in numbers]


@pytest.mark.parametrize("isa", backends.isas())
def test_neighbours_on_every_instruction_set(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing between a number and its neighbours is prime, for many numbers of every length at a time."""
    numbers = million()[0][:20_000]
    numbers = numbers[(numbers > 3) & (numbers < primes.LARGEST)]
    kernels = backends.kernels
    monkeypatch.setattr(backends, "kernels", lambda family, backend: kernels(family, backend, isa))
    above, below = next_prime(numbers, backend="cython"), prev_prime(numbers, backend="cython")
    assert (above > numbers).all()
    assert (below < numbers).all()
    assert is_prime(above, backend="cython").all()
    assert is_prime(below, backend="cython").all()
    between = [np.arange(low + 1, high, dtype=np.uint64) for low, high in zip(below, above, strict=True)]
    inside = np.concatenate(between)
    assert set(inside[is_prime(inside, backend="numba" if backends.missing("numba") is None else "cython")]) <= set(
        numbers.tolist()
    )


def test_a_long_gap(backend: str) -> None:
    """The gap of 1550 after 18361375334787046697, the longest that begins below 2**64 (oeis.org/A002386)."""
    start = 18361375334787046697
    if backend == "python":
        start, length = 1425172824437699411, 1476
    else:
        length = 1550
    assert next_prime(start, backend=backend) == start + length
    assert prev_prime(start + length, backend=backend) == start


def test_searches_of_every_number(backend: str) -> None:
    """So few that each tries several candidates at a time, and more than take turns."""
    for size in (1, 2, 3, 5, 31, 33, 255, 256, 257, 600) if backend != "python" else (1, 3):
        n = np.arange(2**52 - 50 * size, 2**52 + 50 * size, 100, dtype=np.uint64)
        above = next_prime(n, backend=backend)
        assert above.tolist() == [next_prime(k, backend=backend) for k in n.tolist()]
        assert prev_prime(above, backend=backend).tolist() == [prev_prime(k, backend=backend) for k in above.tolist()]


def test_neighbours_with_threads(backend: str) -> None:
    n = np.arange(2**40, 2**40 + 1300, dtype=np.uint64)[:: 40 if backend == "python" else 1]
    expected = next_prime(n, backend="numba" if backends.missing("numba") is None else "cython", threads=1)
    for threads in (1, 2, 3):
        assert_same_bits(next_prime(n, backend=backend, threads=at_most(backend, threads)), expected)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_neighbours_of_every_dtype(backend: str, dtype: str) -> None:
    limits = np.iinfo(dtype)
    n = np.array([limits.min, *range(-3 if limits.min < 0 else 0, 13), 113, limits.max - 60], dtype)
    got = next_prime(n, backend=backend)
    assert got.dtype == np.uint64
    assert got.tolist() == [next_prime(int(k), backend="python") for k in n]
    n = n[n > 2]
    assert prev_prime(n, backend=backend).tolist() == [prev_prime(int(k), backend="python") for k in n]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("function", [next_prime, prev_prime], ids=["next_prime", "prev_prime"])
def test_neighbours_of_every_layout(
    backend: str, function: Callable[..., Any], layout: Callable[[Array], Array]
) -> None:
    n = layout(np.arange(3, 3 + 3 * 4 * 5, dtype="h").reshape(3, 4, 5))
    before = n.copy()
    got = function(n, backend=backend)
    assert got.shape == n.shape
    assert got.ravel().tolist() == [function(int(k), backend="python") for k in n.ravel()]
    np.testing.assert_array_equal(n, before)


def test_neighbours_of_every_shape(backend: str) -> None:
    assert next_prime(7, backend=backend) == 11
    assert type(next_prime(np.int8(-7), backend=backend)) is int
    assert next_prime(np.int8(-7), backend=backend) == 2
    assert type(prev_prime(2**64, backend=backend)) is int
    assert_same_bits(next_prime(np.array(7), backend=backend), np.uint64(11))
    assert_same_bits(next_prime([], backend=backend), np.empty(0, np.uint64))
    assert_same_bits(prev_prime(np.empty((0, 3), np.int8), backend=backend), np.empty((0, 3), np.uint64))
    assert_same_bits(prev_prime([[3, 4], [2**64, 9]], backend=backend), np.array([[2, 3], [2**64 - 59, 7]], np.uint64))
    assert next_prime(range(5), backend=backend).tolist() == [2, 2, 3, 5, 5]
    thirteen: Any = Index()
    assert next_prime(thirteen, backend=backend) == 17


def test_neighbours_out(backend: str) -> None:
    n = np.arange(3, 27).reshape(4, 6)
    for out in (np.empty((4, 6), np.uint64), np.empty((6, 4), np.uint64).T, np.empty((4, 12), np.uint64)[:, ::2]):
        assert next_prime(n, out=out, backend=backend) is out
        np.testing.assert_array_equal(out, next_prime(n, backend="python"))
        assert prev_prime(n, out=out, backend=backend) is out
        np.testing.assert_array_equal(out, prev_prime(n, backend="python"))


@pytest.mark.parametrize("function", [next_prime, prev_prime], ids=["next_prime", "prev_prime"])
def test_neighbours_out_refused(function: Callable[..., Any]) -> None:
    n = np.arange(3, 11, dtype=np.uint64)
    with pytest.raises(TypeError, match="out: got dtype int64, expected uint64"):
        function(n, out=np.empty(8, np.int64))
    with pytest.raises(ValueError, match=r"out: got shape \(2, 4\), expected \(8,\)"):
        function(n, out=np.empty((2, 4), np.uint64))
    with pytest.raises(ValueError, match="out: got an array that shares memory with n"):
        function(n, out=n)


@pytest.mark.parametrize("bad", [True, 2.0, "7", None, [3, 2.0], np.array([2.0]), np.array([True])], ids=repr)
def test_neighbours_of_other_types(bad: Any) -> None:
    for function in (next_prime, prev_prime):
        with pytest.raises(TypeError, match=r"n: got .*, expected (an integer dtype|integers)"):
            function(bad)


def test_no_neighbour(backend: str) -> None:
    """Said before anything is written."""
    out = np.full(2, 5, np.uint64)
    for n in (2**64 - 59, 2**64 - 58, 2**64 - 1):
        with pytest.raises(OverflowError, match=rf"n: got {n}, expected integers below 2\*\*64 - 59"):
            next_prime([7, n], out=out, backend=backend)
    for n in (2, 1, 0, -1, -(2**63)):
        with pytest.raises(ValueError, match=f"n: got {n}, expected integers above 2"):
            prev_prime([7, n], out=out, backend=backend)
        with pytest.raises(ValueError, match=f"n: got {n}, expected integers above 2"):
            prev_prime(np.array([7, n], np.int64), backend=backend)
    assert out.tolist() == [5, 5]
    with pytest.raises(ValueError, match="n: got -1, expected integers above 2"):
        prev_prime([2**64, -1])
    with pytest.raises(OverflowError, match=r"n: got 18446744073709551616, expected integers below 2\*\*64"):
        next_prime(2**64)
    with pytest.raises(OverflowError, match=r"n: got 18446744073709551617, expected integers up to 2\*\*64"):
        prev_prime(2**64 + 1)


@given(st.integers(0, 2**64 - 60))
def test_any_neighbours(backend: str, n: int) -> None:
    above = next_prime(n, backend=backend)
    assert above > n
    if above > 2:
        below = prev_prime(above, backend=backend)
        assert below <= n
        assert not is_prime(np.arange(below + 1, above, dtype=np.uint64), backend="cython").any()


# --- factorint -------------------------------------------------------------------------------------------------------


def test_factors_of_small_numbers(backend: str) -> None:
    """All of them, multiplied back, across the end of trial division."""
    flags = sieve(70_000)
    for n in [*range(2, 2_000), *range(256**2 - 100, 256**2 + 100)]:
        found = factorint(n, backend=backend)
        assert math.prod(p**k for p, k in found.items()) == n
        assert all(flags[p] for p in found)
        assert list(found) == sorted(found)


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (0, {0: 1}),
        (1, {}),
        (-1, {-1: 1}),
        (-12, {-1: 1, 2: 2, 3: 1}),
        (2**63, {2: 63}),
        (-(2**63), {-1: 1, 2: 63}),
        (3**40, {3: 40}),
        (2**64 - 1, {3: 1, 5: 1, 17: 1, 257: 1, 641: 1, 65537: 1, 6700417: 1}),
        (2**64 - 59, {2**64 - 59: 1}),
        (BELOW_2_32[0] ** 2, {BELOW_2_32[0]: 2}),
        (65537**3, {65537: 3}),
        (65521**4, {65521: 4}),
        (2642239**2, {2642239: 2}),
        (2642239**3, {2642239: 3}),
        (263**7, {263: 7}),
        (257 * 263 * 269 * 271 * 277 * 281 * 283, dict.fromkeys((257, 263, 269, 271, 277, 281, 283), 1)),
        (3 * 65537 * 65539, {3: 1, 65537: 1, 65539: 1}),
    ],
    ids=str,
)
def test_factors(backend: str, n: int, expected: dict[int, int]) -> None:
    found = factorint(n, backend=backend)
    assert found == expected
    assert list(found) == sorted(found)
    assert all(type(p) is int for p in found)


def test_factors_of_products_near_the_end(backend: str) -> None:
    """Two primes near 2**32, for which rho walks longest."""
    pairs = [(p, q) for p in BELOW_2_32 for q in BELOW_2_32 if p < q][: 2 if backend == "python" else 10]
    for p, q in pairs:
        assert factorint(p * q, backend=backend) == {p: 1, q: 1}


def test_factors_of_pseudoprimes(backend: str) -> None:
    for n in (*PSI[: 6 if backend == "python" else None], *CARMICHAEL, *EXTRA_STRONG_LUCAS, *WIEFERICH):
        found = factorint(n, backend=backend)
        assert math.prod(p**k for p, k in found.items()) == n
        assert all(is_prime(p, backend="python") for p in found)


def test_factors_by_sympy(backend: str) -> None:
    sympy = pytest.importorskip("sympy", reason="SymPy is not installed")
    for n in [*range(-20, 20), *random_numbers(40)[:: 8 if backend == "python" else 1]]:
        found = factorint(n, backend=backend)
        assert found == sympy.factorint(n)
        assert list(found) == sorted(found)


@pytest.mark.parametrize("isa", backends.isas())
def test_factors_on_every_instruction_set(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = million()[0][:3000].tolist()
    kernels = backends.kernels
    monkeypatch.setattr(backends, "kernels", lambda family, backend: kernels(family, backend, isa))
    for n in numbers:
        found = factorint(n, backend="cython")
        assert math.prod(p**k for p, k in found.items()) == n
        assert is_prime(list(found), backend="cython").all()


@given(st.integers(1, 2**64 - 1))
def test_any_factors(backend: str, n: int) -> None:
    if backend == "python":
        n %= 2**40
    found = factorint(n, backend=backend)
    assert n == 0 or math.prod(p**k for p, k in found.items()) == n
    assert list(found) == sorted(found)


@pytest.mark.parametrize("bad", [True, 2.0, "7", None, [7], np.array(7), np.bool_(True), np.float64(7)], ids=repr)
def test_factors_of_other_types(bad: Any) -> None:
    with pytest.raises(TypeError, match=f"n: got {type(bad).__name__}, expected an integer"):
        factorint(bad)


def test_factors_of_too_large_numbers(backend: str) -> None:
    for n in (2**64, -(2**64), 10**100):
        with pytest.raises(OverflowError, match=rf"n: got {n}, expected an integer of less than 2\*\*64 in size"):
            factorint(n, backend=backend)
    assert factorint(np.uint64(15), backend=backend) == {3: 1, 5: 1}
    thirteen: Any = Index()
    assert factorint(thirteen, backend=backend) == {13: 1}


# --- count_primes ----------------------------------------------------------------------------------------------------


def test_pi(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the sieve alone."""
    monkeypatch.setattr(primes, "COMBINATORIAL_LIMIT", 0)
    for k in range({"python": 8, "cython": 11}.get(backend, 9)):
        assert count_primes(10**k, backend=backend) == [*PI, *PI_ON][k]


def test_all_short_ranges(backend: str) -> None:
    """Every pair of ends: the 2, the odd and even ends, the empty range."""
    flags = sieve(40)
    for start in range(40):
        for stop in range(40):
            assert count_primes(start, stop, backend=backend) == flags[start:stop].sum(), (start, stop)


# Bytes of 30 numbers a segment and, in the compiled sieve, a chunk: the ends of both, and around them.
SEGMENT = 30 * 2**15
ENDS = [9, 10, 25, 26, 49, 50, 30 * 1024, SEGMENT - 1, SEGMENT, SEGMENT + 1, SEGMENT + 2, 2 * SEGMENT + 7]


@pytest.mark.parametrize("stop", ENDS)
def test_squares_and_segments(backend: str, stop: int) -> None:
    """Ends at a square of a prime, and at the ends of segments."""
    flags = sieve(3 * 2**20)
    assert count_primes(stop, backend=backend) == flags[:stop].sum()
    assert count_primes(2, stop, backend=backend) == flags[:stop].sum()
    assert count_primes(3, stop, backend=backend) == flags[3:stop].sum()
    assert count_primes(stop - 5, stop, backend=backend) == flags[stop - 5 : stop].sum()
    np.testing.assert_array_equal(primerange(stop, backend=backend), np.flatnonzero(flags[:stop]))


def test_odd_starts(backend: str) -> None:
    flags = sieve(3 * 2**20)
    for start in (997, 998, 10007, 2**20 - 1, 2**20, 2**20 + 1):
        assert count_primes(start, 3 * 2**20, backend=backend) == flags[start:].sum(), start


@pytest.mark.parametrize("k", ABOVE_POWERS)
def test_windows_across_powers_of_2(backend: str, k: int) -> None:
    """From the last prime below to the first above: two, one or none, as the ends are taken or left out."""
    last, first = 2**k - BELOW_POWERS[k - 2], 2**k + ABOVE_POWERS[k]
    assert count_primes(last, first + 1, backend=backend) == 2
    assert count_primes(last, first, backend=backend) == 1
    assert count_primes(last + 1, first + 1, backend=backend) == 1
    assert count_primes(last + 1, first, backend=backend) == 0
    wide = 2**k - 1500, 2**k + 1500
    assert count_primes(*wide, backend=backend) == count_primes(*wide, backend="python")


def test_up_to_the_end(backend: str) -> None:
    """2**64 itself is a stop (primesieve#138, #168)."""
    assert count_primes(2**64 - 59, 2**64, backend=backend) == 1
    assert count_primes(2**64 - 58, 2**64, backend=backend) == 0
    assert count_primes(2**64 - 59, 2**64 - 58, backend=backend) == 1
    assert count_primes(2**64 - 1, 2**64, backend=backend) == 0
    assert count_primes(2**64, 2**64, backend=backend) == 0
    assert count_primes(2**64 - 3000, 2**64, backend=backend) == count_primes(2**64 - 3000, 2**64, backend="python")


# How a window is searched: as the front door chooses, by the sieve, number by number.
WAYS = {"chosen": 16.0, "sieved": 2.0**70, "tested": 2.0**-70}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("start", "length"),
    [
        pytest.param(0, 30_000, id="0"),
        pytest.param(2**24 - 7, 20_000, id="2**24"),
        pytest.param(2**32 - 15_000, 30_000, id="2**32"),
        pytest.param(2**36 - 15_000, 30_000, id="2**36"),
        pytest.param(245760**2 - 15_000, 30_000, id="root-at-the-limit-of-the-base"),
        pytest.param(2**40 + 1, 30_000, id="2**40"),
        pytest.param(1000003**2 - 100, 30_000, id="square-of-a-marked-prime"),
    ],
)
def test_all_ways_find_the_same(
    backend: str, start: int, length: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(primes, "TEST_SHARE", WAYS[way])
    numbers = np.arange(start, start + length, dtype=np.uint64)
    expected = numbers[is_prime(numbers, backend="cython")]
    if backend == "python":
        length //= 8
        expected = expected[expected < start + length]
    assert count_primes(start, start + length, backend=backend) == len(expected)
    np.testing.assert_array_equal(primerange(start, start + length, backend=backend), expected)


# Primes in windows so high that most base primes are marked, counted with primesieve 11.
HIGH = {
    (10**12, 10**12 + 10**8): 3618282,
    (10**15, 10**15 + 10**7): 289394,
    (2**53 - 10**7, 2**53 + 10**7): 544705,
    (10**18, 10**18 + 10**8): 2414886,
    (2**63 - 5 * 10**7, 2**63 + 5 * 10**7): 2289873,
    (2**64 - 10**8, 2**64): 2253052,
}


@pytest.mark.parametrize("window", HIGH, ids=lambda window: f"{window[1]:.2e}")
def test_high_windows(backend: str, window: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Sieved with all primes up to the root on the compiled backend, a shorter window below 10**16 on the others."""
    start, stop = window
    if backend == "cython":
        assert count_primes(start, stop) == HIGH[window]
        return
    length = {"python": 2000}.get(backend, 300_000)
    expected = count_primes(start, start + length, backend="cython")
    if start < 10**16 and backend != "python":
        monkeypatch.setattr(primes, "TEST_SHARE", 2**70)
    assert count_primes(start, start + length, backend=backend) == expected


def test_rows_and_segments_of_every_size(backend: str, some: Some, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a range is cut changes nothing: segments of odd lengths, rows shorter than a segment."""
    start, stop = 2**37 + 11, 2**37 + 60_000
    numbers = np.arange(start, stop, dtype=np.uint64)
    expected = numbers[is_prime(numbers, backend="cython")]
    monkeypatch.setattr(primes, "SHORTEST_SEGMENT", 1)
    for segment, row in some(((1000, 10_000), (333, 333), (500, 177), (150, 150), (7000, 2**23)), 2):
        monkeypatch.setattr(primes, "LONGEST_SEGMENT", segment)
        monkeypatch.setattr(primes, "PLAIN_SEGMENT", segment)
        monkeypatch.setattr(primes, "MARKED_ROW", row)
        assert count_primes(start, stop, backend=backend) == len(expected)
        np.testing.assert_array_equal(primerange(start, stop, backend=backend), expected)
        assert count_primes(30_013, backend=backend) == 3246


@pytest.mark.parametrize("isa", backends.isas())
def test_sieves_of_instruction_sets_agree(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = backends.kernels
    monkeypatch.setattr(backends, "kernels", lambda family, backend: kernels(family, backend, isa))
    primes._base.cache_clear()
    expected = np.flatnonzero(sieve(3 * 2**20))
    np.testing.assert_array_equal(primerange(3 * 2**20, backend="cython"), expected)
    assert count_primes(10**12, 10**12 + 10**7, backend="cython") == 361726
    assert count_primes(10**15, 10**15 + 10**7, backend="cython") == 289394
    monkeypatch.undo()
    primes._base.cache_clear()


def test_count_with_threads(backend: str) -> None:
    for threads in (1, 2, 3, 4, 5):
        how: dict[str, Any] = {"backend": backend, "threads": at_most(backend, threads)}
        assert count_primes(5 * 10**6, **how) == 348513
        assert count_primes(2**63 - 2500, 2**63 + 2500, **how) == NEAR_2_63


@given(st.integers(0, 10**6), st.integers(0, 10**4))
def test_any_range(backend: str, start: int, length: int) -> None:
    flags = sieve(1_010_000)
    assert count_primes(start, start + length, backend=backend) == flags[start : start + length].sum()


@given(st.integers(0, 2**64 - 1), st.integers(0, 50))
def test_any_high_range(backend: str, start: int, length: int) -> None:
    stop = min(start + length, 2**64)
    assert count_primes(start, stop, backend=backend) == sum(is_prime(range(start, stop), backend="python"))


def test_empty_ranges(backend: str) -> None:
    for bounds in ((0,), (1,), (2,), (-5,), (5, 5), (7, 3), (-9, -2), (-3, 2), (2**64, 0), (24, 29)):
        assert count_primes(*bounds, backend=backend) == 0
        assert_same_bits(primerange(*bounds, backend=backend), np.empty(0, np.uint64))
    assert count_primes(-10, 10, backend=backend) == 4
    assert type(count_primes(np.int16(100), backend=backend)) is int


@pytest.mark.parametrize("function", [count_primes, primerange, iter_primes], ids=lambda function: function.__name__)
@pytest.mark.parametrize("bad", [True, 2.0, "7", None, np.float32(3), np.bool_(True)], ids=repr)
def test_bounds_refused(bad: Any, function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=f"start: got {type(bad).__name__}, expected an integer"):
        function(bad)
    if bad is not None:  # which leaves the stop out
        with pytest.raises(TypeError, match=f"stop: got {type(bad).__name__}, expected an integer"):
            function(2, bad)


@pytest.mark.parametrize("function", [count_primes, primerange, iter_primes], ids=lambda function: function.__name__)
def test_bounds_too_large(function: Callable[..., Any]) -> None:
    with pytest.raises(OverflowError, match=r"start: got 18446744073709551617, expected at most 2\*\*64"):
        function(2**64 + 1)
    with pytest.raises(OverflowError, match=r"stop: got 18446744073709551617, expected at most 2\*\*64"):
        function(2, 2**64 + 1)


# --- primerange and iter_primes --------------------------------------------------------------------------------------


def test_primerange(backend: str) -> None:
    expected = np.flatnonzero(sieve(3 * 2**20)).astype(np.uint64)
    for threads in (1, 2, 3):
        assert_same_bits(primerange(3 * 2**20, backend=backend, threads=at_most(backend, threads)), expected)
    got = primerange(10, 30, backend=backend)
    assert_same_bits(got, np.array([11, 13, 17, 19, 23, 29], np.uint64))
    assert got.flags.owndata


def test_all_short_primeranges(backend: str, some: Some) -> None:
    flags = sieve(70)
    for start in range(70):
        for stop in some(range(start, 70), 20, start):
            expected = start + np.flatnonzero(flags[start:stop])
            np.testing.assert_array_equal(primerange(start, stop, backend=backend), expected)


def test_primerange_up_to_the_end(backend: str) -> None:
    np.testing.assert_array_equal(primerange(2**64 - 59, 2**64, backend=backend), [2**64 - 59])
    assert len(primerange(2**64 - 58, 2**64, backend=backend)) == 0
    numbers = np.arange(2**64 - 2000, 2**64 - 1, dtype=np.uint64)
    expected = numbers[is_prime(numbers, backend="python")]
    np.testing.assert_array_equal(primerange(2**64 - 2000, 2**64, backend=backend), expected)


@given(st.integers(0, 10**6), st.integers(0, 10**4))
def test_any_primerange(backend: str, start: int, length: int) -> None:
    flags = sieve(1_010_000)[start : start + length]
    np.testing.assert_array_equal(primerange(start, start + length, backend=backend), start + np.flatnonzero(flags))


def test_primerange_out(backend: str) -> None:
    expected = np.flatnonzero(sieve(1000)).astype(np.uint64)
    for out in (np.zeros(168, np.uint64), np.zeros(336, np.uint64)[::2], np.zeros(168, np.uint64)[::-1]):
        assert primerange(1000, out=out, backend=backend) is out
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        pytest.param([2, 3, 5], TypeError, "out: got list, expected an ndarray", id="list"),
        pytest.param(np.empty(4, np.int64), TypeError, "out: got dtype int64, expected uint64", id="dtype"),
        pytest.param(np.empty(5, np.uint64), ValueError, r"out: got shape \(5,\), expected \(4,\)", id="longer"),
        pytest.param(np.empty((2, 2), np.uint64), ValueError, r"out: got shape \(2, 2\), expected \(4,\)", id="shape"),
        pytest.param(np.empty((), np.uint64), ValueError, r"out: got shape \(\), expected \(4,\)", id="0-d"),
    ],
)
def test_primerange_out_refused(out: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        primerange(10, out=out)


def test_primerange_leaves_a_wrong_out_alone() -> None:
    out = np.full(5, 113, np.uint64)
    with pytest.raises(ValueError, match="out: got shape"):
        primerange(10, out=out)
    assert (out == 113).all()


def test_iter_primes(backend: str) -> None:
    """Over many windows, from anywhere, without an end."""
    expected = np.flatnonzero(sieve(10**5)).tolist()
    assert list(primes.iter_primes(0, 10**5, backend=backend)) == expected
    assert list(primes.iter_primes(-5, 2, backend=backend)) == []
    assert list(islice(primes.iter_primes(backend=backend), 9592)) == expected
    assert list(islice(primes.iter_primes(90_000, backend=backend), 100)) == [p for p in expected if p > 90_000][:100]
    assert list(primes.iter_primes(2**64 - 59, backend=backend)) == [2**64 - 59]
    assert all(type(p) is int for p in primes.iter_primes(0, 100, backend=backend))
    got = list(islice(primes.iter_primes(10**18, backend=backend), 3))
    assert got == [10**18 + 3, 10**18 + 9, 10**18 + 31]  # oeis.org/A033873, A033874


def test_iter_primes_keeps_what_was_chosen_at_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    find = primes._primes

    def noted(low: int, high: int, *how: Any) -> Array:
        seen.append(how[:2])
        return find(low, high, *how)

    monkeypatch.setattr(primes, "_primes", noted)
    with use(backend="python", threads=3):
        found = iter_primes(0, 30)
    assert list(found) == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
    assert seen == [(backends.BACKENDS["python"], 3)]


def test_iter_primes_memory() -> None:
    """No more than a window, however far it gets."""
    tracemalloc.start()
    try:
        for _ in islice(iter_primes(10**6), 10**6):
            pass
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()


# --- executors of other processes ------------------------------------------------------------------------------------


@pytest.mark.thread_unsafe(reason="starts processes")
def test_processes_share_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(primes, "PIECE", 10**5)
    monkeypatch.setattr(primes, "COMBINATORIAL_LIMIT", 0)
    start, stop = 123_456, 1_234_567
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        assert count_primes(start, stop, executor=pool) == sieve(stop)[start:].sum()
        expected = np.flatnonzero(sieve(stop)).astype(np.uint64)
        assert_same_bits(primerange(stop, executor=pool), expected)
        out = np.zeros(len(expected), np.uint64)
        assert primerange(stop, out=out, executor=pool) is out
        assert_same_bits(out, expected)
        assert_same_bits(primerange(20, 20, executor=pool), np.empty(0, np.uint64))
        with pytest.raises(ValueError, match="out: got shape"):
            primerange(stop, out=np.zeros(3, np.uint64), executor=pool)
        monkeypatch.undo()
        assert count_primes(10**10, executor=pool) == PI_ON[0]


DASK = """
import distributed
from gilfree import primes
primes.PIECE, primes.COMBINATORIAL_LIMIT = 10**5, 0
with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
    with distributed.Client(cluster) as client:
        pool = client.get_executor()
        found = primes.primerange(10**6, executor=pool)
        print(primes.count_primes(10**6, executor=pool), len(found), found.sum())
"""


@pytest.mark.thread_unsafe(reason="starts processes")
def test_dask_shares_the_range() -> None:
    """In a process of its own, for what Dask imports may switch the GIL on."""
    if importlib.util.find_spec("distributed") is None:
        pytest.skip("Dask's distributed is not installed")
    assert child.output(DASK) == f"{PI[6]} {PI[6]} {np.flatnonzero(sieve(10**6)).sum()}"


# --- how many primes below x, without visiting them ------------------------------------------------------------------

# Primes below 10**k, from k = 10 on (oeis.org/A006880), and below 2**k, from k = 1 on (oeis.org/A007053).
PI_ON = [455052511, 4118054813, 37607912018, 346065536839]
PI_2 = [
    *(1, 2, 4, 6, 11, 18, 31, 54, 97, 172, 309, 564, 1028, 1900, 3512, 6542, 12251, 23000, 43390, 82025, 155611),
    *(295947, 564163, 1077871, 2063689, 3957809, 7603553, 14630843, 28192750, 54400028, 105097565, 203280221),
    *(393615806, 762939111, 1480206279, 2874398515, 5586502348, 10866266172, 21151907950, 41203088796, 80316571436),
    *(156661034233, 305761713237),
]
# The primes number 10**k (oeis.org/A006988).
NTH = [
    *(2, 29, 541, 7919, 104729, 1299709, 15485863, 179424673, 2038074743, 22801763489, 252097800623, 2760727302517),
    29996224275833,
]


def below(x: int, backend: str, threads: int = 1) -> int:
    """Without a visit, where the front door might sieve."""
    return primes._count_below(x, backends.resolve(backend), at_most(backend, threads), None)


def reach(backend: str, compiled: int, numba: int, python: int) -> int:
    """How far to go on a backend, so that it takes a second or so."""
    if backend == "python":
        return python
    return numba if backend.startswith("numba") else compiled


def test_pi_of_powers_of_10(backend: str) -> None:
    table = [*PI, *PI_ON]
    for k in range(reach(backend, 14, 12, 10)):
        assert below(10**k, backend) == table[k], k
    k = reach(backend, 12, 11, 8)
    assert count_primes(10**k, backend=backend) == table[k]


def test_pi_of_powers_of_2(backend: str, some: Some) -> None:
    for k in some(range(1, 1 + reach(backend, 41, 38, 29)), 20):
        assert below(2**k + 1, backend) == PI_2[k - 1], k


def test_below_every_number(backend: str, some: Some) -> None:
    """From where a sieve hands over, and through squares and cubes of small primes."""
    flags = sieve(40_000)
    least = primes.COMBINATORIAL_LEAST
    stop = reach(backend, 8_000, 4_000, 2_200)
    counts = np.cumsum(flags)
    for x in (0, 1, 2, 3, *range(least - 20, least + 20), *some(range(least + 20, stop), 800)):
        assert below(x, backend) == (counts[x - 1] if x else 0), x


def test_below_squares_and_cubes(backend: str, some: Some) -> None:
    """Where the roots that divide the leaves change: of x, of its cube root, of the ends of segments."""
    stop = reach(backend, 10**7, 10**6, 10**5)
    counts = np.cumsum(sieve(10**7 + 100))
    for p in some(np.flatnonzero(sieve(3163)).tolist(), 150):
        for power in (2, 3, 4, 5, 6):
            x = p**power
            if primes.COMBINATORIAL_LEAST < x < stop:
                assert [below(x + i, backend) for i in (-1, 0, 1, 2)] == [counts[x + i - 1] for i in (-1, 0, 1, 2)], x


@pytest.mark.parametrize("segments", [1, 2, 3])
def test_where_a_segment_ends(backend: str, segments: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """x / y and the root of x, up to which leaves lie, fall on both sides of the end of a segment."""
    if backend == "python":
        monkeypatch.setattr(primes, "LEAF_SEGMENT", 2**15)
    end = segments * primes.LEAF_SEGMENT
    low, high = primes.COMBINATORIAL_LEAST, 10**12
    while high - low > 1:  # the least x with x / y at the end
        x = (low + high) // 2
        low, high = (low, x) if x // primes._leaf_border(x) >= end else (x, high)
    for x in (high, end**2) if segments == 1 else (high,):
        expected = count_primes(x - 200, x + 200, backend="cython")
        assert below(x + 200, backend) - below(x - 200, backend) == expected
        near = [below(x + i, backend) - below(x, backend) for i in (-1, 1, 2)]
        assert near == [-is_prime(x - 1), is_prime(x), is_prime(x) + is_prime(x + 1)]


@pytest.mark.parametrize("segment", [128, 1280, 2**14])
def test_short_segments(backend: str, segment: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many rounds of them, with leaves in each; and the smaller ones among crowded leaves."""
    k = reach(backend, 8, 7, 6)
    monkeypatch.setattr(primes, "LEAF_SEGMENT", segment)
    assert below(10**k, backend, 2) == PI[k]
    monkeypatch.setattr(primes, "LEAF_SEGMENT", 8 * segment)
    monkeypatch.setattr(primes, "CROWDED", 0)
    assert below(10**k, backend, 2) == PI[k]


@pytest.mark.parametrize("leaves", [100, 1000, 10_000, 10**6])
def test_wherever_the_leaves_begin(backend: str, leaves: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """y from just above the cube root to the square root: the kinds of leaves trade places, their sum does not."""
    monkeypatch.setattr(primes, "LEAVES", leaves)
    for k in range(4, reach(backend, 11, 9, 8)):
        assert below(10**k, backend) == [*PI, *PI_ON][k]


def test_below_with_threads(backend: str) -> None:
    for threads in (1, 2, 3, 5):
        k = reach(backend, 11, 10, 8)
        assert below(10**k, backend, threads) == [*PI, *PI_ON][k]


@pytest.mark.parametrize("isa", backends.isas())
def test_leaves_on_every_instruction_set(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = backends.kernels
    monkeypatch.setattr(backends, "kernels", lambda family, backend: kernels(family, backend, isa))
    assert [below(10**k, "cython") for k in range(13)] == [*PI, *PI_ON][:13]


def test_wide_windows_are_not_visited(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same answer by either way, and the front door takes the shorter one."""
    top = reach(backend, 10**11, 10**10, 10**9)
    width = reach(backend, 5 * 10**7, 2 * 10**7, 10**6)
    row = backends.resolve(backend)
    assert primes._counting_is_shorter(0, top, row)
    assert primes._counting_is_shorter(top // 2, top, row)
    assert not primes._counting_is_shorter(top - 10**6, top, row)
    assert not primes._counting_is_shorter(0, 10**6, row)
    assert not primes._counting_is_shorter(0, primes.COMBINATORIAL_LIMIT + 1, row)
    sieved = count_primes(top - width, top, backend=backend)
    assert below(top, backend) - below(top - width, backend) == sieved
    monkeypatch.setattr(primes, "COMBINATORIAL_FIXED", -(10**12))
    assert count_primes(top - width, top, backend=backend) == sieved


@given(st.integers(0, 10**10), st.integers(0, 10**7))
def test_any_window_by_both_ways(backend: str, start: int, length: int) -> None:
    start, length = start // reach(backend, 1, 1, 1000), length // reach(backend, 1, 10, 100)
    visited = count_primes(start, start + length, backend=backend)
    assert below(start + length, backend) - below(start, backend) == visited


PRIMECOUNT = """
import sys
from primecountpy.primecount import nth_prime, prime_pi
print(*[prime_pi(int(x) - 1) for x in sys.argv[1].split()], *[nth_prime(int(n)) for n in sys.argv[2].split()])
"""


def test_against_primecount() -> None:
    """In a process of its own: it brings handlers of signals along."""
    pytest.importorskip("primecountpy", reason="primecountpy is not installed")
    random = np.random.default_rng(8)
    stops = [int(10**digits) for digits in random.uniform(4, 12.5, 40)]
    ranks = [int(10**digits) for digits in random.uniform(1, 11, 20)]
    command = [sys.executable, "-c", PRIMECOUNT, " ".join(map(str, stops)), " ".join(map(str, ranks))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    ours = [*(below(x, "cython") for x in stops), *(nth_prime(n, backend="cython") for n in ranks)]
    assert ours == [int(word) for word in done.stdout.split()]


# --- the n-th prime --------------------------------------------------------------------------------------------------


def test_nth_primes(backend: str) -> None:
    for k in range(reach(backend, 12, 11, 7)):
        assert nth_prime(10**k, backend=backend) == NTH[k]


def test_the_first_primes(backend: str) -> None:
    known = np.flatnonzero(sieve(40_000)).tolist()
    for n, prime in enumerate(known[: reach(backend, 1000, 200, 100)], start=1):
        assert nth_prime(n, backend=backend) == prime, n


@pytest.mark.parametrize("error", [-(10**5), -300, -1, 0, 1, 300, 10**5])
def test_wherever_the_walk_begins(backend: str, error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Upwards, downwards, in more windows than one, and with the prime at either end of one."""
    monkeypatch.setattr(primes, "_expected_prime", lambda _: 15485863 + error)
    if backend == "python":
        monkeypatch.setattr(primes, "_expected_prime", lambda _: 15485863 + error // 100)
    assert nth_prime(10**6, backend=backend) == 15485863
    monkeypatch.setattr(primes, "WINDOW", 5000)
    assert nth_prime(10**6, backend=backend) == 15485863
    assert nth_prime(10**6 - 1, backend=backend) == 15485857
    assert nth_prime(10**6 + 1, backend=backend) == 15485867


def test_nth_prime_with_threads(backend: str) -> None:
    for threads in (1, 2, 3):
        k = reach(backend, 9, 8, 5)
        assert nth_prime(10**k, backend=backend, threads=at_most(backend, threads)) == NTH[k]


def test_the_expected_prime_is_near() -> None:
    """The difference is of the size of the root, far as that goes; so near the end of the range too."""
    for k, prime in enumerate(NTH):
        assert abs(primes._expected_prime(10**k) - prime) < 10 + math.isqrt(prime)
    assert abs(primes._expected_prime(primes.PRIMES) - 2**64) < 2**33


@given(st.integers(1, 10**6))
def test_count_and_nth_are_inverse(backend: str, n: int) -> None:
    n //= reach(backend, 1, 1, 100)
    prime = nth_prime(n + 1, backend=backend)
    assert count_primes(prime, backend=backend) == n
    assert is_prime(prime, backend=backend)


@pytest.mark.parametrize("bad", [True, 2.0, "7", None, np.float32(3), np.bool_(True)], ids=repr)
def test_ranks_refused(bad: Any) -> None:
    with pytest.raises(TypeError, match=f"n: got {type(bad).__name__}, expected an integer"):
        nth_prime(bad)


def test_ranks_out_of_range() -> None:
    for bad in (0, -1, -(10**30)):
        with pytest.raises(ValueError, match=f"n: got {bad}, expected at least 1"):
            nth_prime(bad)
    for bad in (primes.PRIMES + 1, 2**64, 10**100):
        with pytest.raises(OverflowError, match=f"n: got {bad}, expected at most 425656284035217743"):
            nth_prime(bad)
    assert nth_prime(np.uint8(25)) == nth_prime(Index()) + 56 == 97
    assert type(nth_prime(np.int64(5))) is int


# --- where one arithmetic ends and another begins ---------------------------------------------------------------------

# Primes in the 2**15 numbers below and from each border on, counted with python-flint 0.8.
BESIDE_BORDERS = {
    2**32: (1492, 1494),
    2**48: (1004, 1018),
    2**52: (884, 905),
    2**58: (797, 796),
    2**63: (737, 765),
    2**64 - 2**55: (757, 706),
    2**64 - 2**54: (719, 706),
    2**64 - 2**53: (747, 722),
}


@pytest.mark.parametrize("isa", backends.isas())
@pytest.mark.parametrize("border", BESIDE_BORDERS, ids=str)
def test_primes_beside_borders(border: int, isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many primes that residues come to the ends of the room that an arithmetic has: one in a hundred does."""
    kernels = backends.kernels
    monkeypatch.setattr(backends, "kernels", lambda family, backend: kernels(family, backend, isa))
    numbers = np.arange(2**15, dtype=np.uint64)
    below, above = (np.uint64(first) + numbers for first in (border - 2**15, border))
    found = is_prime(below, backend="cython").sum(), is_prime(above, backend="cython").sum()
    assert found == BESIDE_BORDERS[border]


def _rounded_down(p: int) -> int:
    """The first byte of a row that begins after an odd multiple of p, and where low / p, in doubles, is one too low.

    ``low`` lies just above 2**63, and p just above 2**18, so that the quotient lies just below one: ``low``
    is rounded by up to twice as much as the quotient can show.
    """
    for cofactor in range(2**63 // p | 1, 2**64 // p, 2):
        first = cofactor * p // 30 + 1
        if int(float(30 * first) / float(p)) == cofactor - 1:
            return first
    raise AssertionError("there is none")


def test_multiples_of_large_primes_beside_the_first_number(backend: str) -> None:
    """A row that begins beside a multiple of p: low / p, in doubles, is a whole number that may be one too low."""
    mark = backends.kernels("primes", backend).mark
    release = backends.BACKENDS[backend].releases
    length = 2**18  # bytes: p has more than 16 multiples in so many, or fewer
    for p in (2**18 + 3, 2**31 + 11):
        beside = [near // p * p // 30 for near in (2**57, 2**62, 2**64 - 2**24)]
        rounded = [_rounded_down(p)] if p < 2**20 else []  # there is none for a large one
        for first in (*rounded, *(byte + i for byte in beside for i in range(-1, 3))):
            row = np.full(length, 0xFF, np.uint8)
            mark(first, length, np.array([p], np.uint64), row, Tickets(1, 1), -1, release)
            expected = np.full(length, 0xFF, np.uint8)
            for multiple in range(max(p * p, -(-30 * first // p) * p), 30 * (first + length), p):
                if math.gcd(multiple, 30) == 1:
                    expected[multiple // 30 - first] &= 0xFF ^ 1 << primes.WHEEL.index(multiple % 30)
            np.testing.assert_array_equal(row, expected)
