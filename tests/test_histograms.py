"""Histograms and the thresholds found in them: scikit-image's and OpenCV's answers, the same on every backend."""

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache, partial
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
from gilfree.pixels import _histograms, _levels

INTEGERS = ["uint8", "uint16"]
FLOATS = ["float32", "float64"]
DTYPES = [*INTEGERS, *FLOATS]
# The methods that find one value, and of those the ones that take a histogram.
METHODS = ["isodata", "li", "mean", "minimum", "otsu", "triangle", "yen"]
WITH_HIST = ["isodata", "minimum", "otsu", "yen"]
PICTURES = ["camera", "coins", "page", "text", "moon", "cell", "brick", "grass", "astronaut", "chelsea", "horse"]


def ours(method: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(pixels, f"threshold_{method}")
    return found


def theirs(method: str) -> Callable[..., Any]:
    filters = pytest.importorskip("skimage.filters", reason="scikit-image is not installed")
    found: Callable[..., Any] = getattr(filters, f"threshold_{method}")
    return found


@cache
def photograph(name: str) -> Array:
    """Grey, as scikit-image ships it."""
    data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    image: Array = getattr(data, name)()
    return np.ascontiguousarray(image[..., 1] if image.ndim == 3 else image).astype(np.uint8)


def two_humps(dtype: str, *shape: int, seed: int = 0) -> Array:
    """Noise about two levels; the whole range of 8 bits, less of 16, about 0 to 1 for floats."""
    random = np.random.default_rng([seed, *shape])
    values = np.where(random.random(shape) < 0.6, random.normal(0.3, 0.06, shape), random.normal(0.7, 0.06, shape))
    if np.dtype(dtype).kind == "f":
        return values.astype(dtype)
    return (values.clip(0, 1) * (255 if dtype == "uint8" else 1000)).round().astype(dtype)


def sized(backend: str, small: int, large: int) -> int:
    return small if backend == "python" else large


def answer(call: Callable[[], Any]) -> Any:
    """What a call returns, or the kind of error it raises."""
    try:
        return call()
    except (RuntimeError, ValueError) as error:
        return type(error)


# --- histogram -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_histogram_as_scikit_image(backend: str, dtype: str) -> None:
    exposure = pytest.importorskip("skimage.exposure", reason="scikit-image is not installed")
    image = two_humps(dtype, 53, 47)
    for nbins in (256, 1, 7):
        source = "dtype" if image.dtype.kind == "u" else "image"
        counts, centers = exposure.histogram(image, nbins, source_range=source)
        got = pixels.histogram(image, nbins, backend=backend)
        assert got[0].dtype == np.uint64
        np.testing.assert_array_equal(got[0], counts)
        np.testing.assert_array_equal(got[1], centers)
        assert got[1].dtype == centers.dtype


def test_histogram_as_opencv(backend: str) -> None:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    image = two_humps("uint8", 61, 67)
    expected = cv2.calcHist([image], [0], None, [256], [0, 256]).ravel()
    np.testing.assert_array_equal(pixels.histogram(image, backend=backend)[0], expected)


@pytest.mark.parametrize("kind", ["noise", "constant", "ramp", "two"])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_histogram_of_many_pixels(backend: str, dtype: str, kind: str, some: Some) -> None:
    """Around the size from which pairs of pixels are counted, over many tickets, whatever the number of threads."""
    most = int(np.iinfo(dtype).max)
    for size in (sized(backend, 5000, 2**21 - 1), sized(backend, 5001, 2**21 + 13)):
        places = np.arange(size)
        image = {
            "noise": np.random.default_rng(3).integers(0, most, size, dtype, endpoint=True),
            "constant": np.full(size, most, dtype),
            "ramp": places.astype(dtype),
            "two": np.where(places % 3, most, 0).astype(dtype),
        }[kind]
        expected = np.bincount(image, minlength=most + 1)
        for threads in some((1, 2, 3), 1, size):
            counts, _ = pixels.histogram(image, backend=backend, threads=at_most(backend, threads))
            np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_histogram_of_each_image(backend: str, dtype: str) -> None:
    for shape in ((1, 9), (5, 1), (7, 31, 5), (40, 16, 17)):
        stack = two_humps(dtype, *shape)
        counts, centers = pixels.histogram(stack, 16, per_image=True, backend=backend)
        for i, image in enumerate(stack):
            expected = pixels.histogram(image, 16, backend="cython")
            assert_same_bits(counts[i], expected[0])
            assert_same_bits(centers if dtype in INTEGERS else centers[i], expected[1])


def test_histogram_in_batches(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack whose counts would take too much memory at once, and images too large to share workers."""
    stack = two_humps("uint16", 7, 20, 21)
    expected = pixels.histogram(stack, per_image=True, backend="cython")[0]
    monkeypatch.setattr(_histograms, "MEMORY", 3 * 65536 * 8)
    assert_same_bits(pixels.histogram(stack, per_image=True, backend=backend)[0], expected)
    monkeypatch.setattr(_histograms, "LARGE", 100)
    assert_same_bits(pixels.histogram(stack, per_image=True, backend=backend)[0], expected)
    floats = stack.astype(np.float32)
    found = pixels.threshold_otsu(floats, per_image=True, backend=backend)
    assert found.tolist() == [pixels.threshold_otsu(image, backend="cython") for image in floats]


def test_histogram_of_constant_floats(backend: str) -> None:
    for value in (0.0, -3.25, 1e-30):
        image = np.full((3, 4), value, np.float32)
        counts, edges = np.histogram(image, 8)
        got = pixels.histogram(image, 8, backend=backend)
        np.testing.assert_array_equal(got[0], counts)
        np.testing.assert_array_equal(got[1], (edges[:-1] + edges[1:]) / 2)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(backend: str, layout: Callable[[Array], Array], some: Some) -> None:
    """One threshold for all, and one for each."""
    image = layout(two_humps("uint16", 6, 7, 8))
    plain = np.array(image, np.uint16, order="C")
    calls = (pixels.threshold_multiotsu, pixels.threshold_isodata, pixels.threshold_mean, pixels.threshold_li)
    for call, per_image in some(itertools.product(calls, (False, True)), 3):
        got = call(image, per_image=per_image, backend=backend)
        assert_same_bits(got, call(plain, per_image=per_image, backend="cython"))


# --- the methods, against scikit-image -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("method", METHODS)
def test_photographs_as_scikit_image(method: str, name: str) -> None:
    """The same level of 8 and of 16 bits, to a part in a million on floats."""
    image = photograph(name)
    assert answer(partial(ours(method), image)) == answer(partial(theirs(method), image))
    if method != "minimum":  # whose search takes scikit-image a minute
        wide = image.astype(np.uint16) * 257 + np.arange(image.size, dtype=np.uint16).reshape(image.shape) % 7
        assert ours(method)(wide) == theirs(method)(wide)
    for dtype in FLOATS:
        floats = (image / 255).astype(dtype)
        expected, got = answer(partial(theirs(method), floats)), answer(partial(ours(method), floats))
        if isinstance(expected, type):
            assert got is expected
        else:
            np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("name", PICTURES)
def test_photographs_by_classes_as_scikit_image(name: str, classes: int) -> None:
    image = photograph(name)
    if len(np.unique(image)) < classes:
        with pytest.raises(ValueError, match="image: got 2 different levels or bins, expected at least as many"):
            pixels.threshold_multiotsu(image, classes)
        return
    expected = theirs("multiotsu")(image, classes)
    got = pixels.threshold_multiotsu(image, classes)
    assert got.dtype == expected.dtype
    if got.tolist() != expected.tolist():
        # There the lowest level, which scikit-image takes for the one above it, or float32 has decided.
        counts = np.bincount(image.ravel(), minlength=256)
        assert variance(counts, got.tolist()) > variance(counts, expected.tolist())


@pytest.mark.parametrize("dtype", DTYPES)
def test_as_scikit_image(backend: str, dtype: str, some: Some) -> None:
    for method, seed in some(itertools.product(METHODS, range(3)), 2 * len(METHODS)):
        image = two_humps(dtype, 40, 41, seed=seed)
        got = answer(partial(ours(method), image, backend=backend))
        expected = answer(partial(theirs(method), image))
        if dtype in INTEGERS or isinstance(expected, type):
            assert got == expected, method
        else:
            np.testing.assert_allclose(got, expected, rtol=1e-6, err_msg=method)


@given(st.lists(st.integers(0, 255), min_size=2, max_size=60), st.sampled_from([1, 257]))
def test_random_levels_as_scikit_image(levels: list[int], factor: int) -> None:
    image = (np.array(levels) * factor).astype(np.uint8 if factor == 1 else np.uint16)
    for method in ("isodata", "li", "mean", "triangle", "yen"):
        with np.errstate(all="ignore"):
            assert ours(method)(image) == theirs(method)(image), method


@given(st.lists(st.integers(0, 30), min_size=5, max_size=300))
def test_smoothed_levels_as_scikit_image(levels: list[int]) -> None:
    """The last bit of a mean of three decides what is a peak."""
    image = np.repeat(np.arange(len(levels)) % 256, levels).astype(np.uint8)
    if image.size:
        for times in (1, 3, 10000):
            got = answer(partial(pixels.threshold_minimum, image, max_num_iter=times))
            assert got == answer(partial(theirs("minimum"), image, max_num_iter=times))


@cache
def _by_cython(method: str, dtype: str, size: int) -> Any:
    return answer(partial(ours(method), two_humps(dtype, size), backend="cython", threads=1))


# Each way to look at the pixels: counts, means, means of both sides.
@pytest.mark.parametrize("method", ["otsu", "mean", "li"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_has_the_same_bits_everywhere(backend: str, dtype: str, method: str, some: Some) -> None:
    """Over several tickets, parts of a sum that end within a lane, and with any number of threads."""
    size = 17_000 if backend == "python" else 2**20 // np.dtype(dtype).itemsize * 2 + 77
    image = two_humps(dtype, size)
    for threads in some((1, 2, 3), 2):
        got = answer(partial(ours(method), image, backend=backend, threads=at_most(backend, threads)))
        assert_same_bits(got, _by_cython(method, dtype, size))


@pytest.mark.parametrize("dtype", DTYPES)
def test_each_image_as_alone(backend: str, dtype: str) -> None:
    stack = two_humps(dtype, 6, 25, 24)
    with_a_constant_one = stack.copy()
    with_a_constant_one[2] = stack[2, 0, 0]
    for method in METHODS:
        images = stack if method == "minimum" else with_a_constant_one
        got = ours(method)(images, per_image=True, backend=backend)
        assert got.shape == (6,)
        assert got.tolist() == [ours(method)(image, backend="cython") for image in images]


def test_classes_of_each_image(backend: str) -> None:
    stack = two_humps("uint8", 5, 20, 20)
    got = pixels.threshold_multiotsu(stack, 4, per_image=True, backend=backend)
    assert_same_bits(got, np.array([pixels.threshold_multiotsu(image, 4, backend="cython") for image in stack]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_constant(backend: str, dtype: str, some: Some) -> None:
    """Its own value; where two peaks or several classes are asked for, an error. One pixel is constant too."""
    for shape, value in some(itertools.product(((4, 5), (), (1, 1)), (0, 7, 255)), 3):
        image = np.full(shape, value, dtype)
        for method in set(METHODS) - {"minimum"}:
            assert ours(method)(image, backend=backend) == value, method
        with pytest.raises(RuntimeError, match="smoothed to 0 peaks, expected two"):
            pixels.threshold_minimum(image, backend=backend)
        with pytest.raises(ValueError, match=r"got 1 different levels or bins, expected at least as many as classes"):
            pixels.threshold_multiotsu(image, backend=backend)


@pytest.mark.parametrize("dtype", DTYPES)
def test_two_values(backend: str, dtype: str) -> None:
    image = np.array([[3, 200, 200], [3, 3, 200]], dtype)
    for method in ("isodata", "li", "mean", "otsu", "triangle"):
        with np.errstate(all="ignore"):
            expected = theirs(method)(image)
        np.testing.assert_allclose(ours(method)(image, backend=backend), expected, rtol=1e-6, err_msg=method)
    assert pixels.threshold_multiotsu(image, 2, backend=backend).tolist() == [pixels.threshold_otsu(image)]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_all_isodata(backend: str, dtype: str) -> None:
    for seed in range(3):
        image = two_humps(dtype, 30, 31, seed=seed)
        got = pixels.threshold_isodata(image, return_all=True, backend=backend)
        assert got.tolist() == theirs("isodata")(image, return_all=True).tolist()


# --- li --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_li_from_a_guess(backend: str, dtype: str) -> None:
    image = two_humps(dtype, 40, 40)
    low, high = float(image.min()), float(image.max())
    guesses: list[Any] = [low + 0.2 * (high - low), low + 0.9 * (high - low), np.median, lambda x: np.quantile(x, 0.9)]
    for guess in guesses:
        for tolerance in (None, 0.01):
            got = pixels.threshold_li(image, tolerance=tolerance, initial_guess=guess, backend=backend)
            expected = theirs("li")(image, tolerance=tolerance, initial_guess=guess)
            np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", FLOATS)
def test_li_of_what_is_not_finite(backend: str, dtype: str) -> None:
    """NaN and infinities are left out, unless there is nothing else."""
    image = two_humps(dtype, 20, 20)
    plain = pixels.threshold_li(image[2:], backend=backend)
    for holes in (math.nan, math.inf, -math.inf):
        image[:2] = holes
        assert_same_bits(pixels.threshold_li(image, backend=backend), plain)
        np.testing.assert_allclose(theirs("li")(image), plain, rtol=1e-6)
    stack = np.stack([image, image])
    stack[1, :3] = math.nan
    assert pixels.threshold_li(stack, per_image=True, backend=backend)[0] == plain
    for values, expected in (
        ([math.nan, math.nan], math.nan),
        ([math.inf, math.inf], math.inf),
        ([math.nan, -math.inf], -math.inf),
        ([math.inf, -math.inf], 0.0),
        ([math.nan, 2.0], 2.0),
    ):
        assert_same_bits(pixels.threshold_li(np.array(values, dtype), backend=backend), expected)


@pytest.mark.parametrize("guess", [-1.0, 0.0, 255.0, 1e6])
def test_li_refuses_a_guess_out_of_range(backend: str, guess: float) -> None:
    for dtype in ("uint8", "float32"):
        image = np.arange(256).astype(dtype)
        with pytest.raises(ValueError, match=f"initial_guess: got {guess}, expected between"):
            pixels.threshold_li(image, initial_guess=guess, backend=backend)
        with pytest.raises(ValueError, match=r"initial_guess: got 1000\.0 from it"):
            pixels.threshold_li(image, initial_guess=lambda _: 1000, backend=backend)


def test_li_refuses_other_arguments() -> None:
    image = np.arange(9, dtype=np.uint8)
    with pytest.raises(ValueError, match=r"tolerance: got -1\.0, expected at least 0"):
        pixels.threshold_li(image, tolerance=-1)
    with pytest.raises(TypeError, match="initial_guess: got str, expected a real number"):
        pixels.threshold_li(image, initial_guess="mean")  # type: ignore[arg-type]


@pytest.mark.parametrize("isa", backends.isas())
@pytest.mark.parametrize("dtype", DTYPES)
def test_instruction_sets_change_no_bit(isa: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = two_humps(dtype, 16384 + 333)
    expected = [ours(method)(image, backend="python") for method in ("mean", "li", "otsu")]
    kernels = backends.kernels
    monkeypatch.setattr(backends, "kernels", lambda family, backend: kernels(family, backend, isa))
    for method, value in zip(("mean", "li", "otsu"), expected, strict=True):
        assert_same_bits(ours(method)(image, backend="cython"), value)
    stack = image[: 16384 * 2 // 32 * 16].reshape(16, -1)
    got = pixels.histogram(stack, per_image=True, backend="cython")
    assert_same_bits(got, pixels.histogram(stack, per_image=True, backend="python"))


# --- several classes -------------------------------------------------------------------------------------------------


def variance(counts: Any, thresholds: Any) -> Fraction:
    """Between the classes, but for what all choices have in common."""
    total = Fraction(0)
    for first, last in itertools.pairwise([-1, *thresholds, len(counts) - 1]):
        part = range(first + 1, last + 1)
        weight = sum(int(counts[level]) for level in part)
        if weight:
            total += Fraction(sum(level * int(counts[level]) for level in part) ** 2, weight)
    return total


def plain_multiotsu(counts: list[int], classes: int) -> tuple[int, ...]:
    """Every choice, in fractions; the lowest of the best."""
    choices = itertools.combinations(range(len(counts) - 1), classes - 1)
    return max(choices, key=lambda choice: variance(counts, choice))  # the first of equals


@given(st.lists(st.integers(0, 9), min_size=4, max_size=10), st.sampled_from([2, 3, 4]))
def test_classes_are_exact(counts: list[int], classes: int) -> None:
    counts = [1, *counts, 1]
    if np.count_nonzero(counts) >= classes:
        image = np.repeat(np.arange(len(counts)), counts).astype(np.uint8)
        assert tuple(pixels.threshold_multiotsu(image, classes)) == plain_multiotsu(counts, classes)


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param([1] * 11, id="flat"),
        pytest.param([3, 0, 0, 3, 0, 0, 3, 0, 0, 3], id="many-ties"),
        pytest.param([1, 10**6, 1, 1, 10**6, 1, 10**6, 1], id="rare-and-common"),
        pytest.param([10**6, 1, 1, 1, 1, 1], id="lowest-is-common"),
    ],
)
@pytest.mark.parametrize("classes", [2, 3, 4, 5])
def test_classes_of_known_histograms(counts: list[int], classes: int) -> None:
    occurring = np.count_nonzero(counts)
    if occurring < classes:
        with pytest.raises(ValueError, match=f"got {occurring} different levels"):
            pixels.threshold_multiotsu(hist=np.array(counts), classes=classes)
    else:
        got = pixels.threshold_multiotsu(hist=np.array(counts), classes=classes)
        assert tuple(got) == plain_multiotsu(counts, classes)


def test_classes_of_16_bits() -> None:
    """Tens of thousands of levels, where trying all choices is out of the question; two classes are Otsu's."""
    image = np.random.default_rng(4).integers(0, 65536, 200_000, np.uint16)
    assert pixels.threshold_multiotsu(image, 2).tolist() == [pixels.threshold_otsu(image)]
    got = pixels.threshold_multiotsu(image, 5)
    np.testing.assert_allclose(got, np.arange(1, 5) * 65536 / 5, atol=600)
    counts = np.bincount(image, minlength=65536).astype(object)
    weights, sums = np.cumsum(counts), np.cumsum(counts * np.arange(65536))

    def worth(thresholds: list[int]) -> Fraction:
        ends = [*thresholds, 65535]
        pairs = [(weights[end], sums[end]) for end in ends]
        steps = itertools.pairwise([(0, 0), *pairs])
        return sum((Fraction((t - s) ** 2, v - w) for (w, s), (v, t) in steps), Fraction(0))

    best = worth(got.tolist())
    for place in range(4):
        for step in (-1, 1):
            beside = got.tolist()
            beside[place] += step
            assert worth(beside) <= best


# --- histograms of the user's ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", WITH_HIST)
def test_histograms_given(backend: str, method: str) -> None:
    """Counts, or counts with centres, of integers or floats, trimmed or not, as scikit-image takes them."""
    image = two_humps("uint8", 50, 50)
    counts, centers = pixels.histogram(image)
    expected = ours(method)(image)
    given_ones: list[Any] = [
        *(counts, (counts, centers), [counts, centers], counts.astype(float), (counts[20:240], centers[20:240]))
    ]
    for hist in given_ones:
        assert ours(method)(hist=hist, backend=backend) == expected
        assert ours(method)(None, hist=hist, backend=backend) == theirs(method)(hist=hist)
    shares = counts / counts.sum()
    assert ours(method)(hist=shares, backend=backend) == theirs(method)(hist=shares)
    assert ours(method)(hist=(counts, centers / 255), backend=backend) == expected / 255


def test_classes_of_histograms_given() -> None:
    image = two_humps("uint8", 50, 50)
    counts, centers = pixels.histogram(image)
    expected = pixels.threshold_multiotsu(image)
    for hist in (counts, counts / counts.sum(), (counts, centers)):
        assert pixels.threshold_multiotsu(hist=hist).tolist() == expected.tolist()
    assert pixels.threshold_multiotsu(hist=(counts, centers * 2)).tolist() == (2 * expected).tolist()


def test_otsu_of_uneven_bins() -> None:
    """Their own positions count."""
    hist = np.array([5, 9, 2, 7, 4]), np.array([0.0, 1.0, 10.0, 11.0, 50.0])
    assert pixels.threshold_otsu(hist=hist) == theirs("otsu")(hist=hist) == 11.0


@pytest.mark.parametrize(
    ("hist", "error", "message"),
    [
        pytest.param([1, -1], ValueError, "hist: got counts that are negative", id="negative"),
        pytest.param([0, 0], ValueError, "hist: got counts that are negative, not finite or all zero", id="empty"),
        pytest.param([1.0, math.nan], ValueError, "hist: got counts that are negative, not finite", id="nan"),
        pytest.param(([1, 2], [1]), ValueError, r"hist: got shapes \(2,\) and \(1,\)", id="centres"),
        pytest.param(np.ones((2, 2)), ValueError, r"hist: got shapes \(2, 2\)", id="axes"),
        pytest.param(["a"], TypeError, "hist: got dtypes", id="text"),
    ],
)
@pytest.mark.parametrize("method", [*WITH_HIST, "multiotsu"])
def test_histograms_refused(method: str, hist: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ours(method)(hist=hist)


@pytest.mark.parametrize("method", [*WITH_HIST, "multiotsu"])
def test_neither_image_nor_histogram_refused(method: str) -> None:
    with pytest.raises(ValueError, match="image, hist: got neither, expected one of the two"):
        ours(method)()
    with pytest.raises(ValueError, match="hist: got one with per_image=True"):
        ours(method)(hist=[1, 2, 3], per_image=True)


# --- OpenCV's own ----------------------------------------------------------------------------------------------------


def opencv_images() -> list[Array]:
    """Random ones of all kinds, and the awkward."""
    random = np.random.default_rng(5)
    images = [np.array([levels], np.uint8) for levels in ([0], [255], [7], [0, 255], [0, 0, 255], [254, 255], [0, 1])]
    for _ in range(300):
        low, high = sorted(random.integers(0, 256, 2).tolist())
        images.append(random.integers(low, high + 1, (random.integers(1, 30), 31)).astype(np.uint8))
    images += [random.normal(random.integers(0, 256), 30, (40, 40)).clip(0, 255).astype(np.uint8) for _ in range(100)]
    return [*images, *(two_humps("uint8", 30, 30, seed=seed) for seed in range(50))]


def test_triangle_as_opencv() -> None:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    for image in [*opencv_images(), *map(photograph, PICTURES)]:
        expected, _ = cv2.threshold(image, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_TRIANGLE)
        assert _levels.triangle_opencv(pixels.histogram(image)[0]) == expected, image


def test_otsu_as_opencv() -> None:
    """On photographs and noise; OpenCV leaves out classes with less than a part in eight million."""
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    for image in [*opencv_images(), *map(photograph, PICTURES)]:
        if image.min() < image.max():
            expected, _ = cv2.threshold(image, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
            got = pixels.threshold_otsu(image)
            if got != expected:
                # Equally good but for rounding, which picks one of several there.
                counts = np.bincount(image.ravel(), minlength=256)
                assert variance(counts, [got]) >= variance(counts, [int(expected)])
                assert got < expected


# --- refusals --------------------------------------------------------------------------------------------------------

FUNCTIONS = {
    "histogram": pixels.histogram,
    **{name: getattr(pixels, f"threshold_{name}") for name in (*METHODS, "multiotsu")},
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_images_refused(name: str) -> None:
    call = FUNCTIONS[name]
    with pytest.raises(TypeError, match="image: got dtype int64, expected uint8, uint16, float32 or float64"):
        call(np.zeros((2, 3), np.int64))
    with pytest.raises(ValueError, match=r"image: got shape \(0, 3\), expected at least one pixel"):
        call(np.zeros((0, 3), np.uint8))
    with pytest.raises(ValueError, match=r"image: got shape \(\), expected a stack of images"):
        call(np.array(3, np.uint8), per_image=True)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_refused(backend: str, bad: float) -> None:
    """In a picture, and in one of a stack."""
    image = two_humps("float32", 3, 8, 9)
    image[1, 2, 3] = bad
    for name, per_image in itertools.product(set(FUNCTIONS) - {"li"}, (False, True)):
        with pytest.raises(ValueError, match="image: got NaN or infinity in it"):
            FUNCTIONS[name](image, per_image=per_image, backend=backend)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in ("li", "mean")])
def test_bins_refused(name: str) -> None:
    with pytest.raises(TypeError, match="nbins: got float, expected a positive integer"):
        FUNCTIONS[name](np.ones(3), nbins=2.0)
    with pytest.raises(ValueError, match="nbins: got 0, expected a positive integer"):
        FUNCTIONS[name](np.ones(3), nbins=0)
    with pytest.raises(ValueError, match="nbins: got 256, more than there are numbers of float32"):
        FUNCTIONS[name](np.array([1, np.nextafter(np.float32(1), np.float32(2))], np.float32))


def test_ranges_refused() -> None:
    image = np.array([-1, 1], np.float32) * np.finfo(np.float32).max
    for name in set(FUNCTIONS) - {"mean"}:
        with pytest.raises(ValueError, match=r"image: got pixels .*range"):
            FUNCTIONS[name](image)


@pytest.mark.parametrize("method", ["mean", "li"])
def test_sums_refused(backend: str, method: str) -> None:
    """Beyond float64 within a part, or when parts are joined."""
    for size in (40, 2 * 16384):
        image = np.zeros(size)
        image[:: 1 if size == 40 else 16384] = 1.5e308
        image[0] = 0.5e308 if size == 40 else 1.5e308
        with pytest.raises(ValueError, match=r"image: .* sum .*beyond float64"):
            ours(method)(image, backend=backend)


def test_other_arguments_refused() -> None:
    image = np.arange(9, dtype=np.uint8)
    for bad in (0, -3):
        with pytest.raises(ValueError, match=f"max_num_iter: got {bad}, expected a positive integer"):
            pixels.threshold_minimum(image, max_num_iter=bad)
    with pytest.raises(ValueError, match="classes: got 1, expected at least 2"):
        pixels.threshold_multiotsu(image, 1)
    with pytest.raises(TypeError, match="classes: got float, expected a positive integer"):
        pixels.threshold_multiotsu(image, 2.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"return_all: got True with per_image=True"):
        pixels.threshold_isodata(image, return_all=True, per_image=True)
    with pytest.raises(RuntimeError, match=r"max_num_iter: got 1, expected more|two"):
        pixels.threshold_minimum(two_humps("uint8", 40, 40), max_num_iter=1)
