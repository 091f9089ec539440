"""What reductions mean: NumPy's answers, dtypes, axes, warnings and refusals, on every backend."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import folding
import numpy as np
import pytest
from awkward import COMPLEX_NUMBERS, FLOATS, NANS, TWO_TICKETS, Array
from calls import at_most
from folding import (
    NAMES,
    NEED_ELEMENTS,
    ONE_AXIS,
    TAKE_COMPLEX,
    TAKE_DTYPE,
    TAKE_LONG_DOUBLE,
    WARN_OF_NOTHING,
    dtypes,
    numbers,
    only_compiles,
)
from hypothesis import given
from hypothesis import strategies as st
from judge import assert_same_bits
from selection import Some

import gilfree
from gilfree import reductions

each_name = pytest.mark.parametrize("name", NAMES)


# --- one dimension ---------------------------------------------------------------------------------------------------


@each_name
def test_as_numpy_and_python(backend: str, name: str, some: Some) -> None:
    """Every dtype, lengths about lanes, blocks and pieces."""
    for dtype in dtypes(name, backend):
        for size in some(folding.lengths(name, dtype), 8, dtype):
            expected = folding.judged(name, dtype, size)
            with np.errstate(over="ignore"):
                x = numbers(dtype, size)
                got = expected if backend == "python" else folding.call(name, x, backend=backend)
            assert_same_bits(got, expected)
            folding.assert_as_numpy(name, got, x)


@each_name
@pytest.mark.parametrize("case", FLOATS)
def test_awkward_floats(backend: str, name: str, case: str) -> None:
    for dtype in dtypes(name, backend):
        if np.dtype(dtype).kind not in "fc":
            continue
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of nothing but NaN
            x = np.array(FLOATS[case]).astype(dtype)
            got = folding.call(name, x, backend=backend)
            assert_same_bits(got, folding.call(name, x, backend="python"))
            if name in {"min", "max", "minmax", "argmin", "argmax", "any", "all", "count_nonzero", "nanmin", "nanmax"}:
                # NumPy's own minimum of zeros is either: for the sign there is a test of its own.
                np.testing.assert_array_equal(got, folding.numpys(name, x))
            for part in got if isinstance(got, tuple) else [got]:
                if isinstance(part, np.inexact) and np.isnan(part):
                    assert_one_nan(part)


def assert_one_nan(number: Any) -> None:
    """Fail unless a NaN is the positive quiet one, whatever went in; of a complex number, each part that is one."""
    for part in (number.real, number.imag):
        if np.isnan(part):
            assert_same_bits(part[()], number.real.dtype.type(np.nan))


@pytest.mark.parametrize("name", sorted(TAKE_COMPLEX))
@pytest.mark.parametrize("case", COMPLEX_NUMBERS)
def test_awkward_complex_numbers(backend: str, name: str, case: str) -> None:
    for dtype in "FD":
        if dtype not in dtypes(name, backend):
            continue
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            x = np.array(COMPLEX_NUMBERS[case]).astype(dtype)
            got = folding.call(name, x, backend=backend)
            assert_same_bits(got, folding.call(name, x, backend="python"))
            assert_one_nan(got)
            if case in {"one", "minus-zeros", "unit-circle", "cancel"}:
                folding.assert_as_numpy(name, got, x)


def test_a_complex_product_is_written_out(backend: str) -> None:
    """Neither C's rescue of infinite products nor a trick with three multiplications."""
    x = np.array([complex(math.inf, 0), 1 + 1j])
    assert_same_bits(reductions.prod(x, backend=backend), np.complex128(complex(math.nan, math.nan)))
    a, b = 1 + 2.0**-30 * 1j, 2.0**-30 + 3j
    expected = np.complex128(complex(a.real * b.real - a.imag * b.imag, a.real * b.imag + a.imag * b.real))
    assert_same_bits(reductions.prod(np.array([a, b]), backend=backend), expected)
    assert_same_bits(reductions.dot(np.array([a]), np.array([b]), backend=backend), expected)  # and no conjugation


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("nan")])
def test_nan_in_every_place(backend: str, name: str, some: Some) -> None:
    """No lane, tail or block loses a NaN (numpy#10370), and none sees one that is not there."""
    for dtype in "fd":
        if only_compiles(dtype, backend):
            continue
        for size in (1, 33, 70):
            clean = folding.call(name, np.abs(numbers(dtype, size)) + 1, backend=backend)
            for place in range(size):
                x = np.abs(numbers(dtype, size)) + 1
                x[place] = np.nan
                got = folding.call(name, x, backend=backend)
                if name in ONE_AXIS:
                    assert got == place
                elif name in {"any", "all", "count_nonzero"}:
                    assert_same_bits(got, clean)
                else:
                    assert np.all(np.isnan(got))
                    assert not np.any(np.isnan(clean))


