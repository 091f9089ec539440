"""Folds with the user's own function: the answers of ``functools.reduce``, and the same bits on every backend."""

import doctest
import functools
import gc
import math
import operator
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import child
import numpy as np
import pytest
from awkward import LAYOUTS, Array
from calls import at_most
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import assert_same_bits

from gilfree import backends, reductions
from gilfree.reductions import compiled_folds, folds, operators

PIECE = 16384


# Loops are compiled once for backends that release the GIL, once for those that hold it, and once for Numba's threads.
_FEW = {name: pytest.mark.few(1, of="held") for name in ("cython-held", "numba-held")}
_FEW["numba-parallel"] = pytest.mark.few(1, of="numba-parallel")


@pytest.fixture(params=[pytest.param(name, marks=_FEW.get(name, ())) for name in backends.BACKENDS])
def backend(request: pytest.FixtureRequest) -> str:
    """All but ``python`` have functions compiled by Numba, ``cython`` too."""
    name: str = request.param
    why = backends.missing(name) or (backends.missing("numba") if name != "python" else None)
    if why:
        pytest.skip(why)
    return name


@pytest.fixture(params=["python", "numba"])
def either(request: pytest.FixtureRequest) -> str:
    """The two that a function can be run by; compiled backends differ in nothing but the loop around it."""
    name: str = request.param
    why = backends.missing(name)
    if why:
        pytest.skip(why)
    return name


# Functions that run on all backends are here, so that each is compiled once for a dtype.


def add(a: Any, b: Any) -> Any:
    return a + b


def affine(p: Any, q: Any) -> Any:
    """The map t -> a*t + b, and then another: associative, but not commutative."""
    return q[0] * p[0], q[0] * p[1] + q[1]


def last(a: Any, b: Any) -> Any:
    return b


def strict(a: Any, b: Any) -> Any:
    if b == 77:
        raise OddError("no 77 here")
    return a + b


class OddError(Exception):
    """What the function above raises."""


def as_affine(value: Any) -> Any:
    return 2 * value + 1, value


def merge(a: Any, b: Any) -> Any:
    """Count, mean, and sum of squared deviations of two parts together."""
    n, delta = a[0] + b[0], b[1] - a[1]
    return n, a[1] + delta * b[0] / n, a[2] + b[2] + delta * delta * a[0] * b[0] / n


def alone(value: Any) -> Any:
    return 1, value, 0.0


def mean_and_variance(state: Any) -> Any:
    return state[1], state[2] / state[0]


def lesser(a: Any, b: Any) -> Any:
    return b if b[0] < a[0] else a


def with_index(value: Any, index: Any) -> Any:
    return value, index


def index_of(state: Any) -> Any:
    return state[1]


def stepwise(function: Callable[[Any, Any], Any], values: Any, initial: Any = None) -> Any:
    """What the docstring promises: pieces from left to right, then their results from left to right."""
    values = list(values)
    pieces = [values[i : i + PIECE] for i in range(0, len(values), PIECE)]
    if initial is not None:
        pieces[0] = [initial, *pieces[0]]
    with np.errstate(all="ignore"):
        return functools.reduce(function, [functools.reduce(function, piece) for piece in pieces])


def numbers(dtype: str, size: int, seed: int = 0) -> Array:
    random = np.random.default_rng([seed, size])
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return random.integers(0, 2, size).astype(np.bool_)
    if kind.kind in "iu":
        return random.integers(np.iinfo(kind).min, np.iinfo(kind).max, size, kind, endpoint=True)
    if kind.kind == "c":
        return (random.normal(size=size) + 1j * random.normal(size=size)).astype(kind)
    return random.normal(size=size).astype(kind)


# --- a function of two scalars ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["d", "q"])
def test_as_functools_reduce(backend: str, dtype: str) -> None:
    """To the bit, as far as one piece goes; longer folds in the promised order."""
    for size in (1, 2, 33, 1000, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5):
        x = numbers(dtype, size)
        for initial in (None, 3):
            expected = stepwise(add, x, None if initial is None else x.dtype.type(initial))
            assert_same_bits(reductions.reduce(add, x, initial, backend=backend), expected)


def test_a_piece_is_folded_from_left_to_right(either: str) -> None:
    """So that even a function that is not associative gives there what Python's reduce gives."""
    x = numbers("d", 1000)
    got = reductions.reduce(lambda a, b: a / 2 - b, x, 5.0, backend=either)
    assert_same_bits(got, np.float64(functools.reduce(lambda a, b: a / 2 - b, x, 5.0)))


