"""Grey to black and white by a value: OpenCV's five kinds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gilfree import backends, parallel
from gilfree.arrays import check_out, in_c_order, packed
from gilfree.pixels import _histograms, _image, _levels

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import ArrayLike, NDArray

    from gilfree.backends import Backend

# What OpenCV finds in the histogram, by name, and in images of which dtypes.
FOUND = {"otsu": (np.dtype(np.uint8), np.dtype(np.uint16)), "triangle": (np.dtype(np.uint8),)}

KEEP = "pixel"
# What a kind makes of a pixel above the threshold, and of any other: a constant, or the pixel itself.
KINDS = {
    "binary": ("maxval", "zero"),
    "binary_inv": ("zero", "maxval"),
    "trunc": ("value", KEEP),
    "tozero": (KEEP, "zero"),
    "tozero_inv": ("zero", KEEP),
}


def threshold(
    image: ArrayLike,
    value: float | str,
    *,
    maxval: float = 255,
    kind: str = "binary",
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[Any]:
    """Apply one threshold to every pixel, as ``cv2.threshold``.

    ========== =============== ========
    kind       pixel > value   else
    ========== =============== ========
    binary     maxval          0
    binary_inv 0               maxval
    trunc      value           pixel
    tozero     pixel           0
    tozero_inv 0               pixel
    ========== =============== ========

    On integer images ``value`` is floored and ``maxval`` rounded (half to even), then each is brought into the
    range of the dtype; on float images both are cast to it: OpenCV's rules. A NaN pixel is not above anything.

    Parameters
    ----------
    image : array_like of any shape
        Of dtype uint8, uint16, float32 or float64.
    value : float, "otsu" or "triangle"
        The threshold, any finite or infinite number; or what OpenCV's ``THRESH_OTSU`` (of uint8 and uint16) and
        ``THRESH_TRIANGLE`` (of uint8) find in the histogram. Otsu's is compared exactly, where OpenCV's rounding may
        choose another of two that are as good but for the 15th digit; a triangle's is not scikit-image's, for which
        see ``threshold_triangle``.
    maxval : float
        The value of white; any finite or infinite number.
    kind : {"binary", "binary_inv", "trunc", "tozero", "tozero_inv"}
    out : ndarray, optional
        Array for the result, of the image's shape and dtype: the image itself, or one that shares no memory with it.
    backend, threads, executor
        See ``gilfree.use``.

    Raises
    ------
    TypeError
        For another dtype, of ``image`` or ``out``; a ``value`` or ``maxval`` that is no real number; a ``kind`` that is
        no string.
    ValueError
        For an unknown kind or name of a value, or an empty image beside a name; for NaN as ``value`` or ``maxval``; for
        ``out`` of another shape, read-only, or overlapping ``image`` without being it.
    """
    small = _image.small_kernels(backend, threads, executor)
    if small is not None:
        alone = (threads or parallel.chosen.get()) == 1
        answer: Any = small.small_threshold(image, value, maxval, kind, out, alone)
        if type(answer) is np.ndarray:
            return answer
        if answer is not None:
            made: NDArray[Any] = answer.out
            parallel.share(answer, units=made.size, grain=_image.GRAIN, pause=_image.PAUSE, threads=threads)
            return made
    array = _image.array(image)
    _image.one_of(kind, KINDS, "kind")
    if isinstance(value, str):
        _image.one_of(value, FOUND, "value")
        if array.dtype not in FOUND[value]:
            expected = " or ".join(map(str, FOUND[value]))
            raise TypeError(f"image: got dtype {array.dtype}, expected {expected} for value={value!r}")
    else:
        limit = _image.number(value, "value")
    white = _image.number(maxval, "maxval")
    row = backends.resolve(backend)
    parallel.check(threads, executor)
    if out is not None:
        check_out(out, array.shape, array.dtype, None if out is image else image, "image")
    # Pixel by pixel, so any order in memory will do, as long as it is the same for both.
    source = array if packed(array) else in_c_order(array, array.dtype)
    same_order = out is not None and (out.flags.c_contiguous if source.flags.c_contiguous else out.flags.f_contiguous)
    fits = same_order and packed(out)
    result = out if out is not None and fits else np.empty_like(source)
    if isinstance(value, str):
        counts, _ = _histograms.histogram(source, backend=row.name, threads=threads, executor=executor)
        limit = float(_levels.otsu_opencv(counts) if value == "otsu" else _levels.triangle_opencv(counts))
    if source.size:
        _apply(row, source.ravel("K"), result.reshape(-1, order="A"), limit, white, kind, threads, executor)
    return _image.deliver(result, out)


def _apply(
    backend: Backend,
    source: NDArray[Any],
    result: NDArray[Any],
    value: float,
    maxval: float,
    kind: str,
    threads: int | None,
    executor: Executor | None,
) -> None:
    dtype = source.dtype
    if dtype.kind == "u":
        most = np.iinfo(dtype).max
        white = _image.clip(maxval, round, most)
        limit = _image.clip(value, math.floor, most)
        if value < 0:
            # Every pixel is above, 0 too, which no threshold of the dtype says: floor to 0 and call all above.
            above = {"maxval": white, "zero": 0, "value": 0}.get(KINDS[kind][0])
            if above is None:
                result[...] = source
            else:
                result[...] = above
            return
    else:
        with np.errstate(over="ignore"):  # a number beyond float32 is an infinity there, as in OpenCV
            limit, white = dtype.type(value), dtype.type(maxval)
    constants = {"maxval": dtype.type(white), "zero": dtype.type(0), "value": dtype.type(limit)}
    above_name, below_name = KINDS[kind]
    _image.run(
        backend,
        "threshold",
        source,
        result,
        dtype.type(limit),
        above_name == KEEP,
        constants.get(above_name, dtype.type(0)),
        below_name == KEEP,
        constants.get(below_name, dtype.type(0)),
        threads=threads,
        executor=executor,
    )
