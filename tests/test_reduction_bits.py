"""Reductions give the same bits on every instruction set, in every layout, on any number of threads, small or not."""

import itertools
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import folding
import numpy as np
import pytest
from awkward import FLOATS, LAYOUTS, WIDTHS, Array
from calls import at_most
from folding import NAMES, ONE_AXIS, dtypes, numbers
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import assert_same_bits
from selection import Some

import gilfree
from gilfree import backends, parallel, reductions
from gilfree.reductions import _fold

each_name = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Random columns may be nothing but NaN; what is warned of is tested elsewhere."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


# --- instruction sets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("isa", backends.isas())
@each_name
def test_instruction_sets(isa: str, name: str, some: Some, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = backends.kernels
    monkeypatch.setattr(backends, "kernels", lambda family, backend: kernels(family, backend, isa))
    monkeypatch.setattr(backends, "default", lambda: "cython")
    for dtype in dtypes(name):
        for size in some(folding.lengths(name, dtype), 5, dtype):
            x = numbers(dtype, size)
            assert_same_bits(folding.call(name, x, backend="cython"), folding.judged(name, dtype, size))
            assert_same_bits(folding.call(name, x), folding.judged(name, dtype, size))
        if np.dtype(dtype).kind == "f":
            for values in some(FLOATS.values(), 10, dtype):
                x = np.array(values).astype(dtype)
                expected = folding.call(name, x, backend="python")
                assert_same_bits(folding.call(name, x, backend="cython"), expected)
                assert_same_bits(folding.call(name, x), expected)
        orders: Any = "CF"
        ways = itertools.product(((600, 70), (33, 1030)), orders, (0, 1))
        for shape, order, axis in some(ways, 3, dtype):
            check_against_rows(name, np.array(planted(dtype, shape), order=order), axis, "cython")


# --- threads ---------------------------------------------------------------------------------------------------------


@each_name
def test_threads(backend: str, name: str, some: Some) -> None:
    """Several tickets of a few pieces each, the last one short; Python folds 10 million numbers a second."""
    for dtype in some([dtype for dtype in "df?D" if dtype in dtypes(name, backend)], 2):
        if backend == "python" and dtype != "d":
            continue
        size = 270_001 if backend == "python" else 1_400_001
        cases = [numbers(dtype, size)]
        if name in {"any", "all"}:  # whoever finds the answer stops the others
            cases = [np.full(size, name == "all", dtype) for _ in range(3)]
            cases[0][-1] = cases[1][0] = name != "all"
        if backend == "python" and name in {"fsum", "count_nonzero"}:
            cases = [cases[0][:140_000]]
        for x in cases:
            alone = folding.call(name, x, backend=backend, threads=1)
            for threads in (3,) if backend == "python" else some((2, 3, 4, 5), 2, dtype):
                assert_same_bits(folding.call(name, x, backend=backend, threads=at_most(backend, threads)), alone)
            assert_same_bits(alone, folding.call(name, x, backend="cython"))


@each_name
def test_threads_share_columns(backend: str, name: str, some: Some) -> None:
    if backend == "python":
        return
    for dtype in some([dtype for dtype in "dbD" if dtype in dtypes(name, backend)], 2):
        x = planted(dtype, (17_000, 40))
        for axis in some((0, 1), 1, dtype):
            alone = folding.call(name, x, axis, backend=backend, threads=1)
            for threads in (2, 5):
                assert_same_bits(folding.call(name, x, axis, backend=backend, threads=at_most(backend, threads)), alone)


@pytest.mark.parametrize("name", ["sum", "prod", "var", "dot", "nanmean", "argmin", "fsum", "minmax"])
def test_python_judges_more_than_one_ticket(backend: str, name: str) -> None:
    size = 131072 + 16384 + 700
    if backend.startswith("numba") and name == "fsum":
        size = 2 * 16384 + 700
    got = folding.call(name, numbers("d", size), backend=backend, threads=at_most(backend, 2))
    assert_same_bits(got, folding.judged(name, "d", size))


# --- small arrays, which one call of a compiled function folds as a whole --------------------------------------------


def small(name: str, x: Array) -> Any:
    """The answer of the way for small arrays, or a failure if that is not where the call goes."""
    if _fold.small_kernels() is None:
        pytest.skip("no compiled kernels, or GILFREE_BACKEND names others")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "run", lambda *_, **__: pytest.fail("went by way of tickets"))
        return folding.call(name, x)


