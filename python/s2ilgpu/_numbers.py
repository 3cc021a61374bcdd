"""Numbers that go to the library. ctypes keeps the low 32 bits of an integer and makes infinity of a large float."""

import ctypes
import math
import operator

_LEAST, _LARGEST = -1 << 31, (1 << 31) - 1


def int32(value, name, least=_LEAST):
    """The value as an int.

    Raises TypeError for what is not an integer (booleans and floats are not), ValueError outside least to 2^31 - 1.
    """
    try:
        number = None if _is_boolean(value) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if not least <= number <= _LARGEST:
        raise ValueError(f"{name} must be from {least} to {_LARGEST}, got {number}")
    return number


def float32(value, name):
    """The value as the float that a c_float holds.

    Raises TypeError for what is not a number (booleans are not), ValueError for NaN and what float32 cannot hold.
    """
    try:
        number = None if _is_boolean(value) else ctypes.c_float(value).value
    except TypeError:
        number = None
    except OverflowError:  # an int past float64
        number = math.inf
    if number is None:
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite in float32, got {value!r}")
    return number


def _is_boolean(value):
    # scalars and tensors of NumPy and PyTorch have a dtype, and count as numbers
    return isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool")
