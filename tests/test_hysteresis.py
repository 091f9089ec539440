"""Hysteresis: scikit-image's answer, connected in any number of dimensions, the same on every backend."""

import math
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from awkward import LAYOUTS, Array
from calls import at_most
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from judge import assert_same_bits
from selection import Some

from gilfree import backends
from gilfree.pixels import _hysteresis, apply_hysteresis_threshold

DTYPES = ["uint8", "uint16", "float32", "float64"]


def clouds(dtype: str, *shape: int, seed: int = 0) -> Array:
    """Noise, a little smooth along the last axis: regions of all sizes, from 0 to 99."""
    random = np.random.default_rng([seed, *shape])
    values = random.random(shape)
    values = (values + np.roll(values, 1, -1) + np.roll(values, 2, -1)) / 3
    return (values * 99).astype(dtype)


def flooded(image: Array, low: float, high: float) -> Array:
    """From each pixel above the high threshold, to all neighbours above the low one."""
    result = image > high
    todo = deque(map(tuple, np.argwhere(result).tolist()))
    while todo:
        place = todo.popleft()
        for axis in range(image.ndim):
            for step in (-1, 1):
                beside = (*place[:axis], place[axis] + step, *place[axis + 1 :])
                inside = 0 <= beside[axis] < image.shape[axis]
                if inside and image[beside] > low and not result[beside]:
                    result[beside] = True
                    todo.append(beside)
    return result


def theirs(image: Array, low: Any, high: Any) -> Array:
    filters = pytest.importorskip("skimage.filters", reason="scikit-image is not installed")
    found: Array = filters.apply_hysteresis_threshold(image, low, high)
    return found