def test_without_nan_in_every_place(backend: str) -> None:
    for dtype in "fd":
        if only_compiles(dtype, backend):
            continue
        for size in (2, 33, 70):
            x = np.abs(numbers(dtype, size)) + 1
            for place in range(size):
                holed, rest = x.copy(), np.delete(x, place)
                holed[place] = np.nan
                zeroed = np.where(np.isnan(holed), np.dtype(dtype).type(0), holed)
                assert_same_bits(reductions.nansum(holed, backend=backend), reductions.sum(zeroed, backend=backend))
                assert reductions.nanmin(holed, backend=backend) == min(rest)
                assert reductions.nanmax(holed, backend=backend) == max(rest)
                np.testing.assert_allclose(reductions.nanmean(holed, backend=backend), np.mean(rest), 1e-6)


@pytest.mark.parametrize("dtype", NANS)
@pytest.mark.parametrize("name", [name for name in NAMES if name not in {*ONE_AXIS, "any", "all", "count_nonzero"}])
def test_strange_nans(backend: str, name: str, dtype: str) -> None:
    """Signalling NaNs, payloads and signs: all come out as the one quiet NaN, or are left out."""
    if only_compiles(dtype, backend):
        return
    odd = np.array(NANS[dtype], f"u{np.dtype(dtype).itemsize}").view(dtype)
    x = np.concatenate([np.ones(40, dtype), odd])
    with np.errstate(invalid="ignore"):
        got = folding.call(name, x, backend=backend)
        if name.startswith("nan"):
            assert got == (40 if name == "nansum" else 1)
            return
        for part in got if isinstance(got, tuple) else [got]:
            assert np.isnan(part)
            assert_one_nan(part)


@pytest.mark.parametrize("dtype", NANS)
def test_strange_nans_count(backend: str, dtype: str) -> None:
    if only_compiles(dtype, backend):
        return
    for bits in NANS[dtype]:
        for size in (1, 40):
            x = np.zeros(size, dtype)
            x[-1:] = np.array([bits], f"u{np.dtype(dtype).itemsize}").view(dtype)
            assert reductions.count_nonzero(x, backend=backend) == 1
            assert reductions.any(x, backend=backend)
            assert reductions.argmin(x, backend=backend) == reductions.argmax(x, backend=backend) == size - 1
            assert reductions.all(x[-1:], backend=backend)


