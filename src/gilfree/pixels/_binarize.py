"""Grey or colour to black and white in one call: a stand-in until the real one is merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gilfree.pixels._apply import threshold
from gilfree.pixels._grey import grayscale
from gilfree.pixels._histograms import threshold_otsu

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import ArrayLike, NDArray

METHODS: dict[str, tuple[str, ...]] = {"otsu": ("nbins",)}


def binarize(
    image: ArrayLike,
    method: str = "otsu",
    *,
    value: float | None = None,
    invert: bool = False,
    channel_axis: int | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
    **options: Any,
) -> NDArray[np.uint8]:
    """Black and white of a picture."""
    if method not in METHODS:
        raise ValueError(f"method: got {method!r}, expected one of {', '.join(METHODS)}")
    for name in options:
        if name not in METHODS[method]:
            raise TypeError(f"{name}: not an option of {method}, expected {', '.join(METHODS[method])}")
    how: dict[str, Any] = {"backend": backend, "threads": threads, "executor": executor}
    grey = grayscale(image, **how) if channel_axis is not None else np.asarray(image)
    limit = threshold_otsu(grey, **options, **how) if value is None else value
    white = threshold(grey, limit, maxval=1, kind="binary_inv" if invert else "binary", **how) != 0
    return np.where(white, np.uint8(255), np.uint8(0))
