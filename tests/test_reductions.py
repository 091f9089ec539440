"""Sums, minima and maxima: NumPy's answers, and the same bits on every backend."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from awkward import FLOATS, INTEGERS, LAYOUTS, LENGTHS, REALS, TWO_TICKETS, Array
from calls import at_most
from hypothesis import given
from hypothesis import strategies as st
from judge import assert_same_bits

import gilfree
from gilfree import backends, reductions

OPERATIONS = ["sum", "min", "max"]


def numbers(dtype: str, size: int, seed: int = 0) -> Array:
    """Of the whole range for integers, so that sums wrap; of many magnitudes for floats."""
    random = np.random.default_rng([seed, size])
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return random.integers(0, 2, size).astype(np.bool_)
    if kind.kind in "iu":
        return random.integers(np.iinfo(kind).min, np.iinfo(kind).max, size, kind, endpoint=True)
    return (random.normal(size=size) * 2.0 ** random.integers(-8, 8, size)).astype(kind)


def refuses(backend: str, dtype: str) -> bool:
    """Whether the backend has no such dtype: Numba has no long double."""
    return dtype == "g" and backend.startswith("numba")


# --- integers and bools: NumPy is the judge --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["?", *INTEGERS])
def test_integers_as_numpy(backend: str, dtype: str) -> None:
    for size in LENGTHS:
        x = numbers(dtype, size)
        for name in OPERATIONS:
            expected = getattr(np, name)(x)
            assert_same_bits(getattr(reductions, name)(x, backend=backend), expected)


@pytest.mark.parametrize("dtype", ["b", "B", "q", "Q"])
def test_integer_extremes(backend: str, dtype: str) -> None:
    """The least and the greatest of a dtype in each place of a vector; the sum of the greatest wraps."""
    limits = np.iinfo(dtype)
    for size in (1, 70):
        for place in range(size):
            low, high = np.full(size, limits.max, dtype), np.full(size, limits.min, dtype)
            low[place], high[place] = limits.min, limits.max
            assert reductions.min(low, backend=backend) == limits.min
            assert reductions.max(high, backend=backend) == limits.max
            assert_same_bits(reductions.sum(low, backend=backend), np.sum(low))


@pytest.mark.parametrize("dtype", ["?", "b", "H", "i", "Q"])
def test_integers_over_tickets(backend: str, dtype: str) -> None:
    x = numbers(dtype, TWO_TICKETS)
    for name in OPERATIONS:
        got = getattr(reductions, name)(x, backend=backend, threads=at_most(backend, 2))
        assert_same_bits(got, getattr(np, name)(x))


# --- floats: the python backend is the judge, and others judge it ----------------------------------------------------


@pytest.mark.parametrize("dtype", REALS)
def test_floats_have_the_same_bits_everywhere(backend: str, dtype: str) -> None:
    if refuses(backend, dtype):
        with pytest.raises(TypeError, match=r"x: got dtype .*, which Numba does not have"):
            reductions.sum(np.zeros(3, dtype), backend=backend)
        return
    for size in LENGTHS:
        x = numbers(dtype, size)
        for name in OPERATIONS:
            function = getattr(reductions, name)
            assert_same_bits(function(x, backend=backend), function(x, backend="python"))
        assert reductions.min(x, backend=backend) == np.min(x)
        assert reductions.max(x, backend=backend) == np.max(x)


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("case", FLOATS)
def test_awkward_floats(backend: str, dtype: str, case: str) -> None:
    if refuses(backend, dtype):
        dtype = "d"
    with np.errstate(all="ignore"):
        x = np.array(FLOATS[case]).astype(dtype)
        for name in OPERATIONS:
            function = getattr(reductions, name)
            got = function(x, backend=backend)
            assert_same_bits(got, function(x, backend="python"))
            np.testing.assert_array_equal(got, getattr(np, name)(x.astype("d")).astype(dtype))
            if np.isnan(got):
                assert not np.signbit(got)  # the positive quiet NaN, whatever went in


@pytest.mark.parametrize("dtype", "fd")
def test_nan_in_every_place(backend: str, dtype: str) -> None:
    """No lane, tail or block loses a NaN (numpy#10370)."""
    for size in (1, 33, 70):
        for place in range(size):
            x = numbers(dtype, size)
            x[place] = np.nan
            for name in OPERATIONS:
                assert np.isnan(getattr(reductions, name)(x, backend=backend))


@pytest.mark.parametrize("dtype", "fd")
def test_strange_nans(backend: str, dtype: str) -> None:
    """Signalling NaNs, payloads and a sign all come out as the one quiet NaN."""
    bits = {"f": [0x7F800001, 0xFFC00123], "d": [0x7FF0000000000001, 0xFFF8000000000123]}[dtype]
    unsigned = {"f": np.uint32, "d": np.uint64}[dtype]
    x = np.concatenate([np.ones(40, dtype), np.array(bits, unsigned).view(dtype)])
    with np.errstate(invalid="ignore"):
        for name in OPERATIONS:
            assert_same_bits(getattr(reductions, name)(x, backend=backend), np.dtype(dtype).type(np.nan))


def test_sign_of_zero_is_as_numpys(backend: str) -> None:
    for values in ([-0.0], [-0.0] * 40, [-0.0] * 40 + [0.0], [1.0, -1.0], []):
        expected = np.sum(np.array(values, np.float64))
        assert_same_bits(reductions.sum(np.array(values, np.float64), backend=backend), expected)
    assert math.copysign(1, reductions.min([0.0] * 40 + [-0.0], backend=backend)) == -1
    assert math.copysign(1, reductions.max([-0.0] * 40 + [0.0], backend=backend)) == 1


@pytest.mark.parametrize("dtype", "efdg")
def test_overflow_is_infinite(backend: str, dtype: str) -> None:
    if refuses(backend, dtype):
        dtype = "d"
    x = np.full(100, np.finfo(dtype).max, dtype)
    with np.errstate(over="ignore"):
        assert reductions.sum(x, backend=backend) == np.inf
        assert reductions.sum(-x, backend=backend) == -np.inf
    assert reductions.max(x, backend=backend) == x[0]


@pytest.mark.parametrize("dtype", "fd")
def test_subnormals_are_kept(backend: str, dtype: str) -> None:
    x = np.full(1000, np.finfo(dtype).smallest_subnormal, dtype)
    assert reductions.sum(x, backend=backend) == 1000 * x[0]
    assert reductions.min(x, backend=backend) == x[0]


def test_float16_and_float32_are_rounded_once(backend: str) -> None:
    """In their own precision these would stick at 2048 and at 2**24."""
    assert reductions.sum(np.ones(4097, np.float16), backend=backend) == np.float16(4096)
    ones = np.ones(2**16, np.float32)
    ones[0] = 2.0**24
    assert reductions.sum(ones, backend=backend) == np.float32(2.0**24 + 2**16 - 1)


def error_bound(x: Array) -> float:
    """What the docstring of ``sum`` promises."""
    eps = float(np.finfo(np.float64).eps)
    return (21 + math.log2(max(len(x) / 512, 1))) * eps * math.fsum(np.abs(x))


@pytest.mark.parametrize("size", [100, 20_000, 150_000])
def test_error_of_a_float_sum(backend: str, size: int) -> None:
    """Against the exact sum, on numbers that cancel."""
    x = numbers("d", size)
    x[1::2] = -x[: len(x) // 2 * 2 : 2] * (1 + 1e-12)
    error = abs(reductions.sum(x, backend=backend) - math.fsum(x))
    assert error <= error_bound(x)


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=200))
def test_any_floats(backend: str, values: list[float]) -> None:
    x = np.array(values)
    for name in OPERATIONS:
        function = getattr(reductions, name)
        assert_same_bits(function(x, backend=backend), function(x, backend="python"))
    assert abs(reductions.sum(x, backend=backend) - math.fsum(x)) <= error_bound(x)
    assert reductions.min(x, backend=backend) == min(values)
    assert reductions.max(x, backend=backend) == max(values)