def test_sign_of_zero(backend: str) -> None:
    for values in ([-0.0], [-0.0] * 40, [-0.0] * 40 + [0.0], [1.0, -1.0], []):
        x = np.array(values, np.float64)
        assert_same_bits(reductions.sum(x, backend=backend), np.sum(x))
        assert_same_bits(reductions.nansum(x, backend=backend), np.sum(x))
        assert_same_bits(reductions.fsum(x, backend=backend), np.float64(0.0))
        assert_same_bits(reductions.dot(x, np.ones(len(x)), backend=backend), np.float64(0.0))
    for dtype in "efdg":
        if (dtype == "g" and backend.startswith("numba")) or only_compiles(dtype, backend):
            continue
        for size in (1, 31, 32, 33, 513, 16400):
            for place in (0, size // 2, size - 1):
                x = np.zeros(size, dtype)
                x[place] = -0.0
                y = -x
                least, greatest = reductions.minmax(x, backend=backend)[0], reductions.minmax(y, backend=backend)[1]
                for low in (reductions.min(x, backend=backend), least):
                    assert np.signbit(low)
                    assert low == 0
                for high in (reductions.max(y, backend=backend), greatest):
                    assert not np.signbit(high)
                if dtype != "g":
                    assert np.signbit(reductions.nanmin(x, backend=backend))
                    assert not np.signbit(reductions.nanmax(y, backend=backend))
                    assert reductions.argmin(x, backend=backend) == reductions.argmax(y, backend=backend) == 0
                assert reductions.count_nonzero(x, backend=backend) == 0
                assert not reductions.any(x, backend=backend)


@pytest.mark.parametrize("dtype", ["b", "B", "h", "H", "i", "I", "q", "Q"])
def test_integer_extremes(backend: str, dtype: str) -> None:
    """The least and the greatest of a dtype in each place of a vector; sums, products and dots of them wrap."""
    if dtype not in dtypes("min", backend):
        return
    limits = np.iinfo(dtype)
    for size in (1, 70):
        for place in range(size):
            low, high = np.full(size, limits.max, dtype), np.full(size, limits.min, dtype)
            low[place], high[place] = limits.min, limits.max
            assert reductions.min(low, backend=backend) == limits.min
            assert reductions.max(high, backend=backend) == limits.max
            assert reductions.minmax(low, backend=backend)[0] == limits.min
            assert reductions.minmax(high, backend=backend)[1] == limits.max
            assert reductions.argmin(low, backend=backend) == place
            assert reductions.argmax(high, backend=backend) == place
    for value in (limits.min, limits.max):
        for size in (1, 63, 64, 65, 16384, 40_000):
            x = np.full(size, value, dtype)
            for name in ("sum", "prod", "dot", "nansum", "mean"):
                folding.assert_as_numpy(name, folding.call(name, x, backend=backend), x)


@pytest.mark.parametrize("dtype", "bBhHiIqQ")
def test_one_in_every_place(backend: str, dtype: str) -> None:
    """No lane or tail is left out, or counted twice."""
    if dtype not in dtypes("any", backend):
        return
    for size in (1, 33, 129, 200):
        for place in range(size):
            x = np.zeros(size, dtype)
            x[place] = 1
            assert reductions.any(x, backend=backend)
            assert not reductions.all(1 - x, backend=backend)
            assert reductions.count_nonzero(x, backend=backend) == 1
            assert reductions.sum(x, backend=backend) == 1
            assert reductions.dot(x, x, backend=backend) == 1
            assert reductions.argmax(x, backend=backend) == place
            assert reductions.argmin(1 - x, backend=backend) == place


def test_a_truth_needs_only_one_bit(backend: str) -> None:
    """The highest, the lowest, or one that a narrower read would miss."""
    for dtype in ("B", "H", "I", "Q", "f", "d"):
        if dtype not in dtypes("any", backend):
            continue
        width = 8 * np.dtype(dtype).itemsize
        for bit in range(width):
            if dtype in "fd" and bit == width - 1:
                continue  # the sign of a zero
            x = np.zeros(100, f"u{width // 8}")
            x[77] = 1 << bit
            assert reductions.any(x.view(dtype), backend=backend)
            assert reductions.all(x[77:78].view(dtype), backend=backend)
            assert reductions.count_nonzero(x.view(dtype), backend=backend) == 1


@each_name
def test_over_tickets(backend: str, name: str, some: Some) -> None:
    for dtype in some([dtype for dtype in "?bHiQ" if dtype in dtypes(name, backend)], 2):
        if not (backend == "python" and name == "fsum"):  # seconds
            x = numbers(dtype, 140_000 if backend == "python" else TWO_TICKETS)  # whose tickets are smaller
            got = folding.call(name, x, backend=backend, threads=at_most(backend, 2))
            if name == "fsum":
                assert got == float(np.sum(x.astype(object)) if dtype == "Q" else np.sum(x.astype(np.int64)))
            elif name not in {"mean", "nanmean", "var", "std"} or dtype != "Q":
                folding.assert_as_numpy(name, got, x)


@pytest.mark.parametrize("dtype", "efdg")
def test_overflow_is_infinite(backend: str, dtype: str) -> None:
    if dtype not in [*dtypes("sum", backend), "e"] or only_compiles(dtype, backend):
        dtype = "d"
    x = np.full(100, np.finfo(dtype).max, dtype)
    with np.errstate(over="ignore"):
        assert reductions.sum(x, backend=backend) == np.inf
        assert reductions.sum(-x, backend=backend) == -np.inf
        if dtype != "g":
            assert reductions.prod(x, backend=backend) == np.inf
            assert reductions.dot(x, -x, backend=backend) == -np.inf
    assert reductions.max(x, backend=backend) == x[0]
    # Wide enough on the way for all but doubles: the mean of equal numbers is that number.
    assert reductions.mean(x[:64], backend=backend) == (np.inf if dtype in "dg" else x[0])


@pytest.mark.parametrize("dtype", "fd")
def test_subnormals_are_kept(backend: str, dtype: str) -> None:
    if only_compiles(dtype, backend):
        return
    x = np.full(1000, np.finfo(dtype).smallest_subnormal, dtype)
    for name in ("sum", "nansum", "fsum"):
        assert getattr(reductions, name)(x, backend=backend) == 1000 * float(x[0])
    for name in ("min", "max", "mean", "nanmin", "nanmean", "prod"):
        expected = 0 if name == "prod" else x[0]
        assert getattr(reductions, name)(x, backend=backend) == expected
    assert reductions.dot(x, np.ones(1000, dtype), backend=backend) == 1000 * x[0]
    assert reductions.all(x, backend=backend)


def test_narrow_floats_are_rounded_once(backend: str) -> None:
    """In their own precision these would stick at 2048 and at 2**24, or overflow."""
    if only_compiles("f", backend):
        return
    halves = np.ones(4097, np.float16)
    assert reductions.sum(halves, backend=backend) == np.float16(4096)
    assert reductions.mean(np.full(4097, 60000, np.float16), backend=backend) == np.float16(60000)
    assert reductions.dot(halves, halves, backend=backend) == np.float16(4096)
    assert reductions.var(np.array([0, 400] * 1000, np.float16), backend=backend) == np.float16(40000)
    assert reductions.std(np.array([-60000, 60000] * 9, np.float16), backend=backend) == np.float16(60000)
    ones = np.ones(2**16, np.float32)
    ones[0] = 2.0**24
    assert reductions.sum(ones, backend=backend) == np.float32(2.0**24 + 2**16 - 1)
    tiny = np.array([1e-30, 1e-30, 1e30, 1e30], np.float32)
    assert reductions.prod(tiny, backend=backend) == np.float32(math.prod(map(float, tiny)))


@given(st.lists(st.floats(), min_size=1, max_size=100), st.integers(1, 10), st.sampled_from(NAMES))
def test_any_floats(backend: str, values: list[float], columns: int, name: str) -> None:
    x = np.resize(np.array(values), (len(values), columns))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for axis in (None, 0, 1):
            assert_same_bits(
                folding.call(name, x, axis, backend=backend), folding.call(name, x, axis, backend="python")
            )


# --- shapes ----------------------------------------------------------------------------------------------------------

AXES = [None, 0, 1, 2, -1, -3, (0, 1), (0, 2), (2, 1), (-1, 0), (0, 1, 2), ()]


@each_name
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("keepdims", [False, True], ids=["", "keepdims"])
def test_axes(backend: str, name: str, axis: int | tuple[int, ...] | None, keepdims: bool) -> None:
    if name in ONE_AXIS and isinstance(axis, tuple):
        return
    for dtype in ("i", "Q", "f", "d", "D"):
        if dtype in dtypes(name, backend):
            x = numbers(dtype, 5 * 7 * 11).reshape(5, 7, 11)
            got = folding.call(name, x, axis, keepdims=keepdims, backend=backend)
            assert_same_bits(got, folding.call(name, x, axis, keepdims=keepdims, backend="python"))
            folding.assert_as_numpy(name, got, x, axis, keepdims=keepdims)


@each_name
def test_no_dimension(backend: str, name: str) -> None:
    for x in (np.array(7, np.int64), np.array(-0.0), np.array(True), np.float32(2.5), np.array(3, np.uint64)):
        if only_compiles(x.dtype.char, backend):
            continue
        got = folding.call(name, x, backend=backend)
        folding.assert_as_numpy(name, got, np.asarray(x))
    if name not in ONE_AXIS:
        folding.assert_as_numpy(name, folding.call(name, np.array(2.5), (), backend=backend), np.array(2.5), ())
    if name != "dot":
        for scalar in (7, 2.5, True):
            if only_compiles(np.asarray(scalar).dtype.char, backend):
                continue
            got = folding.call(name, scalar, backend=backend)
            folding.assert_as_numpy(name, got, np.asarray(scalar))


@each_name
@pytest.mark.parametrize("dtype", ["?", "b", "Q", "e", "f", "d", "g", "D"])
def test_no_elements(backend: str, name: str, dtype: str) -> None:
    """A sum of nothing is 0, a product 1, a mean NaN with NumPy's warning; no number is the least of nothing."""
    if dtype not in ["?", "b", "Q", "e", "f", "d", *dtypes(name, backend)]:
        return
    for shape in ((0,), (0, 3), (3, 0), (2, 0, 3)):
        x = np.empty(shape, dtype)
        for axis in (None, 0, -1):
            for keepdims in (False, True):
                with warnings.catch_warnings(record=True) as numpys_warnings:
                    warnings.simplefilter("always")
                    try:
                        expected = folding.numpys(name, x, axis, keepdims=keepdims)
                    except ValueError:
                        with pytest.raises(ValueError, match=rf"x: got shape .* there is no {name} of nothing"):
                            folding.call(name, x, axis, keepdims=keepdims, backend=backend)
                        continue
                with warnings.catch_warnings(record=True) as own:
                    warnings.simplefilter("always")
                    got = folding.call(name, x, axis, keepdims=keepdims, backend=backend)
                if name in WARN_OF_NOTHING:
                    assert_same_bits(np.isnan(got), np.isnan(expected))  # NumPy's may be negative
                    assert type(got) is type(expected)
                    assert got.dtype == expected.dtype
                    if np.ndim(got) == 0:
                        assert_one_nan(got)
                else:
                    assert_same_bits(got, expected)
                # NumPy also warns of its division.
                texts = [str(one.message) for one in numpys_warnings if "invalid value" not in str(one.message)]
                assert [str(one.message).rstrip(".") for one in own] == [text.rstrip(".") for text in texts]
                assert all(one.category is RuntimeWarning for one in own)
                assert all(one.filename == folding.__file__ for one in own)  # the line that called


def test_nothing_but_nan(backend: str) -> None:
    x = np.full((3, 40), np.nan)
    x[1, 7] = 2.5
    for name, message in (("nanmin", "All-NaN"), ("nanmax", "All-NaN"), ("nanmean", "Mean of empty slice")):
        function = getattr(reductions, name)
        with pytest.warns(RuntimeWarning, match=message) as told:
            assert_same_bits(function(x, 1, backend=backend), np.array([np.nan, 2.5, np.nan]))
        assert [one.filename for one in told] == [__file__]
        with pytest.warns(RuntimeWarning, match=message):
            assert_same_bits(function(x[0], backend=backend), np.float64(np.nan))
        assert_same_bits(function(x, backend=backend), np.float64(2.5))
    assert_same_bits(reductions.nansum(x, 1, backend=backend), np.array([0, 2.5, 0]))


@pytest.mark.parametrize("name", ["var", "std"])
@pytest.mark.parametrize("ddof", [0, 1, 2, 2.5, 5, 6, 7, -1])
def test_degrees_of_freedom(backend: str, name: str, ddof: float) -> None:
    x = numbers("d", 3 * 6).reshape(3, 6)
    function, numpys = getattr(reductions, name), getattr(np, name)
    for axis in (None, 0, 1):
        with warnings.catch_warnings(record=True) as numpys_warnings, np.errstate(all="ignore"):
            warnings.simplefilter("always")
            expected = numpys(x, axis, ddof=ddof)
        with warnings.catch_warnings(record=True) as own:
            warnings.simplefilter("always")
            got = function(x, axis, ddof=ddof, backend=backend)
        np.testing.assert_allclose(got, expected, 1e-13)
        assert [str(one.message) for one in own] == [str(one.message) for one in numpys_warnings]


@pytest.mark.parametrize("name", ["var", "std"])
def test_no_degree_of_freedom(backend: str, name: str) -> None:
    function = getattr(reductions, name)
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        assert_same_bits(function([2.0], ddof=1, backend=backend), np.float64(np.nan))
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        assert_same_bits(function([2.0, 3.0], ddof=2, backend=backend), np.float64(np.inf))


def test_lists(backend: str) -> None:
    assert_same_bits(reductions.sum([[1, 2], [3, 4]], 0, backend=backend), np.array([4, 6]))
    assert_same_bits(reductions.sum([0.5, 0.25], backend=backend), np.float64(0.75))
    assert_same_bits(reductions.max((True, False), backend=backend), np.True_)
    assert_same_bits(reductions.dot([1, 2], (3, 4), backend=backend), np.int64(11))
    assert_same_bits(reductions.minmax([[3, 1], [2, 5]], 1, backend=backend), (np.array([1, 2]), np.array([3, 5])))
    assert_same_bits(reductions.fsum([0.1] * 10, backend=backend), np.float64(1.0))
    assert_same_bits(reductions.mean([1, 2], backend=backend), np.float64(1.5))


def test_return_types(backend: str) -> None:
    """Also where the small arrays' way goes."""
    if only_compiles("h", backend):
        return
    x = np.array([3, 1, 2], np.int16)
    ways: list[dict[str, Any]] = [{"backend": backend}, {}]
    for how in ways:
        assert type(reductions.count_nonzero(x, **how)) is int
        assert type(reductions.any(x, **how)) is type(reductions.all(x, **how)) is np.bool_
        assert type(reductions.argmin(x, **how)) is type(reductions.argmax(x, **how)) is np.intp
        assert type(reductions.sum(x, **how)) is np.int64
        assert type(reductions.dot(x, x, **how)) is np.int16
        assert type(reductions.dot(x > 1, x > 2, **how)) is np.bool_
        assert type(reductions.minmax(x, **how)) is tuple
        assert type(reductions.fsum(x, **how)) is type(reductions.var(x, **how)) is np.float64
        assert isinstance(reductions.count_nonzero(x, 0, **how), np.intp)
        assert isinstance(reductions.count_nonzero(x[None], 0, **how), np.ndarray)
        kept = reductions.count_nonzero(x, keepdims=True, **how)
        assert_same_bits(kept, np.array([3], np.intp))


# --- dtype= ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(TAKE_DTYPE))
@pytest.mark.parametrize("target", ["?", "b", "I", "q", "Q", "e", "f", "d", "F", "D", ">f8"])
def test_results_of_another_dtype(backend: str, name: str, target: str) -> None:
    kinds = {"mean": "fc", "var": "f", "std": "f", "nanmean": "f"}.get(name, "biufc")
    function = getattr(reductions, name)
    for dtype in ("?", "b", "Q", "e", "f", "d", "D"):
        if dtype not in ["e", *dtypes(name, backend)] or only_compiles(dtype, backend):
            continue
        if dtype in "efdD" and target in "IQ":
            continue  # what a negative float is as an unsigned integer depends on the machine
        x = (numbers(dtype, 60) % 4 if dtype in "bQ" else numbers(dtype, 60) if dtype in "?D" else
             np.abs(numbers(dtype, 60)) % 3).reshape(3, 20)  # fmt: skip
        for axis in (None, 0, 1):
            if np.dtype(target).kind not in kinds:
                with pytest.raises(TypeError, match=r"dtype: got .*, expected"):
                    function(x, axis, dtype=target, backend=backend)
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
                got = function(x, axis, dtype=target, backend=backend)
                assert_same_bits(got, function(x, axis, dtype=target, backend="python"))
                with np.errstate(all="ignore"):
                    # Floats are added in double precision here, and in that of `dtype` there.
                    wide = "D" if np.dtype(target).kind == "c" else "d" if np.dtype(target).kind == "f" else target
                    expected = np.asarray(getattr(np, name)(x, axis, dtype=wide)).astype(np.dtype(target))
            assert np.asarray(got).dtype == np.dtype(target).newbyteorder("=")
            if np.dtype(target).kind in "fc":
                eps = float(np.finfo(target).eps)
                np.testing.assert_allclose(got, expected, 60 * eps, 600 * eps)
            else:
                np.testing.assert_array_equal(got, expected)


def test_imaginary_parts_are_lost_with_a_warning(backend: str) -> None:
    with pytest.warns(np.exceptions.ComplexWarning):
        assert reductions.sum(np.array([1 + 2j, 3]), dtype=np.float64, backend=backend) == 4


@pytest.mark.parametrize("name", sorted(TAKE_DTYPE))
@pytest.mark.parametrize("target", ["g", "G", "O", "U3", "M8[s]", [("a", "i4")]], ids=str)
def test_target_dtypes_refused(name: str, target: Any) -> None:
    with pytest.raises(TypeError, match=r"dtype: got .*, expected an? .*of at most 64 bits a part"):
        getattr(reductions, name)([1.0, 2.0], dtype=target)


# --- dot -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", ["?b", "bB", "bh", "iI", "qQ", "Bd", "ef", "fd", "qf", "fD", "dF", "??", "QQ", "DD"])
def test_dot_of_two_dtypes(backend: str, pair: str) -> None:
    """The result has the dtype that NumPy finds for both."""
    common = np.result_type(*pair).char
    if common not in folding.FEW_DTYPES.get(backend, common):
        return
    a, b = numbers(pair[0], 70), numbers(pair[1], 70, seed=1)
    with np.errstate(all="ignore"):
        expected = np.dot(a, b)
        got = reductions.dot(a, b, backend=backend)
        assert type(got) is type(expected) or got.dtype == expected.dtype
        if got.dtype.kind in "fc":
            eps = float(np.finfo(got.dtype).eps)
            size = float(np.sum(np.abs(a.astype("D") * b)))
            np.testing.assert_allclose(got, expected, 16 * eps, 16 * eps * size)
        else:
            assert_same_bits(got, expected)


def test_dot_along_axes(backend: str) -> None:
    """Of two layouts: neither array is read as the other lies."""
    for dtype in ("b", "Q", "f", "d", "D"):
        if dtype not in dtypes("dot", backend):
            continue
        a, b = numbers(dtype, 5 * 6 * 40).reshape(5, 6, 40), numbers(dtype, 5 * 6 * 40, seed=1).reshape(5, 6, 40)
        for x, y in ((a, b), (np.asfortranarray(a), b), (a, np.asfortranarray(b)), (a[::-1], np.flip(b)), (a, b[:1])):
            other = np.broadcast_to(y, x.shape)
            for axis in (0, 1, -1, (0, 2), (1, 2), (0, 1, 2)):
                got = reductions.dot(x, other, axis, backend=backend)
                assert_same_bits(got, reductions.dot(x.copy("C"), other.copy("C"), axis, backend="python"))
                with np.errstate(all="ignore"):
                    expected = np.sum(x * other, axis, x.dtype)
                np.testing.assert_allclose(got, expected, *((1e-4, 1e-2) if dtype == "f" else (1e-12, 1e-9)))


def test_dot_of_no_elements(backend: str) -> None:
    for dtype in ("?", "b", "d", "D"):
        x = np.empty(0, dtype)
        assert_same_bits(reductions.dot(x, x, backend=backend), np.dot(x, x))
        x = np.empty((3, 0), dtype)
        assert_same_bits(reductions.dot(x, x, 1, backend=backend), np.zeros(3, dtype))


@pytest.mark.parametrize(
    ("x", "y", "axis", "error", "message"),
    [
        pytest.param(
            [1, 2], [1, 2, 3], None, ValueError, r"y: got shape \(3,\), expected that of x, \(2,\)", id="length"
        ),
        pytest.param([1, 2], 3, None, ValueError, r"y: got shape \(\), expected that of x", id="scalar"),
        pytest.param([[1, 2]], [1, 2], 1, ValueError, r"y: got shape \(2,\), expected that of x", id="no-broadcast"),
        pytest.param(np.ones((2, 2)), np.ones((2, 2)), None, ValueError, r"axis: got None for arrays", id="matrices"),
        pytest.param([1.0], ["a"], None, TypeError, "y: got dtype <U1, expected an integer", id="string"),
        pytest.param([1.0], [None], None, TypeError, "y: got dtype object, expected an integer", id="object"),
        pytest.param([1.0], np.ones(1, "g"), None, TypeError, "y: got dtype .*128|y: got dtype", id="long-double"),
        pytest.param(np.ones(1, "G"), [1.0], None, TypeError, "x: got dtype", id="long-complex"),
    ],
)
def test_dots_refused(x: Any, y: Any, axis: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        reductions.dot(x, y, axis)


# --- out= ------------------------------------------------------------------------------------------------------------

ONE_OUT = [name for name in NAMES if name != "minmax"]


@pytest.mark.parametrize("name", ONE_OUT)
def test_out(backend: str, name: str) -> None:
    x = numbers("q" if not backend.startswith("numba") else "d", 60).reshape(3, 4, 5)
    expected = folding.call(name, x, 1, backend="python")
    for out in (np.empty((3, 5), expected.dtype), np.empty((5, 3), expected.dtype).T):
        assert folding.call(name, x, 1, out=out, backend=backend) is out
        np.testing.assert_array_equal(out, expected)
    whole = np.empty((), expected.dtype)
    assert folding.call(name, x, out=whole, backend=backend) is whole
    assert whole == folding.call(name, x, backend="python")
    spaced = np.zeros((3, 10), expected.dtype)
    folding.call(name, x, 1, out=spaced[:, ::2], backend=backend)
    np.testing.assert_array_equal(spaced[:, ::2], expected)
    assert not spaced[:, 1::2].any()
    kept = np.empty((3, 1, 5), expected.dtype)
    assert folding.call(name, x, 1, keepdims=True, out=kept, backend=backend) is kept
    np.testing.assert_array_equal(kept[:, 0], expected)


def test_out_of_minmax(backend: str) -> None:
    x = numbers("d", 60).reshape(3, 4, 5)
    least, greatest = np.empty((3, 5)), np.zeros((3, 10))[:, ::2]
    got = reductions.minmax(x, 1, out=(least, greatest), backend=backend)
    assert got[0] is least
    assert got[1] is greatest
    assert_same_bits((least, np.array(greatest)), (np.min(x, 1), np.max(x, 1)))


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        pytest.param(np.empty(4), TypeError, "out: got ndarray, expected a tuple of two arrays", id="array"),
        pytest.param((np.empty(4),), TypeError, "out: got tuple, expected a tuple of two arrays", id="one"),
        pytest.param((np.empty(4), [0.0] * 4), TypeError, "out: got list, expected an ndarray", id="list"),
        pytest.param((np.empty(4), np.empty(5)), ValueError, r"out: got shape \(5,\)", id="shape"),
        pytest.param((np.empty(4), np.empty(4, "f")), TypeError, "out: got dtype float32", id="dtype"),
        pytest.param((np.empty((2, 4))[0],) * 2, ValueError, "out: got two arrays that share memory", id="same"),
    ],
)
def test_out_of_minmax_refused(out: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        reductions.minmax(np.ones((4, 4)), 0, out=out)


def _read_only(shape: tuple[int, ...]) -> Array:
    out = np.empty(shape)
    out.flags.writeable = False
    return out


MATRIX = np.ones((4, 4))


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        pytest.param([0.0] * 4, TypeError, "out: got list, expected an ndarray", id="list"),
        pytest.param(np.empty(4, np.float32), TypeError, "out: got dtype float32, expected float64", id="dtype"),
        pytest.param(np.empty(4, ">f8"), TypeError, "out: got dtype >f8, expected float64", id="byte-order"),
        pytest.param(np.empty(5), ValueError, r"out: got shape \(5,\), expected \(4,\)", id="shape"),
        pytest.param(_read_only((4,)), ValueError, "out: got a read-only array, expected a writeable", id="read-only"),
        pytest.param(MATRIX[0], ValueError, "out: got an array that shares memory with x", id="overlap"),
        pytest.param(MATRIX[:, 1], ValueError, "out: got an array that shares memory with x", id="strided-overlap"),
    ],
)
@pytest.mark.parametrize(
    "name", [name for name in ONE_OUT if name not in {"argmin", "argmax", "any", "all", "count_nonzero"}]
)
def test_out_refused(name: str, out: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        folding.call(name, MATRIX, 0, out=out)
    assert (MATRIX == 1).all()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("argmin", "int64"), ("argmax", "int64"), ("any", "bool"), ("all", "bool"), ("count_nonzero", "int64")],
)
def test_out_of_places_and_truths_refused(name: str, expected: str) -> None:
    for out in (np.empty(4), np.empty(4, np.int32)):
        with pytest.raises(TypeError, match=f"out: got dtype {out.dtype}, expected {expected}"):
            getattr(reductions, name)(MATRIX, 0, out=out)
    x = np.ones((4, 4), expected)
    with pytest.raises(ValueError, match="out: got an array that shares memory with x"):
        getattr(reductions, name)(x, 0, out=x[0])


