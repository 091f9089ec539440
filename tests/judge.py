"""How answers are compared: by type, dtype, shape and bits."""

from typing import Any

import numpy as np


def assert_same_bits(got: Any, expected: Any) -> None:
    """Fail unless both are the same answer down to the sign of a zero and the payload of a NaN; tuples, each part."""
    if isinstance(got, tuple) and isinstance(expected, tuple):
        for one, other in zip(got, expected, strict=True):
            assert_same_bits(one, other)
        return
    # NumPy has two scalar types for one dtype where two C types have one size: equal dtypes are enough.
    both_scalars = isinstance(got, np.generic) and isinstance(expected, np.generic)
    assert both_scalars or type(got) is type(expected)
    a, b = np.asarray(got), np.asarray(expected)
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    if a.dtype.char == "g":  # padded with bytes that mean nothing
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(np.signbit(a), np.signbit(b))
    elif a.tobytes() != b.tobytes():
        np.testing.assert_array_equal(a, b)  # shows the numbers, where they differ
        bits = np.dtype(f"V{a.itemsize}")
        raise AssertionError(f"equal numbers, other bits: {a.view(bits)} and {b.view(bits)}")
