"""Folds with the user's own associative function, and a test that tells a function that is not."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from gilfree import backends, parallel
from gilfree.arrays import as_array, check_out, in_c_order
from gilfree.reductions.compiled_folds import compiled, memory_of
from gilfree.reductions.folds import PIECE, Functions, Kind, PythonFold, plain, wide

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from gilfree.backends import Backend

__all__ = ["Counterexample", "check_associative", "reduce"]

GRAIN = 4  # pieces a ticket: 60 µs of the quickest functions, so that a second worker is worth waking
PAUSE = 4  # tickets: 0.3 ms of additions, so that Numba's threads are woken seldom; 30 ms at 100 ns an element


# --- operators with a name -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operator:
    """An associative function that has a name; ``kinds`` are those of the dtypes it takes, ``identity`` its neutral."""

    name: str
    function: Callable[[Any, Any], Any]
    kinds: str
    identity: int | None
    widens: bool = False  # NumPy adds and multiplies short integers and bools in 64 bits
    real: Callable[[Any, Any], Any] | None = None  # instead of ``function``, for floats


# A NaN is handed on, and -0.0 is less than 0.0, so that the order of the elements does not show.
def _least_real(a: Any, b: Any) -> Any:
    return a if a < b or a != a or (a == b and math.copysign(1.0, a) < 0.0) else b  # noqa: PLR0124 - true of a NaN


def _greatest_real(a: Any, b: Any) -> Any:
    return a if a > b or a != a or (a == b and math.copysign(1.0, a) > 0.0) else b  # noqa: PLR0124 - true of a NaN


OPERATORS = {
    row.name: row
    for row in (
        Operator("sum", lambda a, b: a + b, "biufc", 0, widens=True),
        Operator("prod", lambda a, b: a * b, "biufc", 1, widens=True),
        Operator("min", min, "biuf", None, real=_least_real),
        Operator("max", max, "biuf", None, real=_greatest_real),
        Operator("and", lambda a, b: a & b, "biu", -1),
        Operator("or", lambda a, b: a | b, "biu", 0),
        Operator("xor", lambda a, b: a ^ b, "biu", 0),
        Operator("gcd", np.gcd, "iu", 0),
        Operator("lcm", np.lcm, "iu", 1),
    )
}


# --- reduce ----------------------------------------------------------------------------------------------------------


def reduce(
    operator: str | Callable[[Any, Any], Any],
    x: ArrayLike,
    initial: Any = None,
    *,
    axis: int | tuple[int, ...] | None = None,
    dtype: DTypeLike | None = None,
    keepdims: bool = False,
    init: Callable[..., Any] | None = None,
    finish: Callable[[Any], Any] | None = None,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Fold the elements over the given axes with an associative function, over several threads.

    As ``functools.reduce``, to the bit, for up to 16384 elements in C order over the folded axes. Longer folds are
    cut into pieces of that length, each is folded from left to right, and so are their results: the order of the
    operands is kept, and the answer is the same on every number of threads. Where the function is associative, it is
    that of ``functools.reduce``; see ``check_associative``.

    On backend ``python`` the functions run in Python. On all others, ``cython`` too, Numba compiles them, once for
    each function and dtype, and without the GIL where the backend promises so; so define a function once, not anew
    for each call. What Numba has compiled does not see later changes of global variables.

    Functions are given 64-bit scalars on every backend, whatever the width of the elements: bool, int64, uint64,
    float64 or complex128. Integers wrap, and dividing by zero gives infinities, NaN or 0 without a warning. The result
    is rounded, or wrapped, to its dtype once, at the end.

    Parameters
    ----------
    operator : callable or str
        ``operator(a, b)`` of two scalars, or of two states: a Python function, one of Numba's, or one that Numba knows
        (``math.gcd``, ``operator.xor``, ``numpy.maximum``). Or a name: "sum", "prod", "min", "max" (these hand on
        NaN; -0.0 is less than 0.0), and for integers alone "and", "or", "xor" (bools too), "gcd", "lcm".
    x : array_like
        Of any shape and layout; integers, floats (no long doubles), complex numbers or bools. It is copied only where
        it is misaligned, float16 or of the other byte order, or where ``dtype`` cannot hold its values.
    initial : scalar or tuple, optional
        Goes before the elements of each fold, and is the answer where there are none. With ``init``, a state.
    axis : int or tuple of int, optional
        Axes to fold over; all of them by default.
    dtype : dtype, optional
        What the elements are turned into, and the dtype of the result. NumPy's result type of ``x`` and ``initial``
        by default; for "sum" and "prod" that of ``numpy.sum``.
    keepdims : bool
        Whether to keep the folded axes, with length one.
    init : callable, optional
        ``init(value)`` makes a state of an element, a scalar or a tuple of scalars, which ``operator`` then combines;
        ``init(value, index)`` is also told the number of the element in its fold, from 0, in C order.
    finish : callable, optional
        ``finish(state)`` makes the result of a state.
    out : ndarray, optional
        Array for the result, of exactly its shape and dtype, that shares no memory with ``x``. Not with ``init`` or
        ``finish``, whose dtypes are known only when they have run.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    scalar or ndarray, or a tuple of such
        With ``init`` or ``finish`` of 64-bit dtypes; where these return a tuple, one array for each field. A NaN
        result is the positive quiet NaN.

    Raises
    ------
    TypeError
        For an unfit dtype, a function that Numba cannot compile (its reason is the cause), or one that returns what
        the state cannot hold: a float where integers are folded.
    ValueError
        For a fold of nothing without ``initial`` by a function or by "min" and "max"; for an unknown name; for an
        unfit ``initial`` or ``out``; for an unknown backend.
    ModuleNotFoundError
        If Numba is missing, and the backend is not ``python``.
    numpy.exceptions.AxisError
        If an axis is out of bounds.
    Exception
        What a function raises. All workers have stopped by then.

    Notes
    -----
    Ctrl-C is heeded when each worker has done its piece, and on ``numba-parallel`` 16 pieces: within 100 ms if the
    function takes less than 5 µs, or 300 ns.

    An unsigned number and a literal are a float to Numba: ``a + 1`` is refused for unsigned elements.

    Examples
    --------
    The affine maps t -> a*t + b, one after the other (Blelloch, "Prefix sums and their applications", 1990):

    >>> import numpy as np
    >>> from gilfree import reductions
    >>> reductions.reduce(lambda p, q: (q[0] * p[0], q[0] * p[1] + q[1]), [2.0, 3.0, 4.0],
    ...                   init=lambda value: (value, 1.0), backend="python")
    (np.float64(24.0), np.float64(17.0))

    Mean and variance in one pass (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing
    sample variances", 1979):

    >>> def combine(a, b):
    ...     n, delta = a[0] + b[0], b[1] - a[1]
    ...     return n, a[1] + delta * b[0] / n, a[2] + b[2] + delta * delta * a[0] * b[0] / n
    >>> reductions.reduce(combine, [1.0, 2.0, 6.0], init=lambda value: (1, value, 0.0),
    ...                   finish=lambda state: (state[1], state[2] / state[0]), backend="python")
    (np.float64(3.0), np.float64(4.666666666666667))

    Where the least element of each column is, the first of equals:

    >>> reductions.reduce(lambda a, b: b if b[0] < a[0] else a, [[3, 1], [2, 1]], axis=0,
    ...                   init=lambda value, index: (value, index), finish=lambda state: state[1], backend="python")
    array([1, 0])
    """
    array = as_array(x, "x")
    if array.dtype.kind not in "buifc" or array.dtype.char in "gG":
        raise TypeError(f"x: got dtype {array.dtype}, expected a bool, integer, float or complex dtype, no long double")
    row = backends.resolve(backend)
    named = _named(operator)
    for argument, function in (("operator", operator), ("init", init), ("finish", finish)):
        if not callable(function) and not (function is None or (named and argument == "operator")):
            raise TypeError(f"{argument}: got {type(function).__name__}, expected a function")
    state = init is not None
    if named and (state or finish is not None):
        raise TypeError(f"operator: got the name {operator!r}, expected a function where there is init or finish")
    element = _element_dtype(array, named, initial, dtype, state)
    functions = Functions(_function(operator, element), init, finish)
    _ = functions.indexed  # raises where `init` is of no use
    initial = _initial(initial, element, state)

    axes = range(array.ndim) if axis is None else sorted(normalize_axis_tuple(axis, array.ndim, argname="axis"))
    kept = [i for i in range(array.ndim) if i not in axes]
    shape = tuple(1 if i in axes else length for i, length in enumerate(array.shape) if keepdims or i not in axes)
    if out is not None and (state or finish is not None):
        raise TypeError(f"out: got {type(out).__name__}, expected None where there is init or finish")
    if out is not None:
        check_out(out, shape, element, array, "x")
    parallel.check(threads, executor)
    rows = math.prod(array.shape[i] for i in kept)
    n = math.prod(array.shape[i] for i in axes)
    if n == 0 and initial is None and named and named.identity is not None:
        initial = np.array(named.identity).astype(element).astype(wide(element))[()]
    if n == 0 and rows > 0 and initial is None:
        raise ValueError(f"x: got shape {array.shape} and axis {axis}, expected elements or `initial`: nothing to fold")
    if rows == 0 and (state or finish is not None) and initial is None:
        raise ValueError(f"x: got shape {array.shape}, expected elements or `initial`, to tell the result's dtype")
    if row.compiler != "none":
        _check_numba(row)

    if not np.can_cast(array.dtype, element):
        with np.errstate(all="ignore"):
            array = array.astype(element)
    axes_last = array.transpose(kept + list(axes))
    moved = axes_last if axes else axes_last[..., None]
    kind, columns = _fold(functions, row, moved, len(kept), rows, n, element, initial, threads, executor)
    results = []
    for column in columns:
        if column.dtype.kind == "f":
            column[np.isnan(column)] = np.nan  # which NaN comes out of an addition depends on the processor
        if not state and finish is None:
            with np.errstate(all="ignore"):
                column = column.astype(element)  # noqa: PLW2901 - the same column, narrower
        results.append(column.reshape(shape))
    if out is not None:
        out[...] = results[0]
        return out
    return results[0][()] if kind.scalar else tuple(result[()] for result in results)


