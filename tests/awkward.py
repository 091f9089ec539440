"""Awkward inputs, each with the reason why it is here."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

INTEGERS = "bBhHiIlLqQ"  # all of NumPy's, also the two names it has for the same size
REALS = "efdg"
COMPLEX = "FD"


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


def one_way_back(x: Array) -> Array:
    """One axis forwards, the last one backwards: no single step leads from one element to the next."""
    return np.ascontiguousarray(x[..., ::-1])[..., ::-1]


def in_records(x: Array) -> Array:
    """A field of records of an odd size: strides that are no multiple of the element's."""
    records = np.zeros(x.shape, np.dtype([("before", "u1"), ("x", x.dtype), ("after", "u2")]))
    records["x"] = x
    return np.asarray(records["x"])


def apart_in_fortran_order(x: Array) -> Array:
    """Columns side by side, with gaps between their rows and between their elements."""
    spaced = np.full([2 * length for length in x.shape], 113, x.dtype, order="F")
    inside = (slice(None, None, 2),) * x.ndim
    spaced[inside] = x
    return spaced[inside]


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
    one_way_back,
    in_records,
    apart_in_fortran_order,
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

# Columns side by side: fewer than a vector, about a cache line, about the strips that are folded together.
WIDTHS = [
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    9,
    15,
    16,
    17,
    31,
    33,
    63,
    64,
    65,
    100,
    127,
    129,
    255,
    257,
    400,
    511,
    512,
    513,
    700,
    1023,
    1025,
    2100,
]

TWO_TICKETS = 2**21 + 16385  # elements: more than a ticket of any dtype, and the last ticket is short


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
    "huge-and-small": [2.0**15, -(2.0**-14)] * 300,  # in float16's range too: the small ones are lost one at a time
    "huge-then-back": [1e308, 1e308, -1e308, -1e308],  # overflows on the way in this order, and in no other
    "beyond-the-range": [1e308] * 70,
    "below-the-range": [-1e308] * 70,
    "subnormals": [5e-324, -5e-324, 2.0**-1060] * 40,  # flushed to zero by a careless processor
    "subnormal-decides": [1.0, 2.0**-53, 5e-324],  # half an ulp, and a little more: only an exact sum rounds up
    "tie-to-even": [1.0, 2.0**-53],
    "tie-to-odd-neighbour": [1.0 + 2.0**-52, 2.0**-53],  # rounds up, to the even one
    "nan-in-the-second-block": [2.0] * 520 + [float("nan")] + [1.0] * 40,
    "infinity-then-nan": [float("inf")] * 40 + [float("nan")],  # a NaN is first of all, wherever it is
    "nothing-but-nan": [float("nan")] * 40,  # what functions without NaNs are left with
    "equal-extremes": [1.0, 5.0, -5.0] * 200,  # the first of them counts
    "zeros-of-both-signs": [0.0, -0.0] * 40,  # equal for argmin, not for min
    "least-last": [3.0] * 2100 + [-1.0],  # beyond the part of a piece that is searched at once
}

# NaNs that no arithmetic makes: signalling ones, with a payload, with a sign. Widened, they become quiet ones.
NANS: dict[str, list[int]] = {
    "e": [0x7C01, 0xFC01, 0xFE12],
    "f": [0x7F800001, 0xFF800001, 0xFFC00123],
    "d": [0x7FF0000000000001, 0xFFF0000000000001, 0xFFF8000000000123],
}

COMPLEX_NUMBERS: dict[str, list[complex]] = {
    "one": [1.5 - 2.5j],
    "minus-zeros": [complex(-0.0, -0.0)] * 40,
    "unit-circle": [1j, -1, -1j, 1 + 0j, 0.6 + 0.8j] * 120,
    "cancel": [2.0**14 + 1j, 2.0**-10 - 1j, -(2.0**14) + 2.0**-10 * 1j] * 50,
    "nan-in-one-part": [complex(float("nan"), 1.0)] + [1 + 1j] * 40,  # the other part of a sum stays a number
    "infinite-part": [complex(float("inf"), 0.0), 1 + 1j],  # C's own product makes infinities of such NaNs
    "both-infinite": [complex(float("inf"), float("-inf")), complex(0.0, 1.0)] * 20,
    "overflow": [1e200 + 1e200j] * 4,
}
