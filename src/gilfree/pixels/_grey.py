"""Colour to grey, as OpenCV makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gilfree import backends, parallel
from gilfree.arrays import check_out, in_c_order, packed
from gilfree.pixels import _image

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import ArrayLike, NDArray

ORDERS = ("RGB", "BGR")


def grayscale(
    image: ArrayLike,
    *,
    order: str = "RGB",
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[Any]:
    """Grey of a colour image, with OpenCV's weights and rounding (``cv2.cvtColor`` with ``COLOR_RGB2GRAY`` and others).

    0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601): uint8 and uint16 in 15-bit fixed point, bit for bit as
    OpenCV; float32 and float64 in their own precision, rounded after every operation (a NaN result is the positive
    quiet NaN). Alpha is left out.

    Parameters
    ----------
    image : array_like, shape (..., 3) or (..., 4)
        Of dtype uint8, uint16, float32 or float64.
    order : {"RGB", "BGR"}
        Which colour comes first: BGR in the images that OpenCV reads.
    out : ndarray, optional
        Array for the result, of shape ``image.shape[:-1]`` and the image's dtype, that shares no memory with it.
    backend, threads, executor
        See ``gilfree.use``.

    Raises
    ------
    TypeError
        For another dtype, of ``image`` or ``out``.
    ValueError
        For an unknown order; for another number of channels; for ``out`` of another shape, read-only, or overlapping
        ``image``.
    """
    _image.one_of(order, ORDERS, "order")
    small = _image.small_kernels(backend, threads, executor)
    if small is not None:
        made: NDArray[Any] | None = small.small_grayscale(image, order == "BGR", out)
        if made is not None:
            return made
    array = _image.array(image)
    if array.ndim < 2 or array.shape[-1] not in (3, 4):
        raise ValueError(f"image: got shape {array.shape}, expected (..., 3) or (..., 4)")
    row = backends.resolve(backend)
    parallel.check(threads, executor)
    shape = array.shape[:-1]
    if out is not None:
        check_out(out, shape, array.dtype, image, "image")
    fits = out is not None and packed(out) and out.flags.c_contiguous
    result = out if out is not None and fits else np.empty(shape, array.dtype)
    if result.size:
        pixels = in_c_order(array, array.dtype).reshape(-1, array.shape[-1])
        _image.run(row, "grayscale", pixels, result.reshape(-1), order == "BGR", threads=threads, executor=executor)
    return _image.deliver(result, out)