SHAPES = [(), (1,), (17,), (1, 1), (1, 9), (9, 1), (8, 8), (13, 40), (40, 3), (5, 6, 7), (4, 1, 6), (1, 5, 5)]
SHAPES += [(3, 4, 5, 6), (1, 1, 7, 1), (2, 3, 2, 3, 2)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_dimensions(backend: str, dtype: str, some: Some) -> None:
    for shape in SHAPES:
        image = clouds(dtype, *(shape or (1,))).reshape(shape)
        for low, high in some(((40, 60), (55, 70), (0, 0), (99, 99), (-1, 50)), 2, shape):
            got = apply_hysteresis_threshold(image, low, high, backend=backend)
            assert got.dtype == np.bool_
            assert got.shape == shape
            np.testing.assert_array_equal(got, flooded(image, low, high), err_msg=f"{shape}, {low}, {high}")


@given(
    arrays.arrays(np.uint8, arrays.array_shapes(max_dims=4, max_side=7), elements=st.integers(0, 9)),
    st.integers(-1, 10),
    st.integers(-1, 10),
)
def test_random_images(backend: str, image: Array, low: int, high: int) -> None:
    """A low threshold above the high one is as high as that."""
    expected = flooded(image, min(low, high), high)
    np.testing.assert_array_equal(apply_hysteresis_threshold(image, low, high, backend=backend), expected)


@pytest.mark.parametrize("name", ["camera", "coins", "page", "text", "moon", "cell", "horse", "clouds"])
def test_photographs_as_scikit_image(name: str) -> None:
    data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    image = clouds("u1", 64, 64, 64) > 60 if name == "clouds" else np.asarray(getattr(data, name)())
    image = image.astype(np.uint8) * (255 if image.dtype == np.bool_ else 1)
    for low, high in ((100, 180), (50.5, 100.5), (180, 100), (0, 254), (-5, 300)):
        np.testing.assert_array_equal(apply_hysteresis_threshold(image, low, high), theirs(image, low, high))
    for dtype in (np.float32, np.float64):
        floats = (image / 255).astype(dtype)
        # Levels themselves among them: what is equal is not above, and float32 has its own idea of one fifth.
        for low, high in ((0.2, 0.6), (0.4, 0.8), (np.float64(0.2), np.float64(0.4)), (51 / 255, 0.4)):
            np.testing.assert_array_equal(apply_hysteresis_threshold(floats, low, high), theirs(floats, low, high))


def _spiral(side: int) -> Array:
    """One region a pixel wide, that comes back to each line again and again."""
    image = np.zeros((side, side), np.uint8)
    row, column, down, right = 0, -1, 0, 1
    for length in (n for k in range(side, 0, -2) for n in (k, k - 1)):
        for _ in range(length):
            row, column = row + down, column + right
            if 0 <= row < side and 0 <= column < side:
                image[row, column] = 1
        down, right = right, -down
    return image


def _comb(rows: int, columns: int) -> Array:
    """Teeth that are one region by their back alone, which is the last line."""
    image = np.zeros((rows, columns), np.uint8)
    image[:, ::2] = 1
    image[-1] = 1
    return image


WINDING = {"spiral": _spiral(41), "comb": _comb(20, 31), "diagonal": np.eye(30, dtype=np.uint8)}


@pytest.mark.parametrize("name", WINDING)
def test_winding_regions(backend: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way round, with the seed at either end, and in bands of a few lines."""
    monkeypatch.setattr(_hysteresis, "GRAIN", 100)
    for turn in (np.array, np.flipud, np.fliplr, np.transpose):
        image = turn(WINDING[name])
        places = np.argwhere(image)
        for place in (places[0], places[-1]):
            seeded = image.copy()
            seeded[tuple(place)] = 2
            got = apply_hysteresis_threshold(seeded, 0, 1, backend=backend)
            np.testing.assert_array_equal(got, flooded(seeded, 0, 1), err_msg=turn.__name__)


@pytest.mark.parametrize("shape", [(100, 90), (30, 17, 19), (9000,), (6, 5, 30, 10)], ids=str)
def test_over_tickets(backend: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Short tickets, short lines of a flat picture, and any number of threads."""
    monkeypatch.setattr(_hysteresis, "GRAIN", 1000)
    monkeypatch.setattr(_hysteresis, "LINE", 50)
    image = clouds("float32", *shape)
    expected = flooded(image, 45, 75)
    for threads in (1, 2, 4):
        got = apply_hysteresis_threshold(image, 45, 75, backend=backend, threads=at_most(backend, threads))
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("shape", [(1100, 1000), (60, 130, 140), (1_100_000,)], ids=str)
def test_large_images(backend: str, shape: tuple[int, ...], some: Some) -> None:
    if backend == "python":
        shape = tuple(length // 10 for length in shape)
    for dtype in some(("uint8", "float32"), 1):
        image = clouds(dtype, *shape)
        expected = theirs(image, 45, 80)
        assert expected.any()
        got = apply_hysteresis_threshold(image, 45, 80, backend=backend)
        np.testing.assert_array_equal(got, expected)


def test_lines_of_all_lengths(backend: str) -> None:
    """About the eight and the 256 pixels that are looked at together."""
    for width in (7, 8, 9, 255, 256, 257, 264, 511, 513):
        image = clouds("uint16", 9, width)
        image[2] = 50
        image[3] = 0
        image[4, :] = np.arange(width) % 2 * 90  # as many runs as there can be
        image[5, ::2] = 90
        image[6] = 50
        image[6, -1] = 99
        for low, high in ((40, 70), (49, 98), (0, 60), (89, 89)):
            got = apply_hysteresis_threshold(image, low, high, backend=backend)
            np.testing.assert_array_equal(got, flooded(image, low, high), err_msg=f"{width}, {low}, {high}")


@pytest.mark.parametrize("isa", backends.isas())
@pytest.mark.parametrize("dtype", DTYPES)
def test_instruction_sets_change_nothing(isa: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = backends.kernels
    image = clouds(dtype, 70, 333)
    expected = flooded(image, 45, 75)
    monkeypatch.setattr(backends, "kernels", lambda family, backend: kernels(family, backend, isa))
    np.testing.assert_array_equal(apply_hysteresis_threshold(image, 45, 75, backend="cython"), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_awkward_floats(backend: str, dtype: str) -> None:
    """NaN is above nothing, and parts what is on its sides; infinities are numbers."""
    nan, inf, most = math.nan, math.inf, float(np.finfo(dtype).max)
    line = [nan, 1, 2, nan, 1, 1, inf, 1, -inf, 1, most, 1, nan, nan, -0.0, 0.0, 5, nan]
    image = np.array([line, line[::-1], [nan] * len(line), [1.0] * len(line)], dtype)
    for low in (-inf, -most, -1, -0.0, 0.0, 0.5, most, inf):
        for high in (-inf, 0, 1, 4, most, inf, 1e300):
            got = apply_hysteresis_threshold(image, low, high, backend=backend)
            with np.errstate(over="ignore"):
                limit = float(np.dtype(dtype).type(high))
            np.testing.assert_array_equal(got, flooded(image, min(low, limit), limit), err_msg=f"{low}, {high}")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(backend: str, layout: Callable[[Array], Array]) -> None:
    image = layout(clouds("uint16", 6, 7, 8))
    before = image.copy()
    got = apply_hysteresis_threshold(image, 45, 70, backend=backend)
    np.testing.assert_array_equal(got, flooded(np.array(image, np.uint16), 45, 70))
    np.testing.assert_array_equal(image, before)


def test_nothing(backend: str) -> None:
    for shape in ((0,), (0, 3), (3, 0), (2, 0, 4)):
        got = apply_hysteresis_threshold(np.empty(shape, np.uint8), 1, 2, backend=backend)
        assert_same_bits(got, np.empty(shape, np.bool_))


def test_out(backend: str) -> None:
    """Into arrays of every order, whatever that of the image."""
    image = clouds("uint8", 9, 10)
    expected = flooded(image, 45, 70)
    spaced = np.zeros((9, 20), np.bool_)
    for out in (np.ones((9, 10), np.bool_), np.ones((10, 9), np.bool_).T, spaced[:, ::2]):
        for source in (image, np.asfortranarray(image)):
            for high in (70, 300):
                assert apply_hysteresis_threshold(source, 45, high, out=out, backend=backend) is out
                np.testing.assert_array_equal(out, expected & (high == 70))
    assert not spaced[:, 1::2].any()


def test_refusals() -> None:
    image = np.zeros((4, 5), np.uint8)
    for bad in (np.zeros((4, 5)), [1, 2], "1", None, True):
        with pytest.raises(TypeError, match=f"low: got {type(bad).__name__}, expected a real number"):
            apply_hysteresis_threshold(image, bad, 2)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=f"high: got {type(bad).__name__}, expected a real number"):
            apply_hysteresis_threshold(image, 1, bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="low: got NaN, expected a real number"):
        apply_hysteresis_threshold(image, math.nan, 2)
    with pytest.raises(TypeError, match="image: got dtype int64, expected uint8"):
        apply_hysteresis_threshold(image.astype(np.int64), 1, 2)
    with pytest.raises(TypeError, match="out: got dtype uint8, expected bool"):
        apply_hysteresis_threshold(image, 1, 2, out=image.copy())
    with pytest.raises(ValueError, match=r"out: got shape \(5, 4\), expected \(4, 5\)"):
        apply_hysteresis_threshold(image, 1, 2, out=np.empty((5, 4), np.bool_))
    with pytest.raises(ValueError, match="out: got an array that shares memory with image"):
        apply_hysteresis_threshold(image, 1, 2, out=image.view(np.bool_))