def test_out_of_dot_may_not_be_the_second_array() -> None:
    x, y = np.ones((4, 4)), np.ones((4, 4))
    with pytest.raises(ValueError, match="out: got an array that shares memory with y"):
        reductions.dot(x, y, 1, out=y[0])


def test_out_may_lie_between(backend: str) -> None:
    """Interleaved with the input, but no byte is in both."""
    x = np.zeros((4, 2))
    x[:, 0] = 1
    assert reductions.sum(x[:, :1], 1, out=x[:, 1], backend=backend)[0] == 1


# --- refusals --------------------------------------------------------------------------------------------------------


@each_name
@pytest.mark.parametrize(
    "x",
    [
        np.array(["a"]),
        np.array([b"a"]),
        np.array([object()]),
        np.zeros(2, "M8[s]"),
        np.zeros(2, "m8[s]"),
        np.zeros(2, [("a", "i4")]),
        None,
        [2**70],
        np.ones(3, "G"),
    ],
    ids=["string", "bytes", "object", "date", "duration", "record", "none", "beyond-64-bits", "long-complex"],
)
def test_dtypes_refused(name: str, x: Any) -> None:
    with pytest.raises(TypeError, match=r"x: got dtype .*, expected an integer, float,?.* or bool dtype"):
        getattr(reductions, name)(*(x, [1, 2]) if name == "dot" else (x,))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in TAKE_COMPLEX])