def test_order_of_the_operands_is_kept(either: str) -> None:
    x = np.arange(5 * PIECE // 2).reshape(-1, 2)
    threads = at_most(either, 2)
    assert reductions.reduce(last, x, backend=either, threads=threads) == x.size - 1
    np.testing.assert_array_equal(reductions.reduce(last, x, axis=0, backend=either), x[-1])


def test_functions_that_numba_knows(either: str) -> None:
    """Written in C, a ufunc, one of Numba's, one that Python made with a value inside."""
    x = numbers("q", 40_000) // 2**33 * 6
    for function, expected in (
        (operator.xor, np.bitwise_xor.reduce(x)),
        (np.maximum, x.max()),
        (math.gcd, np.gcd.reduce(x)),
    ):
        assert_same_bits(reductions.reduce(function, x, backend=either), expected)
    modulus = 97
    got = reductions.reduce(lambda a, b: (a + b) % modulus, x, 0, backend=either)
    assert got == int(sum(x.tolist())) % modulus
    if backends.missing("numba") is None:
        import numba

        assert reductions.reduce(numba.njit(add), x, backend=either) == x.sum()


@pytest.mark.parametrize("dtype", ["?", "b", "Q", "e", "F"])
def test_scalars_are_of_64_bits(either: str, dtype: str) -> None:
    """Narrow dtypes are rounded or wrapped once, at the end; the bits are those of ``python``."""
    x = numbers(dtype, 300)
    if dtype == "?":  # Python and Numba make two of True and True, which no bool is
        with pytest.raises(TypeError, match=r"operator: returned int64, expected bool; dtype='int64' folds in that"):
            reductions.reduce(add, x, backend=either)
        return
    with np.errstate(all="ignore"):
        expected = functools.reduce(add, x.astype(folds.wide(x.dtype))).astype(dtype)
    assert_same_bits(reductions.reduce(add, x, backend=either), expected)


def test_float32_is_rounded_once(either: str) -> None:
    x = np.ones(2**15, np.float32)
    x[0] = 2.0**24
    assert_same_bits(reductions.reduce(add, x, backend=either), np.float32(2.0**24 + 2**15))
    assert reductions.reduce(add, np.full(2, 3e38, np.float32), backend=either) == np.inf


def test_integers_wrap(either: str) -> None:
    """Within the function too: Python's own integers would not."""
    x = np.full(5, 2**62)
    assert reductions.reduce(add, x, backend=either) == np.int64(2**62)
    assert reductions.reduce(lambda a, b: (a * 4 + b) >> 1, x[:2], backend=either) == 2**61
    assert_same_bits(reductions.reduce(add, np.full(3, 100, np.int8), backend=either), np.int8(44))
    assert reductions.reduce(lambda a, b: a - b, np.array([1, 2], np.uint64), backend=either) == 2**64 - 1


def test_division_by_zero_is_no_error(either: str) -> None:
    divide: Any = lambda a, b: a / b  # noqa: E731
    assert reductions.reduce(divide, [1.0, 0.0], backend=either) == np.inf
    assert_same_bits(reductions.reduce(divide, [-0.0, 0.0], backend=either), np.float64(np.nan))
    assert reductions.reduce(lambda a, b: a // b, [7, 0], backend=either) == 0


def test_dtype(either: str) -> None:
    x = numbers("i", 1000)
    assert_same_bits(reductions.reduce(add, x, backend=either), np.add.reduce(x, dtype=np.int32))
    assert_same_bits(reductions.reduce(add, x, dtype=np.int64, backend=either), x.sum())
    assert_same_bits(reductions.reduce(add, x, 0.5, backend=either), np.float64(x.sum() + 0.5))
    assert_same_bits(reductions.reduce(add, x, np.int64(0), backend=either), x.sum())
    narrow = np.add.reduce(x.astype(np.int8), dtype=np.int8)
    assert_same_bits(reductions.reduce(add, x, dtype="int8", backend=either), narrow)
    # Each element is rounded to float32 before it is added.
    halves = np.full(4, 1 + 2.0**-30)
    assert_same_bits(reductions.reduce(add, halves, dtype="f", backend=either), np.float32(4))


# --- shapes, layouts, threads ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (2, 1), (0, 1, 2), ()], ids=str)
def test_axes(backend: str, axis: Any) -> None:
    x = numbers("q", 3 * 5 * 4).reshape(3, 5, 4)
    for keepdims in (False, True):
        expected = np.add.reduce(x, axis, keepdims=keepdims)
        got = reductions.reduce(add, x, axis=axis, keepdims=keepdims, backend=backend)
        assert_same_bits(got, expected)
    out = np.empty(np.shape(np.add.reduce(x, axis)), np.int64)
    assert reductions.reduce(add, x, axis=axis, out=out, backend=backend) is out
    np.testing.assert_array_equal(out, np.add.reduce(x, axis))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(backend: str, layout: Callable[[Array], Array]) -> None:
    x = layout(numbers("d", 6 * 7 * 8).reshape(6, 7, 8))
    plain = np.array(x, np.float64, order="C")
    for axis in (None, 0, 2, (0, 2), (1, 2)):
        got = reductions.reduce(add, x, axis=axis, backend=backend)
        assert_same_bits(got, reductions.reduce(add, plain, axis=axis, backend="python"))
    long = layout(numbers("d", PIECE + 77))
    assert_same_bits(reductions.reduce(add, long, backend=backend), stepwise(add, long.astype("d")))


@given(st.data())
def test_any_shape_any_strides(either: str, data: st.DataObject) -> None:
    """Cut, turned round and transposed at will; an order that shows each element's place."""
    shape = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    x = np.arange(1, math.prod(shape) + 1, dtype=np.float64).reshape(shape)
    steps = data.draw(st.lists(st.sampled_from([1, 2, -1, -2]), min_size=len(shape), max_size=len(shape)))
    x = x[tuple(slice(None, None, step) for step in steps)].transpose(data.draw(st.permutations(range(len(shape)))))
    axes = tuple(data.draw(st.lists(st.sampled_from(range(x.ndim)), unique=True, max_size=x.ndim)))
    kept = [i for i in range(x.ndim) if i not in axes]
    rows = x.transpose([*kept, *sorted(axes)]).reshape(*(x.shape[i] for i in kept), -1)
    got = reductions.reduce(mixed, x, axis=axes, backend=either)
    expected = np.apply_along_axis(lambda row: functools.reduce(mixed, row), -1, rows)
    np.testing.assert_array_equal(got, expected)


def mixed(a: Any, b: Any) -> Any:
    """Not associative: the answer tells the order of the elements."""
    return a * 0.75 + b


@pytest.mark.thread_unsafe(reason="a function of the module is replaced")
def test_input_is_not_copied(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled code reads the array where it is, whatever its strides."""
    if backend == "python":
        return  # takes the elements out piece by piece
    base = numbers("d", 4 * 5 * 6).reshape(4, 5, 6)
    seen = []

    def noted(x: Array, kept: int) -> Any:
        seen.append(compiled_folds.memory_of(x, kept))
        return seen[-1]

    monkeypatch.setattr(operators, "memory_of", noted)
    for x in (base, base[::-1, ::2].T, np.broadcast_to(base[:1], base.shape)):
        reductions.reduce(add, x, axis=0, backend=backend)
        assert np.shares_memory(seen[-1][0], base)
        assert len(seen[-1][0]) <= base.size


def test_threads_change_no_bit(backend: str) -> None:
    x = numbers("d", 9 * PIECE + 100 if backend == "python" else 60 * PIECE + 100)
    expected = stepwise(add, x)
    for threads in (1, 2, 3):
        got = reductions.reduce(add, x, backend=backend, threads=at_most(backend, threads))
        assert_same_bits(got, expected)
    rows = x[: 90_000 if backend == "python" else 900_000].reshape(-1, 100)[:, 1:]
    for threads in (1, 3):
        got = reductions.reduce(add, rows, axis=1, backend=backend, threads=at_most(backend, threads))
        assert_same_bits(got, np.array([functools.reduce(add, row) for row in rows]))


# --- states ----------------------------------------------------------------------------------------------------------


def test_affine_maps(backend: str) -> None:
    """Tuples of integers that wrap; exchanged operands, or a lost piece, would show."""
    x = numbers("q", 4 * PIECE + 9)
    got = reductions.reduce(affine, x, init=as_affine, backend=backend, threads=at_most(backend, 2))
    with np.errstate(over="ignore"):
        states = [as_affine(value) for value in x]
    assert got == stepwise(affine, states)
    assert all(type(field) is np.int64 for field in got)


def test_matrix_products(either: str) -> None:
    """Fibonacci numbers, from the powers of a matrix of four fields."""
    times: Any = lambda p, q: (  # noqa: E731
        p[0] * q[0] + p[1] * q[2], p[0] * q[1] + p[1] * q[3], p[2] * q[0] + p[3] * q[2], p[2] * q[1] + p[3] * q[3]
    )  # fmt: skip
    made: Any = lambda value: (value, 1, 1, 0)  # noqa: E731
    got = reductions.reduce(times, np.ones(90, np.int64), (1, 0, 0, 1), init=made, backend=either)
    assert got[1] == 2880067194370816120
    powers = reductions.reduce(times, np.ones((2, 10), np.int64), (1, 0, 0, 1), init=made, axis=1, backend=either)
    assert [field.tolist() for field in powers] == [[89, 89], [55, 55], [55, 55], [34, 34]]


def test_mean_and_variance(backend: str) -> None:
    """A state of an integer and two floats; what starts as an integer becomes what combining makes of it."""
    x = numbers("f", 3 * PIECE + 5)
    fold = functools.partial(reductions.reduce, merge, init=alone, finish=mean_and_variance, backend=backend)
    mean, variance = fold(x)
    exact = x.astype(np.float64)
    np.testing.assert_allclose([mean, variance], [exact.mean(), exact.var()], rtol=1e-12)
    states = [alone(value) for value in exact]
    for got, expected in zip((mean, variance), mean_and_variance(stepwise(merge, states)), strict=True):
        assert_same_bits(got, np.float64(expected))
    means, variances = fold(numbers("f", 6) * np.ones((4, 1), "f"), axis=0, keepdims=True)
    assert means.shape == variances.shape == (1, 6)
    assert (variances == 0).all()
    assert means.dtype == np.float64


def test_place_of_the_least(backend: str) -> None:
    """``init`` is told the number of an element within its own fold."""
    x = numbers("d", 40_000).round(1)
    how: Any = {"init": with_index, "finish": index_of, "backend": backend}
    assert_same_bits(reductions.reduce(lesser, x, **how), np.argmin(x))
    cube = x.reshape(20, 50, 40)
    for axis in (0, 1, 2):
        assert_same_bits(reductions.reduce(lesser, cube, axis=axis, **how), np.argmin(cube, axis))
    expected = cube.transpose(1, 0, 2).reshape(50, -1).argmin(1)
    assert_same_bits(reductions.reduce(lesser, cube, axis=(0, 2), **how), expected)


def test_states_that_are_scalars(either: str) -> None:
    x = np.array([3, -4, 12], np.int16)
    assert_same_bits(reductions.reduce(add, x, init=lambda v: v * v, backend=either), np.int64(169))
    got = reductions.reduce(add, x, 0, init=lambda v: v * v, finish=math.sqrt, backend=either)
    assert_same_bits(got, np.float64(13))
    got = reductions.reduce(add, x, finish=lambda total: total > 10, backend=either)
    assert_same_bits(got, np.True_)
    assert_same_bits(reductions.reduce("or", [False, True], False, backend=either), np.True_)
    assert_same_bits(reductions.reduce(add, [1j], np.uint64(2), backend=either), np.complex128(2 + 1j))
    # Integers at first, and floats once they are combined; also where there is but one.
    got = reductions.reduce(merge, [[3], [4]], axis=1, init=alone, backend=either)
    assert [field.dtype for field in got] == [np.int64, np.float64, np.float64]
    # The first state is an integer, the others are not.
    halving: Any = lambda a, b: (a + b) / 2  # noqa: E731
    assert_same_bits(reductions.reduce(halving, x, init=lambda v: 1, backend=either), np.float64(1))


# --- nothing to fold -------------------------------------------------------------------------------------------------


def test_no_elements(backend: str) -> None:
    for shape, axis in (((0,), None), ((2, 0), 1), ((0, 3), 0)):
        x = np.empty(shape)
        expected = np.full(np.empty(shape).sum(axis).shape, 7.0)[()]
        assert_same_bits(reductions.reduce(add, x, 7, axis=axis, backend=backend), expected)
        with pytest.raises(ValueError, match=r"x: got shape .* expected elements or `initial`: nothing to fold"):
            reductions.reduce(add, x, axis=axis, backend=backend)
    assert_same_bits(reductions.reduce(add, np.empty((0, 3), "f"), axis=1, backend=backend), np.empty(0, "f"))
    with pytest.raises(ValueError, match="to tell the result's dtype"):
        reductions.reduce(merge, np.empty((0, 3)), axis=1, init=alone, backend=backend)


def test_states_of_nothing(backend: str) -> None:
    how: Any = {"init": alone, "finish": mean_and_variance, "backend": backend}
    mean, variance = reductions.reduce(merge, [], (0, 1.5, 0.0), **how)
    assert_same_bits(mean, np.float64(1.5))
    assert_same_bits(variance, np.float64(np.nan))
    means, _ = reductions.reduce(merge, np.empty((2, 0)), (0, 1.5, 0.0), axis=1, **how)
    assert means.tolist() == [1.5, 1.5]


def test_no_dimension(either: str) -> None:
    assert_same_bits(reductions.reduce(add, 3, 4, backend=either), np.int64(7))
    assert_same_bits(reductions.reduce(add, np.float32(2), backend=either), np.float32(2))


# --- names -----------------------------------------------------------------------------------------------------------

UFUNCS: dict[str, Any] = {
    "sum": np.add,
    "prod": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "gcd": np.gcd,
    "lcm": np.lcm,
}


def test_every_name_is_tested() -> None:
    assert set(UFUNCS) == set(operators.OPERATORS)


@pytest.mark.parametrize("name", UFUNCS)
def test_names(either: str, name: str) -> None:
    """NumPy's answers and dtypes."""
    # Each dtype takes Numba half a second.
    few = {"sum": "?", "xor": "?", "and": "Q", "lcm": "Q"}.get(name, "b")
    for dtype in few if either == "numba" else "?bQ" if "b" in operators.OPERATORS[name].kinds else "bQ":
        x = numbers(dtype, 500)
        if name in {"gcd", "lcm"}:  # so that the least common multiple is not beyond 8 bits
            x = (x % x.dtype.type(5) + x.dtype.type(1)).astype(dtype)
        assert_same_bits(reductions.reduce(name, x, backend=either), UFUNCS[name].reduce(x))
        if name in {"sum", "prod", "and", "or", "xor", "gcd"}:
            empty = reductions.reduce(name, x[:0], backend=either)
            assert_same_bits(empty, UFUNCS[name].reduce(x[:0]))
    if name in {"prod", "min", "max"}:
        x = numbers("d", 500)
        expected = functools.reduce(UFUNCS[name], x)
        assert_same_bits(reductions.reduce(name, x, backend=either), expected)
    if name == "prod":
        z = numbers("D", 50)
        np.testing.assert_allclose(reductions.reduce(name, z, backend=either), UFUNCS[name].reduce(z), rtol=1e-12)
        assert_same_bits(reductions.reduce(name, z, backend=either), reductions.reduce(name, z, backend="python"))


def test_nan_and_zeros_of_min_and_max(either: str) -> None:
    for place in range(5):
        x = np.ones(5)
        x[place] = -np.nan
        assert_same_bits(reductions.reduce("min", x, backend=either), np.float64(np.nan))
        assert_same_bits(reductions.reduce("max", x, backend=either), np.float64(np.nan))
    for x in (np.array([0.0, -0.0]), np.array([-0.0, 0.0])):
        assert_same_bits(reductions.reduce("min", x, backend=either), np.float64(-0.0))
        assert_same_bits(reductions.reduce("max", x, backend=either), np.float64(0.0))


# --- what is compiled is kept, and not for ever ----------------------------------------------------------------------


@pytest.mark.thread_unsafe(reason="what is compiled belongs to the process")
def test_compiled_once(backend: str) -> None:
    if backend == "python":
        return  # compiles nothing
    x = np.arange(100)
    reductions.reduce(add, x, backend=backend)
    before = compiled_folds.compiled.cache_info()
    made = compiled_folds.compiled(folds.Functions(add, None, None), x.dtype, np.dtype(np.int64), None)
    loops = dict(made._loops)
    reductions.reduce(add, x[::2], backend=backend)
    reductions.reduce(add, x.reshape(4, 25), axis=0, backend=backend)  # no other shape needs another loop
    after = compiled_folds.compiled.cache_info()
    assert after.misses == before.misses
    assert made._loops == loops
    assert all(len(fold.signatures) == 1 for fold, _ in loops.values())


@pytest.mark.thread_unsafe(reason="what is compiled belongs to the process")
def test_functions_are_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    why = backends.missing("numba")
    if why:
        pytest.skip(why)
    limit = compiled_folds.compiled.cache_parameters()["maxsize"]
    assert limit is not None
    assert limit <= 100
    import weakref

    class Value:
        """Something that a function holds on to."""

    def forgotten(a: Any, b: Any) -> Any:
        return b

    forgotten.value = Value()  # type: ignore[attr-defined]
    seen = weakref.ref(forgotten.value)  # type: ignore[attr-defined]
    reductions.reduce(forgotten, [1, 2], backend="numba")
    del forgotten
    gc.collect()
    assert seen() is not None  # kept for the next call
    monkeypatch.setattr(compiled_folds.CompiledFold, "__init__", lambda self, *arguments: None)
    for number in range(limit):
        compiled_folds.compiled(folds.Functions(lambda a, b, number=number: a, None, None), *[np.dtype("q")] * 2, None)
    gc.collect()
    compiled_folds.compiled.cache_clear()
    assert seen() is None


# --- errors ----------------------------------------------------------------------------------------------------------


def test_exceptions_of_functions(backend: str) -> None:
    """The user's own comes out, from the caller's thread or another's, and all workers have stopped."""

    x = np.zeros(8 * PIECE)
    for place in (5, len(x) - 5):
        x[:] = 0
        assert reductions.reduce(strict, x, backend=backend) == 0
        x[place] = 77
        before = threading.active_count()
        for threads in (1, 2):
            with pytest.raises(OddError, match="no 77 here"):
                reductions.reduce(strict, x, backend=backend, threads=at_most(backend, threads))
        assert threading.active_count() <= before + 2
    with pytest.raises(OddError):
        reductions.reduce(add, [76.0], init=lambda value: strict(value, value + 1), backend="python")


def test_what_numba_cannot_compile(either: str) -> None:
    def worded(a: Any, b: Any) -> Any:
        return int(f"{a:+}".strip("+")) + b

    if either == "python":
        assert reductions.reduce(worded, [1, 2, 3], backend=either) == 6
        return
    expected = r"operator: got worded, which Numba cannot compile for \(int64, int64\), for the reason above"
    with pytest.raises(TypeError, match=expected) as error:
        reductions.reduce(worded, [1, 2, 3], backend=either)
    assert "numba" in type(error.value.__cause__).__module__
    with pytest.raises(TypeError, match=r"operator: got functools\.partial\(.*, which Numba cannot compile"):
        reductions.reduce(functools.partial(add), [1, 2, 3], backend=either)
    with pytest.raises(TypeError, match="init: got worded, which Numba cannot compile"):
        reductions.reduce(add, [1, 2, 3], init=lambda value, index: worded(index, value), backend=either)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda **how: reductions.reduce(lambda a, b: a / b, [1, 2], **how),
         r"operator: returned float64, expected int64; dtype='float64' folds in that"),
        (lambda **how: reductions.reduce(lambda a, b: a * 1j, [1.0, 2.0], **how),
         r"operator: returned complex128, expected float64"),
        (lambda **how: reductions.reduce(lambda a, b: (a, b), [1, 2], **how), r"operator: returned \(int64, int64\)"),
        (lambda **how: reductions.reduce(lambda a, b: None, [1, 2], **how), r"operator: (got NoneType|returned none)"),
        (lambda **how: reductions.reduce(lambda a, b: a, [1, 2], init=lambda v: (v, v), finish=lambda s: None, **how),
         r"finish: (got NoneType|returned none)"),
        (lambda **how: reductions.reduce(lambda a, b: a[0], [1, 2], init=lambda v: (v, v), **how),
         r"operator: returned int64, expected \(int64, int64\)"),
        (lambda **how: reductions.reduce(add, [1, 2], (1, 2), init=lambda v: v, **how), r"init: returned int64"),
    ],
    ids=["float", "complex", "tuple", "none", "finish-none", "scalar", "initial-tuple"],
)  # fmt: skip
def test_unfit_results(either: str, call: Callable[..., Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call(backend=either)


@pytest.mark.parametrize(
    ("arguments", "how", "error", "message"),
    [
        (("median", [1]), {}, ValueError, "operator: got 'median', expected a function or one of sum, prod, min"),
        ((3, [1]), {}, TypeError, "operator: got int, expected a function"),
        ((add, [1]), {"init": 3}, TypeError, "init: got int, expected a function"),
        ((add, [1]), {"finish": "sqrt"}, TypeError, "finish: got str, expected a function"),
        ((add, [1]), {"init": lambda: 0}, TypeError, "init: got a function of 0 parameters"),
        ((add, [1]), {"init": lambda a, b, c: 0}, TypeError, "init: got a function of 3 parameters"),
        (("sum", [1]), {"init": abs}, TypeError, "operator: got the name 'sum', expected a function where"),
        (("xor", [1.0]), {}, TypeError, "operator: got 'xor' for dtype float64, expected bools, integers"),
        (("gcd", [True]), {}, TypeError, "operator: got 'gcd' for dtype bool, expected integers"),
        (("min", [1j]), {}, TypeError, "operator: got 'min' for dtype complex128"),
        ((add, ["a"]), {}, TypeError, "x: got dtype <U1, expected a bool, integer, float or complex dtype"),
        ((add, np.ones(2, "g")), {}, TypeError, "x: got dtype .*, no long double"),
        ((add, [1], (1, 2)), {}, TypeError, "initial: got a tuple, expected a number, or an `init`"),
        ((add, [1], "a"), {}, TypeError, "initial: got str 'a', expected a number"),
        ((add, np.ones(2, "b"), 300), {}, ValueError, "initial: got 300, expected a number that dtype int8 can hold"),
        ((add, [1], 0.5), {"dtype": int}, ValueError, "initial: got 0.5, expected a number that dtype int64 can hold"),
        ((add, [1.0], 1j), {"dtype": float}, ValueError, "initial: got 1j, expected a number that dtype float64"),
        ((add, [1.5]), {"dtype": int}, TypeError, "dtype: got int64, expected one that values of dtype float64"),
        ((add, [1.5]), {"dtype": "g"}, TypeError, "dtype: got .*, no long double"),
        ((add, [1]), {"init": abs, "out": np.empty((), int)}, TypeError, "out: got ndarray, expected None where"),
        ((add, [1]), {"out": np.empty(2, int)}, ValueError, r"out: got shape \(2,\), expected \(\)"),
        ((add, [1]), {"axis": 1}, np.exceptions.AxisError, "axis"),
        ((add, [1]), {"threads": 0}, ValueError, "threads: got 0"),
    ],
)  # fmt: skip
def test_refused(backend: str, arguments: Any, how: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        reductions.reduce(*arguments, **how, backend=backend)


def test_missing_numba() -> None:
    code = "import sys; sys.modules['numba'] = None\nfrom gilfree.reductions import reduce\n"
    assert child.output(code + "print(reduce('xor', [1, 2], backend='python'))") == "3"
    done = child.python(code + "reduce('xor', [1, 2], backend='cython')")
    assert "ModuleNotFoundError: operator: backend 'cython' has it compiled by Numba" in done.stderr
    assert "pip install 'gilfree[numba]'" in done.stderr


@pytest.mark.thread_unsafe(reason="doctest takes standard output for itself")
def test_docstring_examples() -> None:
    results = doctest.testmod(operators)
    assert results.attempted >= 9
    assert results.failed == 0


# --- check_associative -----------------------------------------------------------------------------------------------

INTEGER = st.integers(-(2**63), 2**63 - 1)
FLOAT = st.floats(-1e100, 1e100)


@settings(max_examples=10)
@given(st.lists(INTEGER, min_size=1, max_size=15))
def test_associative_on_integers(values: list[int]) -> None:
    """Also where they wrap, as a ring does."""
    for function in (add, operator.mul, operator.xor, max, lambda a, b: a, lambda a, b: b, "sum", "and"):
        assert reductions.check_associative(function, values) is None
    small = [abs(value) % 60 for value in values]
    assert reductions.check_associative("gcd", small) is None
    assert reductions.check_associative("lcm", small) is None


@pytest.mark.parallel_threads_limit(2)  # four wait for each other's locks in Hypothesis for half a minute
@settings(max_examples=20)
@given(st.lists(FLOAT, min_size=1, max_size=15))
def test_associative_on_floats(values: list[float]) -> None:
    """Rounding is no counterexample, nor are numbers that cancel."""
    for function in (add, operator.mul, "min", math.hypot):
        assert reductions.check_associative(function, values) is None


@given(st.lists(INTEGER.filter(lambda value: value % 2**63 != 0), min_size=1, max_size=15))
def test_minus_is_not_associative(values: list[int]) -> None:
    found = reductions.check_associative(operator.sub, values)
    assert found is not None
    with np.errstate(over="ignore"):
        assert (found.a - found.b) - found.c == found.left
        assert found.a - (found.b - found.c) == found.right
    assert found.left != found.right


@given(st.lists(st.floats(2, 1e6), min_size=1, max_size=15))
def test_division_is_not_associative(values: list[float]) -> None:
    found = reductions.check_associative(lambda a, b: a / b, values)
    assert found is not None
    assert found.left == found.a / found.b / found.c
    assert reductions.check_associative(operator.sub, values) is not None
    assert reductions.check_associative(lambda a, b: (a + b) / 2, [*values, 1.0]) is not None


def test_counterexamples_are_readable() -> None:
    found = reductions.check_associative(operator.sub, [5, 7, 9])
    assert str(found) == "sub(sub(5, 5), 5) is -5, but sub(5, sub(5, 5)) is 5"
    assert reductions.check_associative(lambda a, b: a / b, [8, 4]) is not None
    found = reductions.check_associative(lambda a, b: (a[0] - b[0], 1), [(1, 2)])
    expected = "f(f((1, 2), (1, 2)), (1, 2)) is (-1, 1), but f((1, 2), f((1, 2), (1, 2))) is (1, 1)"
    assert str(found) == expected.replace("f(", "operator(")
    with pytest.raises(AttributeError):
        found.a = 3  # type: ignore[misc, union-attr]


def test_check_of_states() -> None:
    states = [alone(value) for value in (1.5, 1e6, -3.25, 0.0)] + [(7, 2.5, 3.0)]
    assert reductions.check_associative(merge, states) is None
    maps = [(3, 4), (-5, 6), (2**62, 7)]
    assert reductions.check_associative(affine, maps) is None
    assert reductions.check_associative(lambda p, q: (p[0] * q[0], p[0] + q[1]), maps) is not None
    # Without the term for the distance of the means.
    assert reductions.check_associative(lambda a, b: (a[0] + b[0], (a[1] + b[1]) / 2, a[2] + b[2]), states) is not None


def test_a_large_sample_is_drawn_from() -> None:
    """A bounded number of triples, the same every time."""
    calls = []

    def counted(a: Any, b: Any) -> Any:
        calls.append((a, b))
        return a + b

    assert reductions.check_associative(counted, np.arange(10_000.0)) is None
    assert len(calls) == 4 * operators.MOST_TRIPLES
    first = list(calls)
    calls.clear()
    reductions.check_associative(counted, np.arange(10_000.0))
    assert calls == first
    calls.clear()
    reductions.check_associative(counted, np.arange(12))
    assert len(calls) == 4 * 12**3


def test_overflow_and_nan_tell_nothing() -> None:
    assert reductions.check_associative(operator.mul, [1e200, 1e-200]) is None
    assert reductions.check_associative(add, [np.inf, -np.inf, 1.0, np.nan]) is None
    assert reductions.check_associative(operator.sub, [np.inf, 1.0]) is not None


def test_tolerance() -> None:
    nearly: Any = lambda a, b: a + b + 1e-6 * (a - b)  # noqa: E731
    assert reductions.check_associative(nearly, [1.0, 2.0, 5.0]) is not None
    assert reductions.check_associative(nearly, [1.0, 2.0, 5.0], rtol=1e-3) is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3, [1]), TypeError, "operator: got int, expected a function or a name"),
        (("median", [1]), ValueError, "operator: got 'median'"),
        (("xor", [1.0]), TypeError, "operator: got 'xor' for dtype float64"),
        (("sum", [(1, 2)]), TypeError, "operator: got the name 'sum', expected a function for a sample of tuples"),
        ((add, []), ValueError, "sample: got nothing"),
        ((add, [((1, 2), 3)]), TypeError, "sample: got tuple .*, expected a number"),
        ((add, ["a"]), TypeError, "sample: got str"),
        ((add, [(1, 2), (1, 2, 3)]), TypeError, "sample: "),
        ((lambda a, b: None, [1]), TypeError, "operator: got NoneType"),
    ],
)  # fmt: skip
def test_check_refuses(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        reductions.check_associative(*arguments)
    with pytest.raises(ValueError, match="rtol: got -1, expected 0 or more"):
        reductions.check_associative(add, [1], rtol=-1)


# --- Ctrl-C ----------------------------------------------------------------------------------------------------------

# Minutes of work, or hours, on an array that takes no memory; interrupted from outside.
INTERRUPTED = """
import signal, sys, time
import numpy as np
from gilfree import reductions
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
def add(a, b):
    return a + b
endless = np.broadcast_to(np.float64(1), (2**20, 2**18))
for axis in (None, 1):
    for threads in (1, 2):
        how = {"axis": axis, "backend": sys.argv[1], "threads": threads}
        reductions.reduce(add, np.ones((3, 3)), **how)  # compiles
        try:
            print("running", flush=True)
            reductions.reduce(add, endless, **how)
            print("was not interrupted", flush=True)
        except KeyboardInterrupt:
            print("interrupted", time.monotonic(), flush=True)
        assert reductions.reduce(add, np.ones(5), backend="python") == 5
print("done", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send Ctrl-C to one process")
@pytest.mark.thread_unsafe(reason="a time is taken")
@pytest.mark.parametrize(
    "backend",
    ["python", pytest.param("numba-held", marks=pytest.mark.thorough), "numba", "numba-parallel"],
    indirect=True,
)
def test_ctrl_c(backend: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED, backend]
    pipe = subprocess.PIPE
    environment = child.environment(NUMBA_NUM_THREADS="2")
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as python:
        assert python.stdout is not None
        assert python.stderr is not None
        try:
            for line in python.stdout:
                word, *rest = line.split()
                if word == "running":
                    time.sleep(0.2)
                    sent = time.monotonic()
                    python.send_signal(signal.SIGINT)
                elif word == "interrupted":
                    delay = float(rest[0]) - sent
                    print(f"{backend}: {1000 * delay:.0f} ms")
                    assert (
                        delay < 5
                    )  # 0.1 is promised; a busy machine may be late, the uninterrupted call takes minutes
                else:
                    assert word == "done", line
            assert python.wait(60) == 0, python.stderr.read()
        finally:
            python.kill()
