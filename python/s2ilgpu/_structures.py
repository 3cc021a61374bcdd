"""The structures and the table of functions of s2ilgpu.h, in its order. A test compares the two."""

import ctypes
from ctypes import POINTER, Structure, c_char_p, c_float, c_int32, c_int64, c_uint8, c_uint64, c_void_p

from ._numbers import int32

API_VERSION = 1


class Tensor(Structure):
    _fields_ = [
        ("data", c_void_p),
        ("type", c_int32),
        ("rank", c_int32),
        ("shape", c_int64 * 4),
        ("strides", c_int64 * 4),
    ]


class _Integers(Structure):
    """int32 fields that refuse what they cannot hold, as arguments and when they are set."""

    def __setattr__(self, name, value):
        super().__setattr__(name, int32(value, name))


class Sequence(_Integers):
    """Where one sequence lies in the token dimension: batch, query_start, query_count, key_start, key_count. Query i
    sits at position key_count - query_count + i."""

    _fields_ = [(name, c_int32) for name in ("batch", "query_start", "query_count", "key_start", "key_count")]

    def __repr__(self):
        return "Sequence(" + ", ".join(f"{name}={getattr(self, name)}" for name, _ in self._fields_) + ")"


class Heads(_Integers):
    _fields_ = [(name, c_int32) for name in ("query_heads", "key_value_heads", "block_tokens", "is_causal")]


class Stripes(_Integers):
    _fields_ = [
        (name, c_int32) for name in ("head_offset", "homogeneous_heads", "dense_heads", "slide_by_query_head")
    ]


class TwoRange(_Integers):
    _fields_ = [(name, c_int32) for name in ("local_blocks", "near_blocks", "near_stride", "far_stride")]


class PatternInfo(Structure):
    _fields_ = [
        (name, c_int32)
        for name in ("query_heads", "key_value_heads", "pattern_heads", "block_tokens", "is_causal",
                     "is_cache_efficient", "max_blocks")
    ]


class LayoutInfo(Structure):
    _fields_ = [
        (name, c_int32)
        for name in ("tokens", "block_tokens", "heads", "key_blocks", "first_query_block", "query_blocks")
    ] + [("kept_blocks", c_int64)]


class LayoutReport(Structure):
    _fields_ = [("kept_blocks", c_int64), ("dense_blocks", c_int64)] + [
        (name, c_int32) for name in ("empty_rows", "is_cache_efficient", "is_covered", "reserved")
    ]


def _call(name, tensors, with_sequences):
    fields = [(tensor, POINTER(Tensor)) for tensor in tensors]
    if with_sequences:
        fields += [("sequences", POINTER(Sequence)), ("sequence_count", c_int64), ("scale", POINTER(c_float))]
    return type(name, (Structure,), {"_fields_": fields})


Forward = _call("Forward", ("query", "key", "value", "output", "log_sum_exp"), True)
Backward = _call(
    "Backward",
    ("query", "key", "value", "output", "log_sum_exp", "output_gradient", "log_sum_exp_gradient", "query_gradient",
     "key_gradient", "value_gradient"),
    True,
)
MergeBackward = _call(
    "MergeBackward",
    ("part_output", "part_log_sum_exp", "output", "log_sum_exp", "output_gradient", "log_sum_exp_gradient",
     "part_output_gradient", "part_log_sum_exp_gradient"),
    False,
)


class Merge(Structure):
    _fields_ = [("parts", c_int64)] + [
        (name, POINTER(Tensor)) for name in ("outputs", "log_sum_exps", "output", "log_sum_exp")
    ]


def _function(*arguments):
    return ctypes.CFUNCTYPE(c_int32, *arguments)


_TEXT = (c_char_p, c_int64, POINTER(c_int64))
_HANDLE = POINTER(c_uint64)


class Api(Structure):
    _fields_ = [
        ("version", c_int32),
        ("reserved", c_int32),
        ("last_error", _function(*_TEXT)),
        ("devices", _function(*_TEXT)),
        ("engine_create", _function(c_char_p, c_int32, _HANDLE)),
        ("release", _function(c_uint64)),
        ("describe", _function(c_uint64, *_TEXT)),
        ("pattern_dense", _function(POINTER(Heads), _HANDLE)),
        ("pattern_local_stride", _function(POINTER(Heads), c_int32, c_int32, POINTER(Stripes), _HANDLE)),
        ("pattern_sliding_window", _function(POINTER(Heads), c_int32, c_int32, _HANDLE)),
        ("pattern_two_range", _function(POINTER(Heads), POINTER(TwoRange), POINTER(Stripes), _HANDLE)),
        ("pattern_table", _function(POINTER(Heads), POINTER(c_uint8), c_int32, c_int32, _HANDLE)),
        ("pattern_combine", _function(c_uint64, c_uint64, c_int32, _HANDLE)),
        ("pattern_slice_heads", _function(c_uint64, c_int32, c_int32, _HANDLE)),
        ("pattern_info", _function(c_uint64, POINTER(PatternInfo))),
        ("layout_create", _function(c_uint64, c_int32, c_int32, _HANDLE)),
        ("layout_info", _function(c_uint64, POINTER(LayoutInfo))),
        ("layout_rows", _function(c_uint64, POINTER(c_int32), c_int64, POINTER(c_int32), c_int64)),
        ("layout_report", _function(c_uint64, POINTER(LayoutReport))),
        ("attention_forward", _function(c_uint64, c_uint64, POINTER(Forward))),
        ("attention_backward", _function(c_uint64, c_uint64, POINTER(Backward))),
        ("attention_decode", _function(c_uint64, c_uint64, POINTER(Forward), POINTER(c_int32))),
        ("attention_merge", _function(c_uint64, POINTER(Merge))),
        ("attention_merge_backward", _function(c_uint64, POINTER(MergeBackward))),
    ]
