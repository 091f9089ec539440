"""What is not quite an array: taken as one, or refused; what it says about its numbers is never left out in silence."""

import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gilfree import pixels, primes, reductions


class Series:
    """As pandas, Polars, Arrow and xarray have them: a length, items and a way to become an array."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:
        return self.values[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.values, dtype)


LIKE: dict[str, Callable[[list[int]], Any]] = {
    "series": Series,
    "series-of-objects": lambda values: Series(np.array(values, object)),
    "array.array": lambda values: array.array("q", values),
    "memoryview": lambda values: memoryview(array.array("q", values)),
    "bytearray": bytearray,
    "tuple": tuple,
    "range": lambda values: range(values[0], values[-1] + 1),
    "matrix": lambda values: np.array(values, np.uint8).view(np.matrix).A1,
    "unmasked": lambda values: np.ma.array(values, mask=[False] * len(values)),
}


@pytest.mark.parametrize("values", [[7], [7, 8, 9]], ids=["one", "three"])
@pytest.mark.parametrize("name", LIKE)
def test_primes_of_what_is_like_an_array(name: str, values: list[int]) -> None:
    """One number is what has no dimensions: all of these give arrays, also with one number in them."""
    n = LIKE[name](values)
    for got, expected in (
        (primes.is_prime(n), [True, False, False]),
        (primes.next_prime(n), [11, 11, 11]),
        (primes.prev_prime(n), [5, 7, 7]),
    ):
        assert isinstance(got, np.ndarray)
        assert got.tolist() == expected[: len(values)]


@pytest.mark.parametrize("name", [name for name in LIKE if name not in ("range", "series-of-objects", "bytearray")])
def test_reductions_of_what_is_like_an_array(name: str) -> None:
    assert reductions.sum(LIKE[name]([7, 8, 9])) == 24


@pytest.mark.parametrize(
    "bounds", [(0, 1000), (100, 0, -3), (2**63 - 5, 2**63 + 5), (-5, 2**64, 2**61), (0, 0)], ids=str
)
def test_ranges(bounds: tuple[int, ...]) -> None:
    n = range(*bounds)
    assert primes.is_prime(n).tolist() == primes.is_prime(list(n)).tolist()


@pytest.mark.parametrize(("number", "kind"), [(7, bool), (np.int8(7), bool), (np.array(7), np.bool_)], ids=repr)
def test_one_number(number: Any, kind: type) -> None:
    assert type(primes.is_prime(number)) is kind


class Quantity(np.ndarray):
    """As astropy has it."""

    unit = "m"

    @property
    def value(self) -> Any:
        return np.asarray(self)


class Measured(Series):
    """As pint has it."""

    units = "metre"

    @property
    def magnitude(self) -> Any:
        return self.values


CALLS: dict[str, Callable[[Any], Any]] = {
    name: getattr(reductions, name) for name in reductions.__all__ if name not in ("dot", "reduce", "check_associative")
}
CALLS |= {
    "dot": lambda x: reductions.dot(x, x),
    "dot, second": lambda x: reductions.dot(np.ones(3), x),
    "reduce": lambda x: reductions.reduce("max", x, backend="python"),
    "is_prime": primes.is_prime,
    "next_prime": primes.next_prime,
    "prev_prime": primes.prev_prime,
    "histogram": pixels.histogram,
    "threshold": lambda x: pixels.threshold(x, 1),
    "threshold_otsu": pixels.threshold_otsu,
    "threshold_niblack": lambda x: pixels.threshold_niblack(x.reshape(1, -1) if isinstance(x, np.ndarray) else x),
    "grayscale": pixels.grayscale,
    "binarize": pixels.binarize,
}


@pytest.mark.parametrize("name", CALLS)
def test_what_would_be_lost_is_refused(name: str) -> None:
    """Masks and units, by every function of every family, with a word on what to do."""
    numbers = np.array([1, 200, 3], np.uint8)
    with pytest.raises(TypeError, match=r"^(x|y|n|image): got an array with masked elements.*filled"):
        CALLS[name](np.ma.array(numbers, mask=[False, True, False]))
    with pytest.raises(TypeError, match=r"^(x|y|n|image): got Quantity in m, .*value"):
        CALLS[name](numbers.view(Quantity))
    with pytest.raises(TypeError, match=r"^(x|y|n|image): got Measured in metre, .*magnitude"):
        CALLS[name](Measured(numbers))
