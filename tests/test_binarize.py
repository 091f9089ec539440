"""Black and white by the name of a method: the method's own threshold, in one call and as few passes as there are."""

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from awkward import LAYOUTS, Array
from calls import at_most
from judge import assert_same_bits

from gilfree import backends, pixels
from gilfree.pixels import binarize
from gilfree.pixels._binarize import GLOBAL, LOCAL, METHODS

# By the name of a method, what its threshold is called: as a number, or as a number for each pixel.
NUMBERS = {name: function for name, (function, _) in GLOBAL.items()}
ARRAYS: dict[str, Callable[..., Any]] = {
    "local_gaussian": pixels.threshold_local,
    "local_mean": lambda image, **how: pixels.threshold_local(image, method="mean", **how),
    "niblack": pixels.threshold_niblack,
    "sauvola": pixels.threshold_sauvola,
    "wolf": pixels.threshold_wolf,
    "nick": pixels.threshold_nick,
    "bradley": pixels.threshold_bradley,
    "phansalkar": pixels.threshold_phansalkar,
    "singh": pixels.threshold_singh,
}
FOR_BYTES = ("adaptive_mean", "adaptive_gaussian")


def page(dtype: str, *shape: int, seed: int = 0) -> Array:
    """Dark strokes on a light ground that darkens to the right, with noise; floats from 0 to 1."""
    random = np.random.default_rng([seed, *shape])
    values = np.linspace(0.9, 0.5, shape[-1]) + random.normal(0, 0.05, shape)
    values[..., random.random(shape[-1]) < 0.2] -= 0.4
    values = values.clip(0, 1)
    return values.astype(dtype) if dtype.startswith("f") else (values * np.iinfo(dtype).max).round().astype(dtype)


def in_colour(grey: Array, channels: int = 3) -> Array:
    """A picture whose channels differ."""
    return np.ascontiguousarray(
        np.stack([grey, grey[..., ::-1], grey[..., ::2].repeat(2, -1)[..., : grey.shape[-1]], grey][:channels], -1)
    )


def expected(image: Array, method: str, **options: Any) -> Array:
    """White where the pixel is above what the method's own function says."""
    if method in FOR_BYTES:
        options = {"block_size": 11, "c": 2} | options
        return pixels.adaptive_threshold(image, method=method.removeprefix("adaptive_"), **options) > 0
    limit = NUMBERS[method](image, **options) if method in NUMBERS else ARRAYS[method](image, **options)
    return np.asarray(image > limit)


def test_every_method_has_a_threshold_here() -> None:
    assert {*NUMBERS, *ARRAYS, *FOR_BYTES} == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_options_are_those_of_the_threshold(method: str) -> None:
    """All the arguments that its own function has for it, and no others."""
    function = NUMBERS.get(method) or getattr(pixels, "threshold_" + method, None) or pixels.threshold_local
    if method in FOR_BYTES:
        function = pixels.adaptive_threshold
    left_out = {
        "image",
        "maxval",
        "hist",
        "per_image",
        "return_all",
        "out",
        "backend",
        "threads",
        "executor",
        "method",
        "kind",
    }
    names = set(inspect.signature(function).parameters) - left_out
    assert set(METHODS[method]) == names - ({"param"} if method == "local_mean" else set())


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("method", METHODS)
def test_as_the_methods_own_threshold(method: str, dtype: str) -> None:
    image = page(dtype, 70, 83)
    if method in FOR_BYTES and dtype != "uint8":
        with pytest.raises(TypeError, match=f"image: got dtype {dtype}, expected uint8 for {method}"):
            binarize(image, method)
        return
    if method == "minimum" and dtype == "uint16":
        image //= 257  # among so many levels it finds no two peaks
    if method == "triangle" and dtype == "uint16":
        image[::2] = 30_000  # one peak, where else every level is as rare
    white = expected(image, method)
    assert 0.05 < white.mean() < 0.95
    assert_same_bits(binarize(image, method), np.where(white, 255, 0).astype(np.uint8))
    assert_same_bits(binarize(image, method, invert=True), np.where(white, 0, 255).astype(np.uint8))
    assert_same_bits(binarize(image, method, maxval=7.5, invert=True), np.where(white, 0, 8).astype(np.uint8))
    assert_same_bits(binarize(image, method, dtype=bool), white)


@pytest.mark.parametrize("method", ["otsu", "li", "sauvola", "wolf", "adaptive_gaussian"])
def test_on_every_backend(backend: str, method: str) -> None:
    """Grey and colours, one image and three."""
    for image in (page("uint8", 30, 33), in_colour(page("uint8", 30, 33), 4), in_colour(page("uint8", 3, 17, 18))):
        assert_same_bits(binarize(image, method, backend=backend), binarize(image, method, backend="cython"))