def test_complex_numbers_refused(backend: str, name: str) -> None:
    for dtype in "FD":
        with pytest.raises(TypeError, match=r"x: got dtype complex.*, expected an integer, float or bool dtype"):
            getattr(reductions, name)(np.ones(3, dtype), backend=backend)


@each_name
def test_long_doubles(backend: str, name: str) -> None:
    x = np.ones(3, "g")
    if backend.startswith("numba"):
        with pytest.raises(TypeError, match=r"x: got dtype .*, which Numba does not have"):
            folding.call(name, x, backend=backend)
    elif name not in TAKE_LONG_DOUBLE:
        with pytest.raises(TypeError, match=r"x: got dtype .*, expected float64 or another that fits into it"):
            folding.call(name, x, backend=backend)
    else:
        folding.assert_as_numpy(name, folding.call(name, x, backend=backend), x)


def test_long_doubles_are_added_as_such(backend: str) -> None:
    if backend.startswith("numba"):
        return
    one, eps = np.longdouble(1), np.finfo("g").eps
    x = np.array([one] + [0] * 31 + [eps] + [0] * 600 + [eps])
    assert reductions.sum(x, backend=backend) == one + 2 * eps
    assert_same_bits(reductions.mean(x[:33], backend=backend), (one + eps) / np.longdouble(33))


