"""Sum, minimum and maximum in plain Python: what every other backend must agree with, bit for bit."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from gilfree._tickets import Tickets

LANES = 32
BLOCK = 512
PIECE = 16384


def _units(x: Any, partials: Any, tickets: Tickets) -> Iterator[tuple[list[Any], tuple[int, int]]]:
    """The values of each unit, and where its result goes."""
    for first, last in tickets:
        for unit in range(first, last):
            row, piece = divmod(unit, partials.shape[1])
            yield x[row, piece * PIECE : (piece + 1) * PIECE].tolist(), (row, piece)


def sum_integer(x: Any, partials: Any, tickets: Tickets, most: int, release: bool) -> bool:
    """Python's integers do not overflow, so the wrap-around is written out."""
    for values, where in _units(x, partials, tickets):
        partials[where] = sum(values) % 2**64
    return False


def sum_real(x: Any, partials: Any, tickets: Tickets, most: int, release: bool) -> bool:
    """Lanes within a block, a pairwise tree over the blocks."""
    with np.errstate(all="ignore"):  # long doubles stay NumPy scalars, which warn where floats do not
        for values, where in _units(x, partials, tickets):
            partials[where] = _pairwise([_block(values[i : i + BLOCK]) for i in range(0, len(values), BLOCK)])
    return False


def _block(values: list[Any]) -> Any:
    lanes = []
    for j in range(LANES):
        lane: Any = 0.0
        for value in values[j::LANES]:
            lane += value  # not sum(): since Python 3.12 it compensates, and rounds otherwise
        lanes.append(lane)
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [lanes[j] + lanes[j + half] for j in range(half)]
    return lanes[0]


def _pairwise(sums: list[Any]) -> Any:
    while len(sums) > 1:
        pairs = [sums[i] + sums[i + 1] for i in range(0, len(sums) - 1, 2)]
        sums = pairs + sums[2 * len(pairs) :]
    return sums[0]


def join(partials: Any, out: Any) -> None:
    """Join the pieces of each row into ``out``."""
    with np.errstate(all="ignore"):
        for row in range(len(partials)):
            out[row] = _pairwise(partials[row].tolist())


def min_integer(x: Any, partials: Any, tickets: Tickets, most: int, release: bool) -> bool:
    for values, where in _units(x, partials, tickets):
        partials[where] = min(values)
    return False


def max_integer(x: Any, partials: Any, tickets: Tickets, most: int, release: bool) -> bool:
    for values, where in _units(x, partials, tickets):
        partials[where] = max(values)
    return False


def min_real(x: Any, partials: Any, tickets: Tickets, most: int, release: bool) -> bool:
    """NaN if there is one; -0.0 is less than 0.0."""
    for values, where in _units(x, partials, tickets):
        partials[where] = math.nan if _any_nan(values) else min(values, key=_sign_of_zero_counts)
    return False


def max_real(x: Any, partials: Any, tickets: Tickets, most: int, release: bool) -> bool:
    for values, where in _units(x, partials, tickets):
        partials[where] = math.nan if _any_nan(values) else max(values, key=_sign_of_zero_counts)
    return False


def _any_nan(values: list[Any]) -> bool:
    return any(value != value for value in values)


def _sign_of_zero_counts(value: Any) -> tuple[Any, float]:
    return value, math.copysign(1.0, value)
