"""The loops somebody would write with Numba instead of calling gilfree.reductions, for folds.py to race with."""

# Named as what they do, whatever Python calls so.

import numpy as np
from numba import njit, prange

least_of, greatest_of = min, max  # the functions below take their names
PARTS = 64  # that a search is cut into: more than there are threads

# What lets the compiler use vectors. Those that pass over NaN must still be able to see one.
fast = njit(parallel=True, cache=True, fastmath=True)
careful = njit(parallel=True, cache=True, fastmath={"reassoc", "nsz", "arcp", "contract"})


@fast
def sum(x):
    total = x[0] * 0
    for i in prange(x.size):
        total += x[i]
    return total


@fast
def prod(x):
    product = x[0] * 0 + 1
    for i in prange(x.size):
        product *= x[i]
    return product


@fast
def min(x):
    least = x[0]
    for i in prange(x.size):
        least = least_of(least, x[i])
    return least


@fast
def max(x):
    greatest = x[0]
    for i in prange(x.size):
        greatest = greatest_of(greatest, x[i])
    return greatest


@fast
def minmax(x):
    least, greatest = x[0], x[0]
    for i in prange(x.size):
        least = least_of(least, x[i])
        greatest = greatest_of(greatest, x[i])
    return least, greatest


@fast
def argmin(x):
    places = np.empty(PARTS, np.intp)
    for part in prange(PARTS):
        place = part * x.size // PARTS
        for i in range(place, (part + 1) * x.size // PARTS):
            if x[i] < x[place]:
                place = i
        places[part] = place
    best = places[0]
    for place in places:
        if x[place] < x[best]:
            best = place
    return best


@fast
def argmax(x):
    places = np.empty(PARTS, np.intp)
    for part in prange(PARTS):
        place = part * x.size // PARTS
        for i in range(place, (part + 1) * x.size // PARTS):
            if x[i] > x[place]:
                place = i
        places[part] = place
    best = places[0]
    for place in places:
        if x[place] > x[best]:
            best = place
    return best


@fast
def mean(x):
    total = 0.0
    for i in prange(x.size):
        total += x[i]
    return total / x.size


@fast
def var(x):
    total = 0.0
    for i in prange(x.size):
        total += x[i]
    centre = total / x.size
    squares = 0.0
    for i in prange(x.size):
        squares += (x[i] - centre) ** 2
    return squares / x.size


@fast
def std(x):
    total = 0.0
    for i in prange(x.size):
        total += x[i]
    centre = total / x.size
    squares = 0.0
    for i in prange(x.size):
        squares += (x[i] - centre) ** 2
    return np.sqrt(squares / x.size)


@fast
def any(x):
    found = 0
    for i in prange(x.size):
        found += x[i] != 0
    return found > 0


@fast
def all(x):
    found = 0
    for i in prange(x.size):
        found += x[i] != 0
    return found == x.size


@fast
def count_nonzero(x):
    found = 0
    for i in prange(x.size):
        found += x[i] != 0
    return found


@fast
def dot(x, y):
    total = x[0] * 0
    for i in prange(x.size):
        total += x[i] * y[i]
    return total


@careful
def nansum(x):
    total = 0.0
    for i in prange(x.size):
        total += x[i] if x[i] == x[i] else 0.0
    return total


@careful
def nanmin(x):
    least = np.inf
    for i in prange(x.size):
        least = least_of(least, x[i] if x[i] == x[i] else np.inf)
    return least


@careful
def nanmax(x):
    greatest = -np.inf
    for i in prange(x.size):
        greatest = greatest_of(greatest, x[i] if x[i] == x[i] else -np.inf)
    return greatest


@careful
def nanmean(x):
    total = 0.0
    count = 0
    for i in prange(x.size):
        total += x[i] if x[i] == x[i] else 0.0
        count += x[i] == x[i]
    return total / count
