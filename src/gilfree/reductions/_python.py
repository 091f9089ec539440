"""Every reduction in plain Python: what every other backend must agree with, bit for bit."""

import builtins
import math
import operator
import struct
from collections.abc import Callable, Iterator
from functools import reduce, wraps
from typing import Any

import numpy as np

from gilfree._tickets import Tickets

LANES = 32
BLOCK = 512
PIECE = 16384
DIGITS = 68  # of 32 bits: the sum of 2**30 pieces of the largest doubles, counted in 2**-1074

Values = list[Any]


# --- rows, pieces, doors ---------------------------------------------------------------------------------------------


def _units(
    arrays: Any, kept: int, strip: int, partials: Any, tickets: Tickets
) -> Iterator[tuple[int, int, list[Values]]]:
    """Row, piece, and the piece's values in each of the arrays. A unit is one piece of ``strip`` rows."""
    rows, pieces = partials.shape[:2]
    for first, last in tickets:
        for unit in range(first, last):
            group, piece = divmod(unit, pieces)
            for row in range(group * strip, min(rows, (group + 1) * strip)):
                where = _place(row, arrays[0].shape[:kept])
                part = slice(piece * PIECE, (piece + 1) * PIECE)
                # float32 and float64 become Python's floats, which are doubles; long doubles stay NumPy's scalars.
                yield row, piece, [x[(*where, ...)].flat[part].tolist() for x in arrays]


