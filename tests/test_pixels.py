"""Grey, threshold and Otsu: OpenCV's and scikit-image's answers, and the same bits on every backend."""

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from awkward import LAYOUTS, Array
from calls import at_most
from hypothesis import given
from hypothesis import strategies as st
from judge import assert_same_bits
from selection import Some

from gilfree import backends, pixels
from gilfree.pixels import grayscale, threshold, threshold_otsu

DTYPES = ["uint8", "uint16", "float32", "float64"]
KINDS = ["binary", "binary_inv", "trunc", "tozero", "tozero_inv"]


def picture(dtype: str, *shape: int, seed: int = 0) -> Array:
    """A dark and a bright half with noise: the whole range of an integer dtype, -0.5 to 1.5 for floats."""
    random = np.random.default_rng([seed, *shape])
    values = random.normal(0.25, 0.2, shape)
    values[len(values) // 2 :] += 0.5
    if np.dtype(dtype).kind == "f":
        return values.astype(dtype)
    most = np.iinfo(dtype).max
    return (values.clip(0, 1) * most).round().astype(dtype)


def sized(backend: str, small: int, large: int) -> int:
    """A number of pixels: python takes a microsecond for each, the others less than one in a thousand of it."""
    return small if backend == "python" else large


# --- grayscale -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", DTYPES)
def test_grayscale_has_the_same_bits_everywhere(backend: str, dtype: str, channels: int) -> None:
    for size in (1, 2, 15, 16, 17, 63, 64, 65, 1000):
        image = picture(dtype, size, channels)
        assert_same_bits(grayscale(image, backend=backend), grayscale(image, backend="python"))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_grayscale_as_opencv(backend: str, dtype: str) -> None:
    """Bit for bit, on the corners of the colour cube and on noise."""
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    most = int(np.iinfo(dtype).max)
    levels = [0, 1, 2, most // 3, most // 2, most // 2 + 1, most - 1, most]
    cube = np.array([(r, g, b) for r in levels for g in levels for b in levels], dtype)[np.newaxis]
    noise = np.random.default_rng(1).integers(0, most, (100, 101, 4), dtype, endpoint=True)
    for image in (cube, noise[..., :3].copy()):
        assert_same_bits(grayscale(image, backend=backend), cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    assert_same_bits(grayscale(noise, backend=backend), cv2.cvtColor(noise, cv2.COLOR_RGBA2GRAY))


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("channels", [3, 4])
def test_grayscale_of_bytes_of_any_number(backend: str, channels: int, order: str) -> None:
    """About vectors, from any address on: by the formula, and nothing beyond the last pixel is written."""
    memory = np.random.default_rng(channels).integers(0, 256, 135 * channels + 16, np.uint8)
    for size in range(1, sized(backend, 20, 131)):
        start = size % 16
        image = memory[start : start + size * channels].reshape(size, channels)
        red, green, blue = image[:, :3].T.astype(np.int64)[:: 1 if order == "RGB" else -1]
        expected = ((9798 * red + 19235 * green + 3735 * blue + 2**14) >> 15).astype(np.uint8)
        around = np.full(size + 32, 113, np.uint8)
        grayscale(image, order=order, out=around[start : start + size], backend=backend)
        assert_same_bits(around[start : start + size], expected)
        assert (around[:start] == 113).all()
        assert (around[start + size :] == 113).all()


def test_grayscale_of_floats_as_opencv(backend: str) -> None:
    """OpenCV may fuse a multiplication and an addition, so its last bit may differ."""
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    image = np.random.default_rng(2).random((50, 51, 3), np.float32)
    expected = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    np.testing.assert_allclose(grayscale(image, backend=backend), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_grey_stays_grey(backend: str, dtype: str) -> None:
    """The weights add up to one: equal channels keep their level, each of them."""
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)
    if backend == "python":
        levels = levels[:: len(levels) // 256]
    assert_same_bits(grayscale(np.stack([levels] * 3, axis=-1), backend=backend), levels)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_grayscale_rounds_after_each_operation(backend: str, dtype: str) -> None:
    """No fused multiply-add: the answer is what NumPy's three products and two sums give."""
    image = picture(dtype, sized(backend, 1000, 100_000), 3)
    red, green, blue = (np.dtype(dtype).type(weight) for weight in (0.299, 0.587, 0.114))
    expected = image[:, 0] * red + image[:, 1] * green + image[:, 2] * blue
    assert_same_bits(grayscale(image, backend=backend), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_grayscale_of_awkward_floats(backend: str, dtype: str) -> None:
    """Without a warning, whatever the pixels: a picture may have holes."""
    most, least = float(np.finfo(dtype).max), float(np.finfo(dtype).smallest_subnormal)
    nan, inf = math.nan, math.inf
    values = [(nan, 0, 0), (0, nan, 1), (inf, 1, 2), (inf, -inf, 0), (-inf, -1, 0), (-0.0, -0.0, -0.0)]
    values += [(most, most, most), (-most, -most, -most), (least, least, least), (most, -most, 0)]
    image = np.array(values, dtype)
    got, expected = grayscale(image, backend=backend), grayscale(image, backend="python")
    np.testing.assert_array_equal(got, expected)
    numbers = ~np.isnan(expected)  # which NaN comes out depends on the order of the operands
    assert_same_bits(got[numbers], expected[numbers])


@pytest.mark.parametrize("dtype", DTYPES)
def test_grayscale_over_tickets(backend: str, dtype: str) -> None:
    """More than one ticket of pixels, the last one short; for python where a ticket is shortest."""
    size = 2**20 // (3 * np.dtype(dtype).itemsize) * 2 + 77
    if backend == "python" and dtype != "float64":
        size = 1000
    image = picture(dtype, size, 3)
    expected = grayscale(image, backend="cython", threads=1)
    for threads in (1, 2) if backend == "python" else (1, 2, 3, 4, 5):
        assert_same_bits(grayscale(image, backend=backend, threads=at_most(backend, threads)), expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_grayscale_layouts(backend: str, layout: Callable[[Array], Array]) -> None:
    image = layout(picture("uint16", 9, 10, 3))
    before = image.copy()
    plain = np.array(image, np.uint16, order="C")
    assert_same_bits(grayscale(image, backend=backend), grayscale(plain, backend="python"))
    np.testing.assert_array_equal(image, before)


def test_grayscale_shapes(backend: str) -> None:
    for shape in ((1, 3), (0, 3), (0, 4), (2, 0, 3), (2, 3, 4, 3), (2, 1, 1, 1, 4)):
        image = picture("uint8", *shape)
        got = grayscale(image, backend=backend)
        assert got.shape == shape[:-1]
        assert_same_bits(got, grayscale(image, backend="python"))
    nested = np.array([[255, 255, 255], [0, 0, 0]], np.uint8)
    assert grayscale(list(nested), backend=backend).tolist() == [255, 0]


def test_grayscale_out(backend: str) -> None:
    image = picture("uint8", 7, 8, 3)
    expected = grayscale(image, backend="python")
    spaced = np.zeros((7, 16), np.uint8)
    for out in (np.empty((7, 8), np.uint8), np.empty((8, 7), np.uint8).T, spaced[:, ::2]):
        assert grayscale(image, out=out, backend=backend) is out
        np.testing.assert_array_equal(out, expected)
    assert not spaced[:, 1::2].any()


# --- threshold -------------------------------------------------------------------------------------------------------

# Beside, between and far beyond the levels; OpenCV floors on integer images, and rounds maxval half to even.
LIMITS = [-1e6, -1, -0.5, -0.0, 0, 0.5, 7, 7.9, 127, 254, 254.5, 255, 255.5, 256, 65534.5, 65535, 65536, 1e6]
MAXVALS = [255, 0, 1, 126.5, 127.5, 128.5, -5, 300, 65535, 70000]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_threshold_as_opencv(backend: str, dtype: str, kind: str) -> None:
    """Bit for bit. Every level of 8 bits, some of 16, floats on both sides of each limit."""
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    number = getattr(cv2, f"THRESH_{kind.upper()}")
    if dtype == "uint8":
        image = np.arange(256, dtype=dtype).reshape(16, 16)
    elif dtype == "uint16":
        image = np.array([*range(300), *range(30000, 30100), *range(65500, 65536)], dtype)[np.newaxis]
    else:
        steps = np.array([*LIMITS, 0.1, -0.1, 1e30], dtype)
        image = np.concatenate([np.nextafter(steps, -np.inf), steps, np.nextafter(steps, np.inf)])[np.newaxis]
    for limit in LIMITS:
        for maxval in MAXVALS:
            _, expected = cv2.threshold(image, limit, maxval, number)
            got = threshold(image, limit, maxval=maxval, kind=kind, backend=backend)
            # Zeros of either sign are equal here: OpenCV takes a maximum for some kinds and a choice for others.
            np.testing.assert_array_equal(got, expected, err_msg=f"value {limit}, maxval {maxval}")
            assert got.dtype == expected.dtype


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_threshold_as_documented(backend: str, dtype: str, kind: str) -> None:
    """The table of the docstring, with limits that no OpenCV can take, infinite ones among them."""
    image = picture(dtype, 500)
    kind_of = np.dtype(dtype)
    for limit in (*LIMITS, math.inf, -math.inf, 1e300, -1e300, float(image[7])):
        for maxval in (*MAXVALS, math.inf, -math.inf, 1e300):
            with np.errstate(over="ignore"):
                if kind_of.kind == "u":
                    most = np.iinfo(dtype).max
                    level = min(max(math.floor(limit), 0), most) if math.isfinite(limit) else most * (limit > 0)
                    white = min(max(round(maxval), 0), most) if math.isfinite(maxval) else most * (maxval > 0)
                    above = image > math.floor(limit) if math.isfinite(limit) else np.full(500, limit < 0)
                    cut, full = kind_of.type(level), kind_of.type(white)
                else:
                    cut, full = kind_of.type(limit), kind_of.type(maxval)
                    above = image > cut
            zero = kind_of.type(0)
            one, other = {
                "binary": (full, zero),
                "binary_inv": (zero, full),
                "trunc": (cut, image),
                "tozero": (image, zero),
                "tozero_inv": (zero, image),
            }[kind]
            got = threshold(image, limit, maxval=maxval, kind=kind, backend=backend)
            assert_same_bits(got, np.where(above, one, other))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_threshold_has_the_same_bits_everywhere(backend: str, dtype: str, kind: str) -> None:
    for size in (1, 2, 15, 16, 17, 63, 64, 65, 1000):
        image = picture(dtype, size)
        limit = float(image[size // 2])  # a pixel equal to the threshold is not above it
        got = threshold(image, limit, kind=kind, backend=backend)
        assert_same_bits(got, threshold(image, limit, kind=kind, backend="python"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threshold_of_awkward_floats(backend: str, dtype: str, kind: str) -> None:
    """NaN is not above anything and keeps its bits where pixels are kept; zeros keep their sign."""
    image = np.array([math.nan, -math.nan, math.inf, -math.inf, -0.0, 0.0, 1.0, -1.0] * 5, dtype)
    for limit in (0.0, -0.0, math.inf, -math.inf, 0.5):
        got = threshold(image, limit, maxval=3, kind=kind, backend=backend)
        assert_same_bits(got, threshold(image, limit, maxval=3, kind=kind, backend="python"))
        nan = got[np.isnan(image)]
        if kind in ("trunc", "tozero_inv"):
            assert_same_bits(nan, image[np.isnan(image)])
        else:
            assert (nan == (3 if kind == "binary_inv" else 0)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_threshold_over_tickets(backend: str, dtype: str) -> None:
    size = 2**20 // np.dtype(dtype).itemsize * 2 + 77
    if backend == "python" and dtype != "float64":
        size = 1000
    image = picture(dtype, size)
    for kind in ("binary", "trunc", "tozero"):
        expected = threshold(image, 100.5, maxval=200, kind=kind, backend="cython", threads=1)
        for threads in (1, 2) if backend == "python" else (1, 2, 3, 4, 5):
            got = threshold(image, 100.5, maxval=200, kind=kind, backend=backend, threads=at_most(backend, threads))
            assert_same_bits(got, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_threshold_beyond_the_caches(kind: str, some: Some) -> None:
    """Of a picture of more than 16 MB, whose result is written past them, from anywhere in memory and in place."""
    image = np.random.default_rng(0).integers(0, 256, 2**24 + 5003, np.uint8)[3:]
    n = len(image)
    choices: dict[str, tuple[Any, Any]] = {
        "binary": (200, 0),
        "binary_inv": (0, 200),
        "trunc": (100, image),
        "tozero": (image, 0),
        "tozero_inv": (0, image),
    }
    expected = np.where(image > 100, *choices[kind]).astype(np.uint8)
    for start in some((0, 1, 63), 1):
        out = np.zeros(start + n + 64, np.uint8)
        threshold(image, 100, maxval=200, kind=kind, out=out[start : start + n])
        np.testing.assert_array_equal(out[start : start + n], expected)
        assert not out[:start].any()
        assert not out[start + n :].any()
    if kind == "binary":
        np.testing.assert_array_equal(pixels.binarize(image.reshape(1, -1), value=100, maxval=200)[0], expected)
    assert threshold(image, 100, maxval=200, kind=kind, out=image) is image
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_threshold_layouts(backend: str, layout: Callable[[Array], Array]) -> None:
    image = layout(picture("float32", 6, 7, 8))
    before = image.copy()
    plain = np.array(image, np.float32, order="C")
    limit = float(plain[3, 3, 3])
    got = threshold(image, limit, kind="tozero", backend=backend)
    assert got.dtype == plain.dtype
    np.testing.assert_array_equal(got, threshold(plain, limit, kind="tozero", backend="python"))
    np.testing.assert_array_equal(image, before)


def test_threshold_shapes(backend: str) -> None:
    for shape in ((), (0,), (0, 3), (2, 0), (1,), (2, 3, 4, 5)):
        image = np.full(shape, 200, np.uint8)
        assert_same_bits(threshold(image, 100, backend=backend), np.full(shape, 255, np.uint8))
    rows = [np.array([1, 2], np.uint8), np.array([3, 4], np.uint8)]
    assert_same_bits(threshold(rows, 2, backend=backend), np.array([[0, 0], [255, 255]], np.uint8))


@pytest.mark.parametrize("value", [-1, 100, 254.5])
@pytest.mark.parametrize("kind", KINDS)
def test_threshold_out(backend: str, kind: str, value: float) -> None:
    """Into arrays of every order, into the image itself, and into a strided image itself."""
    image = picture("uint8", 7, 8)
    expected = threshold(image, value, kind=kind, backend="python")
    spaced = np.zeros((7, 16), np.uint8)
    for out in (np.empty((7, 8), np.uint8), np.empty((8, 7), np.uint8).T, spaced[:, ::2]):
        for source in (image, np.asfortranarray(image)):
            out[...] = 77
            assert threshold(source, value, kind=kind, out=out, backend=backend) is out
            np.testing.assert_array_equal(out, expected)
    assert not spaced[:, 1::2].any()
    for own in (image.copy(), np.asfortranarray(image), spaced[:, ::2]):
        own[...] = image
        assert threshold(own, value, kind=kind, out=own, backend=backend) is own
        np.testing.assert_array_equal(own, expected)


# --- threshold_otsu --------------------------------------------------------------------------------------------------


def exact_otsu(counts: list[int]) -> int:
    """The plainest Otsu: every level, in fractions; the lowest of the best."""
    total, total_sum = sum(counts), sum(level * count for level, count in enumerate(counts))
    if max(counts) == total:
        return counts.index(total)
    best, best_variance = 0, Fraction(-1)
    weight = part = 0
    for level, count in enumerate(counts):
        weight, part = weight + count, part + level * count
        if count and 0 < weight < total:  # at a level that does not occur nothing changes
            variance = Fraction((total * part - weight * total_sum) ** 2, weight * (total - weight))
            if variance > best_variance:
                best, best_variance = level, variance
    return best


# Histograms as lists of (level, count), each with what is special about it.
HISTOGRAMS = {
    "one-pixel": [(200, 1)],
    "constant": [(7, 1000)],
    "constant-zero": [(0, 10)],
    "two-levels": [(0, 5), (255, 5)],
    "neighbours": [(254, 3), (255, 900)],
    "a-tie": [(0, 10), (100, 10), (200, 10)],  # both cuts are as good: the lowest wins
    "many-ties": [(level, 1) for level in range(0, 250, 50)],
    "one-in-many": [(10, 1), (11, 5000)],
    "far-and-rare": [(0, 1), (1, 5000), (255, 1)],
    "ramp": [(level, level + 1) for level in range(256)],
    "flat": [(level, 3) for level in range(256)],
}


@pytest.mark.parametrize("case", HISTOGRAMS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_otsu_of_known_histograms(backend: str, dtype: str, case: str) -> None:
    counts = [0] * 256
    for level, count in HISTOGRAMS[case]:
        counts[level] = count
    scale = 1 if dtype == "uint8" else 257  # 255 becomes 65535
    image = np.repeat(np.arange(256) * scale, counts).astype(dtype)
    np.random.default_rng(0).shuffle(image)
    got = threshold_otsu(image, backend=backend)
    assert type(got) is int
    assert got == exact_otsu(counts) * scale


@given(st.lists(st.integers(0, 255), min_size=1, max_size=60))
def test_otsu_is_exact(backend: str, levels: list[int]) -> None:
    counts = [levels.count(level) for level in range(256)]
    assert threshold_otsu(np.array(levels, np.uint8), backend=backend) == exact_otsu(counts)


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(1, 3)), min_size=1, max_size=12))
def test_otsu_is_exact_on_16_bits(backend: str, pairs: list[tuple[int, int]]) -> None:
    image = np.repeat(*(np.array(column) for column in zip(*pairs, strict=True))).astype(np.uint16)
    assert threshold_otsu(image, backend=backend) == exact_otsu(np.bincount(image, minlength=1).tolist())


def test_otsu_of_a_large_image(backend: str) -> None:
    """Where rounding in doubles is felt: rare levels, far from a common one, in counts of millions."""
    size = sized(backend, 300_000, 3_000_000)
    image = np.full(size, 30_000, np.uint16)
    image[:3], image[3:7] = 29_999, 30_001
    assert threshold_otsu(image, backend=backend) == exact_otsu(np.bincount(image).tolist())
    image[7] = 0
    assert threshold_otsu(image, backend=backend) == exact_otsu(np.bincount(image).tolist())


@cache
def _otsu_by_python(dtype: str, size: int) -> Any:
    return threshold_otsu(picture(dtype, size), backend="python", threads=1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_otsu_is_the_same_everywhere(backend: str, dtype: str, some: Some) -> None:
    """Over several tickets and with any number of threads."""
    image = picture(dtype, 2**20 // np.dtype(dtype).itemsize * 2 + 77)
    expected = _otsu_by_python(dtype, image.size)
    for threads in (2,) if backend == "python" else some((1, 2, 3, 4, 5), 2):
        got = threshold_otsu(image, backend=backend, threads=at_most(backend, threads))
        assert_same_bits(got, expected)


@pytest.mark.parametrize("nbins", [1, 2, 3, 17, 256, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_otsu_of_floats(backend: str, dtype: str, nbins: int) -> None:
    """Exact over NumPy's own histogram of as many bins."""
    for scale, shift in ((1, 0), (1e-30, 0), (1e30, 0), (1, 1000), (255, -128)):
        image = (picture("float64", 50, 50) * scale + shift).astype(dtype)
        counts, edges = np.histogram(image, nbins)
        best = exact_otsu(counts.tolist())
        got = threshold_otsu(image, nbins, backend=backend)
        assert type(got) is float
        assert got == float((edges[best] + edges[best + 1]) / 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_otsu_of_awkward_floats(backend: str, dtype: str) -> None:
    """Ranges at the limits of the dtype: subnormal bins, and bins as narrow as a float's step."""
    tiny = float(np.finfo(dtype).smallest_subnormal)
    eps = float(np.finfo(dtype).eps)
    for values in (
        [0.0, 10**6 * tiny, 2 * 10**6 * tiny],
        [1.0, 1 + 1000 * eps, 1 + 4096 * eps],
        [-1.0, 0.0, float(np.sqrt(np.finfo(dtype).max))],
        [0.0, float(np.finfo(dtype).max)],
    ):
        image = np.array(values * 7, dtype)
        got = threshold_otsu(image, backend=backend)
        assert_same_bits(got, threshold_otsu(image, backend="python"))
        assert min(values) <= got <= max(values)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_otsu_refuses_bins_that_no_float_separates(backend: str, dtype: str) -> None:
    one = np.dtype(dtype).type(1)
    image = np.array([one, np.nextafter(one, one + one)])
    with pytest.raises(ValueError, match="nbins: got 256"):
        threshold_otsu(image, backend=backend)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_otsu_refuses_a_range_beyond_its_dtype(backend: str, dtype: str) -> None:
    """The highest less the lowest pixel is infinite, though both are finite."""
    image = np.array([-1, 0, 1], dtype) * np.finfo(dtype).max
    with pytest.raises(ValueError, match=f"image: got .* range beyond {dtype}"):
        threshold_otsu(image, backend=backend)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_otsu_of_constant_floats(backend: str, dtype: str) -> None:
    for value in (0.0, 1.5, -2.0, 1e30):
        image = np.full((5, 5), value, dtype)
        assert_same_bits(threshold_otsu(image, backend=backend), float(image[0, 0]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_otsu_of_zeros_of_both_signs(backend: str, dtype: str) -> None:
    """They are one value, and the answer has one sign."""
    for values in ([0.0, -0.0], [-0.0, 0.0], [-0.0], [0.0] * 40 + [-0.0], [-0.0] * 40 + [0.0]):
        image = np.array(values, dtype)
        assert_same_bits(threshold_otsu(image, backend=backend), threshold_otsu(image, backend="python"))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_otsu_refuses_what_is_not_finite(backend: str, dtype: str, bad: float) -> None:
    """Wherever it stands, in whichever vector lane or tail."""
    for size in (1, 2, 37):
        for place in range(size):
            image = picture(dtype, size)
            image[place] = bad
            with pytest.raises(ValueError, match="image: got NaN or infinity in it, expected finite pixels"):
                threshold_otsu(image, backend=backend)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_otsu_layouts(backend: str, layout: Callable[[Array], Array]) -> None:
    image = layout(picture("uint16", 16, 7, 8))
    before = image.copy()
    plain = np.array(image, np.uint16, order="C")
    assert_same_bits(threshold_otsu(image, backend=backend), threshold_otsu(plain, backend="python"))
    np.testing.assert_array_equal(image, before)


def test_otsu_of_one_pixel_and_lists(backend: str) -> None:
    assert_same_bits(threshold_otsu(np.array(9, np.uint16), backend=backend), 9)
    assert_same_bits(threshold_otsu([0.0, 1.0], 2, backend=backend), 0.25)


@pytest.mark.parametrize("name", ["camera", "coins", "page", "text", "cell", "synthetic"])
def test_otsu_as_scikit_image(backend: str, name: str) -> None:
    """Level for level on the photographs it ships, to a part in a million on floats made of them."""
    filters = pytest.importorskip("skimage.filters", reason="scikit-image is not installed")
    data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    image = picture("uint8", 301, 203) if name == "synthetic" else getattr(data, name)()
    assert threshold_otsu(image, backend=backend) == filters.threshold_otsu(image)
    wide = image.astype(np.uint16) * 257
    assert threshold_otsu(wide, backend=backend) == filters.threshold_otsu(wide)
    for dtype in (np.float32, np.float64):
        floats = (image / 255).astype(dtype)
        np.testing.assert_allclose(threshold_otsu(floats, backend=backend), filters.threshold_otsu(floats), rtol=1e-6)


def test_otsu_as_opencv(backend: str) -> None:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    for seed in range(5):
        image = picture("uint8", 90, 101, seed=seed)
        level, _ = cv2.threshold(image, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        assert threshold_otsu(image, backend=backend) == level


# --- instruction sets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("isa", backends.isas())
@pytest.mark.parametrize("dtype", DTYPES)
def test_instruction_sets_change_no_bit(isa: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = backends.kernels
    monkeypatch.setattr(backends, "kernels", lambda family, backend: kernels(family, backend, isa))
    for size in (1, 17, 65, 5000):
        colour = picture(dtype, size, 3)
        grey = grayscale(colour, backend="cython")
        assert_same_bits(grey, grayscale(colour, backend="python"))
        limit = float(grey[size // 2])
        for kind in KINDS:
            got = threshold(grey, limit, maxval=200, kind=kind, backend="cython")
            assert_same_bits(got, threshold(grey, limit, maxval=200, kind=kind, backend="python"))
        assert_same_bits(threshold_otsu(grey, backend="cython"), threshold_otsu(grey, backend="python"))


# --- refusals --------------------------------------------------------------------------------------------------------

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "grayscale": grayscale,
    "threshold": lambda image, **how: threshold(image, 1, **how),
    "threshold_otsu": threshold_otsu,
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["?", "b", "h", "i", "q", "I", "Q", "e", "g", "F", "U1", "O", "M8[s]"])
def test_dtypes_refused(name: str, dtype: str) -> None:
    message = "image: got dtype .*, expected uint8, uint16, float32 or float64"
    with pytest.raises(TypeError, match=message):
        FUNCTIONS[name](np.zeros((2, 3), dtype))


def test_lists_of_ints_refused() -> None:
    """NumPy makes int64 of them, and no guess is made."""
    with pytest.raises(TypeError, match="image: got dtype int64"):
        threshold([[1, 2], [3, 4]], 2)


@pytest.mark.parametrize("shape", [(), (3,), (4, 2), (4, 5), (3, 3, 1), (2, 0)], ids=str)
def test_channels_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"image: got shape .*, expected \(..., 3\) or \(..., 4\)"):
        grayscale(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("kind", ["", "BINARY", "otsu"])
def test_kinds_refused(kind: str) -> None:
    names = "binary, binary_inv, trunc, tozero, tozero_inv"
    with pytest.raises(ValueError, match=f"kind: got {kind!r}, expected one of {names}"):
        threshold(np.zeros(3, np.uint8), 1, kind=kind)


@pytest.mark.parametrize("kind", [None, 0, b"binary", ["binary"], {"binary": 1}], ids=repr)
def test_kinds_of_another_type_refused(kind: Any) -> None:
    with pytest.raises(TypeError, match=f"kind: got {type(kind).__name__}, expected one of binary, "):
        threshold(np.zeros(3, np.uint8), 1, kind=kind)


@pytest.mark.parametrize("bad", ["1", None, True, np.bool_(True), 1j, [1], np.array([1, 2])], ids=repr)
def test_numbers_refused(bad: Any) -> None:
    image = np.zeros(3, np.uint8)
    words = (
        ("value: got '1', expected one of otsu", ValueError)
        if isinstance(bad, str)
        else ("expected a real number", TypeError)
    )
    with pytest.raises(words[1], match=words[0]):
        threshold(image, bad)
    with pytest.raises(TypeError, match=f"maxval: got {type(bad).__name__}, expected a real number"):
        threshold(image, 1, maxval=bad)


def test_nan_refused() -> None:
    image = np.zeros(3, np.float32)
    with pytest.raises(ValueError, match="value: got NaN, expected a real number"):
        threshold(image, math.nan)
    with pytest.raises(ValueError, match="maxval: got NaN, expected a real number"):
        threshold(image, 1, maxval=math.nan)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int16, np.uint8, Fraction], ids=lambda kind: kind.__name__)
def test_numbers_of_other_types(kind: Callable[[int], Any]) -> None:
    assert threshold(np.array([1, 3], np.uint8), kind(2), maxval=kind(9)).tolist() == [0, 9]


@pytest.mark.parametrize("nbins", [2.0, "8", None, True], ids=repr)
def test_bins_refused(nbins: Any) -> None:
    with pytest.raises(TypeError, match=f"nbins: got {type(nbins).__name__}, expected a positive integer"):
        threshold_otsu(np.ones(3), nbins)


@pytest.mark.parametrize("nbins", [0, -1])
def test_too_few_bins_refused(nbins: int) -> None:
    with pytest.raises(ValueError, match=f"nbins: got {nbins}, expected a positive integer"):
        threshold_otsu(np.ones(3), nbins)


@pytest.mark.parametrize("shape", [(0,), (3, 0)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_otsu_of_nothing_refused(dtype: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"image: got shape .*, expected at least one pixel"):
        threshold_otsu(np.empty(shape, dtype))


def _read_only() -> Array:
    out = np.empty((4, 3), np.uint8)
    out.flags.writeable = False
    return out


IMAGE = np.ones((4, 3, 3), np.uint8)


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        pytest.param([[0] * 3] * 4, TypeError, "out: got list, expected an ndarray", id="list"),
        pytest.param(np.empty((4, 3)), TypeError, "out: got dtype float64, expected uint8", id="dtype"),
        pytest.param(np.empty(12, np.uint8), ValueError, r"out: got shape \(12,\), expected \(4, 3\)", id="shape"),
        pytest.param(_read_only(), ValueError, "out: got a read-only array, expected a writeable one", id="read-only"),
        pytest.param(IMAGE[..., 0], ValueError, "out: got an array that shares memory with image", id="overlap"),
    ],
)
def test_out_refused(out: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        grayscale(IMAGE, out=out)
    part = IMAGE[..., 0] if message.endswith("image") else IMAGE[..., 1].copy()
    if message.endswith("image"):
        out = IMAGE[:, ::-1, 0]  # the image itself is allowed, the same memory in another order is not
    with pytest.raises(error, match=message):
        threshold(part, 1, out=out)
    assert (IMAGE == 1).all()


def test_out_in_the_other_byte_order_refused() -> None:
    image = np.ones(3, ">u2")
    with pytest.raises(TypeError, match="out: got dtype >u2, expected uint16"):
        threshold(image, 1, out=image)


def test_public_names() -> None:
    """Those of scikit-image for what a histogram tells, and for what is around a pixel, beside OpenCV's."""
    names = {"adaptive_threshold", "apply_hysteresis_threshold", "binarize", "binarize_files", "grayscale", "histogram"}
    names |= {"threshold"}
    methods = {"isodata", "li", "mean", "minimum", "multiotsu", "otsu", "triangle", "yen"}
    methods |= {"local", "niblack", "sauvola", "wolf", "nick", "bradley", "phansalkar", "singh"}
    assert set(pixels.__all__) == names | {f"threshold_{method}" for method in methods}