@pytest.mark.thread_unsafe(reason="replaces a function of the package")
@each_name
def test_small_arrays(name: str, some: Some) -> None:
    for dtype in dtypes(name):
        if dtype in "egFD" or (name.startswith("nan") and dtype not in "fd"):
            continue
        for size in some(folding.lengths(name, dtype), 6, dtype):
            assert_same_bits(small(name, numbers(dtype, size)), folding.judged(name, dtype, size))
        most = 2**23 // np.dtype(dtype).itemsize
        for size in some((4 * 16384 - 1, most - 16385, most - 1, most), 1, dtype):
            if size * np.dtype(dtype).itemsize <= 2**23:
                x = np.resize(numbers(dtype, 99_991), size)
                assert_same_bits(small(name, x), folding.call(name, x, backend="cython"))
        for size in some((most, most + 1), 1, dtype, "above"):
            x = np.resize(numbers(dtype, 99_991), size)
            assert_same_bits(folding.call(name, x), folding.call(name, x, backend="cython"))
        if name != "dot":
            for shape in ((3, 5, 8), (120, 1), (1, 1, 120)):
                x = numbers(dtype, 120).reshape(shape)
                assert_same_bits(small(name, x), folding.judged(name, dtype, 120))


@each_name
@pytest.mark.parametrize("case", FLOATS)
def test_small_awkward_arrays(name: str, case: str) -> None:
    for dtype in "efdg":
        if dtype in dtypes(name):
            x = np.array(FLOATS[case]).astype(dtype)
            assert_same_bits(folding.call(name, x), folding.call(name, x, backend="python"))


@each_name
@pytest.mark.parametrize("layout", LAYOUTS)
def test_small_arrays_that_lie_otherwise(name: str, layout: Callable[[Array], Array]) -> None:
    """What the way for small arrays cannot read, it leaves to others."""
    for dtype in dtypes(name):
        x = layout(numbers(dtype, 6 * 70).reshape(6, 70))
        assert_same_bits(folding.call(name, x), folding.call(name, x, backend="python"))


class Derived(np.ndarray[Any, Any]):
    """An array of somebody's own."""


@each_name
def test_small_arrays_of_a_subclass(name: str) -> None:
    """Read as the arrays that they are, and answered with plain ones."""
    x = np.array([1.0, 4.0, 2.0])
    assert_same_bits(folding.call(name, x.view(Derived)), folding.call(name, x))


def test_small_arrays_mind_the_backend_in_force() -> None:
    x = np.ones(10)
    with gilfree.use(backend="python"):
        assert _fold.small_kernels() is None
        assert reductions.sum(x) == 10
    with gilfree.use(threads=3):
        assert reductions.sum(x) == 10
    with pytest.raises(ValueError, match="threads: got 0"):
        reductions.sum(x, threads=0)


# --- layouts ---------------------------------------------------------------------------------------------------------


@each_name
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(backend: str, name: str, layout: Callable[[Array], Array], some: Some) -> None:
    for dtype in dtypes(name, backend):
        if backend == "python" and dtype not in "?bQfdD":
            continue  # NumPy takes the elements out, so what these lie like is all the same to Python's loops
        x = layout(numbers(dtype, 6 * 7 * 8).reshape(6, 7, 8))
        before = x.copy()
        plain = np.array(x, dtype, order="C")
        axes = (None, 0, 1, 2) if name in ONE_AXIS else (None, 0, 1, 2, (0, 2), (0, 1), (1, 2))
        for axis in some(axes, 2, dtype):
            got = folding.call(name, x, axis, backend=backend)
            assert_same_bits(got, folding.call(name, plain, axis, backend="python"))
        np.testing.assert_array_equal(x, before)