@given(st.lists(st.floats(), min_size=1, max_size=100), st.integers(1, 10))
def test_any_floats_with_nan_and_infinity(backend: str, values: list[float], columns: int) -> None:
    x = np.resize(np.array(values), (len(values), columns))
    for name in OPERATIONS:
        function = getattr(reductions, name)
        for axis in (None, 0, 1):
            assert_same_bits(function(x, axis, backend=backend), function(x, axis, backend="python"))


# --- threads and instruction sets change nothing ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", "fdg")
def test_threads_change_no_bit(backend: str, dtype: str) -> None:
    if refuses(backend, dtype):
        dtype = "d"
    # Several tickets of a few pieces each, the last one short; Python adds 10 million floats a second.
    x = numbers(dtype, 270_001 if backend == "python" else 2_000_001)
    for name in OPERATIONS:
        function = getattr(reductions, name)
        alone = function(x, backend=backend, threads=1)
        for threads in (3,) if backend == "python" else (2, 3, 4, 5):
            assert_same_bits(function(x, backend=backend, threads=at_most(backend, threads)), alone)
    assert_same_bits(reductions.sum(x, backend=backend), reductions.sum(x, backend="cython"))


def test_python_judges_more_than_one_ticket(backend: str) -> None:
    x = numbers("d", 2 * 131072 + 16384 + 700)
    got = reductions.sum(x, backend=backend, threads=at_most(backend, 2))
    assert_same_bits(got, reductions.sum(x, backend="python"))


