"""What the front doors of pixels share: how pictures are taken in, spread over workers and handed back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from gilfree import backends, parallel

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import ArrayLike, NDArray

    from gilfree.backends import Backend

DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32), np.dtype(np.float64))

GRAIN = 2**20  # bytes of pixels a ticket: 30 to 300 µs, more than waking a thread costs
PAUSE = 128  # tickets that take about 30 ms


def array(image: ArrayLike) -> NDArray[Any]:
    """``image`` as an array in native byte order."""
    found = np.asarray(image)
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
