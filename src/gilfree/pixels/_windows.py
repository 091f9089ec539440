"""Thresholds that follow the picture: each pixel against the mean, and the deviation, of those around it."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gilfree import backends, parallel
from gilfree.arrays import check_out, in_c_order
from gilfree.pixels import _image

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import ArrayLike, NDArray

    from gilfree.backends import Backend

# The formulas, as ext/windows.pxd numbers them; what each makes of its numbers a, b, c, d is written there.
OPENCV_MEAN, MEAN, NIBLACK, SAUVOLA, WOLF, NICK, PHANSALKAR, SINGH, DEVIATION = range(9)

# How a picture goes on beyond its edges, by SciPy's names; `clip` is Doxa's: it does not, and windows are cut short.
MODES = ("reflect", "constant", "nearest", "mirror", "wrap")
CLIP = "clip"

SHORT_SUMS = 2**18  # pixels in a window up to which the squares of bytes, about their middle, add up in 32 bits
LONGEST = 2**20  # side of a window
GRAIN = 2**17  # pixels a ticket at least: 50 µs and more
WEIGHED_ROWS = 16  # rows a piece where nothing is carried from one row to the next; ext/gauss.h has as many lanes
MOST_KEPT = 2**17  # bytes of an array that is kept for the next picture
ROWS = 64  # rows a piece, or twice a window's height: half a window's rows are added up again for each piece


@dataclass(frozen=True)
class Formula:
    """A threshold as a formula over the window around each pixel.

    ``numbers`` are one row for all pictures or one for each. Where there are ``weights``, of one side of each axis from
    the middle on, the rule is the weighted mean less ``numbers[0][0]``.
    """

    rule: int
    numbers: tuple[tuple[float, ...], ...]
    window: tuple[int, int]
    mode: str
    cval: float = 0.0
    deviates: bool = True
    weights: tuple[NDArray[Any], NDArray[Any]] | None = None


# --- the public functions --------------------------------------------------------------------------------------------


def adaptive_threshold(
    image: ArrayLike,
    maxval: float = 255,
    *,
    method: str = "mean",
    kind: str = "binary",
    block_size: int,
    c: float,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[np.uint8]:
    """Compare each pixel with the mean of its block less a constant, as ``cv2.adaptiveThreshold``.

    The mean is rounded to a byte before it is compared. With ``method="mean"`` the answer is OpenCV's bit for bit, also
    where its single precision rounds the mean of a block of more than 100 x 100 pixels to the other side. With
    ``method="gaussian"`` it can differ where OpenCV's own sum of single floats lies on the edge of rounding: in less
    than one pixel in 100 000. The image goes on beyond its edges with the pixels on them.

    Parameters
    ----------
    image : array_like of uint8, shape (H, W) or (..., H, W)
        Grey; of a stack, each image by itself.
    maxval : float
        The value of white, rounded half to even and brought into 0 to 255; below 0 all pixels become 0.
    method : {"mean", "gaussian"}
        The plain mean, or one weighted by OpenCV's Gaussian of that size.
    kind : {"binary", "binary_inv"}
        Which pixels become white: those above the mean less ``c``, or the others.
    block_size : int
        Side of the block, odd and at least 3.
    c : float
        What is taken from the mean: rounded up for ``binary``, down for ``binary_inv``, as in OpenCV.
    out : ndarray of uint8, optional
        Array for the result, of the image's shape, that shares no memory with it.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    ndarray of uint8, of the image's shape
        White where the comparison holds, elsewhere 0.

    Raises
    ------
    TypeError
        For an image or ``out`` of another dtype, or an argument of another type.
    ValueError
        For an image of fewer than two dimensions; an even or too small ``block_size``; an unknown ``method`` or
        ``kind``; NaN; ``out`` of another shape, read-only, or overlapping ``image``.
    """
    array = stack(image)
    if array.dtype != np.uint8:
        raise TypeError(f"image: got dtype {array.dtype}, expected uint8")
    white = _image.number(maxval, "maxval")
    formula = opencv(array, method, kind, block_size, c)
    byte = 0 if white < 0 else _image.clip(white, round, 255)
    colours = (byte, 0) if kind == "binary" else (0, byte)
    return compared(image, array, formula, colours, out=out, backend=backend, threads=threads, executor=executor)


def threshold_local(
    image: ArrayLike,
    block_size: int | Sequence[int] = 3,
    method: str = "gaussian",
    offset: float = 0,
    mode: str = "reflect",
    param: float | Sequence[float] | None = None,
    cval: float = 0,
    *,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[np.float64]:
    """Local mean less an offset, as ``skimage.filters.threshold_local``.

    Parameters
    ----------
    image : array_like, shape (H, W) or (..., H, W)
        Grey, of dtype uint8, uint16, float32 or float64, finite; of a stack, each image by itself (scikit-image would
        take it for a volume).
    block_size : int or two of them
        Rows and columns of the block; odd.
    method : {"gaussian", "mean"}
        A mean weighted by a Gaussian, cut off at four standard deviations, or a plain one. scikit-image's ``median``
        and ``generic`` are not here.
    offset : float
        What is taken from the mean.
    mode : {"reflect", "constant", "nearest", "mirror", "wrap"}
        How the image goes on beyond its edges, as in ``scipy.ndimage``.
    param : float or two of them, optional
        Standard deviation of the Gaussian; by default ``(block_size - 1) / 6``, of which the block covers 99 %.
    cval : float
        The value beyond the edges for ``mode="constant"``.
    out : ndarray of float64, optional
        Array for the result, of the image's shape, that shares no memory with it.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    ndarray of float64, of the image's shape
        For ``image > threshold_local(image, …)``. Means of integer images are exact, and rounded once.

    Raises
    ------
    TypeError
        For another dtype, of ``image`` or ``out``, or an argument of another type.
    ValueError
        For an even block; an unknown method or mode; NaN or infinity; an image of fewer than two dimensions; ``out`` of
        another shape, read-only, or overlapping ``image``.
    """
    array = stack(image)
    formula = local(array, block_size, method, offset, mode, param, cval)
    return thresholds(image, array, formula, out=out, backend=backend, threads=threads, executor=executor)


def threshold_niblack(
    image: ArrayLike,
    window_size: int | Sequence[int] = 15,
    k: float = 0.2,
    *,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[np.float64]:
    """Local mean less ``k`` local standard deviations (W. Niblack, 1986), as ``skimage.filters.threshold_niblack``.

    Parameters
    ----------
    image : array_like, shape (H, W) or (..., H, W)
        Grey, of dtype uint8, uint16, float32 or float64, finite; of a stack, each image by itself. It is mirrored at
        its edges, without repeating them.
    window_size : int or two of them
        Rows and columns of the window; odd.
    k : float
        Weight of the standard deviation.
    out : ndarray of float64, optional
        Array for the result, of the image's shape, that shares no memory with it.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    ndarray of float64, of the image's shape
        For ``image > threshold_niblack(image)``; the very numbers of scikit-image on integer images.

    Raises
    ------
    TypeError, ValueError
        As ``threshold_local``.
    """
    array = stack(image)
    formula = niblack(array, window_size, k)
    return thresholds(image, array, formula, out=out, backend=backend, threads=threads, executor=executor)


def threshold_sauvola(
    image: ArrayLike,
    window_size: int | Sequence[int] = 15,
    k: float = 0.2,
    r: float | None = None,
    *,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[np.float64]:
    """Threshold ``m * (1 + k * (s / r - 1))`` of local mean m and deviation s.

    As ``skimage.filters.threshold_sauvola``. (J. Sauvola, M. Pietikäinen, "Adaptive document image binarization",
    2000.)

    Parameters
    ----------
    image : array_like, shape (H, W) or (..., H, W)
        Grey, of dtype uint8, uint16, float32 or float64, finite; of a stack, each image by itself. It is mirrored at
        its edges, without repeating them.
    window_size : int or two of them
        Rows and columns of the window; odd.
    k : float
        Weight of the standard deviation.
    r : float, optional
        Range of the standard deviation; by default half the range of an integer dtype, and 1 for floats.
    out : ndarray of float64, optional
        Array for the result, of the image's shape, that shares no memory with it.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    ndarray of float64, of the image's shape
        For ``image > threshold_sauvola(image)``; the very numbers of scikit-image on integer images.

    Raises
    ------
    TypeError, ValueError
        As ``threshold_local``; ``r`` of zero is a ValueError.
    """
    array = stack(image)
    formula = sauvola(array, window_size, k, r)
    return thresholds(image, array, formula, out=out, backend=backend, threads=threads, executor=executor)


def threshold_wolf(
    image: ArrayLike,
    window_size: int | Sequence[int] = 75,
    k: float = 0.2,
    *,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[np.float64]:
    """Threshold ``m - k * (1 - s / S) * (m - M)``, with the image's largest deviation S and least pixel M.

    (C. Wolf, J.-M. Jolion, "Extraction and recognition of artificial text in multimedia documents", 2003.) Defaults and
    borders are Doxa's: windows are cut short at the edges.

    Parameters
    ----------
    image : array_like, shape (H, W) or (..., H, W)
        Grey, of dtype uint8, uint16, float32 or float64, finite; of a stack, each image by itself.
    window_size : int or two of them
        Rows and columns of the window; an even one has one more of them after the pixel than before it.
    k : float
        Weight of the contrast.
    out : ndarray of float64, optional
        Array for the result, of the image's shape, that shares no memory with it.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    ndarray of float64, of the image's shape
        For ``image > threshold_wolf(image)``.

    Raises
    ------
    TypeError, ValueError
        As ``threshold_local``, but for even windows.
    """
    array = stack(image)
    formula = wolf(array, window_size, k)
    return thresholds(image, array, formula, out=out, backend=backend, threads=threads, executor=executor)


def threshold_nick(
    image: ArrayLike,
    window_size: int | Sequence[int] = 75,
    k: float = -0.2,
    *,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[np.float64]:
    """Threshold ``m + k * sqrt(s**2 + m**2)``, for pages with large light parts.

    (K. Khurshid, I. Siddiqi, C. Faure, N. Vincent, "Comparison of Niblack inspired binarization methods for ancient
    documents", 2009.) Defaults and borders are Doxa's: windows are cut short at the edges.

    Parameters
    ----------
    image : array_like, shape (H, W) or (..., H, W)
        Grey, of dtype uint8, uint16, float32 or float64, finite; of a stack, each image by itself.
    window_size : int or two of them
        Rows and columns of the window; an even one has one more of them after the pixel than before it.
    k : float
        Weight of the root; the paper has -0.2 to -0.1.
    out : ndarray of float64, optional
        Array for the result, of the image's shape, that shares no memory with it.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    ndarray of float64, of the image's shape
        For ``image > threshold_nick(image)``.

    Raises
    ------
    TypeError, ValueError
        As ``threshold_local``, but for even windows.
    """
    array = stack(image)
    formula = nick(array, window_size, k)
    return thresholds(image, array, formula, out=out, backend=backend, threads=threads, executor=executor)


def threshold_bradley(
    image: ArrayLike,
    window_size: int | Sequence[int] | None = None,
    t: float = 15,
    *,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[np.float64]:
    """Local mean less ``t`` per cent of it.

    (D. Bradley, G. Roth, "Adaptive thresholding using the integral image", 2007.) Defaults and borders are Doxa's:
    windows are cut short at the edges.

    Parameters
    ----------
    image : array_like, shape (H, W) or (..., H, W)
        Grey, of dtype uint8, uint16, float32 or float64, finite; of a stack, each image by itself.
    window_size : int or two of them, optional
        Rows and columns of the window; by default an eighth of the width. An even one has one more of them after the
        pixel than before it.
    t : float
        Per cent by which a black pixel is darker than the mean.
    out : ndarray of float64, optional
        Array for the result, of the image's shape, that shares no memory with it.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    ndarray of float64, of the image's shape
        For ``image > threshold_bradley(image)``.

    Raises
    ------
    TypeError, ValueError
        As ``threshold_local``, but for even windows.
    """
    array = stack(image)
    formula = bradley(array, window_size, t)
    return thresholds(image, array, formula, out=out, backend=backend, threads=threads, executor=executor)


def threshold_phansalkar(
    image: ArrayLike,
    window_size: int | Sequence[int] = 75,
    k: float = 0.2,
    p: float = 3.0,
    q: float = 10.0,
    r: float | None = None,
    *,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[np.float64]:
    """Sauvola's threshold with a term for dark parts: ``m * (1 + p * exp(-q * m) + k * (s / r - 1))``.

    (N. Phansalkar, S. More, A. Sabale, M. Joshi, "Adaptive local thresholding for detection of nuclei in diversity
    stained cytology images", 2011.) Defaults and borders are Doxa's: windows are cut short at the edges.

    Parameters
    ----------
    image : array_like, shape (H, W) or (..., H, W)
        Grey, of dtype uint8, uint16, float32 or float64, finite and not negative; of a stack, each image by itself.
    window_size : int or two of them
        Rows and columns of the window; an even one has one more of them after the pixel than before it.
    k, p, q : float
        The paper's constants, for grey levels from 0 to 1; ``q`` is scaled to the range of an integer dtype.
    r : float, optional
        Range of the standard deviation; by default 128 for uint8, 32768 for uint16 and 0.5 for floats.
    out : ndarray of float64, optional
        Array for the result, of the image's shape, that shares no memory with it.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    ndarray of float64, of the image's shape
        For ``image > threshold_phansalkar(image)``.

    Raises
    ------
    TypeError, ValueError
        As ``threshold_local``, but for even windows; also for a negative ``q``, or negative pixels.
    """
    array = stack(image)
    formula = phansalkar(array, window_size, k, p, q, r)
    return thresholds(image, array, formula, out=out, backend=backend, threads=threads, executor=executor)


def threshold_singh(
    image: ArrayLike,
    window_size: int | Sequence[int] = 75,
    k: float = 0.2,
    *,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[np.float64]:
    """Threshold ``m * (1 + k * (d / (R - d) - 1))`` of local mean m and the pixel's distance d from it.

    (T. R. Singh, S. Roy, O. I. Singh, T. Sinam, K. M. Singh, "A new local adaptive thresholding technique in
    binarization", 2011.) R is the range of the dtype, 1 for floats, and d at most one level (a 255th for floats) less.
    Defaults and borders are Doxa's: windows are cut short at the edges.

    Parameters
    ----------
    image : array_like, shape (H, W) or (..., H, W)
        Grey, of dtype uint8, uint16, float32 or float64, finite; of a stack, each image by itself.
    window_size : int or two of them
        Rows and columns of the window; an even one has one more of them after the pixel than before it.
    k : float
        Weight of the distance.
    out : ndarray of float64, optional
        Array for the result, of the image's shape, that shares no memory with it.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    ndarray of float64, of the image's shape
        For ``image > threshold_singh(image)``.

    Raises
    ------
    TypeError, ValueError
        As ``threshold_local``, but for even windows.
    """
    array = stack(image)
    formula = singh(array, window_size, k)
    return thresholds(image, array, formula, out=out, backend=backend, threads=threads, executor=executor)


# --- formulas: what a method's arguments mean ------------------------------------------------------------------------


def opencv(array: NDArray[Any], method: str, kind: str, block_size: int, c: float) -> Formula:
    """OpenCV's adaptive thresholds; which pixels become white is the caller's to say."""
    _image.one_of(method, ("mean", "gaussian"), "method")
    _image.one_of(kind, ("binary", "binary_inv"), "kind")
    side = _integer(block_size, "block_size")
    if side < 3 or side % 2 == 0:
        raise ValueError(f"block_size: got {side}, expected an odd number of at least 3")
    if side > LONGEST:
        raise ValueError(f"block_size: got {side}, expected at most 2**20")
    shift = _image.number(c, "c")
    # Beyond a thousand nothing changes any more.
    delta = (math.ceil if kind == "binary" else math.floor)(min(max(shift, -1000.0), 1000.0))
    # OpenCV takes no block across the only row or column there is.
    rows, columns = (1 if length == 1 else side for length in array.shape[-2:])
    if method == "mean":
        numbers = (1 / (rows * columns), float(delta))
        return Formula(OPENCV_MEAN, (numbers,), (rows, columns), "nearest", deviates=False)
    weights = (_opencv_gaussian(rows), _opencv_gaussian(columns))
    return Formula(MEAN, ((float(delta),),), (rows, columns), "nearest", deviates=False, weights=weights)


def local(
    _array: NDArray[Any],
    block_size: int | Sequence[int] = 3,
    method: str = "gaussian",
    offset: float = 0,
    mode: str = "reflect",
    param: float | Sequence[float] | None = None,
    cval: float = 0,
) -> Formula:
    """scikit-image's local mean."""
    _image.one_of(method, ("gaussian", "mean"), "method")
    _image.one_of(mode, MODES, "mode")
    window = _window(block_size, "block_size", odd=True)
    shift, beyond = _finite(offset, "offset"), _finite(cval, "cval")
    if method == "mean":
        return Formula(MEAN, ((shift, 1.0),), window, mode, beyond, deviates=False)
    if param is None:
        sigmas = [(side - 1) / 6 for side in window]
    else:
        sigmas = [_finite(one, "param") for one in _two(param, "param")]
        if min(sigmas) < 0 or max(sigmas) > LONGEST / 8:
            raise ValueError(f"param: got {param!r}, expected standard deviations from 0 to 2**17")
    weights = (_gaussian(sigmas[0]), _gaussian(sigmas[1]))
    window = (2 * len(weights[0]) - 1, 2 * len(weights[1]) - 1)
    return Formula(MEAN, ((shift,),), window, mode, beyond, deviates=False, weights=weights)


def niblack(_array: NDArray[Any], window_size: int | Sequence[int] = 15, k: float = 0.2) -> Formula:
    """Niblack's, as in scikit-image."""
    return Formula(NIBLACK, ((_finite(k, "k"),),), _window(window_size, "window_size", odd=True), "mirror")


def sauvola(
    array: NDArray[Any], window_size: int | Sequence[int] = 15, k: float = 0.2, r: float | None = None
) -> Formula:
    """Sauvola's, as in scikit-image."""
    half = 1.0 if array.dtype.kind == "f" else float(np.iinfo(array.dtype).max) / 2
    numbers = (_finite(k, "k"), _range(r, half))
    return Formula(SAUVOLA, (numbers,), _window(window_size, "window_size", odd=True), "mirror")


def wolf(_array: NDArray[Any], window_size: int | Sequence[int] = 75, k: float = 0.2) -> Formula:
    """Wolf's, whose other numbers are looked up in the picture when it is run."""
    return Formula(WOLF, ((_finite(k, "k"),),), _window(window_size, "window_size"), CLIP)


def nick(_array: NDArray[Any], window_size: int | Sequence[int] = 75, k: float = -0.2) -> Formula:
    """NICK."""
    return Formula(NICK, ((_finite(k, "k"),),), _window(window_size, "window_size"), CLIP)


def bradley(array: NDArray[Any], window_size: int | Sequence[int] | None = None, t: float = 15) -> Formula:
    """Bradley's share of the mean."""
    window = _window(max(1, array.shape[-1] // 8) if window_size is None else window_size, "window_size")
    share = (100 - _finite(t, "t")) / 100
    return Formula(MEAN, ((0.0, share),), window, CLIP, deviates=False)


def phansalkar(
    array: NDArray[Any],
    window_size: int | Sequence[int] = 75,
    k: float = 0.2,
    p: float = 3.0,
    q: float = 10.0,
    r: float | None = None,
) -> Formula:
    """Phansalkar's, for any range of grey levels."""
    whole, half = (1.0, 0.5) if array.dtype.kind == "f" else _levels(array.dtype)
    decay = _finite(q, "q") / whole
    if decay < 0:
        raise ValueError(f"q: got {q!r}, expected at least 0")
    if array.dtype.kind == "f" and array.size and array.min() < 0:
        raise ValueError("image: got negative pixels, expected none")
    numbers = (_finite(k, "k"), _range(r, half), _finite(p, "p"), decay)
    return Formula(PHANSALKAR, (numbers,), _window(window_size, "window_size"), CLIP)


def singh(array: NDArray[Any], window_size: int | Sequence[int] = 75, k: float = 0.2) -> Formula:
    """Singh's."""
    whole = 1.0 if array.dtype.kind == "f" else _levels(array.dtype)[0]
    nearly = 254 / 255 if array.dtype.kind == "f" else whole - 1
    return Formula(
        SINGH, ((_finite(k, "k"), whole, nearly),), _window(window_size, "window_size"), CLIP, deviates=False
    )


def _levels(dtype: Any) -> tuple[float, float]:
    """The highest level, and half the number of levels."""
    most = float(np.iinfo(dtype).max)
    return most, (most + 1) / 2


def _kept(make: Callable[..., NDArray[Any]]) -> Callable[..., NDArray[Any]]:
    """What ``make`` returns, for nobody to write to; the last small ones are kept: half the time of a small picture."""
    kept: dict[tuple[Any, ...], NDArray[Any]] = {}

    def find(*arguments: Any) -> NDArray[Any]:
        found = kept.get(arguments)
        if found is None:
            found = make(*arguments)
            found.flags.writeable = False
            if found.nbytes <= MOST_KEPT:
                if len(kept) >= 64:
                    kept.clear()
                kept[arguments] = found
        return found

    return find


@_kept
def _opencv_gaussian(side: int) -> NDArray[np.float32]:
    """One side of ``cv2.getGaussianKernel(side, 0)``, from the middle on, in single precision."""
    small = {1: [1.0], 3: [0.5, 0.25], 5: [0.375, 0.25, 0.0625], 7: [0.28125, 0.21875, 0.109375, 0.03125]}
    small[9] = [60 / 256, 51 / 256, 30 / 256, 13 / 256, 4 / 256]
    if side in small:
        return np.array(small[side], np.float32)
    sigma = 0.3 * ((side - 1) * 0.5 - 1) + 0.8
    bell = [math.exp(-(i * i) / (2 * sigma * sigma)) for i in range(side // 2 + 1)]
    whole = math.fsum([bell[0], *(2 * height for height in bell[1:])])
    return np.array([height / whole for height in bell], np.float32)


@_kept
def _gaussian(sigma: float) -> NDArray[np.float64]:
    """One side of SciPy's Gaussian, from the middle on: cut off at four standard deviations."""
    radius = int(4 * sigma + 0.5)
    bell = [math.exp(-0.5 * (i / sigma) ** 2) if i else 1.0 for i in range(radius + 1)]
    whole = math.fsum([bell[0], *(2 * height for height in bell[1:])])
    return np.array([height / whole for height in bell])


# --- arguments -------------------------------------------------------------------------------------------------------


def stack(image: ArrayLike) -> NDArray[Any]:
    """``image`` as an array of one image, or of a stack of them."""
    array = _image.array(image)
    if array.ndim < 2:
        raise ValueError(f"image: got shape {array.shape}, expected (height, width) or a stack of such images")
    return array


def _integer(value: Any, argument: str) -> int:
    try:
        if not isinstance(value, (bool, np.bool_)):
            return operator.index(value)
    except TypeError:
        pass
    raise TypeError(f"{argument}: got {type(value).__name__}, expected an integer")


def _finite(value: Any, argument: str) -> float:
    found = _image.number(value, argument)
    if math.isinf(found):
        raise ValueError(f"{argument}: got {found}, expected a finite number")
    return found


def _range(r: float | None, default: float) -> float:
    found = default if r is None else _finite(r, "r")
    if found == 0:
        raise ValueError("r: got 0, expected the range of the standard deviation")
    return found


def _two(value: Any, argument: str) -> tuple[Any, Any]:
    """A number for both axes, or one for each."""
    if isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str) and np.ndim(value) > 0:
        if len(value) != 2:
            raise ValueError(f"{argument}: got {len(value)} numbers, expected one, or one for rows and one for columns")
        return value[0], value[1]
    return value, value


def _window(value: Any, argument: str, *, odd: bool = False) -> tuple[int, int]:
    rows, columns = (_integer(side, argument) for side in _two(value, argument))
    if min(rows, columns) < 1 or max(rows, columns) > LONGEST:
        raise ValueError(f"{argument}: got {value!r}, expected 1 to 2**20")
    if odd and not (rows % 2 and columns % 2):
        raise ValueError(f"{argument}: got {value!r}, expected an odd number")
    return rows, columns


# --- how they are run ------------------------------------------------------------------------------------------------


def thresholds(
    image: ArrayLike,
    array: NDArray[Any],
    formula: Formula,
    *,
    out: NDArray[Any] | None,
    backend: str | None,
    threads: int | None,
    executor: Executor | None,
) -> NDArray[np.float64]:
    """The threshold of each pixel; ``image`` is what the user gave, ``array`` what became of it."""
    row = backends.resolve(backend)
    parallel.check(threads, executor)
    if out is not None:
        check_out(out, array.shape, np.dtype(np.float64), image, "image")
    fits = out is not None and out.flags.c_contiguous and out.flags.aligned
    result = out if out is not None and fits else np.empty(array.shape, np.float64)
    run(row, array, formula, thresholds=result, threads=threads, executor=executor)
    return _image.deliver(result, out)


def compared(
    image: ArrayLike,
    array: NDArray[Any],
    formula: Formula,
    colours: tuple[int, int],
    *,
    out: NDArray[Any] | None,
    backend: str | None,
    threads: int | None,
    executor: Executor | None,
) -> NDArray[np.uint8]:
    """The first colour for each pixel above its threshold, the second for the others."""
    row = backends.resolve(backend)
    parallel.check(threads, executor)
    if out is not None:
        check_out(out, array.shape, np.dtype(np.uint8), image, "image")
    fits = out is not None and out.flags.c_contiguous
    result = out if out is not None and fits else np.empty(array.shape, np.uint8)
    run(row, array, formula, binary=result, colours=colours, threads=threads, executor=executor)
    return _image.deliver(result, out)


def run(
    backend: Backend,
    array: NDArray[Any],
    formula: Formula,
    *,
    thresholds: NDArray[np.float64] | None = None,
    binary: NDArray[np.uint8] | None = None,
    colours: tuple[int, int] = (255, 0),
    threads: int | None,
    executor: Executor | None,
) -> list[tuple[Any, ...]]:
    """Fill ``thresholds``, or ``binary`` with colours, by a formula; both in C order."""
    height, width = array.shape[-2:]
    if array.dtype.kind == "f":
        _image.check_finite(backend, array, threads, executor)
    if array.size == 0:
        return []
    source = in_c_order(array, array.dtype).reshape(-1, height, width)
    if formula.rule == WOLF:
        formula = _with_extremes(backend, source, formula, threads, executor)
    before = [side // 2 if formula.mode != CLIP else (side - 1) // 2 for side in formula.window]
    after = [side - 1 - left for side, left in zip(formula.window, before, strict=True)]
    rows = _borders(height, before[0], after[0], formula.mode)
    columns = _borders(width, before[1], after[1], formula.mode)
    corner, beyond = (0, 0), before[1]
    if formula.mode == "constant":
        # Of all borders the one that is no pixel of the picture: made real, at the price of a copy.
        source = _framed(source, formula.cval, before, after)
        rows, corner, beyond = _borders(len(rows), 0, 0, CLIP), (before[0], before[1]), 0
    tall, wide = formula.window
    piece = max(ROWS, 2 * tall) if formula.weights is None else WEIGHED_ROWS
    shape = [*source.shape[1:], height, width, *corner, piece, tall, wide, beyond]
    pictures = len(source)
    units = pictures * -(-height // piece)
    buffers: list[Any] = [
        source.reshape(-1, source.shape[2]),
        np.empty((1, 1)) if thresholds is None else thresholds.reshape(-1, width),
        np.empty((1, 1), np.uint8) if binary is None else binary.reshape(-1, width),
        np.array(shape, np.int64),
        rows,
        columns,
    ]
    padded = width + wide - 1
    if formula.weights is not None:
        name = "weighted"
        buffers += [*formula.weights, formula.numbers[0][0], binary is not None, *colours]
        kind = formula.weights[0].dtype
        # In single precision for ext/gauss.h: rows of a strip, and columns of a tile.
        room = max(padded, (tall + 18) * 32 + (wide + 291) * 16) if kind == np.float32 else padded
        private = lambda: (np.empty(room, kind),)  # noqa: E731 - it closes over what it is made for
    else:
        name = "windows"
        narrow = source.dtype == np.uint8 and (
            tall * wide <= SHORT_SUMS or (not formula.deviates and tall * wide < 2**23)
        )
        kind = np.dtype(np.uint32 if narrow else np.float64)
        numbers = np.zeros((pictures, 4))
        for row, given in zip(numbers, formula.numbers * (pictures if len(formula.numbers) == 1 else 1), strict=True):
            row[: len(given)] = given
        counts = [
            _counts(side, length, one, formula.mode)
            for side, length, one in zip(formula.window, (height, width), before, strict=True)
        ]
        buffers += [*counts, formula.rule, formula.deviates, numbers, binary is not None, *colours]

        def private() -> tuple[Any, ...]:
            extremes = np.array([[-1.0, math.inf]] * pictures)
            squares = np.empty(padded + 1 if formula.deviates else 1, kind)
            return extremes, np.empty(padded + 1, kind), squares

    return parallel.run(
        backend,
        getattr(backends.kernels("pixels", backend.name), name),
        *buffers,
        units=units,
        grain=max(1, GRAIN // (piece * width)),
        pause=max(1, 2**25 // max(GRAIN, piece * width)),
        threads=threads,
        executor=executor,
        private=private,
    )


def _with_extremes(
    backend: Backend, source: NDArray[Any], formula: Formula, threads: int | None, executor: Executor | None
) -> Formula:
    """Wolf's formula with each picture's largest standard deviation and its least pixel."""
    looking = replace(formula, rule=DEVIATION)
    found = run(backend, source, looking, threads=threads, executor=executor)
    extremes = np.array([buffers[0] for buffers in found])
    widest = np.sqrt(extremes[:, :, 0].max(axis=0))
    least = extremes[:, :, 1].min(axis=0)
    k = formula.numbers[0][0]
    # Where nothing deviates s / S is 0, not 0 / 0.
    numbers = tuple((k, one or 1.0, other) for one, other in zip(widest.tolist(), least.tolist(), strict=True))
    return replace(formula, numbers=numbers)


@_kept
def _borders(length: int, before: int, after: int, mode: str) -> NDArray[np.int64]:
    """Which row stands at each place from ``before`` rows above the first to ``after`` below the last; -1 for none."""
    places = np.arange(-before, length + after, dtype=np.int64)
    if mode == "constant":
        return places  # of no use but for their number
    if mode == CLIP:
        return np.where((places >= 0) & (places < length), places, -1)
    if mode == "nearest":
        return places.clip(0, length - 1)
    if mode == "wrap":
        return places % length
    # There and back: with the edge once (mirror) or twice (reflect).
    period = 2 * length if mode == "reflect" else max(1, 2 * length - 2)
    places %= period
    return np.where(places < length, places, (period - 1 if mode == "reflect" else period) - places)


@_kept
def _counts(side: int, length: int, before: int, mode: str) -> NDArray[np.float64]:
    """How many rows each window has."""
    if mode != CLIP:
        return np.full(length, float(side))
    places = np.arange(length)
    return (np.minimum(places + side - 1 - before, length - 1) - np.maximum(places - before, 0) + 1).astype(np.float64)


def _framed(source: NDArray[Any], cval: float, before: list[int], after: list[int]) -> NDArray[Any]:
    """The pictures with a border of a constant; as doubles where their dtype does not have it."""
    dtype = source.dtype
    if dtype.kind == "u" and not (cval.is_integer() and 0 <= cval <= np.iinfo(dtype).max):
        source = source.astype(np.float64)
    return np.pad(source, [(0, 0), (before[0], after[0]), (before[1], after[1])], constant_values=cval)
