"""Thresholds of a whole picture, found in its histogram or its means: scikit-image's."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gilfree import backends, parallel
from gilfree.arrays import in_c_order, packed
from gilfree.pixels import _image, _levels

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import ArrayLike, NDArray

    from gilfree.backends import Backend

    Formula = Callable[[NDArray[Any], NDArray[Any]], Any]

# Images of more bytes than this are counted one after the other, each by all workers; smaller ones side by side.
LARGE = 2**22
MEMORY = 2**26  # bytes of counts that a stack may take at a time
FEW = 2**22  # counts that are smoothed before Ctrl-C is looked for
PART = 16384  # pixels whose sum is one partial result, as the kernels have it


# --- public ----------------------------------------------------------------------------------------------------------


def histogram(
    image: ArrayLike,
    nbins: int = 256,
    *,
    per_image: bool = False,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> tuple[NDArray[np.uint64], NDArray[Any]]:
    """Number of pixels of each grey level, as ``skimage.exposure.histogram``.

    Integer images have a bin for each level of their dtype (scikit-image's ``source_range="dtype"``), float images
    ``nbins`` bins of one width from the lowest to the highest pixel (``source_range="image"``), the last of which has
    both its edges. A constant float image lies in the middle of a range of width 1.

    Parameters
    ----------
    image : array_like of any shape
        Grey, of dtype uint8, uint16, float32 or float64; floats must be finite.
    nbins : int
        Bins of a float image; of no meaning for integers.
    per_image : bool
        Whether ``image`` is a stack of images along its first axis, each of which has a histogram of its own.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    counts : ndarray of uint64, shape (bins,) or (images, bins)
    centers : ndarray, shape (bins,), or (images, nbins) for a stack of float images
        The levels, in int64, or the middles of the bins, in the dtype of the image.

    Raises
    ------
    TypeError
        For another dtype, or ``nbins`` that is no int.
    ValueError
        For an empty image, a float image with NaN or infinity in it or whose range is beyond its dtype, ``nbins`` below
        1 or so many that no floats lie between two edges.
    """
    small = _image.small_kernels(backend, threads, executor)
    if small is not None and not per_image and type(nbins) is int and nbins > 0:
        counted: tuple[NDArray[np.uint64], NDArray[Any]] | None = small.small_histogram(image)
        if counted is not None:
            return counted
    array = _checked(image, per_image)
    nbins = _positive(nbins, "nbins")
    engine = _engine(backend, threads, executor)
    stack = _rows(array, per_image)
    if stack.dtype.kind == "u":
        counts = np.concatenate([_count_levels(engine, part) for part in _batches(stack, _number_of_levels(stack))])
        centers: NDArray[Any] = np.arange(counts.shape[1])
        return (counts if per_image else counts[0]), centers
    bounds = _finite_bounds(engine, stack)
    constant = bounds[:, 0] == bounds[:, 1]
    half = stack.dtype.type(0.5)
    bounds[constant] += np.array([-half, half])
    edges = _edges(bounds, nbins)
    counts = _count_bins(engine, stack, edges)
    centers = _middles(edges)
    return (counts, centers) if per_image else (counts[0], centers[0])


def threshold_otsu(
    image: ArrayLike | None = None,
    nbins: int = 256,
    *,
    hist: Any = None,
    per_image: bool = False,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Threshold that separates the grey levels best (N. Otsu, 1979), as ``skimage.filters.threshold_otsu``.

    Pixels above the threshold are one class, the others the other. The between-class variance is compared exactly,
    in integers, so the answer is the optimum on images of any size; ties go to the lowest level.

    Parameters
    ----------
    image : array_like of any shape, optional
        Grey, of dtype uint8, uint16, float32 or float64; floats must be finite.
    nbins : int
        Bins between the lowest and the highest pixel of a float image; integer images have one for each level.
    hist : array_like, or pair of them, optional
        The histogram, in place of an image: counts, or counts and the centres of the bins.
    per_image : bool
        Whether ``image`` is a stack of images along its first axis, each of which gets a threshold of its own.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    int or float, or ndarray of them
        A level for an integer image, the centre of a bin for a float one; a constant image's own value.

    Raises
    ------
    TypeError
        For another dtype, or ``nbins`` that is no int.
    ValueError
        For an empty image, a float image with NaN or infinity in it or whose range is beyond its dtype, ``nbins`` below
        1 or so many that no floats lie between two edges; for neither image nor histogram, or one that is none.
    """
    small = _image.small_kernels(backend, threads, executor)
    if small is not None and hist is None and not per_image and type(nbins) is int and nbins > 0:
        level: int | None = small.small_otsu(image)
        if level is not None:
            return level

    def formula(counts: NDArray[Any], centers: NDArray[Any]) -> Any:
        # The bins of an image lie evenly, but for the rounding of their middles.
        return centers[_levels.otsu(counts) if hist is None else _levels.otsu_at(counts, centers)].item()

    return _chosen(formula, image, nbins, hist, per_image, backend, threads, executor)


def threshold_multiotsu(
    image: ArrayLike | None = None,
    classes: int = 3,
    nbins: int = 256,
    *,
    hist: Any = None,
    per_image: bool = False,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[Any]:
    """Thresholds that separate the grey levels into classes best, as ``skimage.filters.threshold_multiotsu``.

    The sum of the between-class variances (P.-S. Liao, T.-S. Chen and P.-C. Chung, 2001) is at its true maximum, and
    of thresholds that are equally good the lowest win. It is found by dynamic programming over the levels that occur,
    in a time that grows little faster than their number, where a search through all choices grows with its power. So
    16 bits and many classes are no trouble. scikit-image counts in float32 and takes the lowest level for the one
    above it; where that decides, its thresholds differ from these.

    Parameters
    ----------
    image : array_like of any shape, optional
        Grey, of dtype uint8, uint16, float32 or float64; floats must be finite.
    classes : int
        How many classes, from 2 on: one more than thresholds.
    nbins : int
        Bins between the lowest and the highest pixel of a float image; integer images have one for each level.
    hist : array_like, or pair of them, optional
        The histogram, in place of an image: counts, or counts and the centres of the bins, which lie evenly.
    per_image : bool
        Whether ``image`` is a stack of images along its first axis, each of which gets thresholds of its own.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    ndarray, shape (classes - 1,) or (images, classes - 1)
        Levels, or centres of bins, in ascending order.

    Raises
    ------
    TypeError
        For another dtype, or ``classes`` or ``nbins`` that is no int.
    ValueError
        For fewer levels than classes; ``classes`` below 2; and as ``threshold_otsu``.
    """
    classes = _positive(classes, "classes")
    if classes < 2:
        raise ValueError(f"classes: got {classes}, expected at least 2")

    engine = _engine(backend, threads, executor)

    def best_splits(w: NDArray[Any], s: NDArray[Any], fewer: NDArray[Any], rows: int) -> NDArray[Any]:
        best, place = np.empty(rows), np.empty(rows, np.int64)
        engine.run("best_splits", w, s, fewer, best, place, units=1, size=8 * rows)
        return best

    def formula(counts: NDArray[Any], centers: NDArray[Any]) -> Any:
        return centers[_levels.multiotsu(counts, classes, best_splits)]

    found: NDArray[Any] = _chosen(formula, image, nbins, hist, per_image, backend, threads, executor)
    return found


def threshold_yen(
    image: ArrayLike | None = None,
    nbins: int = 256,
    *,
    hist: Any = None,
    per_image: bool = False,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Threshold of the largest correlation (J. C. Yen, F. J. Chang and S. Chang, 1995), as scikit-image's.

    Computed from the counts in float32, as ``skimage.filters.threshold_yen`` does, whose value it has.

    Parameters
    ----------
    image : array_like of any shape, optional
        Grey, of dtype uint8, uint16, float32 or float64; floats must be finite.
    nbins : int
        Bins between the lowest and the highest pixel of a float image; integer images have one for each level.
    hist : array_like, or pair of them, optional
        The histogram, in place of an image: counts, or counts and the centres of the bins.
    per_image : bool
        Whether ``image`` is a stack of images along its first axis, each of which gets a threshold of its own.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    int or float, or ndarray of them
        A level for an integer image, the centre of a bin for a float one; a constant image's own value.

    Raises
    ------
    TypeError, ValueError
        As ``threshold_otsu``.
    """

    def formula(counts: NDArray[Any], centers: NDArray[Any]) -> Any:
        return centers[_levels.yen(counts)].item()

    return _chosen(formula, image, nbins, hist, per_image, backend, threads, executor)


def threshold_isodata(
    image: ArrayLike | None = None,
    nbins: int = 256,
    return_all: bool = False,
    *,
    hist: Any = None,
    per_image: bool = False,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Threshold midway between the means of the two classes (T. W. Ridler and S. Calvard, 1978), as scikit-image's.

    The lowest level that is no higher than half the sum of both means, and nearer to it than the next bin is. Sums are
    exact; ``skimage.filters.threshold_isodata`` counts in float32, so beyond 16 million pixels it may differ a little.

    Parameters
    ----------
    image : array_like of any shape, optional
        Grey, of dtype uint8, uint16, float32 or float64; floats must be finite.
    nbins : int
        Bins between the lowest and the highest pixel of a float image; integer images have one for each level.
    return_all : bool
        Whether to return all such levels, in an array, and not the lowest alone.
    hist : array_like, or pair of them, optional
        The histogram, in place of an image: counts, or counts and the centres of the bins.
    per_image : bool
        Whether ``image`` is a stack of images along its first axis, each of which gets a threshold of its own.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    int or float, or ndarray of them
        A level for an integer image, the centre of a bin for a float one; a constant image's own value.

    Raises
    ------
    TypeError, ValueError
        As ``threshold_otsu``; ValueError for both ``return_all`` and ``per_image``, and where no centre of a given
        histogram will do.
    """
    if return_all and per_image:
        raise ValueError("return_all: got True with per_image=True, expected one of the two: lengths would differ")

    def formula(counts: NDArray[Any], centers: NDArray[Any]) -> Any:
        found = _levels.isodata(counts, centers)
        if return_all:
            return found
        if not found.size:
            raise ValueError("hist: got centres none of which is midway between the means, expected others")
        return found[0].item()

    return _chosen(formula, image, nbins, hist, per_image, backend, threads, executor)


def threshold_minimum(
    image: ArrayLike | None = None,
    nbins: int = 256,
    max_num_iter: int = 10000,
    *,
    hist: Any = None,
    per_image: bool = False,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Lowest point between the two peaks of the smoothed histogram (J. Prewitt and M. Mendelsohn, 1966).

    As ``skimage.filters.threshold_minimum``: means of three neighbours, in float32, are taken until no more than two
    peaks are left.

    Parameters
    ----------
    image : array_like of any shape, optional
        Grey, of dtype uint8, uint16, float32 or float64; floats must be finite.
    nbins : int
        Bins between the lowest and the highest pixel of a float image; integer images have one for each level.
    max_num_iter : int
        How often to smooth at most.
    hist : array_like, or pair of them, optional
        The histogram, in place of an image: counts, or counts and the centres of the bins.
    per_image : bool
        Whether ``image`` is a stack of images along its first axis, each of which gets a threshold of its own.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    int or float, or ndarray of them
        A level for an integer image, the centre of a bin for a float one.

    Raises
    ------
    RuntimeError
        If there are no two peaks, or not after ``max_num_iter`` times.
    TypeError, ValueError
        As ``threshold_otsu``.
    """
    times = _positive(max_num_iter, "max_num_iter")
    engine = _engine(backend, threads, executor)

    def smooth(numbers: NDArray[np.float32], times: int) -> tuple[int, int]:
        tops = 3
        while times and tops > 2:
            some = min(times, max(1, FEW // len(numbers)))
            state = np.array([[some, tops]], np.int64)
            engine.run("smooth", numbers[np.newaxis], state, units=1, size=FEW)
            times -= some - int(state[0, 0])
            tops = int(state[0, 1])
        return tops, times

    def formula(counts: NDArray[Any], centers: NDArray[Any]) -> Any:
        return centers[_levels.minimum(counts, times, smooth)].item()

    return _chosen(formula, image, nbins, hist, per_image, backend, threads, executor)


def threshold_triangle(
    image: ArrayLike,
    nbins: int = 256,
    *,
    per_image: bool = False,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Level farthest from the line between a histogram's peak and its end (G. Zack and others, 1977).

    As ``skimage.filters.threshold_triangle``, on the side of the longer tail.

    Parameters
    ----------
    image : array_like of any shape
        Grey, of dtype uint8, uint16, float32 or float64; floats must be finite.
    nbins : int
        Bins between the lowest and the highest pixel of a float image; integer images have one for each level.
    per_image : bool
        Whether ``image`` is a stack of images along its first axis, each of which gets a threshold of its own.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    int or float, or ndarray of them
        A level for an integer image, the centre of a bin for a float one; a constant image's own value.

    Raises
    ------
    TypeError, ValueError
        As ``threshold_otsu``.
    """

    def formula(counts: NDArray[Any], centers: NDArray[Any]) -> Any:
        return centers[_levels.triangle(counts)].item()

    return _chosen(formula, image, nbins, None, per_image, backend, threads, executor)


def threshold_mean(
    image: ArrayLike,
    *,
    per_image: bool = False,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Mean of the pixels, as ``skimage.filters.threshold_mean`` (C. A. Glasbey, 1993).

    Exact for integers but for the rounding of the division, and the same bits for floats, which are added in double
    precision.

    Parameters
    ----------
    image : array_like of any shape
        Grey, of dtype uint8, uint16, float32 or float64; floats must be finite.
    per_image : bool
        Whether ``image`` is a stack of images along its first axis, each of which gets a mean of its own.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    float, or ndarray of float64

    Raises
    ------
    TypeError
        For another dtype.
    ValueError
        For an empty image, or a float image with NaN or infinity in it or whose sum is beyond float64.
    """
    array = _checked(image, per_image)
    engine = _engine(backend, threads, executor)
    stack = _rows(array, per_image)
    images = len(stack)
    sums, _ = _sums_below(engine, stack, range(images), [0] * images, [math.inf] * images)
    if not np.isfinite(sums).all():
        raise ValueError("image: got NaN or infinity in it or a sum beyond float64, expected finite pixels")
    means = [total / stack.shape[1] for total in sums]
    return np.array(means) if per_image else means[0]


def threshold_li(
    image: ArrayLike,
    *,
    tolerance: float | None = None,
    initial_guess: float | Callable[[NDArray[Any]], float] | None = None,
    per_image: bool = False,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Threshold of the least cross entropy (C. H. Li and P. K. S. Tam, 1998), as ``skimage.filters.threshold_li``.

    From a guess on, the next threshold is the logarithmic mean of the means of both sides, until it hardly moves.
    Integer images need their histogram alone; float images are read once a step, and the means, summed in double
    precision, have the same bits with any number of threads.

    Parameters
    ----------
    image : array_like of any shape
        Grey, of dtype uint8, uint16, float32 or float64. NaN and infinities are left out, unless there is nothing else.
    tolerance : float, optional
        Stop when a step is no longer than this; by default, half the least difference of two pixels of a float image,
        and half a level of an integer one.
    initial_guess : float or callable, optional
        Where to begin: a value within the range of the image; or a function of the pixels less the lowest one, that
        returns such a difference. The mean by default.
    per_image : bool
        Whether ``image`` is a stack of images along its first axis, each of which gets a threshold of its own.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    float, or ndarray of float64
        A constant image's own value; NaN if there is nothing but NaN, 0 if both infinities and no number.

    Raises
    ------
    TypeError
        For another dtype, a ``tolerance`` that is no real number, an ``initial_guess`` that is not callable either.
    ValueError
        For an empty image, a range beyond its dtype, a negative ``tolerance``, an ``initial_guess`` out of range.
    """
    array = _checked(image, per_image)
    if tolerance is not None:
        tolerance = _image.number(tolerance, "tolerance")
        if tolerance < 0:
            raise ValueError(f"tolerance: got {tolerance}, expected at least 0")
    if initial_guess is not None and not callable(initial_guess):
        initial_guess = _image.number(initial_guess, "initial_guess")
    engine = _engine(backend, threads, executor)
    stack = _rows(array, per_image)
    rule = _Li(tolerance or None, initial_guess)
    if stack.dtype.kind == "u":
        counted = _counted(engine, stack, 256)
        found = [rule.of_levels(*pair, stack[i]) for i, pair in enumerate(counted)]
    else:
        found = rule.of_floats(engine, stack)
    return np.array(found) if per_image else found[0]


# --- pictures in, counts out -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Engine:
    """Who works: a backend, and how many threads of which executor."""

    backend: Backend
    threads: int | None
    executor: Executor | None

    def run(
        self,
        name: str,
        *buffers: Any,
        units: int,
        size: int,
        private: Callable[[], tuple[Any, ...]] = tuple,
    ) -> list[tuple[Any, ...]]:
        """Run the door of that name over so many units of ``size`` bytes each."""
        grain = max(1, _image.GRAIN // size)
        return parallel.run(
            self.backend,
            getattr(backends.kernels("pixels", self.backend.name), name),
            *buffers,
            units=units,
            grain=grain,
            pause=max(1, _image.PAUSE * _image.GRAIN // (grain * size)),
            threads=self.threads,
            executor=self.executor,
            private=private,
        )


def _engine(backend: str | None, threads: int | None, executor: Executor | None) -> _Engine:
    row = backends.resolve(backend)
    parallel.check(threads, executor)
    return _Engine(row, threads, executor)


def _positive(number: object, argument: str) -> int:
    if isinstance(number, bool) or not hasattr(number, "__index__"):
        raise TypeError(f"{argument}: got {type(number).__name__}, expected a positive integer")
    found = operator.index(number)
    if found < 1:
        raise ValueError(f"{argument}: got {found}, expected a positive integer")
    return found


def _checked(image: ArrayLike, per_image: bool) -> NDArray[Any]:
    array = _image.array(image)
    if per_image and array.ndim == 0:
        raise ValueError("image: got shape (), expected a stack of images along the first axis")
    if array.size == 0:
        raise ValueError(f"image: got shape {array.shape}, expected at least one pixel")
    return array


def _rows(array: NDArray[Any], per_image: bool) -> NDArray[Any]:
    """The pixels of each image as a row; one row without ``per_image``."""
    if per_image:
        stack: NDArray[Any] = in_c_order(array, array.dtype).reshape(len(array), -1)
        return stack
    # Counting asks for no order.
    flat: NDArray[Any] = (array if packed(array) else in_c_order(array, array.dtype)).ravel("K")
    return flat[np.newaxis]


def _number_of_levels(stack: NDArray[Any]) -> int:
    return int(np.iinfo(stack.dtype).max) + 1


def _batches(stack: NDArray[Any], bins: int) -> Iterator[NDArray[Any]]:
    """Parts of a stack whose counts fit ``MEMORY``."""
    step = max(1, MEMORY // (8 * bins))
    for first in range(0, len(stack), step):
        yield stack[first : first + step]


def _side_by_side(stack: NDArray[Any]) -> bool:
    return len(stack) > 1 and stack[0].nbytes <= LARGE


def _count_levels(engine: _Engine, stack: NDArray[Any]) -> NDArray[np.uint64]:
    levels = _number_of_levels(stack)
    if _side_by_side(stack):
        counts = np.zeros((len(stack), levels), np.uint64)
        engine.run("histograms", stack, counts, units=len(stack), size=stack[0].nbytes)
        return counts
    return np.array([_total(_each_pixel(engine, "histogram", image, (levels, np.uint64))) for image in stack])


def _count_bins(engine: _Engine, stack: NDArray[Any], edges: NDArray[Any]) -> NDArray[np.uint64]:
    nbins = edges.shape[1] - 1
    if _side_by_side(stack):
        counts = np.zeros((len(stack), nbins), np.uint64)
        engine.run("histograms_real", stack, edges, counts, units=len(stack), size=stack[0].nbytes)
        return counts
    pairs = zip(stack, edges, strict=True)
    return np.array([_total(_each_pixel(engine, "histogram_real", *pair, (nbins, np.uint64))) for pair in pairs])


def _each_pixel(engine: _Engine, name: str, image: NDArray[Any], *rest: Any) -> list[tuple[Any, ...]]:
    """Run a door over the pixels of one image; last comes the shape and dtype of what each worker has of its own."""
    *buffers, (shape, dtype) = rest
    return engine.run(
        name,
        image,
        *buffers,
        units=image.size,
        size=image.itemsize,
        private=lambda: (np.zeros(shape, dtype),),
    )


def _total(counted: list[tuple[Any, ...]]) -> NDArray[np.uint64]:
    total: NDArray[np.uint64] = np.add.reduce([buffers[0] for buffers in counted], dtype=np.uint64)
    return total


def _bounds(engine: _Engine, stack: NDArray[Any]) -> NDArray[Any]:
    """Lowest and highest pixel of each float image; NaN for both where there is one."""
    bounds = np.repeat(stack[:, :1], 2, axis=1)
    if _side_by_side(stack):
        engine.run("extents", stack, bounds, units=len(stack), size=stack[0].nbytes)
        return bounds
    for i, image in enumerate(stack):
        bounds[i] = _extent(engine, image)
    return bounds


def _extent(engine: _Engine, image: NDArray[Any]) -> tuple[Any, Any]:
    found = engine.run(
        "extent", image, units=image.size, size=image.itemsize, private=lambda: (np.full(2, image[0], image.dtype),)
    )
    each = np.array([buffers[0] for buffers in found])
    return each[:, 0].min(), each[:, 1].max()


def _finite_bounds(engine: _Engine, stack: NDArray[Any]) -> NDArray[Any]:
    bounds = _bounds(engine, stack)
    if not np.isfinite(bounds).all():
        raise ValueError("image: got NaN or infinity in it, expected finite pixels")
    with np.errstate(over="ignore"):
        beyond = ~np.isfinite(bounds[:, 1] - bounds[:, 0])
    if beyond.any():
        low, high = bounds[np.argmax(beyond)]
        raise ValueError(f"image: got pixels from {low} to {high}, a range beyond {stack.dtype}; expected a finite one")
    return bounds


def _edges(bounds: NDArray[Any], nbins: int, ignored: NDArray[Any] | None = None) -> NDArray[Any]:
    """Edges of the bins of each image, evenly spaced; what becomes of the ``ignored`` is of no interest."""
    edges: NDArray[Any] = np.linspace(bounds[:, 0], bounds[:, 1], nbins + 1, axis=-1, dtype=bounds.dtype)
    narrow = ~(edges[:, :-1] < edges[:, 1:]).all(axis=1)
    if ignored is not None:
        narrow &= ~ignored
    if narrow.any():
        low, high = bounds[np.argmax(narrow)]
        raise ValueError(f"nbins: got {nbins}, more than there are numbers of {bounds.dtype} from {low} to {high}")
    return np.ascontiguousarray(edges)


def _middles(edges: NDArray[Any]) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        found: NDArray[Any] = (edges[..., :-1] + edges[..., 1:]) / 2
    # A sum may be beyond the dtype where its half is not.
    return np.where(np.isfinite(found), found, edges[..., :-1] / 2 + edges[..., 1:] / 2)


def _counted(engine: _Engine, stack: NDArray[Any], nbins: int) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Counts and centres of the bins of each image, from the first that is not empty to the last."""
    if stack.dtype.kind == "u":
        for part in _batches(stack, _number_of_levels(stack)):
            for counts in _count_levels(engine, part):
                present = np.flatnonzero(counts)
                first, last = int(present[0]), int(present[-1])
                yield counts[first : last + 1], np.arange(first, last + 1)
        return
    bounds = _finite_bounds(engine, stack)
    constant = bounds[:, 0] == bounds[:, 1]
    begin = 0
    for part in _batches(stack, nbins):
        here = slice(begin, begin + len(part))
        begin += len(part)
        # Not for one constant image: bins would have no width.
        edges = _edges(bounds[here], nbins, constant[here])
        found = _count_bins(engine, part, edges) if not constant[here].all() else edges
        for counts, limits, one in zip(found, edges, constant[here], strict=True):
            if one:
                # Zeros of both signs are one value.
                yield np.array([part.shape[1]], np.uint64), limits[:1] + 0
            else:
                yield counts, _middles(limits)


def _chosen(
    formula: Formula,
    image: ArrayLike | None,
    nbins: int,
    hist: Any,
    per_image: bool,
    backend: str | None,
    threads: int | None,
    executor: Executor | None,
) -> Any:
    """What a formula makes of the counts of an image, of each of a stack, or of a histogram of the user's."""
    nbins = _positive(nbins, "nbins")
    if hist is not None:
        if per_image:
            raise ValueError("hist: got one with per_image=True, expected a stack of images")
        counts, centers = _given(hist)
        _engine(backend, threads, executor)
        return formula(counts, centers)
    if image is None:
        raise ValueError("image, hist: got neither, expected one of the two")
    array = _checked(image, per_image)
    engine = _engine(backend, threads, executor)
    found = [formula(*pair) for pair in _counted(engine, _rows(array, per_image), nbins)]
    return np.array(found) if per_image else found[0]


def _given(hist: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Counts and centres of a histogram of the user's, without the empty bins at both ends."""
    if isinstance(hist, (tuple, list)) and len(hist) == 2 and np.ndim(hist[0]) == 1:
        counts, centers = np.asarray(hist[0]), np.asarray(hist[1])
    else:
        counts = np.asarray(hist)
        centers = np.arange(counts.size)
    if counts.dtype.kind not in "uif" or centers.dtype.kind not in "uif":
        raise TypeError(f"hist: got dtypes {counts.dtype} and {centers.dtype}, expected real numbers")
    if counts.ndim != 1 or counts.shape != centers.shape:
        raise ValueError(f"hist: got shapes {counts.shape} and {centers.shape}, expected one axis and as many centres")
    if not np.isfinite(counts).all() or not (counts >= 0).all() or not (counts > 0).any():
        raise ValueError("hist: got counts that are negative, not finite or all zero, expected numbers of pixels")
    present = np.flatnonzero(counts)
    whole = slice(present[0], present[-1] + 1)
    counts = counts[whole]
    if counts.dtype.kind != "f" or (counts == np.rint(counts)).all():
        counts = counts.astype(np.uint64)
    return counts, centers[whole]


# --- means by side ---------------------------------------------------------------------------------------------------


def _sums_below(
    engine: _Engine, stack: NDArray[Any], which: Any, low: Any, limits: Any
) -> tuple[list[float], list[int]]:
    """Sum and number of the pixels of some images that are, less ``low``, not above a limit each.

    Parts of a fixed length are joined exactly: the bits depend on nothing but the pixels.
    """
    parts = -(-stack.shape[1] // PART)
    sums, counts = np.empty((len(which), parts)), np.empty((len(which), parts))
    engine.run(
        "sums_below",
        stack,
        np.array(which, np.int64),
        np.array(low, stack.dtype),
        np.array(limits, np.float64),
        sums,
        counts,
        units=sums.size,
        size=PART * stack.itemsize,
    )
    totals = [_joined(row) for row in sums.tolist()]
    return totals, [int(count) for count in counts.sum(axis=1)]


def _joined(parts: list[float]) -> float:
    """The rounded sum; NaN where a part is not finite, or the sum is not."""
    try:
        return math.fsum(parts) if all(map(math.isfinite, parts)) else math.nan
    except OverflowError:
        return math.nan


Steps = Generator[float, tuple[float, int], float]


@dataclass(frozen=True)
class _Li:
    """Li's iteration. Differences to the lowest pixel, whose logarithms exist, are what it works with."""

    tolerance: float | None
    guess: float | Callable[[NDArray[Any]], float] | None

    def of_levels(self, counts: NDArray[Any], centers: NDArray[Any], image: NDArray[Any]) -> float:
        """On an integer image, by its histogram."""
        low = int(centers[0])
        if len(counts) == 1:
            return float(low)
        weights = np.cumsum(counts).tolist()
        sums = np.cumsum(counts * np.arange(len(counts), dtype=np.uint64)).tolist()
        steps = self.steps(image, low, len(counts) - 1, sums[-1], lambda: 0.5, 0.5)
        limit = next(steps)
        while True:
            level = math.floor(limit)
            try:
                limit = steps.send((sums[level], weights[level]))
            except StopIteration as done:
                return float(done.value + low)

    def of_floats(self, engine: _Engine, stack: NDArray[Any]) -> list[float]:
        """On float images, all at once: one pass over memory for a step of each that is still on its way."""
        bounds = _bounds(engine, stack)
        found: list[float] = bounds[:, 0].tolist()
        odd = ~np.isfinite(bounds).all(axis=1)
        for i in np.flatnonzero(odd).tolist():
            found[i] = self._of_odd(engine, stack[i])
        todo = np.flatnonzero(~odd & (bounds[:, 0] < bounds[:, 1])).tolist()
        if not todo:
            return [value + 0.0 for value in found]
        with np.errstate(over="ignore"):
            highest = bounds[:, 1] - bounds[:, 0]
        if not np.isfinite(highest[todo]).all():
            raise ValueError(f"image: got pixels whose range is beyond {stack.dtype}, expected a finite one")
        low = bounds[:, 0]
        totals, _ = _sums_below(engine, stack, todo, low[todo], [math.inf] * len(todo))
        if not np.isfinite(totals).all():
            raise ValueError("image: got pixels whose sum is beyond float64, expected a finite one")
        active: dict[int, tuple[Steps, float]] = {}
        for i, total in zip(todo, totals, strict=True):
            steps = self.steps(stack[i], low[i], float(highest[i]), total, *_closest(stack[i], low[i]))
            active[i] = steps, next(steps)
        while active:
            which = list(active)
            sums, counts = _sums_below(engine, stack, which, low[which], [active[i][1] for i in which])
            for i, one, number in zip(which, sums, counts, strict=True):
                steps = active[i][0]
                try:
                    active[i] = steps, steps.send((one, number))
                except StopIteration as done:
                    found[i] = float(done.value) + float(low[i])
                    del active[i]
        return found

    def _of_odd(self, engine: _Engine, image: NDArray[Any]) -> float:
        """On an image with NaN or infinity in it."""
        numbers = image[~np.isnan(image)]
        if not numbers.size:
            return math.nan
        if (numbers == numbers[0]).all():
            return float(numbers[0])
        numbers = numbers[np.isfinite(numbers)]
        return self.of_floats(engine, numbers[np.newaxis])[0] if numbers.size else 0.0

    def steps(
        self,
        image: NDArray[Any],
        low: Any,
        highest: float,
        total: float,
        tolerance: Callable[[], float],
        most: float,
    ) -> Steps:
        """Yield a threshold, take sum and number of what is not above it, and so on; return the last threshold.

        ``tolerance()`` is the default one, which is costly to know, and ``most`` is no less than it. Where no pixel
        lies between two thresholds the next step is none, so that whether to take it need not be known.
        """
        threshold = self._first(image, low, highest, total)
        before, number = -math.inf, -1
        unsure = 0.0
        while True:
            part, count = yield threshold
            if count in (number, image.size):
                return threshold
            if unsure and unsure <= tolerance():
                return threshold
            number = count
            lower = np.float64(part / count)
            if lower == 0:
                return threshold
            upper = np.float64((total - part) / (image.size - count))
            before, threshold = threshold, float((lower - upper) / (np.log(lower) - np.log(upper)))
            step = abs(threshold - before)
            unsure = 0.0
            if self.tolerance is not None:
                if step <= self.tolerance:
                    return threshold
            elif step == 0:
                return threshold
            elif step <= most:
                unsure = step

    def _first(self, image: NDArray[Any], low: Any, highest: float, total: float) -> float:
        if self.guess is None:
            return total / image.size
        if callable(self.guess):
            threshold = float(self.guess(image - image.dtype.type(low)))
            if not 0 <= threshold < highest:
                raise ValueError(f"initial_guess: got {threshold} from it, expected from 0 to less than {highest}")
            return threshold
        threshold = self.guess - float(low)
        if not 0 < threshold < highest:
            raise ValueError(
                f"initial_guess: got {self.guess}, expected between the lowest and the highest pixel,"
                f" {low} and {float(low) + highest}"
            )
        return float(image.dtype.type(threshold))


def _closest(image: NDArray[Any], low: Any) -> tuple[Callable[[], float], float]:
    """Half the least difference of two pixels, when asked for, for it takes sorting; and of a few of them, at once."""

    def of(pixels: NDArray[Any]) -> float:
        gaps = np.diff(np.sort(pixels - low))
        gaps = gaps[gaps > 0]
        return float(gaps.min()) / 2 if gaps.size else math.inf

    known: list[float] = []

    def of_all() -> float:
        if not known:
            known.append(of(image))
        return known[0]

    return of_all, of(image[:: max(1, image.size // 4096)])
