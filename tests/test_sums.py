"""How exact sums, means, variances and products are: held against exact rationals, and `fsum` against `math.fsum`."""

import itertools
import math
import operator
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from awkward import FLOATS, INTEGERS, Array
from calls import at_most
from folding import dtypes, numbers, only_compiles
from hypothesis import given
from hypothesis import strategies as st
from judge import assert_same_bits
from selection import Some

from gilfree import reductions

EPS = Fraction(2) ** -52
SIZES = [1, 31, 100, 513, 20_000, 90_000]


# --- exact answers ---------------------------------------------------------------------------------------------------


def scaled(values: Any) -> tuple[list[int], int]:
    """The values as integers, and how often they were doubled for that. Fractions would look for common divisors."""
    ratios = [value.as_integer_ratio() for value in values]
    shift = max((denominator.bit_length() - 1 for _, denominator in ratios), default=0)
    return [numerator << (shift + 1 - denominator.bit_length()) for numerator, denominator in ratios], shift


def exact_sum(values: Any) -> Fraction:
    integers, shift = scaled(values)
    return Fraction(sum(integers), 2**shift)


@cache
def exact_sums(case: str, size: int) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """The sum and that of the magnitudes; both of the products with other numbers."""
    x, shift = scaled(CASES[case](size).tolist())
    y, more = scaled(numbers("d", size, seed=1).tolist())
    products = list(map(operator.mul, x, y))
    found = [Fraction(sum(one), 2**shift) for one in (x, map(abs, x))]
    found += [Fraction(sum(one), 2 ** (shift + more)) for one in (products, map(abs, products))]
    return found[0], found[1], found[2], found[3]


@cache
def exact_product(size: int) -> Fraction:
    """Of ``near_one(size)``, to 200 bits: all millions of them would take a minute to divide by."""
    factors, shift = scaled(near_one(size).tolist())
    while len(factors) > 1:
        factors = [math.prod(factors[i : i + 2]) for i in range(0, len(factors), 2)]
    surplus = max(0, factors[0].bit_length() - 200)
    return Fraction(factors[0] >> surplus) * Fraction(2) ** (surplus - shift * size)


def near_one(size: int) -> Array:
    return np.asarray(1 + numbers("d", size) * 2.0**-18)


@cache
def exact_variance(dtype: str, size: int, offset: float = 0.0) -> tuple[Fraction, Fraction]:
    """Mean, and mean of the squared deviations from it."""
    values, shift = scaled((numbers(dtype, size).astype(float) + offset).tolist())
    total = sum(values)
    squares = size * sum(value * value for value in values) - total * total
    return Fraction(total, size << shift), Fraction(squares, size * size << 2 * shift)


def depth(n: int) -> Fraction:
    return Fraction(math.log2(max(n / 512, 1)))