@each_name
@pytest.mark.parametrize("layout", LAYOUTS)
def test_long_layouts(backend: str, name: str, layout: Callable[[Array], Array], some: Some) -> None:
    """Longer than a piece, in one dimension: vectors meet odd addresses and strides. And in two, folded together."""
    for dtype in some([dtype for dtype in "?hdfD" if dtype in dtypes(name, backend)], 2):
        if not (backend == "python" and dtype in "?hf"):
            x = layout(numbers(dtype, 16384 + 77))
            plain = np.array(x, dtype, order="C")
            assert_same_bits(folding.call(name, x, backend=backend), folding.call(name, plain, backend="cython"))
            x = layout(numbers(dtype, 130 * 259).reshape(130, 259))
            plain = np.array(x, dtype, order="C")
            assert_same_bits(folding.call(name, x, backend=backend), folding.call(name, plain, backend="cython"))


# --- columns: the compiled kernels fold many side by side ------------------------------------------------------------


@cache
def planted(dtype: str, shape: tuple[int, int]) -> Array:
    """Columns of every awkward kind among ordinary ones: all zeros, a lone one, NaNs, infinities, both zeros."""
    x = numbers(dtype, shape[0] * shape[1]).reshape(shape)
    kind = np.dtype(dtype).kind
    n, columns = shape
    zero = np.dtype(dtype).type(0)
    for j in range(columns):
        row = (7 * j * j + n - 1) % n  # the last row, and others
        if j % 11 == 0:
            x[:, j] = zero
            x[row, j] = j % 2
        elif j % 11 == 1:
            x[:, j] = 1
            x[row, j] = j % 2
        elif j % 11 == 2 and kind in "fc":
            x[row, j] = np.nan
        elif j % 11 == 3 and kind in "fc":
            x[:, j] = np.nan
            x[row, j] = [np.nan, 1.0][j % 2]
        elif j % 11 == 4 and kind in "fc":
            x[:, j] = [zero, -zero][j % 2]
            x[row, j] = [-zero, zero][j % 2]
        elif j % 11 == 5 and kind in "fc":
            x[:, j] = [np.inf, -np.inf][j % 2]
            x[row, j] = 1
        elif j % 11 == 6:
            x[:, j] = x[0, j]  # the first of equals
    return x


def check_against_rows(name: str, x: Array, axis: int, backend: str) -> None:
    """Fail unless the fold is that of the same rows side by side in memory, which python judges above.

    Short rows are turned into columns again, so of these each is folded alone.
    """
    rows = np.ascontiguousarray(np.moveaxis(x, axis, -1))
    got = folding.call(name, x, axis, backend=backend)
    others = np.ascontiguousarray(np.moveaxis(folding.partner(x), axis, -1)) if name == "dot" else None
    function = getattr(reductions, name)
    if rows.shape[-1] > 24:
        expected = function(rows, others, -1, backend=backend) if name == "dot" else function(rows, -1, backend=backend)
        assert_same_bits(got, expected)
        return
    places = list(np.ndindex(rows.shape[:-1]))[:300]
    for place in places:
        alone = (rows[place],) if others is None else (rows[place], others[place])
        expected = function(*alone, backend=backend)
        for part, other in zip(*((got, expected) if isinstance(got, tuple) else ((got,), (expected,))), strict=True):
            assert_same_bits(part[place], part.dtype.type(other))


