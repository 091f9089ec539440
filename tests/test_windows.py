"""Thresholds that follow the picture: OpenCV's, scikit-image's and Doxa's answers, and the same bits everywhere."""

import itertools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from awkward import LAYOUTS, Array
from calls import at_most
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import assert_same_bits
from selection import Some

from gilfree import backends
from gilfree.pixels import (
    _windows,
    adaptive_threshold,
    binarize,
    threshold_bradley,
    threshold_local,
    threshold_niblack,
    threshold_nick,
    threshold_phansalkar,
    threshold_sauvola,
    threshold_singh,
    threshold_wolf,
)

DTYPES = ["uint8", "uint16", "float32", "float64"]
KINDS = ["binary", "binary_inv"]
METHODS = ["mean", "gaussian"]
MODES = ["reflect", "constant", "nearest", "mirror", "wrap"]

# Each function by itself, where it has two ways by both of them; with a window that differs along rows and columns.
CALLS: dict[str, partial[Any]] = {
    "adaptive-mean": partial(adaptive_threshold, block_size=7, c=3),
    "adaptive-gaussian": partial(adaptive_threshold, method="gaussian", block_size=7, c=-2, kind="binary_inv"),
    "local-mean": partial(threshold_local, block_size=(5, 9), method="mean", offset=1.5),
    "local-gaussian": partial(threshold_local, block_size=(9, 5), mode="wrap"),
    "niblack": partial(threshold_niblack, window_size=(5, 7)),
    "sauvola": partial(threshold_sauvola, window_size=(7, 5)),
    "wolf": partial(threshold_wolf, window_size=(4, 7)),
    "nick": partial(threshold_nick, window_size=(7, 4)),
    "bradley": partial(threshold_bradley, window_size=(6, 5)),
    "phansalkar": partial(threshold_phansalkar, window_size=(5, 6)),
    "singh": partial(threshold_singh, window_size=(3, 8)),
}
FLOATING = [name for name in CALLS if not name.startswith("adaptive")]  # whose answer is a threshold
each_name = pytest.mark.parametrize("name", CALLS)
each_threshold = pytest.mark.parametrize("name", FLOATING)


def picture(dtype: str, *shape: int, seed: int = 0) -> Array:
    """Noise on a slope: the whole range of an integer dtype, 0 to 1 for floats."""
    random = np.random.default_rng([seed, *shape])
    values = random.normal(0, 0.25, shape) + np.linspace(0.1, 0.9, shape[-1] if shape else 1)
    values = values.clip(0, 1)
    if np.dtype(dtype).kind == "f":
        return np.asarray(values.astype(dtype))
    return np.asarray((values * np.iinfo(dtype).max).round().astype(dtype))


def dtypes(backend: str, name: str = "") -> list[str]:
    """What a function takes; Numba compiles for seconds for each dtype, so it gets fewer."""
    if name.startswith("adaptive"):
        return ["uint8"]
    if backend in ("numba-held", "numba-parallel"):
        return ["uint8"]
    return ["uint8", "float64"] if backend == "numba" else DTYPES


def sized(backend: str, small: int, large: int) -> int:
    """A number of rows or rounds: python takes microseconds for a pixel."""
    return small if backend == "python" else large


@cache
def by_python(name: str, dtype: str, *shape: int) -> Any:
    return CALLS[name](picture(dtype, *shape), backend="python")