@pytest.mark.parametrize("isa", backends.isas())
@pytest.mark.parametrize("dtype", ["?", *INTEGERS, *REALS])
def test_instruction_sets_change_no_bit(isa: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = backends.kernels
    monkeypatch.setattr(backends, "kernels", lambda family, backend: kernels(family, backend, isa))
    cases = [numbers(dtype, size) for size in (1, 33, 70, 5000, 40_000)]
    if np.dtype(dtype).kind == "f":
        with np.errstate(all="ignore"):
            cases += [np.array(values).astype(dtype) for values in FLOATS.values()]
    for x in cases:
        for name in OPERATIONS:
            function = getattr(reductions, name)
            assert_same_bits(function(x, backend="cython"), function(x, backend="python"))


# --- shapes and layouts ----------------------------------------------------------------------------------------------

AXES = [None, 0, 1, 2, -1, -3, (0, 1), (0, 2), (2, 1), (-1, 0), (0, 1, 2), ()]


@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("keepdims", [False, True], ids=["", "keepdims"])
def test_axes_as_numpy(backend: str, axis: int | tuple[int, ...] | None, keepdims: bool) -> None:
    integers = numbers("i", 5 * 7 * 11).reshape(5, 7, 11)
    floats = numbers("d", 5 * 7 * 11).reshape(5, 7, 11)
    for name in OPERATIONS:
        function, numpys = getattr(reductions, name), getattr(np, name)
        got = function(integers, axis, keepdims=keepdims, backend=backend)
        assert_same_bits(got, numpys(integers, axis, keepdims=keepdims))
        got = function(floats, axis, keepdims=keepdims, backend=backend)
        assert_same_bits(got, function(floats, axis, keepdims=keepdims, backend="python"))
        expected = numpys(floats, axis, keepdims=keepdims)
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-9)
        assert type(got) is type(expected)