def _place(row: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Where a row is along the kept axes; the last of them is the fastest."""
    where: list[int] = []
    for length in reversed(shape):
        row, i = divmod(row, length)
        where.insert(0, i)
    return tuple(where)


def _door(fold: Callable[..., Any]) -> Callable[..., bool]:
    """A door that writes what ``fold`` makes of the values of a piece; those of dot have two pieces."""

    @wraps(fold)
    def door(*arguments: Any) -> bool:
        *arrays, kept, strip, partials, tickets, _most, _release = arguments
        with np.errstate(all="ignore"):  # long doubles warn where Python's floats do not
            for row, piece, values in _units(arrays, kept, strip, partials, tickets):
                partials[row, piece] = fold(*values)
        return False

    return door


# --- the order in which floats are added and multiplied --------------------------------------------------------------


def _fold(operation: Callable[[Any, Any], Any], start: Any, values: Values) -> Any:
    """Lanes within a block, a pairwise tree over the blocks."""
    return _pairwise(operation, [_block(operation, start, block) for block in _blocks(values)])


def _blocks(values: Values) -> list[Values]:
    return [values[i : i + BLOCK] for i in range(0, len(values), BLOCK)]


def _block(operation: Callable[[Any, Any], Any], start: Any, values: Values) -> Any:
    # Not sum(): since Python 3.12 it compensates, and rounds otherwise.
    lanes = [reduce(operation, values[j::LANES], start) for j in range(LANES)]
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [operation(lanes[j], lanes[j + half]) for j in range(half)]
    return lanes[0]


def _pairwise(operation: Callable[[Any, Any], Any], parts: Values) -> Any:
    while len(parts) > 1:
        pairs = [operation(parts[i], parts[i + 1]) for i in range(0, len(parts) - 1, 2)]
        parts = pairs + parts[2 * len(pairs) :]
    return parts[0]


def _doubles(values: Values) -> Values:
    return [float(value) if isinstance(value, int) else value for value in values]


# --- sums and products -----------------------------------------------------------------------------------------------


@_door
def sum_integer(values: Values) -> int:
    """Python's integers do not overflow, so the wrap-around is written out."""
    return sum(values) % 2**64


@_door
def sum_real(values: Values) -> Any:
    return _fold(operator.add, 0.0, _doubles(values))


@_door
def prod_integer(values: Values) -> int:
    return int(reduce(_times_wrapping, values, 1))


@_door
def prod_real(values: Values) -> float:
    return float(_fold(operator.mul, 1.0, _doubles(values)))


@_door
def prod_complex(values: Values) -> complex:
    return complex(_fold(_times_complex, 1 + 0j, values))


@_door
def dot_integer(values: Values, others: Values) -> int:
    return int(sum(map(operator.mul, values, others))) % 2**64


@_door
def dot_real(values: Values, others: Values) -> float:
    return float(_fold(operator.add, 0.0, list(map(operator.mul, values, others))))


@_door
def dot_complex(values: Values, others: Values) -> complex:
    return complex(_fold(operator.add, 0j, list(map(_times_complex, values, others))))


def _times_wrapping(a: int, b: int) -> int:
    return a * b % 2**64


def _times_complex(a: complex, b: complex) -> complex:
    """The language's own multiplication differs between versions where there are infinities."""
    return complex(a.real * b.real - a.imag * b.imag, a.real * b.imag + a.imag * b.real)


def join_sum(partials: Any, out: Any) -> None:
    """Join the pieces of each row into ``out``."""
    with np.errstate(all="ignore"):
        for row in range(len(partials)):
            out[row] = _pairwise(operator.add, partials[row].tolist())


def join_prod(partials: Any, out: Any) -> None:
    for row in range(len(partials)):
        out[row] = _pairwise(operator.mul, partials[row].tolist())


def join_prod_complex(partials: Any, out: Any) -> None:
    for row in range(len(partials)):
        out[row] = _pairwise(_times_complex, partials[row].tolist())


# --- least and greatest ----------------------------------------------------------------------------------------------


@_door
def min_integer(values: Values) -> int:
    return int(min(values))


@_door
def max_integer(values: Values) -> int:
    return int(max(values))


@_door
def minmax_integer(values: Values) -> tuple[int, int]:
    return min(values), max(values)


@_door
def min_real(values: Values) -> Any:
    return _least(values)


@_door
def max_real(values: Values) -> Any:
    return _greatest(values)


@_door
def minmax_real(values: Values) -> tuple[Any, Any]:
    return _least(values), _greatest(values)


def _least(values: Values) -> Any:
    """NaN if there is one; -0.0 is less than 0.0."""
    return math.nan if builtins.any(map(_is_nan, values)) else min(values, key=_sign_of_zero_counts)


def _greatest(values: Values) -> Any:
    return math.nan if builtins.any(map(_is_nan, values)) else max(values, key=_sign_of_zero_counts)


def _is_nan(value: Any) -> bool:
    return bool(value != value)


def _sign_of_zero_counts(value: Any) -> tuple[Any, float]:
    return value, math.copysign(1.0, value)


# --- where the least and the greatest are ----------------------------------------------------------------------------


def argmin(x: Any, kept: int, strip: int, partials: Any, tickets: Tickets, most: int, release: bool) -> bool:
    """Which element of its row is the first least, or the first NaN, and a key: the piece of the least key wins."""
    for row, piece, [values] in _units([x], kept, strip, partials, tickets):
        i = _first_nan(values)
        if i is None:
            i = values.index(min(values))
        partials[row, piece] = piece * PIECE + i, _key(values[i], x.dtype)
    return False


def argmax(x: Any, kept: int, strip: int, partials: Any, tickets: Tickets, most: int, release: bool) -> bool:
    for row, piece, [values] in _units([x], kept, strip, partials, tickets):
        i = _first_nan(values)
        if i is None:
            i = values.index(max(values))
            key = ~_key(values[i], x.dtype)  # ascends as the value descends
        else:
            key = _key(values[i], x.dtype)
        partials[row, piece] = piece * PIECE + i, key
    return False


def _first_nan(values: Values) -> int | None:
    return next((i for i, value in enumerate(values) if _is_nan(value)), None)


def _key(value: Any, dtype: Any) -> int:
    """A signed 64-bit integer that ascends with the value; zeros of either sign have one, NaN has the least of all."""
    if isinstance(value, int):
        return value - 2**63 if dtype == np.uint64 else value
    if _is_nan(value):
        return -(2**63)
    (bits,) = struct.unpack("<q", struct.pack("<d", abs(value)))
    return int(bits) if value >= 0 else ~int(bits)


def join_arg(partials: Any, out: Any) -> None:
    """The number that goes with the least key of each row, and with the first of equal keys."""
    for row in range(len(partials)):
        out[row] = min(partials[row].tolist(), key=operator.itemgetter(1))[0]


# --- mean and variance -----------------------------------------------------------------------------------------------

Part = tuple[float, float, float]  # how many, their mean, sum of the squared deviations from it


@_door
def variance(values: Values) -> tuple[float, float]:
    _, mean, squares = _pairwise(_merge, [_deviations(block) for block in _blocks(_doubles(values))])
    return mean, squares


def _deviations(block: Values) -> Part:
    mean = _block(operator.add, 0.0, block) / len(block)
    deviations = [value - mean for value in block]
    return float(len(block)), mean, _block(operator.add, 0.0, [d * d for d in deviations])


def _merge(a: Part, b: Part) -> Part:
    n = a[0] + b[0]
    share = b[0] / n
    delta = b[1] - a[1]
    return n, a[1] + delta * share, a[2] + b[2] + delta * delta * (a[0] * share)


def join_variance(partials: Any, n: int, out: Any) -> None:
    """Join the pieces of each row, of ``n`` elements together: all have PIECE of them, but for the last."""
    counts = [float(min(PIECE, n - begin)) for begin in range(0, n, PIECE)]
    for row in range(len(partials)):
        parts = [(count, *part) for count, part in zip(counts, partials[row].tolist(), strict=True)]
        out[row] = _pairwise(_merge, parts)[1:]


# --- truth -----------------------------------------------------------------------------------------------------------


any = _door(builtins.any)
all = _door(builtins.all)


@_door
def count_nonzero(values: Values) -> int:
    return sum(1 for value in values if value != 0)


# --- without the NaNs ------------------------------------------------------------------------------------------------


@_door
def nansum(values: Values) -> float:
    return _sum_of_numbers(values)


@_door
def nanmean(values: Values) -> tuple[float, int]:
    return _sum_of_numbers(values), len(_numbers(values))


@_door
def nanmin(values: Values) -> float:
    return float(_least(_numbers(values) or [math.nan]))


@_door
def nanmax(values: Values) -> float:
    return float(_greatest(_numbers(values) or [math.nan]))


def _sum_of_numbers(values: Values) -> float:
    """A NaN keeps its place, so that the others stay in their lanes."""
    return float(_fold(operator.add, 0.0, [0.0 if _is_nan(value) else value for value in values]))


def _numbers(values: Values) -> Values:
    return [value for value in values if not _is_nan(value)]


# --- the correctly rounded sum ---------------------------------------------------------------------------------------


@_door
def fsum(values: Values) -> float:
    return _round(*_exactly(_doubles(values)))


@_door
def fsum_words(values: Values) -> list[int]:
    """The exact sum as digits with its sign, counted in 2**-1074, then how many infinities and NaNs there were."""
    total, *odd = _exactly(_doubles(values))
    sign = -1 if total < 0 else 1
    return [sign * (abs(total) >> 32 * i & 0xFFFFFFFF) for i in range(DIGITS)] + odd + [0]


def join_fsum(partials: Any, out: Any) -> None:
    for row in range(len(partials)):
        words = [sum(column) for column in zip(*partials[row].tolist(), strict=True)]
        total = sum(word << 32 * i for i, word in enumerate(words[:DIGITS]))
        out[row] = _round(total, *words[DIGITS : DIGITS + 3])


def _exactly(values: Values) -> tuple[int, int, int, int]:
    """The sum of the finite values in units of 2**-1074, and how often +inf, -inf and NaN are among them."""
    total = 0
    for value in filter(math.isfinite, values):
        numerator, denominator = value.as_integer_ratio()
        total += numerator * (2**1074 // denominator)
    return total, values.count(math.inf), values.count(-math.inf), sum(map(math.isnan, values))


def _round(total: int, plus: int, minus: int, nans: int) -> float:
    if nans or (plus and minus):
        return math.nan
    if plus or minus:
        return math.inf if plus else -math.inf
    try:
        return total / 2**1074  # between integers, / rounds once, to nearest, ties to even
    except OverflowError:
        return math.inf if total > 0 else -math.inf