@each_name
@pytest.mark.parametrize("order", "CF")
def test_columns_of_every_width(backend: str, name: str, order: Any, some: Some) -> None:
    """Of a few rows and of somewhat more than a block."""
    if backend == "python":
        return  # has no columns
    few = backend.startswith("numba")
    turned: Any = {"C": "F", "F": "C"}[order]
    for dtype in dtypes(name, backend):
        shapes = itertools.product((2, 24, 25, 70, 545), (3, 17, 64, 130) if few else WIDTHS)
        for rows, columns in some(shapes, 20, dtype):
            if rows * columns < 40_000 and (rows in {2, 70} or dtype in "?bQfdD"):
                x = np.array(planted(dtype, (rows, columns)), order=order)
                got = folding.call(name, x, 0, backend=backend)
                # Those of the other order are rows, and judged by single ones below.
                assert_same_bits(got, folding.call(name, np.array(x, order=turned), 0, backend=backend))
        for shape, axis in some((((70, 200), 0), ((545, 33), 0), ((100, 40), 1)), 2, dtype):
            check_against_rows(name, np.array(planted(dtype, shape), order=order), axis, backend)


@each_name
@pytest.mark.parametrize("order", "CF")
def test_long_columns(backend: str, name: str, order: Any, some: Some) -> None:
    """Several pieces long, the last one short."""
    if backend == "python":
        return
    for dtype in some([dtype for dtype in "?bhiQfdDg" if dtype in dtypes(name, backend)], 4):
        widths = (9,) if backend.startswith("numba") else (1, 3, 9, 70) if dtype in "?d" else (2, 40)
        for columns in some(widths, 1, dtype):
            x = np.array(planted(dtype, (2 * 16384 + 5, columns)), order=order)
            check_against_rows(name, x, 0, backend)


@each_name
def test_python_judges_columns(backend: str, name: str, some: Some) -> None:
    orders: Any = "CF"
    for dtype in dtypes(name, backend):
        ways = itertools.product(((40, 70), (530, 9), (3, 300)), orders, (0, 1))
        for shape, order, axis in some(ways, 2, dtype):
            x = np.array(planted(dtype, shape), order=order)
            got = folding.call(name, x, axis, backend=backend)
            assert_same_bits(got, folding.call(name, x, axis, backend="python"))


@each_name
def test_columns_of_three_dimensions(backend: str, name: str, some: Some) -> None:
    """Strips of columns end where an outer axis does, or go on across it."""
    if backend == "python":
        return
    for dtype in some([dtype for dtype in "?hfdD" if dtype in dtypes(name, backend)], 2):
        for shape in ((3, 40, 50), (40, 3, 50), (5, 70, 130), (2, 600, 9)):
            if backend not in {"cython", "python"} and shape != (3, 40, 50):
                continue
            x = planted(dtype, (shape[0] * shape[1], shape[2])).reshape(shape)
            lie = (x, np.asfortranarray(x), x.transpose(1, 0, 2), x.transpose(2, 0, 1), x[:, ::-1], x[..., ::2])
            for way, axis in some(itertools.product(lie, range(3)), 3, dtype, shape):
                check_against_rows(name, way, axis, backend)


@each_name
def test_short_rows(backend: str, name: str, some: Some) -> None:
    """Many rows of a few elements are turned round, and folded as columns."""
    if backend == "python":
        return
    for dtype in dtypes(name, backend):
        shapes = [(1, 60), (2, 3000), (3, 48), (5, 47), (8, 1025), (23, 300), (24, 1100), (25, 100)]
        if backend.startswith("numba"):
            shapes = [(2, 3000), (25, 100)]
        for n, rows in some(shapes, 4, dtype):
            if dtype in "?bQfdD" or n == 2:
                x = np.ascontiguousarray(planted(dtype, (n, rows)).T)
                got = folding.call(name, x, 1, backend=backend)
                assert_same_bits(got, folding.call(name, x, 1, backend="cython"))
                if rows <= 300:
                    check_against_rows(name, x, 1, backend)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ONE_AXIS])
