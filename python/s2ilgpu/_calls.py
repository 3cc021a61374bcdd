"""Calls of attention on tensors of any library, as views: (address, element type, shape, strides)."""

import ctypes
from ctypes import POINTER, byref, c_float, c_int32, pointer

from ._library import call
from ._numbers import float32, int32
from ._structures import Backward, Forward, Merge, MergeBackward, Sequence, Tensor

FLOAT32, FLOAT16, BFLOAT16 = 0, 1, 2


def view(address, element_type, shape, strides):
    """A tensor of the C interface. strides in elements."""
    if not 1 <= len(shape) <= 4:
        raise ValueError(f"tensors have 1 to 4 dimensions, got {list(shape)}")
    pad = [0] * (4 - len(shape))
    four = ctypes.c_int64 * 4
    return Tensor(address, element_type, len(shape), four(*shape, *pad), four(*strides, *pad))


def forward(engine, layout, tensors, scale=None, sequences=None):
    """tensors: by the names of s2_forward; None is left out."""
    arguments = _arguments(Forward, tensors, scale, sequences)
    call("attention_forward", engine.handle, layout.handle, byref(arguments))


def backward(engine, layout, tensors, scale=None, sequences=None):
    """tensors: by the names of s2_backward; None is left out."""
    arguments = _arguments(Backward, tensors, scale, sequences)
    call("attention_backward", engine.handle, layout.handle, byref(arguments))


def decode(engine, layout, tensors, key_counts, scale=None):
    """tensors: by the names of s2_forward; key_counts: integers, one per sequence."""
    batch = tensors["query"].shape[0]
    if len(key_counts) != batch:
        raise ValueError(f"{len(key_counts)} key counts for a batch of {batch}")
    counts = (c_int32 * max(1, batch))(
        *(int32(count, f"key_counts[{n}]") for n, count in enumerate(key_counts)))
    call("attention_decode", engine.handle, layout.handle, byref(_arguments(Forward, tensors, scale, None)), counts)


def outputs_and_log_sum_exps(parts):
    """([O_i], [LSE_i]) of parts (O_i, LSE_i)."""
    if not parts:
        raise ValueError("there are no parts")
    for n, part in enumerate(parts):
        if not isinstance(part, (tuple, list)) or len(part) != 2:
            raise ValueError(f"part {n} must be (output, log-sum-exp), got a {type(part).__name__}"
                             + (f" of {len(part)}" if isinstance(part, (tuple, list)) else ""))
    return [list(column) for column in zip(*parts)]


def heads_third(tensor, hdim, name):
    """[B, N, H, D] of an output whose dimension hdim has the heads; its own inverse."""
    if hdim not in (1, 2):
        raise ValueError(f"hdim is 2 for [B, N, H, D] or 1 for [B, H, N, D], got {hdim!r}")
    shape = getattr(tensor, "shape", None)
    if shape is None or len(shape) != 4:
        raise ValueError(f"{name} must have 4 dimensions, got {type(tensor) if shape is None else list(shape)}")
    return tensor.swapaxes(1, 2) if hdim == 1 else tensor


def merge(engine, outputs, log_sum_exps, output, log_sum_exp):
    """Merges parts into output and log_sum_exp."""
    many = Tensor * max(1, len(outputs))
    arguments = Merge(len(outputs), many(*outputs), many(*log_sum_exps), pointer(output), pointer(log_sum_exp))
    call("attention_merge", engine.handle, byref(arguments))


def merge_backward(engine, tensors):
    """tensors: by the names of s2_merge_backward; None is left out."""
    call("attention_merge_backward", engine.handle, byref(_arguments(MergeBackward, tensors, None, None)))


def _arguments(structure, tensors, scale, sequences):
    arguments = structure(**{name: pointer(tensor) for name, tensor in tensors.items() if tensor is not None})
    if scale is not None:
        arguments.scale = pointer(c_float(float32(scale, "scale")))
    if sequences is not None:
        # an empty batch has an address too, so that it is not taken for none
        array = (Sequence * max(1, len(sequences)))(*sequences)
        arguments.sequences = ctypes.cast(array, POINTER(Sequence))
        arguments.sequence_count = len(sequences)
    return arguments
