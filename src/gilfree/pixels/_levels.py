"""The level that a method finds in the counts of a histogram."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def whole(counts: NDArray[Any]) -> NDArray[np.uint64]:
    """Counts as integers: shares of a whole as so many parts in a trillion, none of which vanishes."""
    if counts.dtype.kind == "u":
        return counts
    parts = np.rint(counts * (2.0**40 / counts.sum(dtype=np.float64)))
    return np.where(counts > 0, np.maximum(parts, 1), 0).astype(np.uint64)


def otsu_at(counts: NDArray[Any], centers: NDArray[Any]) -> int:
    """The bin of Otsu's threshold. Evenly spaced bins may as well be numbers from 0 on; others are what they are."""
    if len(counts) < 3:
        return 0
    steps = np.diff(centers)
    if (abs(steps - steps[0]) <= 1e-3 * abs(steps[0])).all():
        return otsu(whole(counts))
    weights, sums = np.cumsum(counts, dtype=np.float64), np.cumsum(counts * centers, dtype=np.float64)
    w, s = weights[:-1], sums[:-1]
    return int(np.argmax((weights[-1] * s - w * sums[-1]) ** 2 / (w * (weights[-1] - w))))


def otsu_opencv(counts: NDArray[np.uint64]) -> int:
    """The level that ``cv2.threshold`` with ``THRESH_OTSU`` finds: 0 where only one level occurs.

    It leaves out classes of less than one pixel in 8 million (the epsilon of single floats), or of none.
    """
    return otsu(counts, float(np.finfo(np.float32).eps)) if np.count_nonzero(counts) > 1 else 0


def otsu(counts: NDArray[np.uint64], rarest: float = 0.0) -> int:
    """The lowest level t that maximises the variance between the levels up to t and those above.

    Of those that leave both classes a share of all pixels of at least ``rarest``.

    With weights w and sums s of the lower class and W and S of all, that variance is proportional to
    (W * s - w * S)**2 / (w * (W - w)). Doubles find the few levels that may be best; fractions of integers choose.
    """
    present = np.flatnonzero(counts)
    if len(present) == 1:
        return int(present[0])
    # Between two levels that occur nothing changes, and the lowest wins: only they can be best, but for the last.
    # Counted from the first of them, so that contrast, not brightness, sets the scale of the rounding.
    weights = np.cumsum(counts[present])
    sums = np.cumsum(counts[present] * (present - present[0]).astype(np.uint64))
    total, total_sum = int(weights[-1]), int(sums[-1])
    w, s = weights[:-1].astype(np.float64), sums[:-1].astype(np.float64)
    variance = (total * s - w * total_sum) ** 2 / (w * (total - w))
    if rarest:
        variance[(w < rarest * total) | (w > (1 - rarest) * total)] = 0
    near = np.flatnonzero(variance >= variance.max() * (1 - 1e-6))
    best, best_top, best_bottom = 0, -1, 1
    for i in near.tolist():
        weight, part = int(weights[i]), int(sums[i])
        top, bottom = (total * part - weight * total_sum) ** 2, weight * (total - weight)
        if top * best_bottom > best_top * bottom:
            best, best_top, best_bottom = i, top, bottom
    return int(present[best])


def multiotsu(counts: NDArray[Any], classes: int, best_splits: Callable[..., NDArray[Any]]) -> NDArray[np.intp]:
    """The last level of each class but the highest, for the largest sum of s**2 / w over the classes.

    ``best_splits(w, s, fewer, rows)`` is, for each of so many i, the most over j > i of what the levels [i, j) are
    worth as one class and ``fewer[j]``.

    Levels are counted from near their mean, so that the sum is the variance between the classes and little else. As
    for two classes, doubles find the choices that may be best, and fractions of integers choose.
    """
    present = np.flatnonzero(counts)
    n = len(present)
    if n < classes:
        raise ValueError(f"image: got {n} different levels or bins, expected at least as many as classes ({classes})")
    if n == classes:
        return present[:-1]
    each = whole(counts)[present].astype(np.int64)
    centre = round(sum(map(operator.mul, present.tolist(), each.tolist())) / int(each.sum()))
    weights = np.concatenate([[0], np.cumsum(each)])
    sums = np.concatenate([[0], np.cumsum(each * (present - centre))])
    w, s = weights.astype(np.float64), sums.astype(np.float64)

    def worth(i: Any, j: Any) -> Any:
        """Of the levels [i, j) as one class."""
        part = s[j] - s[i]
        return part * part / (w[j] - w[i])

    # best[k][i] is the most that the levels from the i-th on are worth in k classes.
    best = [np.zeros(0), worth(np.arange(n), n)]
    for k in range(2, classes):
        best.append(best_splits(w, s, best[-1], n - k + 1))

    def cuts(i: int, k: int, value: float, least: float) -> Iterator[tuple[int, ...]]:
        """All ways to begin k - 1 further classes that are worth at least so much, the lowest first."""
        if k == 1:
            yield ()
            return
        j = np.arange(i + 1, n - k + 2)
        first = value + worth(i, j)
        for place in np.flatnonzero(first + best[k - 1][j] >= least).tolist():
            for rest in cuts(int(j[place]), k - 1, float(first[place]), least):
                yield (int(j[place]), *rest)

    j = np.arange(1, n - classes + 2)
    most = float((worth(0, j) + best[classes - 1][j]).max())
    # Only a histogram with symmetries has more than a few that are equally good.
    near = list(islice(cuts(0, classes, 0.0, most * (1 - 1e-12)), 1000))
    winner = near[0] if len(near) == 1 else max(near, key=lambda found: exact_worth(weights, sums, found))
    found: NDArray[np.intp] = present[np.array(winner) - 1]
    return found