def rounded(exact: Fraction) -> float:
    """To the nearest double, infinite beyond them."""
    try:
        return exact.numerator / exact.denominator
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def cancelling(size: int) -> Array:
    x = numbers("d", size)
    x[1::2] = -x[: len(x) // 2 * 2 : 2] * (1 + 1e-12)
    return x


def huge_and_small(size: int) -> Array:
    x = numbers("d", size)
    x[::2] *= 1e15
    return x


CASES: dict[str, Callable[[int], Array]] = {
    "mixed": lambda size: numbers("d", size),
    "cancelling": cancelling,
    "huge-and-small": huge_and_small,
    "ascending": lambda size: np.sort(numbers("d", size)),
    "tenths": lambda size: np.full(size, 0.1),
}
each_case = pytest.mark.parametrize("case", CASES)


# --- what the docstrings promise -------------------------------------------------------------------------------------


@each_case
@pytest.mark.parametrize("size", SIZES)
def test_errors_of_sums(backend: str, case: str, size: int) -> None:
    """At most NumPy's pairwise bound; of dot one rounding more."""
    x = CASES[case](size)
    exact, magnitude, exact_dot, dot_magnitude = exact_sums(case, size)
    bound = (21 + depth(size)) * EPS * magnitude
    assert abs(Fraction(float(reductions.sum(x, backend=backend))) - exact) <= bound
    assert abs(Fraction(float(reductions.nansum(x, backend=backend))) - exact) <= bound
    for mean in (reductions.mean(x, backend=backend), reductions.nanmean(x, backend=backend)):
        quotient = exact / size
        assert abs(Fraction(float(mean)) - quotient) <= bound / size + EPS * abs(quotient)
    y = numbers("d", size, seed=1)
    error = abs(Fraction(float(reductions.dot(x, y, backend=backend))) - exact_dot)
    assert error <= (22 + depth(size)) * EPS * dot_magnitude


@pytest.mark.parametrize("size", SIZES)
def test_errors_of_float32(backend: str, size: int) -> None:
    """One rounding to float32 over what doubles give."""
    if only_compiles("f", backend):
        return
    x = numbers("f", size)
    exact, magnitude = exact_sum(x.tolist()), exact_sum(np.abs(x).tolist())
    for name in ("sum", "nansum"):
        got = Fraction(float(getattr(reductions, name)(x, backend=backend)))
        assert (
            abs(got - exact) <= Fraction(2) ** -24 * abs(exact) * (1 + 2 * EPS) + (21 + depth(size)) * EPS * magnitude
        )


@pytest.mark.parametrize("size", [1, 33, 513, 5000, 17_000])
def test_errors_of_products(backend: str, size: int) -> None:
    """Each factor may add half an ulp: relative errors add up whatever the order."""
    error = abs(Fraction(float(reductions.prod(near_one(size), backend=backend))) / exact_product(size) - 1)
    assert error <= size * EPS / 2


@pytest.mark.parametrize("offset", [0.0, 1.0, 1e3, 1e8])
@pytest.mark.parametrize("size", [2, 31, 513, 20_000, 40_000])
def test_errors_of_variances(backend: str, size: int, offset: float) -> None:
    """Far from zero, where the mean of the squares less the square of the mean has no digit left."""
    x = numbers("d", size) + offset
    mean, exact = exact_variance("d", size, offset)
    condition = 1 + mean * mean / exact  # k² / n of the docstring
    bound = (condition + 25 + depth(size)) * EPS
    got = reductions.var(x, backend=backend)
    assert abs(Fraction(float(got)) / exact - 1) <= bound
    # That is lenient far from zero: what the pairs add grows with the root.
    assert abs(Fraction(float(got)) / exact - 1) <= (30 + depth(size) + 2 * Fraction(float(condition) ** 0.5)) * EPS
    assert_same_bits(reductions.std(x, backend=backend), np.sqrt(got))
    for ddof in (1, -1):
        if size > 2:
            got = reductions.var(x, ddof=ddof, backend=backend)
            assert abs(Fraction(float(got)) / (exact * size / (size - ddof)) - 1) <= bound


def test_variance_of_equal_numbers_is_zero(backend: str) -> None:
    for value in (0.0, 2.5, -7.0, 2.0**60):
        for size in (1, 512, 513, 16384, 40_000):
            assert_same_bits(reductions.var(np.full(size, value), backend=backend), np.float64(0.0))
    for dtype in ("?", "b", "Q", "f"):
        if dtype in dtypes("var", backend):
            assert reductions.std(np.ones(20_000, dtype), backend=backend) == 0


@pytest.mark.parametrize("dtype", ["?", "b", "Q", "f", "e"])
def test_variances_of_other_dtypes(backend: str, dtype: str) -> None:
    if dtype not in ["e", *dtypes("var", backend)] or only_compiles(dtype, backend):
        return
    for size in (2, 70, 20_000):
        x = numbers(dtype, size)
        _, exact = exact_variance(dtype, size)
        got = reductions.var(x, backend=backend)
        eps = Fraction(float(np.finfo(got.dtype).eps))
        assert abs(Fraction(float(got)) / exact - 1) <= 30 * EPS + eps / 2 * (1 + EPS)


@pytest.mark.parametrize("dtype", ["?", *INTEGERS])
def test_means_of_integers(backend: str, dtype: str) -> None:
    """Of up to 32 bits: the exact sum divided once, even where doubles would have lost its last bits."""
    if dtype not in dtypes("mean", backend):
        return
    for x in (numbers(dtype, 700), numbers(dtype, 40_000), numbers(dtype, 7).repeat(9000)):
        exact = sum(x.tolist())
        for name in ("mean", "nanmean"):
            got = getattr(reductions, name)(x, backend=backend)
            if x.itemsize <= 4:
                assert_same_bits(got, np.float64(rounded(Fraction(exact, len(x)))))
            else:
                bound = (22 + depth(len(x))) * EPS * Fraction(sum(map(abs, x.tolist())), len(x))
                assert abs(Fraction(float(got)) - Fraction(exact, len(x))) <= bound


def test_a_mean_may_lie_beyond_the_sum(backend: str) -> None:
    """float16 and float32 sums that overflow still have means; 64-bit integer sums that wrap, too."""
    if only_compiles("f", backend):
        return
    assert reductions.mean(np.full(1000, 3e38, np.float32), backend=backend) == np.float32(3e38)
    assert reductions.mean(np.full(1000, 6e4, np.float16), backend=backend) == np.float16(6e4)
    assert reductions.mean(np.full(4096, 2**63, np.uint64), backend=backend) == 2.0**63


# --- the correctly rounded sum ---------------------------------------------------------------------------------------


def fsum(values: Any) -> float:
    """As the docstring of ``fsum`` has it: math.fsum without its errors."""
    finite = [value for value in values if math.isfinite(value)]
    others = [value for value in values if not math.isfinite(value)]
    if others:
        return float(sum(others))
    return rounded(exact_sum(finite)) + 0.0


@pytest.mark.parametrize("case", FLOATS)
def test_fsum_of_awkward_floats(backend: str, case: str) -> None:
    expected = fsum(FLOATS[case])
    for values in (FLOATS[case], FLOATS[case][::-1], sorted(FLOATS[case])):
        got = reductions.fsum(np.array(values), backend=backend)
        assert_same_bits(got, np.float64(math.nan if math.isnan(expected) else expected))
        if math.isfinite(expected) and case != "huge-then-back":
            assert got == math.fsum(values)


@each_case
@pytest.mark.parametrize("size", [1, 2, 33, 513, 16384, 16385, 50_000])
def test_fsum_as_maths(backend: str, case: str, size: int) -> None:
    """In one piece and in several, on more than one thread."""
    x = CASES[case](size)
    expected = np.float64(math.fsum(x))
    assert_same_bits(reductions.fsum(x, backend=backend), expected)
    assert_same_bits(reductions.fsum(x[::-1], backend=backend, threads=at_most(backend, 2)), expected)


@pytest.mark.parametrize("size", [3, 40, 1000, 16400])
def test_fsum_over_the_whole_range(backend: str, size: int) -> None:
    """Every exponent that doubles have, so that nearly all bits of nearly all numbers are lost in the end."""
    random = np.random.default_rng(size)
    x = np.ldexp(random.uniform(-1, 1, size), random.integers(-1074, 1023, size))
    x[-1] = -x[:-1].sum() if size > 3 else 5e-324
    assert_same_bits(reductions.fsum(x, backend=backend), np.float64(math.fsum(x)))
    if only_compiles("f", backend):
        return
    narrow = np.ldexp(random.uniform(-1, 1, size), random.integers(-149, 127, size)).astype(np.float32)
    assert_same_bits(reductions.fsum(narrow, backend=backend), np.float64(math.fsum(narrow.tolist())))


def test_fsum_in_any_order(backend: str) -> None:
    x = np.array([1e308, 1.0, -1e308, 1e-308, 5e-324, -1.0, 2.0**-53])
    expected = np.float64(fsum(x.tolist()))
    orders = list(itertools.permutations(x.tolist()))
    for order in orders[:: 1 if backend == "cython" else 60]:
        assert_same_bits(reductions.fsum(np.array(order), backend=backend), expected)
    random = np.random.default_rng(0)
    long = np.concatenate([numbers("d", 20_000), -numbers("d", 20_000), [2.0**-700]])
    for _ in range(3):
        random.shuffle(long)
        assert reductions.fsum(long, backend=backend) == 2.0**-700


def test_fsum_does_not_overflow_on_the_way(backend: str) -> None:
    huge = float(np.finfo(np.float64).max)
    for count in (2, 600, 20_000):
        x = np.concatenate([np.full(count, huge), np.full(count, -huge), [3.0]])
        assert_same_bits(reductions.fsum(x, backend=backend), np.float64(3.0))


def test_fsum_beyond_the_range(backend: str) -> None:
    """The greatest double and half an ulp is the first sum that is infinite; all less of it rounds back."""
    huge = float(np.finfo(np.float64).max)
    half_ulp = 2.0**970
    for padding in (0, 100, 17_000):
        for rest, expected in (
            ([half_ulp], math.inf),
            ([half_ulp, -5e-324], huge),
            ([half_ulp / 2], huge),
            ([huge], math.inf),
            ([huge, -huge], huge),
        ):
            x = np.concatenate([[huge], np.zeros(padding), rest])
            assert_same_bits(reductions.fsum(x, backend=backend), np.float64(expected))
            assert_same_bits(reductions.fsum(-x, backend=backend), np.float64(-expected))


@pytest.mark.parametrize("exponent", [-1022, -1000, -300, 0, 52, 53, 500, 1000])
def test_fsum_at_ties(backend: str, exponent: int) -> None:
    """Half an ulp goes to the even neighbour, and the least that is more or less decides, however far away."""
    one = math.ldexp(1.0, exponent)
    ulp = math.ulp(one)
    for odd in (0, 1):
        low = one + odd * ulp
        for deciding, expected in ((0.0, low + odd * ulp), (5e-324, low + ulp), (-5e-324, low)):
            if ulp / 2 < 1e-323:  # nothing decides where half an ulp is all but nothing
                continue
            for padding in (0, 40, 17_000):
                x = np.concatenate([[low], np.zeros(padding), [ulp / 2, deciding]])
                assert_same_bits(reductions.fsum(x, backend=backend), np.float64(expected))
                assert_same_bits(reductions.fsum(-x[::-1], backend=backend), np.float64(-expected))


def test_fsum_below_the_range(backend: str) -> None:
    """Subnormals have no rounding: the sum is exact."""
    x = np.array([5e-324, 2.0**-1060, -(2.0**-1022), 5e-324] * 500)
    assert_same_bits(reductions.fsum(x, backend=backend), np.float64(math.fsum(x)))
    assert_same_bits(reductions.fsum(np.array([5e-324, -5e-324]), backend=backend), np.float64(0.0))
    assert_same_bits(reductions.fsum(np.array([-5e-324] * 3), backend=backend), np.float64(-1.5e-323))


def test_fsum_of_infinities_and_nans(backend: str) -> None:
    inf, nan = math.inf, math.nan
    for padding in (0, 40, 600, 17_000):
        zeros = np.linspace(-1, 1, padding)
        for odd, expected in (
            ([inf], inf),
            ([-inf], -inf),
            ([inf, inf], inf),
            ([inf, -inf], nan),
            ([-inf, inf], nan),
            ([nan], nan),
            ([-nan], nan),
            ([inf, nan], nan),
            ([1e308, 1e308, -inf], -inf),
        ):
            for x in (np.concatenate([zeros, odd]), np.concatenate([odd, zeros])):
                assert_same_bits(reductions.fsum(x, backend=backend), np.float64(expected))
    spread = np.zeros(40_000)
    spread[0], spread[-1] = inf, -inf  # in pieces of their own
    assert_same_bits(reductions.fsum(spread, backend=backend), np.float64(nan))


@pytest.mark.parametrize("dtype", ["?", *INTEGERS, "e", "f"])
def test_fsum_of_other_dtypes(backend: str, dtype: str) -> None:
    """Each is a double first, as in math.fsum: of 64 bits not all are."""
    if dtype not in ["e", *dtypes("fsum", backend)] or only_compiles(dtype, backend):
        return
    for size in (1, 70, 16384, 20_000):
        x = numbers(dtype, size)
        expected = np.float64(math.fsum(map(float, x.tolist())))
        assert_same_bits(reductions.fsum(x, backend=backend), expected)


def test_fsum_along_axes(backend: str, some: Some) -> None:
    for shape in ((3, 40), (40, 3), (2, 17_000), (17_000, 2)):
        x = numbers("d", math.prod(shape)).reshape(shape)
        for way, axis in some(itertools.product((x, np.asfortranarray(x), x[::-1]), (0, 1)), 3, shape):
            expected = np.array([math.fsum(line) for line in np.moveaxis(way, axis, -1)])
            assert_same_bits(reductions.fsum(way, axis, backend=backend), expected)
    cube = numbers("d", 3 * 4 * 5).reshape(3, 4, 5)
    got = reductions.fsum(cube, (0, 2), keepdims=True, backend=backend)
    assert_same_bits(got, np.array([math.fsum(cube[:, i].flat) for i in range(4)]).reshape(1, 4, 1))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=80), st.integers(1, 40))
def test_fsum_of_any_floats(backend: str, values: list[float], times: int) -> None:
    """Against rationals, for math.fsum gives up where a sum overflows on the way."""
    x = np.array(values * times, np.float64)
    assert_same_bits(reductions.fsum(x, backend=backend), np.float64(fsum(values * times)))


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=80))
def test_fsum_of_any_float32(backend: str, values: list[float]) -> None:
    if only_compiles("f", backend):
        return
    x = np.array(values, np.float32)
    assert_same_bits(reductions.fsum(x, backend=backend), np.float64(fsum(x.tolist())))


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=200))
def test_any_floats(backend: str, values: list[float]) -> None:
    x = np.array(values)
    exact, magnitude = exact_sum(values), exact_sum(map(abs, values))
    error = abs(Fraction(float(reductions.sum(x, backend=backend))) - exact)
    assert error <= (21 + depth(len(values))) * EPS * magnitude
    assert reductions.min(x, backend=backend) == min(values)
    assert reductions.max(x, backend=backend) == max(values)
    assert x[reductions.argmin(x, backend=backend)] == min(values)
    assert values.index(max(values)) == reductions.argmax(x, backend=backend)
