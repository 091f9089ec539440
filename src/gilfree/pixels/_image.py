"""What the front doors of pixels share: how pictures are taken in, spread over workers and handed back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from gilfree import backends, parallel
from gilfree.arrays import as_array, in_c_order, packed

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import ArrayLike, NDArray

    from gilfree.backends import Backend

DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32), np.dtype(np.float64))

GRAIN = 2**18  # bytes of pixels a ticket: 8 to 80 µs, more than waking a thread costs
PAUSE = 512  # tickets that take about 30 ms


def array(image: ArrayLike) -> NDArray[Any]:
    """``image`` as an array in native byte order."""
    found: NDArray[Any] = as_array(image, "image")
    native = found.dtype.newbyteorder("=")
    if native not in DTYPES:
        raise TypeError(f"image: got dtype {found.dtype}, expected uint8, uint16, float32 or float64")
    return found.astype(native, copy=False)


def number(value: Any, argument: str) -> float:
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__float__") or isinstance(value, np.ndarray):
        raise TypeError(f"{argument}: got {type(value).__name__}, expected a real number")
    found = float(value)
    if math.isnan(found):
        raise ValueError(f"{argument}: got NaN, expected a real number")
    return found


def one_of(value: Any, names: Iterable[str], argument: str) -> None:
    """Raise unless ``value`` is one of these words."""
    if not isinstance(value, str):
        raise TypeError(f"{argument}: got {type(value).__name__}, expected one of {', '.join(names)}")
    if value not in names:
        raise ValueError(f"{argument}: got {value!r}, expected one of {', '.join(names)}")


def clip(number: float, to_integer: Callable[[float], int], most: int) -> int:
    """The number as an integer from 0 to ``most``."""
    if math.isinf(number):
        return most if number > 0 else 0
    return min(max(to_integer(number), 0), most)


def check_finite(backend: Backend, image: NDArray[Any], threads: int | None, executor: Executor | None) -> None:
    """Raise if a float image has NaN or infinity in it."""
    if image.size == 0:
        return
    flat = (image if packed(image) else in_c_order(image, image.dtype)).ravel("K")
    first = flat[0]
    found = run(
        backend, "extent", flat, threads=threads, executor=executor, private=lambda: (np.full(2, first, flat.dtype),)
    )
    if not np.isfinite([buffers[0] for buffers in found]).all():
        raise ValueError("image: got NaN or infinity in it, expected finite pixels")


def small_kernels(backend: str | None, threads: int | None, executor: Executor | None) -> Any:
    """The compiled kernels, which are done with a small picture sooner than one is looked at here; or None."""
    if backend is not None or executor is not None or not (threads is None or (type(threads) is int and threads > 0)):
        return None
    if threads is not None and threads > parallel.MAX_THREADS:
        return None
    if backends.chosen.get() is None and backends.default() == "cython":
        return backends.kernels("pixels", "cython")
    return None


def deliver(result: NDArray[Any], out: NDArray[Any] | None) -> NDArray[Any]:
    """The result in the array the user gave, if any."""
    if out is None or result is out:
        return result
    out[...] = result
    return out


def run(
    backend: Backend,
    name: str,
    source: NDArray[Any],
    *buffers: Any,
    threads: int | None,
    executor: Executor | None,
    private: Callable[[], tuple[Any, ...]] = tuple,
) -> list[tuple[Any, ...]]:
    """Run the door of that name over ``source``, which has a pixel a row."""
    return parallel.run(
        backend,
        getattr(backends.kernels("pixels", backend.name), name),
        source,
        *buffers,
        units=len(source),
        grain=GRAIN * len(source) // source.nbytes,
        pause=PAUSE,
        threads=threads,
        executor=executor,
        private=private,
    )
