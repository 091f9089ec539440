"""Thresholds by hysteresis: what is above the low one and hangs together with something above the high one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gilfree import backends, parallel
from gilfree.arrays import check_out, in_c_order, packed
from gilfree.pixels import _image

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import ArrayLike, NDArray

    from gilfree.backends import Backend

GRAIN = 2**18  # bytes of pixels a ticket: each costs more here than elsewhere, most of all in noise
PAUSE = 32  # tickets that take about 30 ms there
LINE = 2**14  # pixels of a line of a flat picture, which has no lines of its own


def apply_hysteresis_threshold(
    image: ArrayLike,
    low: float,
    high: float,
    *,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[np.bool_]:
    """Pixels above ``low`` that are connected with one above ``high``: ``skimage.filters.apply_hysteresis_threshold``.

    Pixels are neighbours if they share a face: four in a picture, six in a volume, and so on. ``low`` is at most
    ``high``. A NaN pixel is above nothing. Runs of pixels along the last axis are united where they touch (disjoint
    sets, R. Tarjan, 1975), in bands over several threads; they take 25 bytes each. The method is J. Canny's (1986).

    Parameters
    ----------
    image : array_like of any shape
        Of dtype uint8, uint16, float32 or float64.
    low, high : float
        The thresholds; any number but NaN. As in scikit-image, a ``high`` that is a number of Python is rounded to
        float32 for a float32 image, and ``low`` is not.
    out : ndarray of bool, optional
        Array for the result, of the image's shape, that shares no memory with it.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    ndarray of bool, of the image's shape

    Raises
    ------
    TypeError
        For another dtype, of ``image`` or ``out``; for a threshold that is no single real number.
    ValueError
        For a threshold that is NaN; for ``out`` of another shape, read-only, or overlapping ``image``.
    """
    array = _image.array(image)
    lower, upper = _image.number(low, "low"), _image.number(high, "high")
    lower = min(lower, upper)
    row = backends.resolve(backend)
    parallel.check(threads, executor)
    if out is not None:
        check_out(out, array.shape, np.bool_, image, "image")
    # Connectedness knows no order of axes: those of a Fortran array are read backwards.
    turned = not array.flags.c_contiguous and packed(array)
    source = array.T if turned else in_c_order(array, array.dtype).reshape(array.shape)
    target = out.T if out is not None and turned else out
    fits = target is not None and packed(target) and target.flags.c_contiguous
    result = target if target is not None and fits else np.empty(source.shape, np.bool_)
    if source.size:
        if source.dtype == np.float32 and not isinstance(high, np.generic):
            with np.errstate(over="ignore"):
                upper = float(np.float32(upper))
        least, seed = _least(source.dtype, lower), _least(source.dtype, upper)
        if least is None or seed is None:
            result[...] = False
        else:
            _grow(row, source, result.reshape(-1).view(np.uint8), least, seed, threads, executor)
    return _image.deliver(result.T if turned else result, out)


def _least(dtype: np.dtype[Any], limit: float) -> Any:
    """The least number of a dtype that is above the limit; None where there is none."""
    if dtype.kind == "u":
        most = int(np.iinfo(dtype).max)
        if limit >= most:
            return None
        return dtype.type(max(0, math.floor(limit) + 1) if limit > -1 else 0)
    if limit == math.inf:
        return None
    with np.errstate(over="ignore"):
        near = dtype.type(limit)
        return near if float(near) > limit else np.nextafter(near, dtype.type(math.inf))


def _grow(
    backend: Backend,
    source: NDArray[Any],
    out: NDArray[Any],
    least: Any,
    seed: Any,
    threads: int | None,
    executor: Executor | None,
) -> None:
    """Find the runs of each line, unite those that touch, paint those that have a seed among them."""
    # An axis of one step connects nothing.
    shape = [length for length in source.shape if length > 1] or [1]
    flat = len(shape) == 1
    width = min(LINE, shape[0]) if flat else shape[-1]
    lengths = [-(-shape[0] // width)] if flat else shape[:-1]
    lines, slab = math.prod(lengths), math.prod(lengths[1:])
    image = source.reshape(-1)

    def run(name: str, *buffers: Any, units: int, size: int, workers: int | None = threads) -> None:
        """Run a door over so many units of ``size`` pixels each."""
        grain = max(1, GRAIN // (size * image.itemsize))
        parallel.run(
            backend,
            getattr(backends.kernels("pixels", backend.name), name),
            *buffers,
            units=units,
            grain=grain,
            pause=max(1, PAUSE * GRAIN // (grain * size * image.itemsize)),
            threads=workers,
            executor=executor,
        )

    begins = np.zeros(lines + 1, np.int64)
    run("count_runs", image, width, least, begins[1:], units=lines, size=width)
    np.cumsum(begins, out=begins)
    total = int(begins[-1])
    if total == 0:
        out[...] = 0
        return
    runs, parents, seeds = np.empty((total, 2), np.int64), np.empty(total, np.int64), np.empty(total, np.uint8)
    run("find_runs", image, width, least, seed, begins, runs, parents, seeds, units=lines, size=width)
    # Bands are one ticket each, of a size that nothing but the picture decides.
    band = max(1, GRAIN // (slab * width * image.itemsize))
    bands = -(-lengths[0] // band)
    sets = begins, runs, parents, seeds, np.array(lengths, np.int64), width, band, flat
    run("unite_runs", *sets, units=bands, size=band * slab * width)
    if bands > 1:
        # One worker: the sets of all bands grow together.
        run("unite_bands", *sets, units=bands - 1, size=slab * width, workers=1)
    run("paint_runs", begins, runs, parents, seeds, width, out, units=lines, size=width)