def test_long_rows(backend: str) -> None:
    """Rows of several pieces: a ticket may end within a row."""
    x = numbers("d", 2 * 17_000).reshape(2, 17_000)
    for name in OPERATIONS:
        function = getattr(reductions, name)
        for axis in (0, 1):
            got = function(x, axis, backend=backend, threads=at_most(backend, 2))
            assert_same_bits(got, function(x, axis, backend="python"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(backend: str, layout: Callable[[Array], Array]) -> None:
    x = layout(numbers("d", 6 * 7 * 8).reshape(6, 7, 8))
    before = x.copy()
    plain = np.array(x, np.float64, order="C")
    for name in OPERATIONS:
        function = getattr(reductions, name)
        for axis in (None, 0, 2, (0, 2)):
            assert_same_bits(function(x, axis, backend=backend), function(plain, axis, backend="python"))
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_long_layouts(backend: str, layout: Callable[[Array], Array]) -> None:
    """One dimension, longer than a piece: vectors meet odd addresses and strides."""
    x = layout(numbers("d", 16384 + 77))
    for name in OPERATIONS:
        function = getattr(reductions, name)
        assert_same_bits(function(x, backend=backend), function(np.array(x, np.float64), backend="python"))


def test_no_dimension(backend: str) -> None:
    for x in (np.array(7, np.int16), np.array(-0.0), np.array(True), np.float32(2.5), 7, 2.5, True):
        for name in OPERATIONS:
            assert_same_bits(getattr(reductions, name)(x, backend=backend), getattr(np, name)(x))


@pytest.mark.parametrize("dtype", ["?", "b", "Q", *REALS])
def test_no_elements(backend: str, dtype: str) -> None:
    """The sum of nothing is 0; no number is the least or the greatest of nothing."""
    if refuses(backend, dtype):
        dtype = "d"
    for shape in ((0,), (0, 3), (3, 0), (2, 0, 3)):
        x = np.empty(shape, dtype)
        for axis in (None, 0, -1):
            assert_same_bits(reductions.sum(x, axis, backend=backend), np.sum(x, axis))
            for name in ("min", "max"):
                function, numpys = getattr(reductions, name), getattr(np, name)
                try:
                    expected = numpys(x, axis)
                except ValueError:
                    with pytest.raises(ValueError, match=rf"x: got shape .* there is no {name} of nothing"):
                        function(x, axis, backend=backend)
                else:
                    assert_same_bits(function(x, axis, backend=backend), expected)


def test_lists(backend: str) -> None:
    assert_same_bits(reductions.sum([[1, 2], [3, 4]], 0, backend=backend), np.array([4, 6]))
    assert_same_bits(reductions.sum([0.5, 0.25], backend=backend), np.float64(0.75))
    assert_same_bits(reductions.max((True, False), backend=backend), np.True_)


# --- out= ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPERATIONS)
def test_out(backend: str, name: str) -> None:
    x = numbers("i", 60).reshape(3, 4, 5)
    function, expected = getattr(reductions, name), getattr(np, name)(x, 1)
    for out in (np.empty((3, 5), expected.dtype), np.empty((5, 3), expected.dtype).T):
        assert function(x, 1, out=out, backend=backend) is out
        np.testing.assert_array_equal(out, expected)
    whole = np.empty((), expected.dtype)
    assert function(x, out=whole, backend=backend) is whole
    assert whole == getattr(np, name)(x)
    spaced = np.zeros((3, 10), expected.dtype)
    function(x, 1, out=spaced[:, ::2], backend=backend)
    np.testing.assert_array_equal(spaced[:, ::2], expected)
    assert not spaced[:, 1::2].any()


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
@pytest.mark.parametrize("name", OPERATIONS)
def test_out_refused(name: str, out: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        getattr(reductions, name)(MATRIX, 0, out=out)
    assert (MATRIX == 1).all()


def test_out_may_lie_between(backend: str) -> None:
    """Interleaved with the input, but no byte is in both."""
    x = np.zeros((4, 2))
    x[:, 0] = 1
    assert reductions.sum(x[:, :1], 1, out=x[:, 1], backend=backend)[0] == 1


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize(
    "x",
    [
        np.ones(3, complex),
        np.array(["a"]),
        np.array([b"a"]),
        np.array([object()]),
        np.zeros(2, "M8[s]"),
        np.zeros(2, "m8[s]"),
        np.zeros(2, [("a", "i4")]),
        None,
        [2**70],
    ],
    ids=["complex", "string", "bytes", "object", "date", "duration", "record", "none", "beyond-64-bits"],
)
def test_dtypes_refused(name: str, x: Any) -> None:
    with pytest.raises(TypeError, match=r"x: got dtype .*, expected an integer, float or bool dtype"):
        getattr(reductions, name)(x)


@pytest.mark.parametrize("name", OPERATIONS)
def test_axes_refused(name: str) -> None:
    function = getattr(reductions, name)
    for axis in (2, -3, (0, 5)):
        with pytest.raises(np.exceptions.AxisError, match="axis"):
            function(np.ones((2, 2)), axis)
    with pytest.raises(ValueError, match="axis"):
        function(np.ones((2, 2)), (0, -2))
    with pytest.raises(TypeError):
        function(np.ones((2, 2)), 0.5)


def test_namesake_builtins_are_not_hidden() -> None:
    """The family's names are NumPy's, and so are Python's: nothing here may shadow them for a user of ``gilfree``."""
    assert not {"sum", "min", "max"} & set(gilfree.__all__)
