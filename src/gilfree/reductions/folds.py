"""What a fold with a user's own functions is made of, and how the interpreter runs one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["PIECE", "Functions", "Kind", "PythonFold", "plain", "wide"]

PIECE = 16384  # elements that are folded one after another; pieces are what workers share


# --- what a fold is made of: scalars of 64 bits, or tuples of them ---------------------------------------------------


def wide(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the scalars that stand for elements of this one: bool, int64, uint64, float64 or complex128.

    NumPy computes with short integers in their own width and Numba in 64 bits. Given wide ones, a function means the
    same to both; a float32 or int8 result is rounded or wrapped once, at the end.
    """
    return np.dtype({"b": "?", "i": "i8", "u": "u8", "f": "f8", "c": "c16"}[dtype.kind])


@dataclass(frozen=True)
class Kind:
    """What type a state has: one dtype for a scalar, one for each field of a tuple."""

    dtypes: tuple[np.dtype[Any], ...]
    scalar: bool

    @classmethod
    def of(cls, value: object, argument: str) -> Kind:
        """The kind of a value that came from the user as, or out of, ``argument``."""
        if isinstance(value, tuple) and value:
            kinds = [cls.of(field, argument) for field in value]
            if all(kind.scalar for kind in kinds):
                return cls(tuple(kind.dtypes[0] for kind in kinds), scalar=False)
        if isinstance(value, bool | int | float | complex | np.generic):
            dtype = np.asarray(value).dtype
            if dtype.kind in "biufc" and dtype.char not in "gG":
                return cls((wide(dtype),), scalar=True)
        expected = "expected a number of at most 64 bits a part, or a tuple of such"
        raise TypeError(f"{argument}: got {type(value).__name__} {value!r}, {expected}")

    def __str__(self) -> str:
        names = ", ".join(str(dtype) for dtype in self.dtypes)
        return names if self.scalar else f"({names})"

    def joined(self, other: Kind, argument: str) -> Kind:
        """The kind that holds both: field by field, NumPy's result type."""
        self._check_length(other, argument)
        pairs = zip(self.dtypes, other.dtypes, strict=True)
        return Kind(tuple(np.result_type(mine, its) for mine, its in pairs), self.scalar)

    def check(self, other: Kind, argument: str) -> None:
        """Raise unless a result of kind ``other`` may become this: no fraction, and no imaginary part, is dropped."""
        self._check_length(other, argument)
        for mine, its in zip(self.dtypes, other.dtypes, strict=True):
            if not (np.can_cast(its, mine) or (mine.kind in "iu" and its.kind in "iu")):
                hint = f"; dtype={str(np.result_type(mine, its))!r} folds in that" if self.scalar else ""
                raise TypeError(f"{argument}: returned {other}, expected {self}{hint}")

    def _check_length(self, other: Kind, argument: str) -> None:
        if (self.scalar, len(self.dtypes)) != (other.scalar, len(other.dtypes)):
            raise TypeError(f"{argument}: returned {other}, expected {self}")

    def cast(self, value: Any, argument: str) -> Any:
        """The value with its parts as scalars of these dtypes; integers wrap, as they do in compiled code."""
        if type(value) is self._types or (isinstance(value, tuple) and tuple(map(type, value)) == self._types):
            return value
        self.check(Kind.of(value, argument), argument)
        if self.scalar:
            return _scalar(value, self.dtypes[0])
        return tuple(_scalar(field, dtype) for field, dtype in zip(value, self.dtypes, strict=True))

    @cached_property
    def _types(self) -> Any:
        """The type of a scalar of this kind; of a tuple, those of its fields."""
        types = tuple(_TYPES[dtype.char] for dtype in self.dtypes)
        return types[0] if self.scalar else types

    def zeros(self) -> Any:
        """A value of this kind."""
        return self.cast(False if self.scalar else (False,) * len(self.dtypes), "")


# Python's own bool: NumPy's adds True and True to True, where Python and Numba make it 2.
_TYPES = {char: bool if char == "?" else np.dtype(char).type for char in ("?", "l", "L", "q", "Q", "d", "D")}