@each_name
def test_axes_refused(name: str) -> None:
    for axis in (2, -3) if name in ONE_AXIS else (2, -3, (0, 5)):
        with pytest.raises(np.exceptions.AxisError, match="axis"):
            folding.call(name, np.ones((2, 2)), axis)
    with pytest.raises(TypeError):
        folding.call(name, np.ones((2, 2)), 0.5)
    if name in ONE_AXIS:
        with pytest.raises(TypeError, match="axis: got tuple, expected an integer or None"):
            folding.call(name, np.ones((2, 2)), (0, 1))
    else:
        with pytest.raises(ValueError, match="axis"):
            folding.call(name, np.ones((2, 2)), (0, -2))


@pytest.mark.parametrize("name", sorted(NEED_ELEMENTS))
def test_small_arrays_of_nothing_refused(name: str) -> None:
    function: Callable[..., Any] = getattr(reductions, name)
    with pytest.raises(ValueError, match=f"there is no {name} of nothing"):
        function([])
    with pytest.raises(ValueError, match=f"there is no {name} of nothing"):
        function(np.empty((3, 0), np.float32))


def test_namesake_builtins_are_not_hidden() -> None:
    """The family's names are NumPy's, and so are Python's: nothing here may shadow them for a user of ``gilfree``."""
    assert not set(reductions.__all__) & set(gilfree.__all__)


@pytest.mark.parametrize("dtype", ["f", "d"])
def test_the_first_of_two_zeros_wins_across_blocks(backend: str, dtype: str) -> None:
    """As NumPy has it: zeros of both signs are equal, and the one that comes first is the answer."""
    for signs in ((0.0, -0.0), (-0.0, 0.0)):
        x = np.ones(2 * 16384, dtype)
        x[[5, 16384 + 7]] = signs
        assert reductions.argmin(x, backend=backend) == 5
        assert reductions.argmax(-x, backend=backend) == 5
        assert reductions.argmin(x[::-1], backend=backend) == 16384 - 8
