"""Sum, minimum and maximum for Numba, each loop compiled holding the GIL, without it, and with prange."""

from typing import Any

import numba
import numpy as np
from numba import njit, prange

LANES = 32
BLOCK = 512
PIECE = 16384


def sum_integer(x: Any, partials: Any, first: int, last: int) -> None:
    n, pieces = x.shape[1], partials.shape[1]
    for unit in prange(first, last):
        begin = unit % pieces * PIECE
        total = np.uint64(0)
        for value in x[unit // pieces, begin : min(begin + PIECE, n)]:
            total += np.uint64(value)
        partials[unit // pieces, unit % pieces] = total


def sum_real(x: Any, partials: Any, first: int, last: int) -> None:
    n, pieces = x.shape[1], partials.shape[1]
    for unit in prange(first, last):
        begin = unit % pieces * PIECE
        partials[unit // pieces, unit % pieces] = _sum_piece(x[unit // pieces, begin : min(begin + PIECE, n)])


@njit(nogil=True, error_model="numpy")
def _sum_piece(x: Any) -> float:
    lanes = np.empty(LANES)
    sums = np.empty(PIECE // BLOCK)
    blocks = (len(x) + BLOCK - 1) // BLOCK
    for block in range(blocks):
        rest = x[block * BLOCK : (block + 1) * BLOCK]
        rows = len(rest) // LANES
        lanes[:] = 0.0
        for row in range(rows):
            for j in range(LANES):
                lanes[j] += rest[row * LANES + j]
        for j in range(len(rest) - rows * LANES):
            lanes[j] += rest[rows * LANES + j]
        half = LANES // 2
        while half > 0:
            for j in range(half):
                lanes[j] += lanes[j + half]
            half //= 2
        sums[block] = lanes[0]
    return _pairwise(sums, blocks)


@njit(nogil=True, error_model="numpy")
def _pairwise(sums: Any, count: int) -> float:
    while count > 1:
        for i in range(count // 2):
            sums[i] = sums[2 * i] + sums[2 * i + 1]
        if count % 2:
            sums[count // 2] = sums[count - 1]
        count = (count + 1) // 2
    return float(sums[0])


@njit(nogil=True, error_model="numpy")
def join(partials: Any, out: Any) -> None:
    """Join the pieces of each row into ``out``; overwrites ``partials``."""
    for row in range(partials.shape[0]):
        out[row] = _pairwise(partials[row], partials.shape[1])


def min_integer(x: Any, partials: Any, first: int, last: int) -> None:
    n, pieces = x.shape[1], partials.shape[1]
    for unit in prange(first, last):
        begin = unit % pieces * PIECE
        least = x[unit // pieces, begin]
        for value in x[unit // pieces, begin : min(begin + PIECE, n)]:
            least = min(least, value)
        partials[unit // pieces, unit % pieces] = least


def max_integer(x: Any, partials: Any, first: int, last: int) -> None:
    n, pieces = x.shape[1], partials.shape[1]
    for unit in prange(first, last):
        begin = unit % pieces * PIECE
        most = x[unit // pieces, begin]
        for value in x[unit // pieces, begin : min(begin + PIECE, n)]:
            most = max(most, value)
        partials[unit // pieces, unit % pieces] = most


def min_real(x: Any, partials: Any, first: int, last: int) -> None:
    n, pieces = x.shape[1], partials.shape[1]
    for unit in prange(first, last):
        begin = unit % pieces * PIECE
        partials[unit // pieces, unit % pieces] = _min_piece(x[unit // pieces, begin : min(begin + PIECE, n)], 1)


def max_real(x: Any, partials: Any, first: int, last: int) -> None:
    n, pieces = x.shape[1], partials.shape[1]
    for unit in prange(first, last):
        begin = unit % pieces * PIECE
        partials[unit // pieces, unit % pieces] = -_min_piece(x[unit // pieces, begin : min(begin + PIECE, n)], -1)


@njit(nogil=True, error_model="numpy")
def _min_piece(x: Any, sign: int) -> Any:
    """Minimum of ``sign * x``: NaN if there is one, and -0.0 is less than 0.0."""
    one = x.dtype.type(sign)
    lanes = np.full(LANES, np.inf, x.dtype)
    odd = np.zeros(LANES, x.dtype)
    rows = len(x) // LANES
    for row in range(rows):
        for j in range(LANES):
            value = one * x[row * LANES + j]
            lanes[j] = value if value < lanes[j] else lanes[j]
            odd[j] = value if value != value else odd[j]
    for j in range(len(x) - rows * LANES):
        value = one * x[rows * LANES + j]
        lanes[j] = value if value < lanes[j] else lanes[j]
        odd[j] = value if value != value else odd[j]
    least = lanes[0]
    for j in range(LANES):
        least = lanes[j] if lanes[j] < least else least
        if odd[j] != odd[j]:
            return odd[j]
    if least == 0:
        for value in x:
            if value == 0 and np.signbit(one * value):
                return one * value
        return abs(least)
    return least


LOOPS = {
    "sum_integer": sum_integer,
    "sum_real": sum_real,
    "min_integer": min_integer,
    "max_integer": max_integer,
    "min_real": min_real,
    "max_real": max_real,
}
__all__ = ["LOOPS", "join", "numba"]
