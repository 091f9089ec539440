"""What every front door asks of arrays: that kernels can read them, and that a result may be written to them."""

from typing import Any

import numpy as np

__all__ = ["as_array", "check_out", "in_c_order", "packed"]

# Enough for any two slices of one array; past it numpy.shares_memory gives up, and so do we.
_MOST_WORK: Any = 10_000


# NumPy numbers its own dtypes below this; those of other packages come after it, or have no number at all.
_DTYPES = 24


def as_array(x: Any, argument: str) -> Any:
    """``x`` as an ndarray whose numbers are of a plain dtype.

    A number may have fields: ``np.dtype((np.int32, [("low", "<u2"), ("high", "<u2")]))`` is an int32 to NumPy's
    functions and a record to whoever takes a buffer of it. It is returned as the number. Records proper are returned
    as they are; the caller says which kinds it takes.

    Raises
    ------
    TypeError
        If another package has made the dtype, elements are masked, or ``x`` has a unit: nothing that an array says
        about its numbers is left out in silence. The message names ``argument``.
    """
    if type(x) is not np.ndarray:
        _refuse_more_than_numbers(x, argument)
    array = np.asarray(x)
    dtype = array.dtype
    if dtype.kind in "biufc":
        if not 0 <= dtype.num < _DTYPES:
            raise TypeError(f"{argument}: got dtype {dtype} of {type(dtype).__module__}, expected one of NumPy's own")
        if dtype.names is not None:
            array = array.view(np.dtype(dtype.char).newbyteorder(dtype.byteorder))
    return array


def _refuse_more_than_numbers(x: Any, argument: str) -> None:
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
        raise TypeError(
            f"{argument}: got an array with masked elements, expected one without: compressed() leaves them out,"
            " filled(value) puts something in their place"
        )
    # astropy's quantities have a unit; pint's have units and a magnitude.
    for name, plain in (("unit", "value"), ("units", "magnitude")):
        if hasattr(type(x), name) and hasattr(x, plain):
            raise TypeError(
                f"{argument}: got {type(x).__name__} in {getattr(x, name)}, a unit that would be lost, expected plain"
                f" numbers: {argument}.{plain}"
            )


def packed(array: Any) -> bool:
    """Whether the elements lie side by side, in C or Fortran order, where a C compiler expects them to lie."""
    return bool(array.flags.forc and array.flags.aligned)


def in_c_order(array: Any, dtype: Any) -> Any:
    """The array itself if it is of this dtype, packed and in C order, else a copy that is."""
    found = np.ascontiguousarray(array, dtype)
    return found if found.flags.aligned else found.copy()


def check_out(out: object, shape: tuple[int, ...], dtype: Any, source: Any, argument: str) -> None:
    """Raise unless ``out`` is a writeable ndarray of this shape and dtype that shares no memory with ``source``.

    ``source`` is what was passed as ``argument``; anything but an ndarray shares no memory.
    """
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out: got {type(out).__name__}, expected an ndarray")
    if out.dtype != dtype or out.dtype.names is not None:
        raise TypeError(f"out: got dtype {out.dtype}, expected {np.dtype(dtype)}")
    if out.shape != shape:
        raise ValueError(f"out: got shape {out.shape}, expected {shape}")
    if not out.flags.writeable:
        raise ValueError("out: got a read-only array, expected a writeable one")
    if isinstance(source, np.ndarray) and _overlap(out, source):
        raise ValueError(f"out: got an array that shares memory with {argument}, expected one of its own")


def _overlap(a: Any, b: Any) -> bool:
    try:
        return np.shares_memory(a, b, max_work=_MOST_WORK)
    except np.exceptions.TooHardError:
        return True
