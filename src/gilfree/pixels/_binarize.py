"""Colour or grey to black and white in one call, by the name of a method."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gilfree import backends, parallel
from gilfree.arrays import check_out, in_c_order, packed
from gilfree.pixels import _grey, _histograms, _image, _levels, _windows

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from gilfree.backends import Backend

# One threshold for a whole picture: the function that finds it, and the options it takes.
GLOBAL: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "otsu": (_histograms.threshold_otsu, ("nbins",)),
    "li": (_histograms.threshold_li, ("tolerance", "initial_guess")),
    "triangle": (_histograms.threshold_triangle, ("nbins",)),
    "yen": (_histograms.threshold_yen, ("nbins",)),
    "isodata": (_histograms.threshold_isodata, ("nbins",)),
    "mean": (_histograms.threshold_mean, ()),
    "minimum": (_histograms.threshold_minimum, ("nbins", "max_num_iter")),
}
# One for each pixel.
LOCAL: dict[str, tuple[Callable[..., _windows.Formula], tuple[str, ...]]] = {
    "local_gaussian": (_windows.local, ("block_size", "offset", "mode", "param", "cval")),
    "local_mean": (_windows.local, ("block_size", "offset", "mode", "cval")),
    "niblack": (_windows.niblack, ("window_size", "k")),
    "sauvola": (_windows.sauvola, ("window_size", "k", "r")),
    "wolf": (_windows.wolf, ("window_size", "k")),
    "nick": (_windows.nick, ("window_size", "k")),
    "bradley": (_windows.bradley, ("window_size", "t")),
    "phansalkar": (_windows.phansalkar, ("window_size", "k", "p", "q", "r")),
    "singh": (_windows.singh, ("window_size", "k")),
    "adaptive_mean": (_windows.opencv, ("block_size", "c")),
    "adaptive_gaussian": (_windows.opencv, ("block_size", "c")),
}
# Every method, with the options it takes.
METHODS = {name: options for name, (_, options) in (GLOBAL | LOCAL).items()}

# What OpenCV leaves to be said, and what its tutorial says.
ADAPTIVE = {"block_size": 11, "c": 2}


def binarize(
    image: ArrayLike,
    method: str = "otsu",
    value: float | None = None,
    invert: bool = False,
    *,
    maxval: float = 255,
    dtype: DTypeLike = np.uint8,
    per_image: bool = True,
    channel_axis: int | str | None = "infer",
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
    **options: Any,
) -> NDArray[Any]:
    """Black and white of a picture, or of a stack of them.

    Pixels above the threshold become white, the others black. Colours become grey first, as ``grayscale`` has it; for
    ``otsu`` of uint8 in one pass with the counting.

    ================= ==================================================== =========================================
    method            as                                                   options
    ================= ==================================================== =========================================
    otsu              ``threshold_otsu``                                   ``nbins``
    li                ``threshold_li``                                     ``tolerance``, ``initial_guess``
    triangle          ``threshold_triangle``                               ``nbins``
    yen               ``threshold_yen``                                    ``nbins``
    isodata           ``threshold_isodata``                                ``nbins``
    mean              ``threshold_mean``
    minimum           ``threshold_minimum``                                ``nbins``, ``max_num_iter``
    local_gaussian    ``threshold_local(method="gaussian")``               ``block_size``, ``offset``, ``mode``,
                                                                           ``param``, ``cval``
    local_mean        ``threshold_local(method="mean")``                   ``block_size``, ``offset``, ``mode``,
                                                                           ``cval``
    niblack           ``threshold_niblack``                                ``window_size``, ``k``
    sauvola           ``threshold_sauvola``                                ``window_size``, ``k``, ``r``
    wolf              ``threshold_wolf``                                   ``window_size``, ``k``
    nick              ``threshold_nick``                                   ``window_size``, ``k``
    bradley           ``threshold_bradley``                                ``window_size``, ``t``
    phansalkar        ``threshold_phansalkar``                             ``window_size``, ``k``, ``p``, ``q``, ``r``
    singh             ``threshold_singh``                                  ``window_size``, ``k``
    adaptive_mean     ``adaptive_threshold(method="mean")``, of uint8      ``block_size`` (11), ``c`` (2)
    adaptive_gaussian ``adaptive_threshold(method="gaussian")``, of uint8  ``block_size`` (11), ``c`` (2)
    ================= ==================================================== =========================================

    Parameters
    ----------
    image : array_like, shape (H, W), (H, W, 3) or (H, W, 4), or a stack (N, H, W), (N, H, W, 3) or (N, H, W, 4)
        Of dtype uint8, uint16, float32 or float64; of floats, finite ones.
    method : str
        A name from the table.
    value : float, optional
        A threshold for all pixels, in place of a method's.
    invert : bool
        Black above the threshold and white below, for light writing on a dark ground.
    maxval : float
        The value of white, rounded half to even and brought into 0 to 255; black is 0.
    dtype : dtype
        uint8, or bool: white is True then.
    per_image : bool
        Each image of a stack has a threshold of its own; false: a method that has one threshold for a picture finds one
        for the whole stack.
    channel_axis : {"infer", -1, None}
        Whether the last axis is one of colours: by default where it has 3 or 4 of them and is not one of two.
    out : ndarray, optional
        Array for the result, of the shape of the grey image and the dtype asked for, that shares no memory with it.
    backend, threads, executor
        See ``gilfree.use``.
    **options
        The method's own, see the table.

    Returns
    -------
    ndarray of uint8 or bool, of the image's shape without its colours

    Raises
    ------
    TypeError
        For another dtype, an argument of another type, or an option that the method does not take.
    ValueError
        For an unknown method; a value beside a method or its options; an image of too few or too many dimensions; what
        the method itself refuses; ``out`` of another shape, read-only, or overlapping ``image``.
    """
    plain = method == "otsu" and value is None and not options and type(invert) is bool
    small = _image.small_kernels(backend, threads, executor) if plain else None
    if small is not None and type(channel_axis) is str and channel_axis == "infer" and dtype is np.uint8:
        made: NDArray[Any] | None = small.small_binarize(image, maxval, invert, out)
        if made is not None:
            return made
    array = _image.array(image)
    colour = _has_colours(array, channel_axis)
    shape = array.shape[:-1] if colour else array.shape
    if len(shape) not in (2, 3):
        raise ValueError(f"image: got shape {array.shape}, expected one image or a stack of them")
    _image.one_of(method, METHODS, "method")
    for name in options:
        if name not in METHODS[method]:
            raise TypeError(f"{name}: not an option of {method}, which takes {', '.join(METHODS[method]) or 'none'}")
    if value is not None and (method != "otsu" or options):
        raise ValueError(f"value: got {value!r} beside a method, expected one of the two")
    limit = None if value is None else _image.number(value, "value")
    white = _image.number(maxval, "maxval")
    kind = np.dtype(dtype)
    if kind not in (np.uint8, np.bool_):
        raise TypeError(f"dtype: got {kind}, expected uint8 or bool")
    row = backends.resolve(backend)
    parallel.check(threads, executor)
    if out is not None:
        check_out(out, shape, kind, image, "image")
    fits = out is not None and packed(out) and out.flags.c_contiguous
    result = out if out is not None and fits else np.empty(shape, kind)
    colours = (1 if kind == np.bool_ else _image.clip(white, round, 255), 0)
    target = result.view(np.uint8)
    how: dict[str, Any] = {"threads": threads, "executor": executor}
    if invert:
        colours = colours[::-1]
    if method in LOCAL:
        grey = _grey.grayscale(array, backend=row.name, **how) if colour else array
        formula = _formula(method, grey, options)
        _windows.run(row, grey, formula, binary=target, colours=colours, **how)
        return _image.deliver(result, out)
    if not result.size:
        return _image.deliver(result, out)
    if limit is None and colour and array.dtype == np.uint8 and method == "otsu" and (len(shape) == 2 or not per_image):
        grey, counts = _grey_and_counts(row, array, **how)
        limits: Any = _levels.otsu(counts)
    else:
        grey = _grey.grayscale(array, backend=row.name, **how) if colour else array
        limits = limit
        if limit is None:
            stack = grey if len(shape) == 3 and per_image else grey[np.newaxis]
            find = GLOBAL[method][0]
            limits = find(stack, per_image=True, backend=row.name, **how, **options)
    _apply(row, grey, target, np.atleast_1d(limits), colours, **how)
    return _image.deliver(result, out)


def _has_colours(array: NDArray[Any], channel_axis: object) -> bool:
    """Whether the last axis is one of colours."""
    several = array.ndim >= 3 and array.shape[-1] in (3, 4)
    if channel_axis is None or (isinstance(channel_axis, str) and channel_axis == "infer"):
        return channel_axis is not None and several
    if isinstance(channel_axis, bool) or channel_axis not in (-1, array.ndim - 1):
        raise ValueError(f"channel_axis: got {channel_axis!r}, expected 'infer', -1 or None")
    if not several:
        raise ValueError(f"image: got shape {array.shape}, expected 3 or 4 channels on its last axis")
    return True


def _formula(method: str, grey: NDArray[Any], options: dict[str, Any]) -> _windows.Formula:
    make, _ = LOCAL[method]
    if method.startswith("adaptive"):
        if grey.dtype != np.uint8:
            raise TypeError(f"image: got dtype {grey.dtype}, expected uint8 for {method}")
        return make(grey, method.removeprefix("adaptive_"), "binary", **ADAPTIVE | options)
    if method.startswith("local"):
        return make(grey, method=method.removeprefix("local_"), **options)
    return make(grey, **options)


def _apply(
    backend: Backend,
    grey: NDArray[Any],
    target: NDArray[np.uint8],
    limits: NDArray[Any],
    colours: tuple[int, int],
    *,
    threads: int | None,
    executor: Executor | None,
) -> None:
    """The first colour above the limit of the image, the second elsewhere; one limit for each image, or for all."""
    flat = in_c_order(grey, grey.dtype).reshape(len(limits), -1)
    shades = np.array([colours] * len(limits), np.uint8)
    if grey.dtype.kind == "u":
        most = np.iinfo(grey.dtype).max
        shades[limits < 0] = colours[0]  # every pixel is above, 0 too, which no limit of the dtype says
        exact = np.array([_image.clip(float(limit), math.floor, most) for limit in limits], grey.dtype)
    else:
        with np.errstate(over="ignore"):
            exact = limits.astype(grey.dtype)
    parallel.run(
        backend,
        backends.kernels("pixels", backend.name).binarize,
        flat,
        target.reshape(len(limits), -1),
        exact,
        shades,
        units=flat.size,
        grain=_image.GRAIN // flat.itemsize,
        pause=_image.PAUSE,
        threads=threads,
        executor=executor,
    )


def _grey_and_counts(
    backend: Backend, array: NDArray[Any], *, threads: int | None, executor: Executor | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """Grey of an image of uint8, and how many pixels have each level, in one pass."""
    pixels = in_c_order(array, array.dtype).reshape(-1, array.shape[-1])
    grey = np.empty(array.shape[:-1], np.uint8)
    counted = _image.run(
        backend,
        "grayscale_histogram",
        pixels,
        grey.reshape(-1),
        threads=threads,
        executor=executor,
        private=lambda: (np.zeros(256, np.uint64),),
    )
    return grey, np.add.reduce([buffers[0] for buffers in counted], dtype=np.uint64)
