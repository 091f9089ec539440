"""Awkward inputs, each with the reason why it is here."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

INTEGERS = "bBhHiIlLqQ"  # all of NumPy's, also the two names it has for the same size
REALS = "efdg"


# --- layouts in memory: each takes an array of at least one dimension and returns another of the same shape ----------


def contiguous(x: Array) -> Array:
    """What a kernel can read as it is."""
    return x


def fortran(x: Array) -> Array:
    """Contiguous, but its elements are not in the order of the answer."""
    return np.asfortranarray(x)


def middle_out(x: Array) -> Array:
    """Neither C nor Fortran order, yet without gaps."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0)


def every_second(x: Array) -> Array:
    """Gaps between elements, filled with what must not be read."""
    spaced = np.full((*x.shape[:-1], 2 * x.shape[-1]), 113, x.dtype)
    spaced[..., ::2] = x
    return spaced[..., ::2]


def backwards(x: Array) -> Array:
    """Negative strides: the data pointer is the last address, not the first."""
    back = (slice(None, None, -1),) * x.ndim
    return np.ascontiguousarray(x[back])[back]


def window(x: Array) -> Array:
    """A part of a larger array: rows are contiguous, the whole is not."""
    around = np.full([length + 2 for length in x.shape], 113, x.dtype)
    inside = (slice(1, -1),) * x.ndim
    around[inside] = x
    return around[inside]


def swapped(x: Array) -> Array:
    """The other byte order, as files of other machines have it."""
    return x.astype(x.dtype.newbyteorder("S"))


def read_only(x: Array) -> Array:
    """What a memory-mapped file gives; a buffer that asks to write would be refused."""
    x = x.copy()
    x.flags.writeable = False
    return x


def misaligned(x: Array) -> Array:
    """One byte off, as fields of packed records are."""
    memory = np.zeros(x.nbytes + 1, np.uint8)
    shifted = memory[1:].view(x.dtype).reshape(x.shape)
    shifted[...] = x
    return shifted


def stretched(x: Array) -> Array:
    """A stride of zero: many elements at one address."""
    return np.broadcast_to(x[:1], x.shape)


LAYOUTS: list[Callable[[Array], Array]] = [
    contiguous,
    fortran,
    middle_out,
    every_second,
    backwards,
    window,
    swapped,
    read_only,
    misaligned,
    stretched,
]


# --- lengths ---------------------------------------------------------------------------------------------------------

LENGTHS = [
    *(1, 2, 3, 15, 16, 17),  # tails shorter than a vector
    *(31, 32, 33, 63, 64, 65),  # the 32 lanes of a float sum
    *(511, 512, 513, 1000, 1024),  # blocks of 512
    *(5 * 512 + 31, 7 * 512),  # an odd number of blocks to join in pairs
    *(16383, 16384, 16385),  # pieces of 16384
    3 * 16384 + 5,  # an odd number of pieces to join
]

TWO_TICKETS = 2**20 + 16385  # elements: more than a ticket of any dtype, and the last ticket is short


# --- floats, of a size that fills every lane where that matters ------------------------------------------------------

FLOATS: dict[str, list[float]] = {
    "one": [1.5],
    "minus-zero": [-0.0],  # the sum is -0.0, not 0.0
    "minus-zeros": [-0.0] * 600,  # the same across lanes and blocks
    "zeros": [0.0] * 40,
    "minus-zero-last": [0.0] * 33 + [-0.0],  # the least is -0.0, in a lane of its own or in the tail
    "minus-zero-first": [-0.0] + [0.0] * 33,
    "infinities": [float("inf"), 1.0, float("-inf")],  # their sum is NaN, and no processor's NaN but the positive one
    "all-plus-infinity": [float("inf")] * 33,  # what a minimum begins with
    "all-minus-infinity": [float("-inf")] * 33,
    "nan-first": [float("nan")] + [1.0] * 40,
    "nan-last": [1.0] * 40 + [float("nan")],  # in the tail
    "nan-alone": [float("nan")],
    "nans-of-both-signs": [float("nan"), -float("nan")] * 20,
    "nan-and-infinity": [float("inf"), float("nan"), float("-inf")] * 20,
    "nan-and-zeros": [-0.0, float("nan"), 0.0],
    "cancel": [2.0**14, 2.0**-10, -(2.0**14)] * 50,  # the order of the additions shows
    "growing": [2.0**k for k in range(-14, 15)],
    "negative": [-3.0, -1.0, -2.0] * 30,  # a maximum that begins with 0 is wrong
}