@pytest.mark.parametrize("method", ["sauvola", "niblack"])
def test_comparisons_that_are_close(method: str) -> None:
    """Where single precision cannot tell, the exact formula does: flat parts, levels at the threshold, any k."""
    random = np.random.default_rng(5)
    image = np.zeros((80, 1200), np.uint8)
    image[20:40] = random.integers(100, 103, (20, 1200))
    image[40:60] = random.integers(0, 256, (20, 1200))
    image[60:, 300:] = 255
    for side in (3, 15, 31, 511, 513):
        for k in (0.0, 0.2, -0.5, 1.0, 1e6):
            got = binarize(image, method, window_size=side, k=k, dtype=bool)
            assert_same_bits(got, expected(image, method, window_size=side, k=k))


@pytest.mark.parametrize("isa", backends.isas())
@pytest.mark.parametrize("method", METHODS)
def test_on_every_instruction_set(method: str, isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = in_colour(page("uint8", 40, 600))
    answer = binarize(image, method, backend="cython")
    kernels = backends.kernels
    monkeypatch.setattr(backends, "kernels", lambda family, backend: kernels(family, backend, isa))
    assert_same_bits(binarize(image, method, backend="cython"), answer)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_colours(dtype: str, channels: int) -> None:
    """As grey that is made of them first."""
    image = in_colour(page(dtype, 60, 61), channels)
    grey = pixels.grayscale(image)
    for method in ("otsu", "mean", "sauvola"):
        assert_same_bits(binarize(image, method), binarize(grey, method))
    assert_same_bits(binarize(image, value=float(grey[7, 7])), binarize(grey, value=float(grey[7, 7])))
    assert_same_bits(binarize(image, channel_axis=-1), binarize(grey))


def test_grey_that_is_counted_as_it_is_made(backend: str) -> None:
    """More than two million pixels, which are counted in pairs, in several tickets, the last of them short."""
    shape = (30, 31) if backend == "python" else (1500, 1501)
    image = in_colour(page("uint8", *shape))
    grey = pixels.grayscale(image, backend="cython")
    level = pixels.threshold_otsu(grey, backend="cython")
    for threads in (1, 2, 3):
        got = binarize(image, backend=backend, threads=at_most(backend, threads))
        assert_same_bits(got, np.where(grey > level, 255, 0).astype(np.uint8))


@pytest.mark.parametrize("method", METHODS)
def test_stacks(method: str) -> None:
    """Each image by itself, or for methods with one threshold all by one."""
    images = np.stack([page("uint8", 40, 50, seed=seed) // (1 + seed) for seed in range(3)])
    alone = np.stack([binarize(image, method) for image in images])
    assert_same_bits(binarize(images, method), alone)
    colours = in_colour(images)
    assert_same_bits(binarize(colours, method), np.stack([binarize(image, method) for image in colours]))
    together = binarize(images, method, per_image=False)
    if method in LOCAL:
        assert_same_bits(together, alone)
    else:
        assert_same_bits(together, np.where(images > NUMBERS[method](images), 255, 0).astype(np.uint8))


def test_what_is_taken_for_colours() -> None:
    """A last axis of 3 or 4, unless one says otherwise."""
    three = page("uint8", 20, 22, 3)
    assert binarize(three).shape == (20, 22)
    assert_same_bits(binarize(three, channel_axis=None), np.stack([binarize(image) for image in three]))
    narrow = page("uint8", 20, 3)
    assert binarize(narrow).shape == (20, 3)
    assert binarize(page("uint8", 5, 20, 22, 4)).shape == (5, 20, 22)
    assert binarize(page("uint8", 5, 20, 22)).shape == (5, 20, 22)
    with pytest.raises(ValueError, match=r"image: got shape \(20, 3\), expected 3 or 4 channels on its last axis"):
        binarize(narrow, channel_axis=-1)
    with pytest.raises(ValueError, match="channel_axis: got 0, expected 'infer', -1 or None"):
        binarize(three, channel_axis=0)
    for shape in ((3,), (5,), (2, 2, 2, 2, 3), (2, 2, 2, 5)):
        with pytest.raises(ValueError, match="expected one image or a stack of them"):
            binarize(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("value", [-math.inf, -1, -0.5, 0, 99.5, 254, 255, 1e9])
def test_a_value_of_ones_own(backend: str, value: float) -> None:
    image = np.arange(256, dtype=np.uint8).reshape(2, 8, 16)
    assert_same_bits(binarize(image, value=value, dtype=bool, backend=backend), image > value)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: Callable[[Array], Array]) -> None:
    for image in (page("uint16", 30, 31), page("float32", 2, 9, 30)):
        strange, plain = layout(image), np.ascontiguousarray(layout(image)).astype(image.dtype)
        for method in ("otsu", "sauvola"):
            if layout.__name__ == "stretched" and method == "otsu" and image.ndim == 3:
                continue  # two images of one row each: nothing to tell apart
            assert_same_bits(binarize(strange, method), binarize(plain, method))


def test_out(backend: str) -> None:
    image = page("uint8", 30, 40)
    answer = binarize(image, backend="cython")
    spaced = np.full((30, 80), 77, np.uint8)
    for out in (np.empty((30, 40), np.uint8), np.empty((40, 30), np.uint8).T, spaced[:, ::2]):
        assert binarize(image, out=out, backend=backend) is out
        np.testing.assert_array_equal(out, answer)
    assert (spaced[:, 1::2] == 77).all()
    truth = np.empty((30, 40), np.bool_)
    assert binarize(image, dtype=bool, out=truth, backend=backend) is truth
    np.testing.assert_array_equal(truth, answer > 0)


def test_out_refused() -> None:
    image = page("uint8", 30, 40)
    for out, words in (
        (image, "shares memory with image"),
        (np.empty((40, 30), np.uint8), r"out: got shape \(40, 30\), expected \(30, 40\)"),
        (np.broadcast_to(np.uint8(0), (30, 40)), "read-only"),
    ):
        with pytest.raises(ValueError, match=words):
            binarize(image, out=out)
    with pytest.raises(TypeError, match="out: got dtype bool, expected uint8"):
        binarize(image, out=np.empty((30, 40), np.bool_))


def test_empty_images() -> None:
    """Nothing to do, and nothing that could be a threshold."""
    for shape in ((0, 5), (5, 0), (0, 5, 5)):
        for method in METHODS:
            assert binarize(np.empty(shape, np.uint8), method).shape == shape
    assert binarize(np.empty((0, 7, 3), np.uint8)).shape == (0, 7)


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"method": "otsi"}, ValueError, "method: got 'otsi', expected one of otsu, "),
        ({"method": 3}, TypeError, "method: got int, expected one of otsu, "),
        ({"window_size": 3}, TypeError, "window_size: not an option of otsu, which takes nbins"),
        ({"method": "mean", "nbins": 3}, TypeError, "nbins: not an option of mean, which takes none"),
        ({"method": "li", "value": 3}, ValueError, "value: got 3 beside a method, expected one of the two"),
        ({"nbins": 3, "value": 3}, ValueError, "value: got 3 beside a method, expected one of the two"),
        ({"value": math.nan}, ValueError, "value: got NaN, expected a real number"),
        ({"value": "otsu"}, TypeError, "value: got str, expected a real number"),
        ({"maxval": None}, TypeError, "maxval: got NoneType, expected a real number"),
        ({"dtype": np.uint16}, TypeError, "dtype: got uint16, expected uint8 or bool"),
        ({"method": "sauvola", "window_size": 4}, ValueError, "window_size: got 4, expected an odd number"),
        ({"method": "adaptive_mean", "block_size": 2}, ValueError, "block_size: got 2, expected an odd number"),
        ({"threads": 0}, ValueError, "threads"),
        ({"backend": "fortran"}, ValueError, "backend: got 'fortran'"),
    ],
    ids=lambda value: ",".join(map(str, value)) if isinstance(value, dict) else None,
)
def test_arguments_refused(how: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        binarize(page("uint8", 20, 20), **how)


def test_floats_that_are_not_finite() -> None:
    image = page("float64", 20, 20)
    image[3, 4] = math.nan
    for method in ("otsu", "sauvola", "local_gaussian"):
        with pytest.raises(ValueError, match="image: got NaN or infinity in it, expected finite pixels"):
            binarize(image, method)
    white = binarize(image, value=0.5)
    assert white[3, 4] == 0


# --- what OpenCV finds in the histogram, by name ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["binary", "binary_inv", "trunc", "tozero", "tozero_inv"])
@pytest.mark.parametrize("name", ["otsu", "triangle"])
def test_named_thresholds_as_opencv(backend: str, name: str, kind: str) -> None:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    flags = getattr(cv2, f"THRESH_{name.upper()}") + getattr(cv2, f"THRESH_{kind.upper()}")
    random = np.random.default_rng(1)
    images = [page("uint8", 40, 41), random.integers(0, 256, (20, 30), np.uint8), np.full((5, 6), 9, np.uint8)]
    images += [np.array([[0, 255]], np.uint8), np.zeros((3, 3), np.uint8), np.full((3, 3), 255, np.uint8)]
    if name == "otsu":
        images.append(page("uint16", 40, 41))
    for image in images:
        _, answer = cv2.threshold(image, 0, 200, flags)
        assert_same_bits(pixels.threshold(image, name, maxval=200, kind=kind, backend=backend), answer)


def test_named_thresholds_refused() -> None:
    image = page("uint8", 5, 6)
    with pytest.raises(ValueError, match="value: got 'li', expected one of otsu, triangle"):
        pixels.threshold(image, "li")
    with pytest.raises(TypeError, match="image: got dtype float32, expected uint8 or uint16 for value='otsu'"):
        pixels.threshold(image.astype(np.float32), "otsu")
    with pytest.raises(TypeError, match="image: got dtype uint16, expected uint8 for value='triangle'"):
        pixels.threshold(image.astype(np.uint16), "triangle")
    with pytest.raises(ValueError, match="image: got shape"):
        pixels.threshold(image[:0], "otsu")


# --- small images at once --------------------------------------------------------------------------------------------


def test_small_thresholds_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without units and tickets, into fresh memory, into memory of one's own, and in place."""
    kernels = backends.kernels("pixels", "cython")
    done: list[Any] = []
    small = kernels.small_threshold

    def noted(*arguments: Any) -> Any:
        done.append(small(*arguments))
        return done[-1]

    monkeypatch.setattr(kernels, "small_threshold", noted)
    for shape in ((1,), (3, 21), (64, 64), (257, 300), (1000, 1048), (2048, 2049)):
        image = page("uint8", *shape)
        for value in (-1, 0, 127.5, 300.0):
            for kind in ("binary", "binary_inv", "trunc", "tozero", "tozero_inv"):
                answer = pixels.threshold(image, value, maxval=200, kind=kind, backend="cython")
                done.clear()
                assert_same_bits(pixels.threshold(image, value, maxval=200, kind=kind), answer)
                assert (done[0] is None) == (value < 0)
                if value >= 0:
                    assert isinstance(done[0], np.ndarray) == (image.size <= 3 * 2**18)
                    assert_same_bits(pixels.threshold(image, value, maxval=200, kind=kind, threads=1), answer)
                    assert isinstance(done[1], np.ndarray)
                out = np.empty_like(image)
                assert pixels.threshold(image, value, maxval=200, kind=kind, out=out) is out
                assert_same_bits(out, answer)
                own = image.copy()
                assert pixels.threshold(own, value, maxval=200, kind=kind, out=own) is own
                assert_same_bits(own, answer)


# A kernel of small pictures, a call that may use it, and how many channels to give it.
SMALL: dict[str, tuple[str, Callable[..., Any], int]] = {
    "threshold-otsu": ("small_threshold", partial(pixels.threshold, value="otsu", maxval=199.5, kind="trunc"), 1),
    "threshold_otsu": ("small_otsu", pixels.threshold_otsu, 1),
    "histogram": ("small_histogram", pixels.histogram, 1),
    "grayscale": ("small_grayscale", pixels.grayscale, 3),
    "grayscale-BGR": ("small_grayscale", partial(pixels.grayscale, order="BGR"), 4),
    "binarize": ("small_binarize", pixels.binarize, 1),
    "binarize-RGB": ("small_binarize", partial(pixels.binarize, maxval=300.0), 3),
    "binarize-RGBA": ("small_binarize", partial(pixels.binarize, invert=True), 4),
}


@pytest.mark.parametrize("name", SMALL)
def test_small_pictures_are_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, made grey and divided at once, up to so many pixels, and the other way beyond."""
    kernel, call, channels = SMALL[name]
    kernels = backends.kernels("pixels", "cython")
    done: list[Any] = []
    small = getattr(kernels, kernel)

    def noted(*arguments: Any) -> Any:
        done.append(small(*arguments))
        return done[-1]

    monkeypatch.setattr(kernels, kernel, noted)
    takes_out = kernel not in ("small_otsu", "small_histogram")
    for shape in ((1, 1), (1, 3), (3, 21), (64, 64), (257, 300), (512, 512), (513, 512)):
        image = page("uint8", *shape) if channels == 1 else np.stack([page("uint8", *shape)] * channels, axis=-1)
        image = image ^ np.random.default_rng(0).integers(0, 64, image.shape, np.uint8)
        expected = call(image, backend="cython")
        done.clear()
        got = call(image)
        assert done
        assert (done[0] is None) == (shape == (513, 512))
        for one, other in zip(np.atleast_1d(got), np.atleast_1d(expected), strict=True):
            assert_same_bits(one, other)
        if takes_out:
            out = np.zeros(shape, np.uint8)
            assert call(image, out=out) is out
            assert_same_bits(out, expected)


@pytest.mark.parametrize("counts", [(1,), (1, 1, 1), (3, 0, 5, 0, 3), (1, 2, 1), (7, 1, 1, 7), (5, 5)], ids=str)
def test_small_otsu_where_two_levels_are_as_good(counts: tuple[int, ...]) -> None:
    """Integers tell which, as on every other backend; and a picture of one level has nothing to divide."""
    image = np.repeat(np.arange(100, 100 + len(counts), dtype=np.uint8), counts).reshape(1, -1)
    level = pixels.threshold_otsu(image, backend="python")
    assert pixels.threshold_otsu(image) == level
    assert_same_bits(pixels.binarize(image), pixels.binarize(image, backend="python"))
    assert_same_bits(pixels.threshold(image, "otsu"), pixels.threshold(image, "otsu", backend="python"))
    found = backends.kernels("pixels", "cython").small_otsu(image)
    tied = counts not in ((1,), (5, 5), (7, 1, 1, 7))
    assert found == (None if tied else level)


def test_small_pictures_leave_the_rest_alone() -> None:
    """To the way that says what is wrong, or converts."""
    kernels = backends.kernels("pixels", "cython")
    colour, out, whole = page("uint8", 8, 3), np.empty((8, 8), np.uint8), np.empty(300, np.uint8)
    colours = np.stack([page("uint8", 8, 8)] * 3, axis=-1)
    for image in (colour.tolist(), colour.astype(np.uint16), colour[:, ::2], colour.T, colour[:0], colour > 3):
        assert kernels.small_otsu(image) is None
        assert kernels.small_histogram(image) is None
        assert kernels.small_grayscale(image, False, None) is None
        assert kernels.small_binarize(image, 255, False, None) is None
    for image in (colour[:, 0].copy(), colours[..., :2].copy(), np.zeros((8, 8, 5), np.uint8)):
        assert kernels.small_grayscale(image, False, None) is None
        assert kernels.small_binarize(image, 255, False, None) is None
    inside = whole[:192].reshape(8, 8, 3)
    for target in (out.astype(np.uint16), out[:, :4], out.T, out.tolist(), out > 3, whole[128:192].reshape(8, 8)):
        assert kernels.small_grayscale(inside, False, target) is None
        assert kernels.small_binarize(inside, 255, False, target) is None
    for maxval in (math.nan, True, "white", 10**400):
        assert kernels.small_binarize(colours, maxval, False, None) is None
    assert kernels.small_binarize(np.zeros((2, 8, 8), np.uint8), 255, False, None) is None  # a stack


def test_small_thresholds_leave_the_rest_alone() -> None:
    """To the way that says what is wrong, or converts."""
    small = backends.kernels("pixels", "cython").small_threshold
    image, out = page("uint8", 8, 8), np.empty((8, 8), np.uint8)
    whole = np.empty(100, np.uint8)
    for arguments in (
        (image.tolist(), 1, 255, "binary", None),
        (image.astype(np.int8), 1, 255, "binary", None),
        (image > 3, 1, 255, "binary", None),
        (image[:, ::2], 1, 255, "binary", None),
        (image.T, 1, 255, "binary", None),
        (image[:0], 1, 255, "binary", None),
        (image, np.float64(1), 255, "binary", None),
        (image, "triangle", 255, "binary", None),
        (image, True, 255, "binary", None),
        (image, math.nan, 255, "binary", None),
        (image, 10**400, 255, "binary", None),
        (image, 1, math.nan, "binary", None),
        (image, 1, 255, "boolean", None),
        (image, 1, 255, 3, None),
        (image, 1, 255, "binary", out.astype(np.uint16)),
        (image, 1, 255, "binary", out[:, :4]),
        (image, 1, 255, "binary", out.T),
        (image, 1, 255, "binary", out.tolist()),
        (image, 1, 255, "binary", np.broadcast_to(np.uint8(0), (8, 8))),
        (whole[:90], 1, 255, "binary", whole[5:95]),
    ):
        assert small(*arguments, False) is None
    assert small(image, 1, 255, "binary", out, False) is out