def _scalar(value: Any, dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "u":
        return np.uint64(int(value) % 2**64)
    if dtype.kind == "i":
        return np.int64((int(value) + 2**63) % 2**64 - 2**63)
    return _TYPES[dtype.char](value)


@dataclass(frozen=True)
class Functions:
    """The user's functions: ``combine(state, state)``, ``init(value[, index])``, ``finish(state)``."""

    combine: Callable[..., Any]
    init: Callable[..., Any] | None
    finish: Callable[..., Any] | None

    @cached_property
    def indexed(self) -> bool:
        """Whether ``init`` wants to know the number of the element."""
        if self.init is None:
            return False
        try:
            parameters = signature(plain(self.init)).parameters.values()
        except (TypeError, ValueError):  # some that are written in C do not tell
            return False
        needed = [each for each in parameters if each.default is Parameter.empty and each.kind in _POSITIONAL]
        if len(needed) not in (1, 2):
            raise TypeError(f"init: got a function of {len(needed)} parameters, expected (value) or (value, index)")
        return len(needed) == 2


_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """The Python function that a Numba function was made from; any other is itself."""
    return getattr(function, "py_func", function)


# --- in Python -------------------------------------------------------------------------------------------------------


class PythonFold:
    """The plainest program that does it; the others must give its answers.

    Elements come as NumPy scalars, whose integers wrap and whose divisions by zero give infinities and NaN, as
    compiled code has it. ``kind`` is what a state is made of: what the functions make of the first elements tells.
    """

    def __init__(self, functions: Functions, element: np.dtype[Any], initial: Any) -> None:
        self._combine = plain(functions.combine)
        self._init = functions.init and plain(functions.init)
        self._finish = functions.finish and plain(functions.finish)
        self._indexed = functions.indexed
        self._element = element
        self._initial = initial
        self.kind = (
            Kind((element,), scalar=True) if self._init is None or initial is None else Kind.of(initial, "initial")
        )

    def settle(self, x: NDArray[Any], kept: int) -> None:
        """Find out the kind of the states, from the first elements of ``x``; see ``fold`` for these."""
        if self._init is None:
            return
        with np.errstate(all="ignore"):
            values = self._values(x[(0,) * kept].flat[:2])
            states = [self._start(value, index) for index, value in enumerate(values)]
            if self._initial is not None:
                states.insert(0, self._initial)
            if len(states) == 1:  # combined with nothing; its dtypes are to be those of longer folds
                states *= 2
            kinds = [Kind.of(state, "init") for state in states]
            kind = kinds[0]
            for other in kinds[1:]:
                kind = kind.joined(other, "init")
            while True:
                first, second = (kind.cast(state, "init") for state in states[:2])
                wider = kind.joined(Kind.of(self._combine(first, second), "operator"), "operator")
                if wider == kind:
                    break
                kind = wider
            self.kind = kind

    def _values(self, elements: NDArray[Any]) -> list[Any]:
        # Not by astype(), which lets go of the GIL: this backend keeps it.
        return list(map(_TYPES[self._element.char], elements.tolist()))

    def _start(self, value: Any, index: int) -> Any:
        if self._init is None:
            return value
        return self._init(value, np.int64(index)) if self._indexed else self._init(value)

    def fold(
        self,
        x: NDArray[Any],
        kept: int,
        partials: list[Any],
        results: list[Any],
        tickets: Any,
        _most: int,
        _release: bool,
    ) -> bool:
        """A door: unit u is piece u // rows of row u % rows; ``x`` has the kept axes first, and then the folded."""
        shape = x.shape[:kept]
        rows = len(results)
        with np.errstate(all="ignore"):
            for first, last in tickets:
                for unit in range(first, last):
                    piece, row = divmod(unit, rows)
                    elements = x[np.unravel_index(row, shape)].flat if kept else x.flat
                    state = self._piece(elements[piece * PIECE : (piece + 1) * PIECE], piece * PIECE)
                    if len(partials) == rows:
                        results[row] = self.finish(state)
                    else:
                        partials[unit] = state
        return False

    def _piece(self, elements: Any, begin: int) -> Any:
        state = self._initial if begin == 0 else None
        kind, combine = self.kind, self._combine
        if state is not None:
            state = kind.cast(state, "initial")
        for index, element in enumerate(self._values(elements), begin):
            value = kind.cast(self._start(element, index), "init")
            state = value if state is None else kind.cast(combine(state, value), "operator")
        return state

    def join(self, partials: list[Any], results: list[Any]) -> None:
        """Fold the pieces of each row, in their order."""
        rows = len(results)
        with np.errstate(all="ignore"):
            for row in range(rows):
                state = partials[row]
                for other in partials[row + rows :: rows]:
                    state = self.kind.cast(self._combine(state, other), "operator")
                results[row] = self.finish(state)

    def finish(self, state: Any) -> Any:
        """What the user wants to see of a state."""
        if self._finish is None:
            return state
        with np.errstate(all="ignore"):
            return self._finish(state)

    def columns(self, results: list[Any]) -> tuple[Kind, list[NDArray[Any]]]:
        """The results as one array for each field."""
        if self._finish is None:
            kind = self.kind
        else:
            kinds = [Kind.of(result, "finish") for result in results]
            kind = kinds[0]
            for other in set(kinds):
                kind = kind.joined(other, "finish")
        values = [kind.cast(result, "finish") for result in results]
        fields = [values] if kind.scalar else zip(*values, strict=True)
        pairs = zip(fields, kind.dtypes, strict=True)
        return kind, [np.array(list(field), dtype) for field, dtype in pairs]