@pytest.fixture
def many_tickets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ticket for every piece of rows, however small."""
    monkeypatch.setattr(_windows, "GRAIN", 1)


# --- pictures --------------------------------------------------------------------------------------------------------

PHOTOGRAPHS = ["camera", "coins", "page", "text", "moon", "cell", "clock", "grass", "coffee", "rocket", "astronaut"]


def photograph(name: str) -> Array:
    """One of those that scikit-image has with it, in grey."""
    data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    image = getattr(data, name)()
    return np.ascontiguousarray(image if image.ndim == 2 else image[..., :3].mean(axis=-1).astype(np.uint8))


# What a threshold may stumble on.
AWKWARD: dict[str, Array] = {
    "one-pixel": np.array([[7]], np.uint8),
    "one-row": picture("uint8", 1, 21),
    "one-column": picture("uint8", 21, 1),
    "two-pixels": np.array([[0, 255]], np.uint8),
    "black": np.zeros((9, 17), np.uint8),
    "white": np.full((9, 17), 255, np.uint8),
    "grey": np.full((17, 9), 77, np.uint8),
    "two-levels": (picture("uint8", 20, 18) > 100).astype(np.uint8) * 255,
    "neighbouring-levels": (picture("uint8", 20, 18) > 100).astype(np.uint8) + 127,
    "chessboard": (np.indices((15, 16)).sum(axis=0) % 2 * 255).astype(np.uint8),
    "one-white": np.eye(1, 200, 88, dtype=np.uint8).reshape(10, 20) * 255,
    "one-black": 255 - np.eye(1, 200, 88, dtype=np.uint8).reshape(10, 20) * 255,
    "ramp": np.arange(256, dtype=np.uint8).reshape(16, 16),
    "noise": picture("uint8", 23, 25),
}


# --- OpenCV's mean ---------------------------------------------------------------------------------------------------

CS = [0.0, -0.0, 2, -2, 0.5, -0.5, 7.999, -7.001, 254, 255, 256, -255, -256, 300.5, -999.5, 1001, 2e9, -2e9]
MAXVALS = [255, 0, 1, 0.5, 1.5, 127.5, 128.5, 254.5, 255.5, 300, 70000, -0.4, -0.5, -1, -300]


def opencv(
    image: Array, maxval: float = 255, method: str = "mean", kind: str = "binary", block_size: int = 3, c: float = 0
) -> Array:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    weighing = {"mean": cv2.ADAPTIVE_THRESH_MEAN_C, "gaussian": cv2.ADAPTIVE_THRESH_GAUSSIAN_C}[method]
    colours = {"binary": cv2.THRESH_BINARY, "binary_inv": cv2.THRESH_BINARY_INV}[kind]
    return np.asarray(cv2.adaptiveThreshold(image, maxval, weighing, colours, block_size, c))


@pytest.mark.parametrize("kind", KINDS)
def test_mean_as_opencv(backend: str, kind: str, some: Some) -> None:
    """Bit for bit, in blocks from 3 to far beyond the picture."""
    for image, block, c in some.pairs(AWKWARD.values(), (3, 5, 9, 17, 31, 101, 255), (0, 2, -3.5)):
        got = adaptive_threshold(image, kind=kind, block_size=block, c=c, backend=backend)
        assert_same_bits(got, opencv(image, kind=kind, block_size=block, c=c))


@pytest.mark.parametrize("kind", KINDS)
def test_constants_and_colours_as_opencv(backend: str, kind: str) -> None:
    """A fractional constant is rounded up or down, white half to even; both can lie beyond all levels."""
    image = picture("uint8", 6, 21)
    for i, c in enumerate(CS):
        maxval = MAXVALS[i % len(MAXVALS)]
        got = adaptive_threshold(image, maxval, kind=kind, block_size=5, c=c, backend=backend)
        assert_same_bits(got, opencv(image, maxval, kind=kind, block_size=5, c=c))
    for maxval in MAXVALS:
        got = adaptive_threshold(image, maxval, kind=kind, block_size=3, c=1, backend=backend)
        assert_same_bits(got, opencv(image, maxval, kind=kind, block_size=3, c=1))


WIDTHS = [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 504, 511, 512, 513, 519, 520, 521, 1031]


@pytest.mark.parametrize("block", [3, 11, 301, 701])
def test_mean_of_widths_as_opencv(backend: str, block: int, some: Some) -> None:
    """About vectors of eight, after which OpenCV goes on in double, and about the chunks of a row."""
    for width in WIDTHS:
        for height in some((1, 2, sized(backend, 3, 40)), 1, width):
            image = picture("uint8", height, width)
            got = adaptive_threshold(image, block_size=block, c=1, backend=backend)
            assert_same_bits(got, opencv(image, block_size=block, c=1))


def exact_means(image: Array, block: int) -> tuple[Array, Array]:
    """The means of blocks as bytes: rounded from the exact ones, and from the product of two single floats."""
    around = np.pad(image.astype(np.int64), block // 2, mode="edge").cumsum(axis=0).cumsum(axis=1)
    around = np.pad(around, ((1, 0), (1, 0)))
    sums = around[block:, block:] - around[:-block, block:] - around[block:, :-block] + around[:-block, :-block]
    return np.rint(sums / block**2), np.rint(sums.astype(np.float32) * np.float32(1 / block**2))


@pytest.mark.parametrize("isa", backends.isas())
def test_mean_in_vectors(isa: str, some: Some, monkeypatch: pytest.MonkeyPatch) -> None:
    """About every vector there is, and about the largest blocks whose sums of columns have 15 bits."""
    kernels = backends.kernels
    monkeypatch.setattr(backends, "kernels", lambda family, backend: kernels(family, backend, isa))
    for width in (*range(1, 68), 127, 128, 129, 1031):
        image = np.random.default_rng(width).integers(0, 256, (3, width), np.uint8)
        image[:, width // 2 :] //= 128
        image[:, width // 2 :] *= 255
        blocks = ((3, 0), (11, 7), (31, -7), (99, 255), (101, -255), (127, 1), (129, -1), (3, 1001), (127, -1001))
        for block, c in some(blocks, 4, width):
            if width > 1:
                above = image > exact_means(image, block)[0] - c
                expected = above.astype(np.uint8) * 255
                got = adaptive_threshold(image, block_size=block, c=c)
                assert_same_bits(got, expected)
                assert_same_bits(adaptive_threshold(image, block_size=block, c=c, kind="binary_inv"), 255 - expected)


# Seeds of pictures of two levels that have a mean so near the middle between two bytes that OpenCV's single precision
# rounds it to the other one, in the vectors of eight and in the seven columns after them, which are done in double.
@pytest.mark.parametrize(
    ("block", "seeds"),
    [(251, (71, 360, 547)), (301, (43, 113, 383)), (511, (29, 48, 237)), (701, (10, 48, 49))],
    ids=str,
)
def test_single_precision_as_opencv(backend: str, block: int, seeds: tuple[int, ...]) -> None:
    in_vectors = after_them = 0
    for seed in seeds:
        random = np.random.default_rng(seed)
        level = int(random.integers(100, 254))
        image = (level + random.integers(0, 2, (64, 71))).astype(np.uint8)
        exact, single = exact_means(image, block)
        told_apart = (exact != single) & (image == np.maximum(exact, single))
        in_vectors += int(told_apart[:, :64].sum())
        after_them += int(told_apart[:, 64:].sum())
        expected = opencv(image, block_size=block)
        assert_same_bits(adaptive_threshold(image, block_size=block, c=0, backend=backend), expected)
        single[:, 64:] = exact[:, 64:]
        np.testing.assert_array_equal(expected == 255, image > single)
    assert in_vectors
    assert after_them


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_mean_of_photographs_as_opencv(name: str) -> None:
    image = photograph(name)
    for block in (3, 15, 51, 251, 701):
        for kind, c in zip(KINDS, (4, -1.5), strict=True):
            got = adaptive_threshold(image, kind=kind, block_size=block, c=c)
            assert_same_bits(got, opencv(image, kind=kind, block_size=block, c=c))


def test_sums_beyond_32_bits_as_opencv() -> None:
    """Sums of bytes over 2**23 pixels and more are doubles here; OpenCV's integers hold a few more."""
    for image in (picture("uint8", 9, 23), AWKWARD["white"], AWKWARD["neighbouring-levels"]):
        for block in (2895, 2897, 2901):
            assert_same_bits(adaptive_threshold(image, block_size=block, c=0), opencv(image, block_size=block))