def _fold(
    functions: Functions,
    row: Backend,
    x: NDArray[Any],
    kept: int,
    rows: int,
    n: int,
    element: np.dtype[Any],
    initial: Any,
    threads: int | None,
    executor: Executor | None,
) -> tuple[Kind, list[NDArray[Any]]]:
    """The results of all rows: what they are made of, and an array for each field of them."""
    value = wide(element)
    in_python = PythonFold(functions, value, initial)
    if n == 0 or rows == 0:
        if initial is None:
            return in_python.kind, [np.empty(0, value)]
        kind, columns = in_python.columns([in_python.finish(initial)])
        return kind, [np.repeat(column, rows) for column in columns]

    pieces = -(-n // PIECE)
    how: dict[str, Any] = {
        "units": rows * pieces,
        "grain": max(1, GRAIN * PIECE // min(n, PIECE)),
        "pause": PAUSE,
        "threads": threads,
        "executor": executor,
    }
    if row.compiler == "none":
        in_python.settle(x, kept)
        states: list[Any] = [None] * (rows * pieces)
        results: list[Any] = [None] * rows
        parallel.run(row, in_python.fold, x, kept, states, results, **how)
        if pieces > 1:
            in_python.join(states, results)
        return in_python.columns(results)

    x = _readable(x)
    made = compiled(
        functions, x.dtype, value, None if initial is None or functions.init is None else Kind.of(initial, "initial")
    )
    door, join = made.loops(row)
    partials = tuple(np.empty(rows * pieces if pieces > 1 else rows, dtype) for dtype in made.kind.dtypes)
    ends = tuple(np.empty(rows, dtype) for dtype in made.result.dtypes)
    first = made.kind.zeros() if initial is None else made.kind.cast(initial, "initial")
    parallel.run(row, door, *memory_of(x, kept), first, initial is not None, partials, ends, **how)
    if pieces > 1:
        join(partials, ends)
    return made.result, list(ends)


def _readable(x: NDArray[Any]) -> NDArray[Any]:
    """The array as compiled code can read it, whatever its strides; copied where that cannot be."""
    if x.dtype.char == "e":
        return x.astype(np.float32)
    fits = x.flags.aligned and x.dtype.isnative and not any(stride % x.itemsize for stride in x.strides)
    return x if fits else in_c_order(x, x.dtype.newbyteorder("="))


def _named(operator: object) -> Operator | None:
    if not isinstance(operator, str):
        return None
    if operator not in OPERATORS:
        raise ValueError(f"operator: got {operator!r}, expected a function or one of {', '.join(OPERATORS)}")
    return OPERATORS[operator]


def _function(operator: Any, element: np.dtype[Any]) -> Callable[[Any, Any], Any]:
    named = _named(operator)
    if named is None:
        function: Callable[[Any, Any], Any] = operator
        return function
    return named.real if named.real and element.kind == "f" else named.function


def _element_dtype(
    array: NDArray[Any], named: Operator | None, initial: Any, dtype: DTypeLike | None, state: bool
) -> np.dtype[Any]:
    """What the elements are turned into."""
    native = array.dtype.newbyteorder("=")
    if dtype is not None:
        element = np.dtype(dtype).newbyteorder("=")
        if element.kind not in "buifc" or element.char in "gG":
            raise TypeError(f"dtype: got {element}, expected a bool, integer, float or complex dtype, no long double")
        if not np.can_cast(native, element, "same_kind") and native.kind + element.kind not in ("iu", "ui"):
            raise TypeError(f"dtype: got {element}, expected one that values of dtype {native} can be turned into")
    else:
        element = native
        if named and named.widens:
            element = np.dtype({"b": np.int64, "i": np.int64, "u": np.uint64}.get(native.kind, native))
        if initial is not None and not state:
            if not Kind.of(initial, "initial").scalar:
                raise TypeError(
                    "initial: got a tuple, expected a number, or an `init` that makes a tuple of an element"
                )
            element = np.result_type(element, initial)
    if named and element.kind not in named.kinds:
        kinds = {"b": "bools", "i": "integers", "f": "floats", "c": "complex numbers"}
        expected = ", ".join(word for kind, word in kinds.items() if kind in named.kinds)
        raise TypeError(f"operator: got {named.name!r} for dtype {element}, expected {expected}")
    return element


def _initial(initial: Any, element: np.dtype[Any], state: bool) -> Any:
    """The initial state with its scalars as wide as all the others."""
    if initial is None:
        return None
    kind = Kind.of(initial, "initial")
    if state:
        return kind.cast(initial, "initial")
    if not kind.scalar:
        raise TypeError("initial: got a tuple, expected a number, or an `init` that makes a tuple of an element")
    held = None
    if kind.dtypes[0].kind != "c" or element.kind == "c":
        with suppress(OverflowError, ValueError), np.errstate(all="ignore"):
            held = np.array(initial, element)
    if held is None or (element.kind in "biu" and held != initial):
        raise ValueError(f"initial: got {initial!r}, expected a number that dtype {element} can hold")
    return Kind((wide(element),), scalar=True).cast(held.astype(wide(element))[()], "initial")


def _check_numba(row: Backend) -> None:
    why = backends.missing("numba")
    if why:
        raise ModuleNotFoundError(
            f"operator: backend {row.name!r} has it compiled by Numba; {why}; backend='python' needs no Numba"
        )


# --- check_associative -----------------------------------------------------------------------------------------------

MOST_TRIPLES = 2000


@dataclass(frozen=True)
class Counterexample:
    """Three operands for which the place of the brackets matters, and the two results."""

    operator: str
    a: Any
    b: Any
    c: Any
    left: Any
    right: Any

    def __str__(self) -> str:
        f = self.operator
        a, b, c, left, right = (_shown(value) for value in (self.a, self.b, self.c, self.left, self.right))
        return f"{f}({f}({a}, {b}), {c}) is {left}, but {f}({a}, {f}({b}, {c})) is {right}"


def check_associative(
    operator: str | Callable[[Any, Any], Any], sample: Any, *, rtol: float = 1e-9
) -> Counterexample | None:
    """Look for operands that show a function not to be associative, as ``-`` and ``/`` are not.

    Tries all triples of up to 12 operands, and 2000 triples at random, the same ones every time, of more. It runs in
    Python, on the scalars that ``reduce`` gives to functions.

    Parameters
    ----------
    operator : callable or str
        As for ``reduce``. That it keeps the type of its operands is for ``reduce`` to check.
    sample : array_like, or sequence of tuples
        Operands: numbers, or states as tuples of numbers. Typical ones; zeros and ones alone prove little.
    rtol : float
        How far apart floats may be, relative to the greatest of all the floats in that triple, its products and its
        results: rounding does not make a function unfit. Integers and bools must be equal.

    Returns
    -------
    Counterexample or None
        None if none was found, which is no proof. Triples on which finite operands give an infinity or NaN tell
        nothing: that is the arithmetic's doing.

    Raises
    ------
    TypeError
        If ``operator`` is no function and no name, or the sample or a result is of other things than numbers.
    ValueError
        For an unknown name, an empty sample, or a negative ``rtol``.

    Examples
    --------
    >>> from gilfree import reductions
    >>> print(reductions.check_associative(lambda a, b: a - b, [1, 5]))
    operator(operator(1, 1), 1) is -1, but operator(1, operator(1, 1)) is 1
    >>> reductions.check_associative("gcd", [12, 18, 30]) is None
    True
    """
    named = _named(operator)
    if named is None and not callable(operator):
        raise TypeError(f"operator: got {type(operator).__name__}, expected a function or a name")
    if not rtol >= 0:
        raise ValueError(f"rtol: got {rtol}, expected 0 or more")
    operands = _operands(sample)
    kind = Kind.of(operands[0], "sample")
    dtype = kind.dtypes[0]
    if named and not kind.scalar:
        raise TypeError(f"operator: got the name {operator!r}, expected a function for a sample of tuples")
    if named:
        _element_dtype(np.empty(0, dtype), named, None, None, state=False)
    function = plain(_function(operator, dtype))
    name = getattr(function, "__name__", "operator")
    if named or not name.isidentifier():  # a lambda
        name = named.name if named else "operator"

    def applied(a: Any, b: Any) -> Any:
        result = function(a, b)
        return Kind.of(result, "operator").cast(result, "operator")

    count = len(operands)
    if count**3 <= MOST_TRIPLES:
        triples: Any = product(range(count), repeat=3)
    else:
        triples = np.random.default_rng(0).integers(0, count, (MOST_TRIPLES, 3))
    with np.errstate(all="ignore"):
        for i, j, k in triples:
            a, b, c = operands[i], operands[j], operands[k]
            ab, bc = applied(a, b), applied(b, c)
            left, right = applied(ab, c), applied(a, bc)
            steps = (a, b, ab), (b, c, bc), (ab, c, left), (a, bc, right)
            if any(_finite(p) and _finite(q) and not _finite(result) for p, q, result in steps):
                continue
            if not _close(left, right, (a, b, c, ab, bc), rtol):
                return Counterexample(name, a, b, c, left, right)
    return None


def _operands(sample: Any) -> list[Any]:
    if hasattr(sample, "__iter__") and not isinstance(sample, np.ndarray):
        sample = list(sample)
    if isinstance(sample, list) and any(isinstance(one, tuple) for one in sample):
        kinds = [Kind.of(one, "sample") for one in sample]
        kind = kinds[0]
        for other in kinds:
            kind = kind.joined(other, "sample")
        return [kind.cast(one, "sample") for one in sample]
    array = as_array(sample, "sample").ravel()
    if array.size == 0:
        raise ValueError("sample: got nothing, expected at least one operand")
    kind = Kind.of(array[0], "sample")
    return [kind.cast(one, "sample") for one in array]


def _fields(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _finite(value: Any) -> bool:
    return all(bool(np.isfinite(field)) for field in _fields(value))


def _close(left: Any, right: Any, before: tuple[Any, ...], rtol: float) -> bool:
    lefts, rights = _fields(left), _fields(right)
    if len(lefts) != len(rights):
        return False
    seen = [abs(field) for value in (*before, left, right) for field in _fields(value) if _is_real(field)]
    scale = max((size for size in seen if np.isfinite(size)), default=0.0)
    for one, other in zip(lefts, rights, strict=True):
        both_nan = one != one and other != other  # noqa: PLR0124 - true of a NaN
        if one == other or both_nan:
            continue
        if not (_is_real(one) or _is_real(other)) or not abs(one - other) <= rtol * scale:
            return False
    return True


def _is_real(field: Any) -> bool:
    """Whether it is a number that is rounded."""
    return isinstance(field, np.inexact)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(_shown(field) for field in value)})"
    return repr(value.item() if isinstance(value, np.generic) else value)