def test_several_axes_of_pieces(backend: str, name: str, some: Some) -> None:
    """Pieces that begin and end within lines of two folded axes."""
    if backend == "python":
        return
    for dtype in ("b", "d", "D"):
        if dtype in dtypes(name, backend):
            cube = planted(dtype, (300 * 40, 4)).reshape(300, 40, 4)
            lie = (cube, np.asfortranarray(cube), cube.transpose(1, 0, 2), cube[::-1, :, ::-1])
            for way, axis in some(itertools.product(lie, ((0, 1), (0, 1, 2), (0, 2))), 4, dtype):
                got = folding.call(name, way, axis, backend=backend)
                if name == "dot":
                    y = folding.partner(way)
                    assert_same_bits(got, reductions.dot(way.copy("C"), y.copy("C"), axis, backend="cython"))
                else:
                    assert_same_bits(got, folding.call(name, way.copy("C"), axis, backend="cython"))
    plane = planted("d", (300 * 80, 1)).reshape(300, 80)
    for x in (plane, plane.T):
        assert_same_bits(folding.call(name, x, backend=backend), folding.call(name, x.ravel(), backend="python"))


# --- whatever comes --------------------------------------------------------------------------------------------------


@st.composite
def views(draw: st.DrawFn, letters: str) -> Array:
    """A view of some array: any shape, steps forwards and back, order of axes, and axes stretched from one element."""
    shape = draw(st.lists(st.integers(1, 7), min_size=1, max_size=4))
    dtype = draw(st.sampled_from(letters))
    steps = [draw(st.sampled_from([1, 1, 2, 3, -1, -2])) for _ in shape]
    base = [length * abs(step) for length, step in zip(shape, steps, strict=True)]
    x = numbers(dtype, int(np.prod(base)), seed=draw(st.integers(0, 3))).reshape(
        base, order=draw(st.sampled_from("CF"))
    )
    x = x[tuple(slice(None, None, step) for step in steps)]
    x = x.transpose(draw(st.permutations(range(x.ndim))))
    if draw(st.booleans()):
        axis = draw(st.integers(0, x.ndim - 1))
        one = x[tuple(slice(0, 1) if i == axis else slice(None) for i in range(x.ndim))]
        return np.broadcast_to(one, tuple(draw(st.integers(0, 40)) if i == axis else n for i, n in enumerate(x.shape)))
    return x


@settings(max_examples=150)
@given(st.data(), st.sampled_from(NAMES), st.booleans())
def test_any_view(backend: str, data: st.DataObject, name: str, keepdims: bool) -> None:
    x = data.draw(views("".join(dtypes(name, backend))))
    axes = st.integers(-x.ndim, x.ndim - 1)
    axis: Any = data.draw(st.none() | axes)
    if name not in ONE_AXIS and axis is not None and data.draw(st.booleans()):
        axis = tuple(data.draw(st.permutations(range(x.ndim)))[: data.draw(st.integers(0, x.ndim))])
    try:
        expected = folding.call(name, x, axis, keepdims=keepdims, backend="python")
    except ValueError:  # of nothing
        assert x.size == 0
        with pytest.raises(ValueError, match="of nothing"):
            folding.call(name, x, axis, keepdims=keepdims, backend=backend)
        return
    got = folding.call(name, x, axis, keepdims=keepdims, backend=backend)
    assert_same_bits(got, expected)
    folding.assert_as_numpy(name, got, x, axis, keepdims=keepdims)


# --- more than 2**31 elements ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "what",
    [
        "sum",
        pytest.param("count_nonzero", marks=pytest.mark.thorough),
        pytest.param("rows", marks=pytest.mark.thorough),
    ],
)
def test_more_elements_than_32_bits_count(what: str) -> None:
    """At one address: no memory is needed. Each function that is quick on bytes, and one that tells places."""
    n = 2**31 + 5
    if what == "sum":
        assert reductions.sum(np.broadcast_to(np.uint8(1), n), backend="cython") == n
    elif what == "count_nonzero":
        assert reductions.count_nonzero(np.broadcast_to(np.True_, n), backend="cython") == n
    else:
        two = np.broadcast_to(np.array([[0], [1]], np.uint8), (2, n))
        np.testing.assert_array_equal(reductions.sum(two, 1, backend="cython"), [0, n])
