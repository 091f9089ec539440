"""The folds for Numba, each loop compiled holding the GIL, without it, and with prange."""

import math
import types
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import njit, prange

from gilfree.backends import uninterrupted

LANES = 32
BLOCK = 512
PIECE = 16384
WORDS = 72
FRACTION = 1074  # the least double is 2**-1074


def compiled(function: Callable[..., None]) -> Callable[..., None]:
    """For functions that Python calls."""
    made: Callable[..., None] = uninterrupted(njit(nogil=True, error_model="numpy", no_cfunc_wrapper=True)(function))
    return made


# For functions that compiled code alone calls: what would let Python and C call them takes a third of the compiling.
inner: Callable[..., Any] = njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


# --- what an array looks like to a loop: one signature for each dtype, whatever the axes -----------------------------


class _Memory:
    """Lets NumPy see the memory of an array as one long array, which Numba sees as neither strided nor read-only."""

    def __init__(self, array: Any, length: int) -> None:
        self.array = array  # kept alive
        address = array.__array_interface__["data"][0]
        self.__array_interface__ = {
            "version": 3,
            "shape": (length,),
            "typestr": array.dtype.str,
            "data": (address, False),
        }


def _flat(array: Any, kept: int) -> tuple[Any, Any]:
    """The memory from the first to the last element, and in elements: the offset, how many axes, lengths, strides."""
    steps = [stride // array.itemsize for stride in array.strides]
    lowest = array[tuple(slice(None, None, -1) if step < 0 else slice(None) for step in steps)]
    extents = [(length - 1) * abs(step) for length, step in zip(array.shape, steps, strict=True)]
    offset = sum(extent for extent, step in zip(extents, steps, strict=True) if step < 0)
    geometry = np.array([offset, kept, array.ndim, *array.shape, *steps], np.int64)
    return np.asarray(_Memory(lowest, sum(extents) + 1)), geometry


def prepare(*buffers: Any) -> list[Any]:
    """What a door is given, as its loop takes it."""
    *arrays, kept, strip, partials = buffers
    return [part for array in arrays for part in _flat(array, kept)] + [strip, partials]


@inner
def _piece(memory: Any, geometry: Any, row: int, piece: int) -> Any:
    """The numbers of a piece of a row: where they lie, or a copy where they do not lie side by side."""
    place, kept, axes = geometry[0], geometry[1], geometry[2]
    lengths, steps = geometry[3 : 3 + axes], geometry[3 + axes :]
    for axis in range(kept - 1, -1, -1):
        place += row % lengths[axis] * steps[axis]
        row //= lengths[axis]
    total, side_by_side = 1, True
    for axis in range(axes - 1, kept - 1, -1):
        side_by_side &= steps[axis] == total or lengths[axis] == 1
        total *= lengths[axis]
    begin = piece * PIECE
    n = min(total - begin, PIECE)
    if side_by_side:
        return memory[place + begin : place + begin + n]
    numbers = np.empty(n, memory.dtype)
    length, step = lengths[axes - 1], steps[axes - 1]
    i = 0
    while i < n:
        column, rest, line = (begin + i) % length, (begin + i) // length, place
        for axis in range(axes - 2, kept - 1, -1):
            line += rest % lengths[axis] * steps[axis]
            rest //= lengths[axis]
        run = min(length - column, n - i)
        for j in range(run):
            numbers[i + j] = memory[line + (column + j) * step]
        i += run
    return numbers


fold: Any = None  # in the loops below: which one, `_loop` says


def _one_array(memory: Any, geometry: Any, strip: int, partials: Any, first: int, last: int) -> None:
    """The loop over units of a fold that gives one number."""
    rows, pieces = partials.shape
    for unit in prange(first, last):
        begin, piece = unit // pieces * strip, unit % pieces
        for row in range(begin, min(rows, begin + strip)):
            partials[row, piece] = fold(_piece(memory, geometry, row, piece))


def _two_arrays(
    memory: Any, geometry: Any, other: Any, others: Any, strip: int, partials: Any, first: int, last: int
) -> None:
    """The same of a fold of two arrays."""
    rows, pieces = partials.shape
    for unit in prange(first, last):
        begin, piece = unit // pieces * strip, unit % pieces
        for row in range(begin, min(rows, begin + strip)):
            partials[row, piece] = fold(_piece(memory, geometry, row, piece), _piece(other, others, row, piece))


def _several(memory: Any, geometry: Any, strip: int, partials: Any, first: int, last: int) -> None:
    """The same of a fold that writes several numbers."""
    rows, pieces = partials.shape[0], partials.shape[1]
    for unit in prange(first, last):
        begin, piece = unit // pieces * strip, unit % pieces
        for row in range(begin, min(rows, begin + strip)):
            fold(_piece(memory, geometry, row, piece), partials[row, piece])


def _loop(pattern: Any, chosen: Any) -> types.FunctionType:
    """A loop with a fold of its own, as a global: Numba would not find code with a closure in its cache on disk."""
    return types.FunctionType(pattern.__code__, {**globals(), "fold": chosen}, pattern.__name__)


# --- sums and products: lanes within a block, a pairwise tree over blocks --------------------------------------------


@inner
def _add_lanes(lanes: Any) -> Any:
    half = LANES // 2
    while half > 0:
        for j in range(half):
            lanes[j] += lanes[j + half]
        half //= 2
    return lanes[0]


@inner
def _pairwise(sums: Any, count: int) -> Any:
    while count > 1:
        for i in range(count // 2):
            sums[i] = sums[2 * i] + sums[2 * i + 1]
        if count % 2:
            sums[count // 2] = sums[count - 1]
        count = (count + 1) // 2
    return sums[0]


@inner
def _sum_block(x: Any, lanes: Any) -> Any:
    rows = len(x) // LANES
    lanes[:] = 0.0
    for row in range(rows):
        for j in range(LANES):
            lanes[j] += np.float64(x[row * LANES + j])
    for j in range(len(x) - rows * LANES):
        lanes[j] += np.float64(x[rows * LANES + j])
    return _add_lanes(lanes)


@inner
def _sum_real(x: Any) -> Any:
    lanes, sums = np.empty(LANES), np.empty(PIECE // BLOCK)
    blocks = (len(x) + BLOCK - 1) // BLOCK
    for block in range(blocks):
        sums[block] = _sum_block(x[block * BLOCK : (block + 1) * BLOCK], lanes)
    return _pairwise(sums, blocks)


@inner
def _sum_integer(x: Any) -> Any:
    total = np.uint64(0)
    for value in x:
        total += np.uint64(value)
    return total


@inner
def _nansum(x: Any) -> Any:
    lanes, sums = np.empty(LANES), np.empty(PIECE // BLOCK)
    blocks = (len(x) + BLOCK - 1) // BLOCK
    for block in range(blocks):
        lanes[:] = 0.0
        part = x[block * BLOCK : (block + 1) * BLOCK]
        for i in range(len(part)):
            value = np.float64(part[i])
            lanes[i % LANES] += value if value == value else 0.0
        sums[block] = _add_lanes(lanes)
    return _pairwise(sums, blocks)


@inner
def _nanmean(x: Any, result: Any) -> None:
    count = 0
    for value in x:
        count += value == value
    result[0] = _nansum(x)
    result[1] = count


@inner
def _prod_integer(x: Any) -> Any:
    product = np.uint64(1)
    for value in x:
        product *= np.uint64(value)
    return product


@inner
def _multiply_pairs(products: Any, count: int) -> Any:
    while count > 1:
        for i in range(count // 2):
            products[i] = products[2 * i] * products[2 * i + 1]
        if count % 2:
            products[count // 2] = products[count - 1]
        count = (count + 1) // 2
    return products[0]


@inner
def _prod_real(x: Any) -> Any:
    lanes, products = np.empty(LANES), np.empty(PIECE // BLOCK)
    blocks = (len(x) + BLOCK - 1) // BLOCK
    for block in range(blocks):
        lanes[:] = 1.0
        part = x[block * BLOCK : (block + 1) * BLOCK]
        for i in range(len(part)):
            lanes[i % LANES] *= np.float64(part[i])
        half = LANES // 2
        while half > 0:
            for j in range(half):
                lanes[j] *= lanes[j + half]
            half //= 2
        products[block] = lanes[0]
    return _multiply_pairs(products, blocks)


@inner
def _multiply(a: Any, b: Any) -> Any:
    """Written out: what Numba and Python do where a part is infinite is not the same everywhere."""
    return complex(a.real * b.real - a.imag * b.imag, a.real * b.imag + a.imag * b.real)


@inner
def _multiply_complex_pairs(products: Any, count: int) -> Any:
    while count > 1:
        for i in range(count // 2):
            products[i] = _multiply(products[2 * i], products[2 * i + 1])
        if count % 2:
            products[count // 2] = products[count - 1]
        count = (count + 1) // 2
    return products[0]


@inner
def _prod_complex(x: Any) -> Any:
    lanes, products = np.empty(LANES, np.complex128), np.empty(PIECE // BLOCK, np.complex128)
    blocks = (len(x) + BLOCK - 1) // BLOCK
    for block in range(blocks):
        lanes[:] = 1.0
        part = x[block * BLOCK : (block + 1) * BLOCK]
        for i in range(len(part)):
            lanes[i % LANES] = _multiply(lanes[i % LANES], np.complex128(part[i]))
        half = LANES // 2
        while half > 0:
            for j in range(half):
                lanes[j] = _multiply(lanes[j], lanes[j + half])
            half //= 2
        products[block] = lanes[0]
    return _multiply_complex_pairs(products, blocks)


@inner
def _dot_integer(x: Any, y: Any) -> Any:
    total = np.uint64(0)
    for i in range(len(x)):
        total += np.uint64(x[i]) * np.uint64(y[i])
    return total


@inner
def _dot_real(x: Any, y: Any) -> Any:
    lanes, sums = np.empty(LANES), np.empty(PIECE // BLOCK)
    blocks = (len(x) + BLOCK - 1) // BLOCK
    for block in range(blocks):
        lanes[:] = 0.0
        a, b = x[block * BLOCK : (block + 1) * BLOCK], y[block * BLOCK : (block + 1) * BLOCK]
        for i in range(len(a)):
            lanes[i % LANES] += np.float64(a[i]) * np.float64(b[i])
        sums[block] = _add_lanes(lanes)
    return _pairwise(sums, blocks)


@inner
def _dot_complex(x: Any, y: Any) -> Any:
    lanes, sums = np.empty(LANES, np.complex128), np.empty(PIECE // BLOCK, np.complex128)
    blocks = (len(x) + BLOCK - 1) // BLOCK
    for block in range(blocks):
        lanes[:] = 0.0
        a, b = x[block * BLOCK : (block + 1) * BLOCK], y[block * BLOCK : (block + 1) * BLOCK]
        for i in range(len(a)):
            lanes[i % LANES] += _multiply(np.complex128(a[i]), np.complex128(b[i]))
        sums[block] = _add_lanes(lanes)
    return _pairwise(sums, blocks)


# --- extremes --------------------------------------------------------------------------------------------------------


@inner
def _min_integer(x: Any) -> Any:
    least = x[0]
    for value in x:
        least = min(least, value)
    return least


@inner
def _max_integer(x: Any) -> Any:
    most = x[0]
    for value in x:
        most = max(most, value)
    return most


@inner
def _min_real(x: Any) -> Any:
    return _least(x, 1, False)


@inner
def _max_real(x: Any) -> Any:
    return -_least(x, -1, False)


@inner
def _nanmin(x: Any) -> Any:
    return _least(x, 1, True)


@inner
def _nanmax(x: Any) -> Any:
    return -_least(x, -1, True)


@inner
def _least(x: Any, sign: int, pass_nans: bool) -> Any:
    """Minimum of ``sign * x``: NaN if there is one, or there is nothing else; -0.0 is less than 0.0."""
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
    least, nans = lanes[0], False
    for j in range(LANES):
        least = lanes[j] if lanes[j] < least else least
        nans |= odd[j] != odd[j]
    if nans and not pass_nans:
        return x.dtype.type(np.nan)
    if least == 0:
        for value in x:
            if value == 0 and np.signbit(one * value):
                return one * value
        return abs(least)
    if least == np.inf and nans:
        for value in x:
            if value == value:
                return least
        return x.dtype.type(np.nan)
    return least


@inner
def _minmax_integer(x: Any, result: Any) -> None:
    least = most = x[0]
    for value in x:
        least = min(least, value)
        most = max(most, value)
    result[0] = least
    result[1] = most


@inner
def _minmax_real(x: Any, result: Any) -> None:
    result[0] = _min_real(x)
    result[1] = _max_real(x)


@inner
def _argmin(x: Any, result: Any) -> None:
    _place(x, result, False)


@inner
def _argmax(x: Any, result: Any) -> None:
    _place(x, result, True)


@inner
def _place(x: Any, result: Any, largest: bool) -> None:
    """The place of the first extreme or NaN, and the key by which pieces are compared."""
    where, best = 0, x[0]
    if best == best:
        for i in range(1, len(x)):
            value = x[i]
            if value != value:
                where, best = i, value
                break
            if value > best if largest else value < best:
                where, best = i, value
    result[0] = where
    result[1] = _key(best, largest)


@inner
def _key(value: Any, largest: bool) -> Any:
    key = _integer_key(value)
    if key == np.iinfo(np.int64).min and value != value:
        return key
    return ~key if largest else key


def _integer_key(value: Any) -> Any:
    """One of the three below: which, Numba finds by the type."""
    raise TypeError(f"value: got {type(value).__name__} outside compiled code")


@numba.extending.overload(_integer_key)  # type: ignore[untyped-decorator, unused-ignore]
def _integer_key_of(value: Any) -> Any:
    if isinstance(value, numba.types.Float):

        def of_float(value: Any) -> Any:
            if value != value:
                return np.int64(-0x8000000000000000)
            if value == 0:
                return np.int64(0)
            one = np.empty(1)
            one[0] = value
            bits = one.view(np.int64)[0]
            return bits if bits >= 0 else bits ^ np.int64(0x7FFFFFFFFFFFFFFF)

        return of_float

    def of_unsigned(value: Any) -> Any:
        return np.int64(value ^ np.uint64(1 << 63))

    def of_integer(value: Any) -> Any:
        return np.int64(value)

    return of_unsigned if value == numba.types.uint64 else of_integer


# --- truth -----------------------------------------------------------------------------------------------------------


@inner
def _any(x: Any) -> Any:
    for value in x:
        if value != 0:
            return np.uint8(1)
    return np.uint8(0)


@inner
def _all(x: Any) -> Any:
    for value in x:
        if value == 0:
            return np.uint8(0)
    return np.uint8(1)


@inner
def _count_nonzero(x: Any) -> Any:
    count = np.uint64(0)
    for value in x:
        count += np.uint64(value != 0)
    return count


# --- mean and deviations ---------------------------------------------------------------------------------------------


@inner
def _variance(x: Any, result: Any) -> None:
    lanes, moments = np.empty(LANES), np.empty((PIECE // BLOCK, 2))
    blocks = (len(x) + BLOCK - 1) // BLOCK
    for block in range(blocks):
        part = x[block * BLOCK : (block + 1) * BLOCK]
        mean = _sum_block(part, lanes) / len(part)
        lanes[:] = 0.0
        for i in range(len(part)):
            away = np.float64(part[i]) - mean
            lanes[i % LANES] += away * away
        moments[block, 0] = mean
        moments[block, 1] = _add_lanes(lanes)
    _join_moments(moments, blocks, BLOCK, len(x))
    result[0] = moments[0, 0]
    result[1] = moments[0, 1]


@inner
def _join_moments(moments: Any, count: int, length: int, n: int) -> None:
    """Join neighbours of ``length`` elements each, ``n`` in all, level by level, into the first."""
    while count > 1:
        for i in range(count // 2):
            left = float(length)
            right = float(min(length, n - (2 * i + 1) * length))
            share = right / (left + right)
            delta = moments[2 * i + 1, 0] - moments[2 * i, 0]
            squares = moments[2 * i, 1] + moments[2 * i + 1, 1] + delta * delta * (left * share)
            moments[i, 0] = moments[2 * i, 0] + delta * share
            moments[i, 1] = squares
        if count % 2:
            moments[count // 2, 0] = moments[count - 1, 0]
            moments[count // 2, 1] = moments[count - 1, 1]
        count = (count + 1) // 2
        length *= 2


# --- exact sums ------------------------------------------------------------------------------------------------------


@inner
def _fsum_words(x: Any, words: Any) -> None:
    """Each number's 53 bits go to the two or three digits of 32 bits where they belong."""
    words[:] = 0
    for i in range(len(x)):
        value = np.float64(x[i])
        if value != value:
            words[70] += 1
        elif math.isinf(value):
            words[68 if value > 0 else 69] += 1
        else:
            mantissa, exponent = math.frexp(value)
            shift = max(exponent - 53 + FRACTION, 0)
            whole = np.int64(math.ldexp(mantissa, exponent + FRACTION - shift))
            digit, bits = shift // 32, shift % 32
            # Of at most 53 bits: its lower and its upper 32, each shifted within 64.
            low, high = (whole & 0xFFFFFFFF) << bits, (whole >> 32) << bits
            words[digit] += low & 0xFFFFFFFF
            words[digit + 1] += (low >> 32) + (high & 0xFFFFFFFF)
            words[digit + 2] += high >> 32
    _carry(words)


@inner
def _carry(words: Any) -> None:
    """Digits of 32 bits again, but for the last, which has the sign."""
    for i in range(67):
        words[i + 1] += words[i] >> 32
        words[i] &= 0xFFFFFFFF


@inner
def _round(words: Any) -> Any:
    """The nearest double; of two, the one whose last bit is 0. Overwrites ``words``."""
    if words[70] > 0 or (words[68] > 0 and words[69] > 0):
        return np.nan
    if words[68] > 0:
        return np.inf
    if words[69] > 0:
        return -np.inf
    _carry(words)
    sign = -1.0 if words[67] < 0 else 1.0
    if sign < 0:
        for i in range(68):
            words[i] = -words[i]
        _carry(words)
    top = 67
    while top > 0 and words[top] == 0:
        top -= 1
    if words[top] == 0:
        return 0.0
    place = 32 * top  # the number is below 2**(place - FRACTION)
    while words[top] >> (place - 32 * top) > 0:
        place += 1
    last = max(place - 53, 0)  # the place of the last bit that is kept
    kept = np.int64(0)
    for i in range(place - 1, last - 1, -1):
        kept = kept << 1 | words[i // 32] >> (i % 32) & 1
    if last > 0 and words[(last - 1) // 32] >> ((last - 1) % 32) & 1:
        below = kept & 1
        for i in range(last - 1):
            below |= words[i // 32] >> (i % 32) & 1
        kept += below
    return sign * math.ldexp(float(kept), last - FRACTION)


@inner
def _fsum(x: Any) -> Any:
    words = np.empty(WORDS, np.int64)
    _fsum_words(x, words)
    return _round(words)


# --- joins -----------------------------------------------------------------------------------------------------------


@compiled
def join_sum(partials: Any, out: Any) -> None:
    """Join the pieces of each row into ``out``; overwrites ``partials``, as all joins may."""
    for row in range(partials.shape[0]):
        out[row] = _pairwise(partials[row], partials.shape[1])


@compiled
def join_prod(partials: Any, out: Any) -> None:
    """Join the pieces of each row."""
    for row in range(partials.shape[0]):
        out[row] = _multiply_pairs(partials[row], partials.shape[1])


@compiled
def join_prod_complex(partials: Any, out: Any) -> None:
    """Join the pieces of each row."""
    for row in range(partials.shape[0]):
        out[row] = _multiply_complex_pairs(partials[row], partials.shape[1])


@compiled
def join_variance(partials: Any, n: int, out: Any) -> None:
    """Join the pieces of each row of ``n`` elements."""
    for row in range(partials.shape[0]):
        _join_moments(partials[row], partials.shape[1], PIECE, n)
        out[row, 0] = partials[row, 0, 0]
        out[row, 1] = partials[row, 0, 1]


@compiled
def join_arg(partials: Any, out: Any) -> None:
    """The place of the first of the least keys, numbered within the row."""
    for row in range(partials.shape[0]):
        best = 0
        for piece in range(1, partials.shape[1]):
            if partials[row, piece, 1] < partials[row, best, 1]:
                best = piece
        out[row] = best * PIECE + partials[row, best, 0]


@compiled
def join_fsum(partials: Any, out: Any) -> None:
    """Add up the digits of each row's pieces and round once."""
    for row in range(partials.shape[0]):
        for piece in range(1, partials.shape[1]):
            for i in range(WORDS):
                partials[row, 0, i] += partials[row, piece, i]
        out[row] = _round(partials[row, 0])


LOOPS = {
    "sum_integer": _loop(_one_array, _sum_integer),
    "sum_real": _loop(_one_array, _sum_real),
    "prod_integer": _loop(_one_array, _prod_integer),
    "prod_real": _loop(_one_array, _prod_real),
    "prod_complex": _loop(_one_array, _prod_complex),
    "min_integer": _loop(_one_array, _min_integer),
    "max_integer": _loop(_one_array, _max_integer),
    "min_real": _loop(_one_array, _min_real),
    "max_real": _loop(_one_array, _max_real),
    "minmax_integer": _loop(_several, _minmax_integer),
    "minmax_real": _loop(_several, _minmax_real),
    "argmin": _loop(_several, _argmin),
    "argmax": _loop(_several, _argmax),
    "variance": _loop(_several, _variance),
    "any": _loop(_one_array, _any),
    "all": _loop(_one_array, _all),
    "count_nonzero": _loop(_one_array, _count_nonzero),
    "nansum": _loop(_one_array, _nansum),
    "nanmean": _loop(_several, _nanmean),
    "nanmin": _loop(_one_array, _nanmin),
    "nanmax": _loop(_one_array, _nanmax),
    "dot_integer": _loop(_two_arrays, _dot_integer),
    "dot_real": _loop(_two_arrays, _dot_real),
    "dot_complex": _loop(_two_arrays, _dot_complex),
    "fsum": _loop(_one_array, _fsum),
    "fsum_words": _loop(_several, _fsum_words),
}
__all__ = [
    "LOOPS",
    "join_arg",
    "join_fsum",
    "join_prod",
    "join_prod_complex",
    "join_sum",
    "join_variance",
    "numba",
    "prepare",
]