def exact_worth(weights: NDArray[Any], sums: NDArray[Any], cuts: tuple[int, ...]) -> Fraction:
    total = Fraction(0)
    begin = 0
    for end in (*cuts, len(weights) - 1):
        total += Fraction((int(sums[end]) - int(sums[begin])) ** 2, int(weights[end]) - int(weights[begin]))
        begin = end
    return total


def yen(counts: NDArray[Any]) -> int:
    if len(counts) == 1:
        return 0
    weights = counts.astype(np.float32)
    share = weights / weights.sum()
    squares = share**2
    below = np.cumsum(share)[:-1]
    below_squares = np.cumsum(squares)[:-1]
    above_squares = np.cumsum(squares[::-1])[::-1][1:]
    # Where a share is lost beside the others, so is the logarithm.
    with np.errstate(all="ignore"):
        inverse = np.float32(1) / (below_squares * above_squares)
        return int(np.argmax(np.log(inverse * (below * (np.float32(1) - below)) ** 2)))


def isodata(counts: NDArray[Any], centers: NDArray[Any]) -> NDArray[Any]:
    if len(counts) == 1:
        return centers
    weights = np.cumsum(counts, dtype=np.float64)
    sums = np.cumsum(counts * centers.astype(np.float64))
    lower = sums[:-1] / weights[:-1]
    higher = (sums[-1] - sums[:-1]) / (weights[-1] - weights[:-1])
    distances = (lower + higher) / 2 - centers[:-1]
    found: NDArray[Any] = centers[:-1][(distances >= 0) & (distances < centers[1] - centers[0])]
    return found


def minimum(counts: NDArray[Any], times: int, smooth: Callable[[NDArray[np.float32], int], tuple[int, int]]) -> int:
    """The lowest point between two peaks, once ``smooth`` has left no more.

    It takes the mean of each number and its two neighbours until fewer than three peaks are left, or so many times, and
    says how many peaks there are and how many times are left.
    """
    numbers = counts.astype(np.float32)
    tops, left = smooth(numbers, times)
    if tops != 2:
        raise RuntimeError(f"image: got a histogram that is smoothed to {tops} peaks, expected two")
    if left == 0:
        raise RuntimeError(f"max_num_iter: got {times}, expected more: there are no two peaks yet")
    begin, end = peaks(numbers).tolist()
    return int(begin + np.argmin(numbers[begin : end + 1]))


def peaks(values: NDArray[Any]) -> NDArray[np.intp]:
    """Where values fall after they rose, the ends of plateaus among them; a fall at the very beginning counts."""
    rising = values[1:] > values[:-1]
    moves = np.flatnonzero(rising | (values[1:] < values[:-1]))
    up = rising[moves]
    turns = ~up
    turns[1:] &= up[:-1]
    return moves[turns]


def triangle(counts: NDArray[Any]) -> int:
    if len(counts) == 1:
        return 0
    numbers = counts.astype(np.int64)
    peak = int(np.argmax(numbers))
    flip = peak < len(numbers) - 1 - peak
    if flip:
        numbers = numbers[::-1]
        peak = len(numbers) - 1 - peak
    height, width = float(numbers[peak]), float(peak)
    # Divided by its length, as there: what is equally far but for rounding is decided by it.
    length = np.sqrt(height**2 + width**2)
    distance = height / length * np.arange(peak) - width / length * numbers[:peak]
    found = int(np.argmax(distance))
    return len(numbers) - 1 - found if flip else found


def triangle_opencv(counts: NDArray[Any]) -> int:
    """The triangle's threshold of 256 counts as ``cv2.threshold`` with ``THRESH_TRIANGLE`` has it.

    The line begins one level outside the histogram, and the threshold lies one level before the farthest; -1 where
    that is none.
    """
    numbers = counts.astype(np.int64)
    present = np.flatnonzero(numbers)
    last = len(numbers) - 1
    left, right = max(0, int(present[0]) - 1), min(last, int(present[-1]) + 1)
    peak = int(np.argmax(numbers))
    flip = peak - left < right - peak
    if flip:
        numbers = numbers[::-1]
        left, peak = last - right, last - peak
    levels = np.arange(left + 1, peak + 1)
    distance = int(numbers[peak]) * levels + (left - peak) * numbers[left + 1 : peak + 1]
    farthest = left
    # The line passes the origin, not its end: only what lies above it counts.
    if distance.size and distance.max() > 0:
        farthest = left + 1 + int(np.argmax(distance))
    return last - (farthest - 1) if flip else farthest - 1