@settings(max_examples=60)
@given(
    st.integers(1, 24),
    st.integers(1, 40),
    st.integers(1, 350).map(lambda half: 2 * half + 1),
    st.floats(-400, 400),
    st.sampled_from(KINDS),
    st.integers(0, 1000),
)
def test_mean_is_opencvs(height: int, width: int, block: int, c: float, kind: str, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    expected = opencv(image, kind=kind, block_size=block, c=c)
    assert_same_bits(adaptive_threshold(image, kind=kind, block_size=block, c=c), expected)
    if block < 30:
        for backend in ("python", "cython-held"):
            assert_same_bits(adaptive_threshold(image, kind=kind, block_size=block, c=c, backend=backend), expected)


# --- OpenCV's Gaussian -----------------------------------------------------------------------------------------------


def test_gaussian_as_opencv() -> None:
    """But for one pixel in 100 000, where OpenCV's own sum of single floats lies on the edge of rounding."""
    wrong = seen = 0
    pictures = [photograph(name) for name in PHOTOGRAPHS]
    pictures += [np.random.default_rng(seed).integers(0, 256, (500, 333), np.uint8) for seed in range(4)]
    for i, image in enumerate(pictures):
        for block in (3, 5, 7, 9, 11, 31, 101):
            kind, c = KINDS[(i + block) % 2], (0, 2, -3.5)[i % 3]
            expected = opencv(image, 200, "gaussian", kind, block, c)
            got = adaptive_threshold(image, 200, method="gaussian", kind=kind, block_size=block, c=c)
            wrong += int(np.count_nonzero(got != expected))
            seen += image.size
            assert np.count_nonzero(got != expected) <= 3
    assert wrong <= seen / 100_000
    assert seen > 10**7


@pytest.mark.parametrize("block", [3, 5, 7, 9, 11, 31])
def test_gaussian_of_awkward_pictures_as_opencv(backend: str, block: int) -> None:
    for image in AWKWARD.values():
        for kind, c in zip(KINDS, (0, 1.5), strict=True):
            got = adaptive_threshold(image, method="gaussian", kind=kind, block_size=block, c=c, backend=backend)
            assert_same_bits(got, opencv(image, method="gaussian", kind=kind, block_size=block, c=c))


def in_single(image: Array, block: int) -> Array:
    """The weighted means in single precision, in the order of additions that is promised, as bytes."""
    formula = _windows.opencv(image, "gaussian", "binary", block, 0)
    assert formula.weights is not None
    sums = image.astype(np.float32)
    for axis, weights in enumerate(formula.weights):
        radius, length = len(weights) - 1, image.shape[axis]
        around = np.pad(sums, [(radius, radius) if axis == one else (0, 0) for one in (0, 1)], mode="edge")
        part = partial(np.take, around, axis=axis)
        sums = part(np.arange(radius, radius + length)) * weights[0]
        for i in range(1, radius + 1):
            pair = part(np.arange(radius - i, radius - i + length)) + part(np.arange(radius + i, radius + i + length))
            sums += pair * weights[i]
    assert sums.dtype == np.float32
    return np.rint(sums)


@pytest.mark.parametrize("isa", backends.isas())
def test_gaussian_in_pieces(isa: str, some: Some, monkeypatch: pytest.MonkeyPatch) -> None:
    """About sixteen rows, strips of 32 columns and tiles of 256, whether or not the block goes beyond them."""
    kernels = backends.kernels
    monkeypatch.setattr(backends, "kernels", lambda family, backend: kernels(family, backend, isa))
    widths = (1, 2, 3, 15, 16, 17, 31, 32, 33, 47, 64, 65, 255, 256, 257, 271, 288, 300, 545, 1031)
    heights, blocks = (1, 2, 3, 4, 5, 15, 16, 17, 33), (3, 5, 7, 9, 11, 13, 31, 33, 101, 301)
    for width, height, block in some.pairs(widths, heights, blocks):
        image = np.random.default_rng([width, height]).integers(0, 256, (height, width), np.uint8)
        got = adaptive_threshold(image, method="gaussian", block_size=block, c=0)
        assert_same_bits(got, (image > in_single(image, block)).astype(np.uint8) * 255)


@pytest.mark.parametrize("method", METHODS)
def test_blocks_that_opencv_refuses(method: str) -> None:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    for block in (-3, 0, 1, 2, 4, 100):
        with pytest.raises(cv2.error):
            opencv(AWKWARD["noise"], method=method, block_size=block)
        with pytest.raises(ValueError, match=f"block_size: got {block}, expected an odd number of at least 3"):
            adaptive_threshold(AWKWARD["noise"], method=method, block_size=block, c=0)


# --- scikit-image's --------------------------------------------------------------------------------------------------


def scikit(name: str, image: Array, *args: Any, **kwargs: Any) -> Array:
    """Its answer; for single floats that on the same numbers as doubles, in which gilfree works."""
    filters = pytest.importorskip("skimage.filters", reason="scikit-image is not installed")
    image = image.astype(np.float64) if image.dtype == np.float32 else image
    return np.asarray(getattr(filters, name)(image, *args, **kwargs))


def assert_close(got: Array, expected: Array, tolerance: float, scale: float = 0.0) -> None:
    """Relative to the larger of the largest threshold and ``scale``."""
    assert got.dtype == np.float64
    scale = max(scale, float(np.abs(expected).max()))
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", METHODS)
def test_local_as_scikit_image(backend: str, method: str, mode: str, some: Some) -> None:
    for dtype in dtypes(backend):
        tolerance = 1e-6 if dtype.startswith("f") else 1e-9
        shapes = ((1, 1), (1, 9), (8, 1), (5, 6), (13, 20))
        blocks: list[Any] = [3, (5, 1), (1, 7), (3, 9), (31, 5)]
        for shape, block in some(itertools.product(shapes, blocks), 5, dtype):
            image = picture(dtype, *shape)
            got = threshold_local(image, block, method, mode=mode, backend=backend)
            assert_close(got, scikit("threshold_local", image, block, method, mode=mode), tolerance)
        image = picture(dtype, 12, 11)
        for cval in some((0, 1, 0.25, -3.5, 255, 70000), 2, dtype):
            args = (5, method, 2.5, mode, None, cval)
            got = threshold_local(image, *args, backend=backend)
            assert_close(got, scikit("threshold_local", image, *args), tolerance)
        params: list[Any] = [0, 0.125, 1, 2.5, (0.5, 3)]
        for param in some(params, 2, dtype):
            if method == "gaussian":
                got = threshold_local(image, 5, param=param, mode=mode, backend=backend)
                assert_close(got, scikit("threshold_local", image, 5, param=param, mode=mode), tolerance)


@pytest.mark.parametrize("isa", backends.isas())
def test_quick_comparisons(isa: str, some: Some, monkeypatch: pytest.MonkeyPatch) -> None:
    """In single precision, and from windows of 361 pixels on in double: as the threshold itself, with its last bit."""
    kernels = backends.kernels
    monkeypatch.setattr(backends, "kernels", lambda family, backend: kernels(family, backend, isa))
    pictures = [*AWKWARD.values(), picture("uint8", 50, 601)]
    pictures += [
        np.repeat([[0, 255]], [half, 40 - half], axis=1).repeat(40, axis=0).astype(np.uint8) for half in (0, 20, 40)
    ]
    windows, finds = (
        (1, 3, 15, 19, (19, 17), (19, 21), 45),
        {"niblack": threshold_niblack, "sauvola": threshold_sauvola},
    )
    for image, window, k, name in some.pairs(pictures, windows, (0.2, 0, -1.5), finds):
        expected = (image > finds[name](image, window, k)).astype(np.uint8) * 255
        assert_same_bits(binarize(image, name, window_size=window, k=k), expected)


@pytest.mark.parametrize("name", ["niblack", "sauvola"])
def test_deviations_as_scikit_image(backend: str, name: str, some: Some) -> None:
    """The very numbers on integer images."""
    call = {"niblack": threshold_niblack, "sauvola": threshold_sauvola}[name]
    for dtype in dtypes(backend):
        shapes = ((1, 1), (1, 9), (8, 1), (7, 6), (13, 20), (sized(backend, 5, 150), 37))
        windows = (1, 3, (5, 1), (1, 7), (3, 9), (31, 5))
        for shape, window, k in some.pairs(shapes, windows, (0.2, -0.3, 0), key=dtype):
            image = picture(dtype, *shape)
            got, expected = call(image, window, k, backend=backend), scikit(call.__name__, image, window, k)
            if dtype.startswith("u"):
                np.testing.assert_array_equal(got, expected)
            else:
                assert_close(got, expected, 1e-6)
    image = picture("uint8", 13, 20)
    got = threshold_sauvola(image, 5, 0.3, 99.5, backend=backend)
    np.testing.assert_array_equal(got, scikit("threshold_sauvola", image, 5, 0.3, 99.5))


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs_as_scikit_image(name: str, some: Some) -> None:
    image = photograph(name)
    calls = (threshold_niblack, threshold_sauvola)
    for seen, window, call in some.pairs((image, image.astype(np.uint16) * 257), (15, (25, 101)), calls):
        np.testing.assert_array_equal(call(seen, window), scikit(call.__name__, seen, window))
    for seen, call in some(itertools.product((image / 255, (image / 255).astype(np.float32)), calls), 2):
        assert_close(call(seen, 25), scikit(call.__name__, seen, 25), 1e-6)
    for method in METHODS:
        got = threshold_local(image, 35, method, 10)
        assert_close(got, scikit("threshold_local", image, 35, method, 10), 1e-9)


@pytest.mark.parametrize("name", ["threshold_local", "threshold_niblack", "threshold_sauvola"])
def test_windows_that_scikit_image_refuses(name: str) -> None:
    for window in (2, 4, (3, 4), (4, 3)):
        with pytest.raises(ValueError, match=r"odd|even"):
            scikit(name, AWKWARD["noise"], window)
        argument = "block_size" if name == "threshold_local" else "window_size"
        with pytest.raises(ValueError, match=rf"{argument}: got .*, expected an odd number"):
            getattr(_windows, name)(AWKWARD["noise"], window)


# --- Doxa's ----------------------------------------------------------------------------------------------------------


def doxa(name: str, image: Array, window: int, k: float) -> Array:
    """Where it makes white."""
    doxapy = pytest.importorskip("doxapy", reason="doxapy is not installed")
    found = doxapy.Binarization(getattr(doxapy.Binarization.Algorithms, name))
    found.initialize(image)
    binary = np.empty_like(image)
    found.to_binary(binary, {"window": window, "k": k})
    return np.asarray(binary == 255)


def assert_doxas(image: Array, thresholds: Array, expected: Array) -> None:
    """Doxa updates means and squares as doubles, which round: it may go wrong where a pixel is on its threshold."""
    wrong = (image > thresholds) != expected
    assert np.abs(thresholds[wrong] - image[wrong]).max(initial=0) < 1e-9


def doxa_windows(image: Array) -> list[int]:
    """Those it can do: above 257 its sums of columns overflow 16 bits, and half a window must fit into the picture."""
    return [side for side in (1, 2, 3, 4, 15, 16, 75, 128, 200, 201, 256, 257) if side // 2 < min(image.shape)]


@pytest.mark.parametrize("picture_of", ["noise", "page", "text", "coins", "camera"])
@pytest.mark.parametrize("name", ["wolf", "nick"])
def test_deviations_as_doxa(name: str, picture_of: str) -> None:
    image = picture("uint8", 90, 130) if picture_of == "noise" else photograph(picture_of)
    for window in doxa_windows(image)[2:]:
        for k in (0.2, 0.5) if name == "wolf" else (-0.2, -0.1):
            thresholds = (threshold_wolf if name == "wolf" else threshold_nick)(image, window, k)
            assert_doxas(image, thresholds, doxa(name.upper(), image, window, k))


@pytest.mark.parametrize("name", ["wolf", "nick"])
def test_awkward_pictures_as_doxa(name: str) -> None:
    """Constant ones among them, where Wolf divides nothing by nothing."""
    for image in AWKWARD.values():
        for window in doxa_windows(image)[2:]:
            thresholds = getattr(_windows, f"threshold_{name}")(image, window, 0.2)
            assert_doxas(image, thresholds, doxa(name.upper(), image, window, 0.2))


@pytest.mark.parametrize("window", [15, 31, 75])
def test_sauvola_as_doxa_inside(window: int) -> None:
    """Its windows are cut short at the edges, and its range is 128."""
    image, rim = photograph("page"), window // 2 + 1
    inside = (slice(rim, -rim),) * 2
    thresholds = threshold_sauvola(image, window, 0.2, 128)
    assert_doxas(image[inside], thresholds[inside], doxa("SAUVOLA", image, window, 0.2)[inside])


@pytest.mark.parametrize("picture_of", ["noise", "page", "text", "camera"])
def test_means_as_doxa(picture_of: str) -> None:
    """Version 0.9 divides by the largest double where Singh has the range: what is left is Bradley's share of the mean.

    A judge for Bradley's windows, then, and none for Singh.
    """
    image = picture("uint8", 90, 130) if picture_of == "noise" else photograph(picture_of)
    if not (doxa("TRSINGH", image, 9, 0.2) == (image > threshold_bradley(image, 9, 20))).all():
        pytest.skip("another version, with Singh's formula")
    for window in doxa_windows(image):
        assert_doxas(image, threshold_bradley(image, window, 12.5), doxa("TRSINGH", image, window, 0.125))


# --- by the plainest loops -------------------------------------------------------------------------------------------


def cut_windows(image: Array, rows: int, columns: int) -> Iterator[tuple[Fraction, float, float]]:
    """Of each pixel: itself, and the mean and the deviation of its window, without rounding but for the last step."""
    exact = [[Fraction(pixel) for pixel in line] for line in image.tolist()]
    for y, line in enumerate(exact):
        above, below = max(0, y - (rows - 1) // 2), y + rows // 2 + 1
        for x, pixel in enumerate(line):
            left, right = max(0, x - (columns - 1) // 2), x + columns // 2 + 1
            found = [one for other in exact[above:below] for one in other[left:right]]
            mean = sum(found) / Fraction(len(found))
            variance = sum(one * one for one in found) / Fraction(len(found)) - mean * mean
            yield pixel, float(mean), math.sqrt(variance)


def plain(name: str, image: Array, rows: int, columns: int, *numbers: float) -> Array:
    """The formulas of the docstrings."""
    seen = list(cut_windows(image, rows, columns))
    whole = 1.0 if image.dtype.kind == "f" else float(np.iinfo(image.dtype).max)
    widest, least = max(s for _, _, s in seen) or 1.0, float(min(pixel for pixel, _, _ in seen))
    found = []
    for pixel, m, s in seen:
        if name == "wolf":
            found.append(m - numbers[0] * (1 - s / widest) * (m - least))
        elif name == "nick":
            found.append(m + numbers[0] * math.sqrt(s * s + m * m))
        elif name == "bradley":
            found.append(m - m * numbers[0] / 100)
        elif name == "phansalkar":
            k, p, q, r = numbers
            found.append(m * (1 + p * math.exp(-q * m / whole) + k * (s / r - 1)))
        else:
            step = 1 / 255 if image.dtype.kind == "f" else 1.0
            d = min(abs(float(pixel) - m), whole - step)
            found.append(m * (1 + numbers[0] * (d / (whole - d) - 1)))
    return np.array(found).reshape(image.shape)


NUMBERS: dict[str, list[tuple[float, ...]]] = {
    "wolf": [(0.2,), (-0.5,), (0.0,)],
    "nick": [(-0.2,), (0.3,), (0.0,)],
    "bradley": [(15.0,), (-50.0,), (100.0,), (0.0,)],
    "phansalkar": [(0.25, 3.0, 10.0, 99.0), (-0.5, 2.0, 700.0, 0.3), (0.2, 1.0, 0.0, 1.0)],
    "singh": [(0.2,), (-0.5,), (0.0,)],
}


@pytest.mark.parametrize("name", NUMBERS)
def test_by_plain_loops(backend: str, name: str, some: Some) -> None:
    """Windows odd, even, and larger than the picture, which is cut out of them at its edges."""
    call = getattr(_windows, f"threshold_{name}")
    for dtype in dtypes(backend):
        image = picture(dtype, 7, 9)
        # In windows of one float nothing deviates, but for the rounding of sliding sums, and that is nobody's measure.
        single = [(1, 1)] if name != "wolf" or dtype.startswith("u") else []
        for rows, columns in some((*single, (2, 2), (3, 3), (4, 3), (1, 6), (5, 2), (20, 31)), 3, dtype):
            for numbers in NUMBERS[name]:
                got = call(image, (rows, columns), *numbers, backend=backend)
                # The root of a difference: a deviation near zero has fewer digits.
                tolerance = 1e-7 if name in ("wolf", "nick", "phansalkar") else 1e-12
                assert_close(got, plain(name, image, rows, columns, *numbers), tolerance, float(image.max()))


@pytest.mark.parametrize("name", NUMBERS)
def test_awkward_pictures_by_plain_loops(name: str) -> None:
    """Bytes, whose sums are exact; constant parts among them, where nothing deviates."""
    numbers = NUMBERS[name][0]
    for image in AWKWARD.values():
        got = getattr(_windows, f"threshold_{name}")(image, 5, *numbers)
        assert_close(got, plain(name, image, 5, 5, *numbers), 1e-10, 255)


def test_the_exponential(backend: str) -> None:
    """Phansalkar's, of 0 down to where doubles end: to a few units in the last place, and 0 beyond e**-700."""
    dtype = "uint8" if backend.startswith("numba") else "uint16"
    most = int(np.iinfo(dtype).max)
    image = np.linspace(1, most, 250).astype(dtype)[np.newaxis]
    for q in (0, 1e-9, 1, 10, 100, 690):
        got = threshold_phansalkar(image, 1, k=0, p=1, q=q, backend=backend) / image - 1
        expected = [math.exp(-q * pixel / most) for pixel in image[0].tolist()]
        np.testing.assert_allclose(got[0], expected, rtol=1e-12, atol=3e-16)  # 1 was added to it, and taken away
        got = threshold_phansalkar(image, 1, k=1, p=1e300, q=q, r=1e300, backend=backend) / image
        np.testing.assert_allclose(got[0], np.array(expected) * 1e300, rtol=1e-12)
    got = threshold_phansalkar(image, 1, k=1, p=1, q=1e300, r=1e300, backend=backend)
    assert np.abs(got).max() < 1e-290


def test_defaults() -> None:
    """Windows, ranges and constants that the docstrings promise."""
    bytes_, words, floats = (picture(dtype, 40, 50) for dtype in ("uint8", "uint16", "float64"))
    assert_same_bits(threshold_bradley(bytes_), threshold_bradley(bytes_, 6, 15))
    assert_same_bits(threshold_bradley(bytes_[:, :7]), threshold_bradley(bytes_[:, :7], 1, 15))
    for image, half, level in ((bytes_, 127.5, 128), (words, 32767.5, 32768), (floats, 1, 0.5)):
        assert_same_bits(threshold_sauvola(image), threshold_sauvola(image, 15, 0.2, half))
        assert_same_bits(threshold_phansalkar(image), threshold_phansalkar(image, 75, 0.2, 3, 10, level))
        assert_same_bits(threshold_niblack(image), threshold_niblack(image, 15, 0.2))
        assert_same_bits(threshold_wolf(image), threshold_wolf(image, 75, 0.2))
        assert_same_bits(threshold_nick(image), threshold_nick(image, 75, -0.2))
        assert_same_bits(threshold_singh(image), threshold_singh(image, 75, 0.2))
        expected = threshold_local(image, (3, 3), "gaussian", 0, "reflect", 1 / 3)
        assert_same_bits(threshold_local(image), expected)


# --- both ways of adding up ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [31, 511, (512, 512), (513, 511), 513, 601], ids=str)
@pytest.mark.parametrize("case", ["noise", "white", "black", "one-white"])
def test_bytes_and_doubles_add_up_to_the_same(case: str, side: Any) -> None:
    """Bytes in 32 bits up to 2**18 pixels a window, above it in doubles: exact in both, as are their doubles' sums."""
    image = np.tile(AWKWARD[case], (600 // AWKWARD[case].shape[0], 600 // AWKWARD[case].shape[1] + 1))
    floats = image.astype(np.float64)
    assert_same_bits(threshold_nick(image, side), threshold_nick(floats, side))
    assert_same_bits(threshold_wolf(image, side), threshold_wolf(floats, side))
    odd = side if isinstance(side, int) else (511, 513)
    assert_same_bits(threshold_niblack(image, odd), threshold_niblack(floats, odd))
    assert_same_bits(threshold_local(image, odd, "mean"), threshold_local(floats, odd, "mean"))


def test_a_sum_in_32_bits_holds_white(backend: str) -> None:
    """The largest window whose sum of bytes is kept in 32 bits, and the next: of nothing but white."""
    image = AWKWARD["white"]
    for side in ((2**12 - 1, 2**11), (2**12 + 1, 2**11 + 1), (2**18 - 1, 1), (2**18 + 1, 1)):
        assert_same_bits(threshold_bradley(image, side, 0, backend=backend), np.full(image.shape, 255.0))
        odd = (side[0], side[1] | 1)
        if backend != "python":
            assert_same_bits(threshold_local(image, odd, "mean", backend=backend), np.full(image.shape, 255.0))
            assert_same_bits(threshold_niblack(image, odd, backend=backend), np.full(image.shape, 255.0))


# --- the same bits everywhere ----------------------------------------------------------------------------------------


@each_name
def test_the_same_bits_on_every_backend(backend: str, name: str, some: Some) -> None:
    for dtype in dtypes(backend, name):
        for shape in some(((1, 1), (1, 10), (10, 1), (3, 4), (17, 33), (2, 530), (130, 5)), 3, dtype):
            got = CALLS[name](picture(dtype, *shape), backend=backend)
            if backend == "python":
                assert_same_bits(got, CALLS[name](picture(dtype, *shape), backend="cython"))
            else:
                assert_same_bits(got, by_python(name, dtype, *shape))


@pytest.mark.usefixtures("many_tickets")
@each_name
def test_threads(backend: str, name: str, some: Some) -> None:
    """Many pieces of rows, each a ticket; the last one short."""
    for dtype in dtypes(backend, name)[-2:]:
        shape = (64 * 5 + 7, 3)
        image = picture(dtype, *shape)
        for threads in some((1, 2, 3, 4, 5), 2, dtype):
            got = CALLS[name](image, backend=backend, threads=at_most(backend, threads))
            assert_same_bits(got, by_python(name, dtype, *shape))
    # Where a piece is two windows high.
    dtype = dtypes(backend, name)[-1]
    image = picture(dtype, 700, 2)
    how: Any = {"block_size": 75} if name.startswith(("adaptive", "local")) else {"window_size": 75}
    alone = CALLS[name](image, backend="cython", threads=1, **how)
    for threads in some((1, 2, 5), 2):
        assert_same_bits(CALLS[name](image, backend=backend, threads=at_most(backend, threads), **how), alone)


@each_name
def test_threads_of_a_large_picture(name: str) -> None:
    """Several tickets as they are cut."""
    image = picture(dtypes("cython", name)[-1], 700, 701)
    alone = CALLS[name](image, threads=1)
    for threads in (2, 3, 4, 5):
        assert_same_bits(CALLS[name](image, threads=threads), alone)


@each_name
def test_pieces_are_not_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows a piece has, sums of integers are the same."""
    for dtype in dtypes("cython", name)[:2]:
        expected = CALLS[name](picture(dtype, 130, 21))
        for rows in (1, 3, 1000):
            monkeypatch.setattr(_windows, "ROWS", rows)
            monkeypatch.setattr(_windows, "WEIGHED_ROWS", rows)
            assert_same_bits(CALLS[name](picture(dtype, 130, 21)), expected)


@pytest.mark.parametrize("isa", backends.isas())
@each_name
def test_instruction_sets(isa: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Widths about every vector there is, about four of them, and about the chunks of a row."""
    kernels = backends.kernels
    monkeypatch.setattr(backends, "kernels", lambda family, backend: kernels(family, backend, isa))
    for dtype in dtypes("cython", name):
        for width in (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 511, 512, 513, 576):
            got = CALLS[name](picture(dtype, 2, width), backend="cython")
            assert_same_bits(got, by_python(name, dtype, 2, width))


def test_a_comparison_is_one_with_the_threshold(backend: str) -> None:
    """Black and white without the thresholds in between: the same pixels."""
    how: Any = {"out": None, "backend": backend, "threads": None, "executor": None}
    for name in FLOATING:
        call = CALLS[name]
        for dtype in dtypes(backend):
            image = picture(dtype, 2, 9, sized(backend, 30, 530))
            formula = getattr(_windows, name.partition("-")[0])(image, **call.keywords)
            got = _windows.compared(image, image, formula, (200, 9), **how)
            expected = np.where(image > call(image, backend=backend), 200, 9).astype(np.uint8)
            assert_same_bits(got, expected)


@settings(max_examples=30)
@given(
    st.sampled_from(list(CALLS)),
    st.integers(1, 12),
    st.integers(1, 30),
    st.sampled_from(DTYPES),
    st.tuples(st.integers(1, 20), st.integers(1, 40)),
    st.integers(0, 100),
)
def test_backends_agree(
    backend: str, name: str, height: int, width: int, dtype: str, window: tuple[int, int], seed: int
) -> None:
    dtype = dtype if dtype in dtypes(backend, name) else "uint8"
    odd = (window[0] | 1, window[1] | 1)
    how: dict[str, Any] = {"window_size": window if name in NUMBERS else odd}
    if name.startswith("local"):
        how = {"block_size": odd}
    elif name.startswith("adaptive"):
        how = {"block_size": max(3, odd[0])}
    image = picture(dtype, height, width, seed=seed)
    got = CALLS[name](image, **how, backend=backend)
    assert_same_bits(got, CALLS[name](image, **how, backend="cython" if backend == "python" else "python"))


# --- shapes, layouts, dtypes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: Callable[[Array], Array]) -> None:
    for name, call in CALLS.items():
        for dtype in dtypes("cython", name):
            image = layout(picture(dtype, 3, 6, 11))
            before = image.copy()
            expected = call(np.array(image, dtype, order="C"))
            for backend in ("python", "cython-held", "cython"):
                assert_same_bits(call(image, backend=backend), expected)
            np.testing.assert_array_equal(image, before)


def test_stacks(backend: str) -> None:
    """Each image by itself: as if there were no other, whatever its extremes."""
    for name, call in CALLS.items():
        for dtype in dtypes(backend, name):
            images = picture(dtype, 2, 3, 9, 14)
            images[0, 1] = images[0, 1] // 2 + 3 if dtype.startswith("u") else images[0, 1] / 2
            images[1, 2] = images[1, 2, 0, 0]  # nothing deviates
            got = call(images, backend=backend)
            assert got.shape == images.shape
            for place in np.ndindex(2, 3):
                assert_same_bits(got[place], call(images[place], backend=backend))


@pytest.mark.usefixtures("many_tickets")
def test_wolf_looks_at_each_image_of_a_stack(backend: str) -> None:
    """By many workers, who join what they saw: a dark image does not darken the others."""
    images = np.stack([picture("uint8", 150, 4), picture("uint8", 150, 4) // 4 + 100, picture("uint8", 150, 4) // 9])
    for threads in (1, 3, 5):
        got = threshold_wolf(images, 9, backend=backend, threads=at_most(backend, threads))
        for image, one in zip(images, got, strict=True):
            assert_same_bits(one, threshold_wolf(image, 9, backend="cython", threads=1))


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (0, 4, 4), (2, 0, 4), (2, 4, 0)], ids=str)
def test_empty_pictures(backend: str, shape: tuple[int, ...]) -> None:
    for name, call in CALLS.items():
        for dtype in dtypes(backend, name):
            got = call(np.empty(shape, dtype), backend=backend)
            assert_same_bits(got, np.empty(shape, np.uint8 if name.startswith("adaptive") else np.float64))


def test_nested_lists() -> None:
    rows = [[1.0, 2.0], [3.0, 6.0]]
    np.testing.assert_array_equal(threshold_local(rows, 1), rows)
    assert_same_bits(threshold_nick(rows, 3), threshold_nick(np.array(rows), 3))


@each_name
def test_windows_beyond_the_picture(name: str) -> None:
    """Also many times its size, when borders go there and back."""
    argument = "block_size" if name.startswith(("local", "adaptive")) else "window_size"
    for image in AWKWARD.values():
        got = CALLS[name](image, **{argument: 301})
        if image.size < 30:
            assert_same_bits(got, CALLS[name](image, **{argument: 301}, backend="python"))
        if name in NUMBERS:  # each window is the whole picture
            assert_same_bits(got, CALLS[name](image, **{argument: 302}))


def test_16_bits(backend: str) -> None:
    """The whole range: sums of squares far beyond 32 bits, exact all the same."""
    if backend in ("numba-held", "numba-parallel"):
        return
    for image in (
        np.full((70, 9), 65535, np.uint16),
        np.where(picture("uint8", 70, 9) > 120, 65535, 0).astype(np.uint16),
        np.where(picture("uint8", 70, 9) > 120, 65535, 65534).astype(np.uint16),
    ):
        got = threshold_niblack(image, 7, backend=backend)
        np.testing.assert_array_equal(got, scikit("threshold_niblack", image, 7))
        got = threshold_sauvola(image, 7, backend=backend)
        np.testing.assert_array_equal(got, scikit("threshold_sauvola", image, 7))


# --- floats ----------------------------------------------------------------------------------------------------------

HUGE = {
    "huge": 1e308,  # squares overflow, and so do sums
    "squares-overflow": 1e200,
    "tiny": 1e-200,  # squares vanish
    "subnormal": 5e-324,
}


@pytest.mark.parametrize("case", HUGE)
@each_threshold
@pytest.mark.filterwarnings("error")
def test_floats_of_any_size(name: str, case: str) -> None:
    """What overflows becomes NaN or infinity: on every backend in the same places, without a warning or an error."""
    image = picture("float64", 9, 12) * HUGE[case]
    image[4, 5] = 1.0
    image[2, 3:9] = 0.0
    for seen in (image, -image) if name != "phansalkar" else (image,):
        expected = CALLS[name](seen, backend="python")
        for backend in ("cython", "cython-held", "numba"):
            if backends.missing(backend) is None:
                np.testing.assert_array_equal(CALLS[name](seen, backend=backend), expected)


@each_threshold
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_holes_refused(name: str, dtype: str) -> None:
    """A sliding sum would carry them along for ever."""
    image = picture(dtype, 2, 9, 12)
    for value in (math.nan, math.inf, -math.inf):
        for place in ((0, 0, 0), (1, 8, 11), (1, 4, 5)):
            bad = image.copy()
            bad[place] = value
            for backend in ("python", "cython"):
                for seen in (bad, np.asfortranarray(bad)):
                    with pytest.raises(ValueError, match=r"image: got (NaN or infinity in it|negative pixels)"):
                        CALLS[name](seen, backend=backend)


def test_negative_pixels() -> None:
    image = picture("float64", 9, 12) - 0.5
    with pytest.raises(ValueError, match="image: got negative pixels, expected none"):
        threshold_phansalkar(image, 3)
    for name in ("local-mean", "niblack", "nick"):
        assert np.isfinite(CALLS[name](image)).all()


# --- out -------------------------------------------------------------------------------------------------------------


def test_out(backend: str) -> None:
    """Into arrays of every order, and into gaps that stay as they are."""
    image = picture("uint8", 7, 10)
    for name, call in CALLS.items():
        kind: Any = np.uint8 if name.startswith("adaptive") else np.float64
        expected = call(image, backend=backend)
        spaced, backwards = np.full((7, 20), 113, kind), np.empty((7, 10), kind)[::-1, ::-1]
        misaligned = np.zeros(np.dtype(kind).itemsize * 70 + 1, np.uint8)[1:].view(kind).reshape(7, 10)
        for out in (np.empty((7, 10), kind), np.empty((10, 7), kind).T, spaced[:, ::2], backwards, misaligned):
            out[...] = 77
            assert call(image, out=out, backend=backend) is out
            np.testing.assert_array_equal(out, expected)
        assert (spaced[:, 1::2] == 113).all()


@each_name
def test_out_refused(name: str) -> None:
    dtype = "uint8" if name.startswith("adaptive") else "float64"
    other = "float64" if dtype == "uint8" else "float32"
    image = picture(dtype, 6, 8)
    before = image.copy()
    read_only = np.empty((6, 8), dtype)
    read_only.flags.writeable = False
    cases: list[tuple[Any, type[Exception], str]] = [
        ([[0] * 8] * 6, TypeError, "out: got list, expected an ndarray"),
        (np.empty((6, 8), other), TypeError, f"out: got dtype {other}, expected {dtype}"),
        (np.empty((8, 6), dtype), ValueError, r"out: got shape \(8, 6\), expected \(6, 8\)"),
        (np.empty((1, 6, 8), dtype), ValueError, r"out: got shape \(1, 6, 8\), expected \(6, 8\)"),
        (read_only, ValueError, "out: got a read-only array, expected a writeable one"),
        (image, ValueError, "out: got an array that shares memory with image"),
        (image[::-1], ValueError, "out: got an array that shares memory with image"),
    ]
    if dtype == "float64":
        swapped = np.dtype(np.float64).newbyteorder("S")
        cases.append((np.empty((6, 8), swapped), TypeError, "out: got dtype >f8, expected float64"))
    for out, error, message in cases:
        with pytest.raises(error, match=message):
            CALLS[name](image, out=out)
    np.testing.assert_array_equal(image, before)


# --- arguments -------------------------------------------------------------------------------------------------------


@each_name
def test_images_refused(name: str) -> None:
    for dtype in (np.int64, np.int8, np.uint32, np.float16, bool, complex):
        with pytest.raises(TypeError, match=f"image: got dtype {np.dtype(dtype)}, expected uint8, uint16, float32"):
            CALLS[name](np.zeros((5, 5), dtype))
    for shape in ((), (5,), (0,)):
        with pytest.raises(ValueError, match=r"image: got shape \(.*\), expected \(height, width\) or a stack"):
            CALLS[name](np.zeros(shape, np.uint8))
    if name.startswith("adaptive"):
        for other in DTYPES[1:]:
            with pytest.raises(TypeError, match=f"image: got dtype {other}, expected uint8"):
                CALLS[name](np.zeros((5, 5), other))


# Of each function, its arguments that are numbers.
REAL = {
    "adaptive-mean": ["maxval", "c"],
    "local-mean": ["offset", "cval"],
    "local-gaussian": ["offset", "cval", "param"],
    "niblack": ["k"],
    "sauvola": ["k", "r"],
    "wolf": ["k"],
    "nick": ["k"],
    "bradley": ["t"],
    "phansalkar": ["k", "p", "q", "r"],
    "singh": ["k"],
}
IMAGE = picture("uint8", 8, 9)


@pytest.mark.parametrize(("name", "argument"), [(name, one) for name, found in REAL.items() for one in found])
def test_numbers_refused(name: str, argument: str) -> None:
    for bad in ("1", True, np.bool_(False), 1j, np.array(1.0), object):
        if argument == "param" and isinstance(bad, np.ndarray):
            continue  # two of them may be an array
        with pytest.raises(TypeError, match=f"{argument}: got {type(bad).__name__}, expected a real number"):
            CALLS[name](IMAGE, **{argument: bad})
    with pytest.raises(ValueError, match=f"{argument}: got NaN, expected a real number"):
        CALLS[name](IMAGE, **{argument: math.nan})
    if not name.startswith("adaptive"):
        for bad in (math.inf, -math.inf):
            with pytest.raises(ValueError, match=f"{argument}: got {bad}, expected a finite number"):
                CALLS[name](IMAGE, **{argument: bad})
    for good in (Fraction(1, 2), np.float32(0.5)):
        assert_same_bits(CALLS[name](IMAGE, **{argument: good}), CALLS[name](IMAGE, **{argument: 0.5}))


@pytest.mark.parametrize("maxval", [math.inf, -math.inf])
@pytest.mark.parametrize("c", [math.inf, -math.inf])
@pytest.mark.parametrize("kind", KINDS)
def test_infinite_constants(kind: str, c: float, maxval: float) -> None:
    """As large ones: all pixels are above a threshold of minus infinity."""
    white = (c > 0) == (kind == "binary") and maxval > 0
    got = adaptive_threshold(IMAGE, maxval, kind=kind, block_size=3, c=c)
    assert_same_bits(got, np.full(IMAGE.shape, 255 * white, np.uint8))


@each_name
def test_windows_refused(name: str) -> None:
    argument = "block_size" if name.startswith(("adaptive", "local")) else "window_size"
    for bad in (2.0, "3", True, np.array(3.0), np.True_):
        kind = type(bad).__name__
        with pytest.raises(TypeError, match=f"{argument}: got {kind}, expected an integer"):
            CALLS[name](IMAGE, **{argument: bad})
    for number in (0, -1, -3, 2**20 + 1, 10**30 + 1):
        with pytest.raises(ValueError, match=f"{argument}: got {number}, expected"):
            CALLS[name](IMAGE, **{argument: number})
    if name.startswith("adaptive"):
        with pytest.raises(TypeError, match="block_size: got tuple, expected an integer"):
            CALLS[name](IMAGE, block_size=(3, 3))
        return
    for pair in ((3, 0), (-1, 3), (3, 2**20 + 1)):
        with pytest.raises(ValueError, match=rf"{argument}: got \({pair[0]}, {pair[1]}\), expected"):
            CALLS[name](IMAGE, **{argument: pair})
    with pytest.raises(TypeError, match=f"{argument}: got float, expected an integer"):
        CALLS[name](IMAGE, **{argument: (3, 3.0)})
    several: tuple[Any, ...] = ((), (3,), (3, 3, 3))
    for many in several:
        with pytest.raises(ValueError, match=f"{argument}: got {len(many)} numbers, expected one, or one for rows"):
            CALLS[name](IMAGE, **{argument: many})
    expected = CALLS[name](IMAGE, **{argument: (3, 5)})
    for pair_of in ([3, 5], np.array([3, 5]), (np.int8(3), np.uint64(5))):
        assert_same_bits(CALLS[name](IMAGE, **{argument: pair_of}), expected)


@pytest.mark.parametrize(
    ("name", "argument", "words"),
    [
        ("adaptive-mean", "method", "mean, gaussian"),
        ("adaptive-mean", "kind", "binary, binary_inv"),
        ("local-mean", "method", "gaussian, mean"),
        ("local-mean", "mode", "reflect, constant, nearest, mirror, wrap"),
    ],
)
def test_words_refused(name: str, argument: str, words: str) -> None:
    for bad in ("median", "", "MEAN", "clip", "trunc"):
        with pytest.raises(ValueError, match=f"{argument}: got '{bad}', expected one of {words}"):
            CALLS[name](IMAGE, **{argument: bad})
    for other in (None, 0, b"mean"):
        with pytest.raises(TypeError, match=f"{argument}: got {type(other).__name__}, expected one of {words}"):
            CALLS[name](IMAGE, **{argument: other})


def test_other_numbers_refused() -> None:
    for call in (threshold_sauvola, threshold_phansalkar):
        for zero in (0, -0.0):
            with pytest.raises(ValueError, match="r: got 0, expected the range of the standard deviation"):
                call(IMAGE, r=zero)
    with pytest.raises(ValueError, match=r"q: got -0\.1, expected at least 0"):
        threshold_phansalkar(IMAGE, q=-0.1)
    bad: tuple[Any, ...] = (-1, (1, -0.5), 1e6)
    for param in bad:
        with pytest.raises(ValueError, match=r"param: got .*, expected standard deviations"):
            threshold_local(IMAGE, 3, param=param)
    with pytest.raises(ValueError, match="param: got 3 numbers, expected one, or one for rows and one for columns"):
        threshold_local(IMAGE, 3, param=(1, 2, 3))


def test_wrong_arguments_come_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_windows, "run", lambda *_, **__: pytest.fail("began to work"))
    for call in CALLS.values():
        for how in ({"backend": "fortran"}, {"threads": 0}, {"executor": 3}, {"out": 3}):
            with pytest.raises((TypeError, ValueError), match=f"{next(iter(how))}: got"):
                call(IMAGE, **how)


@pytest.mark.parametrize("side", [127, 129, 131, 255, 257])
def test_a_column_of_white_of_any_height(backend: str, side: int) -> None:
    """The mean of nothing but white is white, however wide the sums of columns are: it is above white less one only."""
    for shape in ((300, 1), (1, 300), (side, 3)):
        white = np.full(shape, 255, np.uint8)
        for c, expected in ((0, 0), (1, 255)):
            got = adaptive_threshold(white, block_size=side, c=c, backend=backend)
            assert_same_bits(got, np.full(shape, expected, np.uint8))
