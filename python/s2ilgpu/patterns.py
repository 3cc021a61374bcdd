"""Which key blocks each head reads, and the kept blocks of a context."""

import ctypes

import numpy as np

from ._library import Handle, call
from ._numbers import int32
from ._structures import Heads, LayoutInfo, LayoutReport, PatternInfo, Stripes, TwoRange

_ALL_QUERIES = -1


class Pattern(Handle):
    """Which key blocks each head reads for each query block. An immutable value; made by its class methods.

    Common arguments: query_heads H; key_value_heads Hkv, None for H; block_tokens 16, 32, 64 or 128; causal: queries
    see keys at or before their own position. Raises S2Error where a value breaks its rule, TypeError or ValueError
    where a number is not an int32.
    """

    def __init__(self, function, *arguments):
        self._recipe = (function, arguments)
        super().__init__(function, *map(_native, arguments))
        info = PatternInfo()
        call("pattern_info", self.handle, ctypes.byref(info))
        self.query_heads, self.key_value_heads = info.query_heads, info.key_value_heads
        self.pattern_heads, self.block_tokens = info.pattern_heads, info.block_tokens
        self.is_causal, self.is_cache_efficient = bool(info.is_causal), bool(info.is_cache_efficient)

    @classmethod
    def local_stride(cls, query_heads, key_value_heads=None, block_tokens=64, local_blocks=16, vertical_stride=8, *,
                     head_offset=0, homogeneous_heads=False, dense_heads=0, slide_by_query_head=False, causal=True):
        """The S2 pattern: a window of local_blocks, the diagonal included, and one remote block of every
        vertical_stride, shifted from head to head. dense_heads: heads that see everything, in KV heads, the last ones.
        slide_by_query_head: the heads of a GQA group differ."""
        stripes = (head_offset, _flag(homogeneous_heads), dense_heads, _flag(slide_by_query_head))
        return cls("pattern_local_stride", (Heads, _heads(query_heads, key_value_heads, block_tokens, causal)),
                   int32(local_blocks, "local_blocks"), int32(vertical_stride, "vertical_stride"),
                   (Stripes, stripes))

    @classmethod
    def dense(cls, query_heads, key_value_heads=None, block_tokens=64, *, causal=True):
        """Every head reads everything."""
        return cls("pattern_dense", (Heads, _heads(query_heads, key_value_heads, block_tokens, causal)))

    @classmethod
    def sliding_window(cls, query_heads, key_value_heads=None, block_tokens=64, *, window_blocks, sink_blocks=0,
                       causal=True):
        """A window, the diagonal included, and the first blocks of the context."""
        return cls("pattern_sliding_window", (Heads, _heads(query_heads, key_value_heads, block_tokens, causal)),
                   int32(window_blocks, "window_blocks"), int32(sink_blocks, "sink_blocks"))

    @classmethod
    def two_range(cls, query_heads, key_value_heads=None, block_tokens=64, *, local_blocks, near_blocks, near_stride,
                  far_stride):
        """A window, one block of every near_stride up to near_blocks, then one of every far_stride. Causal."""
        return cls("pattern_two_range", (Heads, _heads(query_heads, key_value_heads, block_tokens, True)),
                   (TwoRange, (local_blocks, near_blocks, near_stride, far_stride)), None)

    @classmethod
    def table(cls, kept, query_heads, key_value_heads=None, block_tokens=64, *, causal=True):
        """kept [Hkv or H, blocks, blocks], bool: head, query block, key block."""
        kept = np.asarray(kept)
        if kept.ndim != 3 or kept.shape[1] != kept.shape[2] or kept.dtype != np.bool_:
            raise ValueError(f"a table is bool [heads, blocks, blocks], got {kept.dtype} {list(kept.shape)}")
        return cls("pattern_table", (Heads, _heads(query_heads, key_value_heads, block_tokens, causal)),
                   np.ascontiguousarray(kept, np.uint8), int32(kept.shape[0], "heads of the table"),
                   int32(kept.shape[1], "blocks of the table"))

    def __or__(self, other):
        """What either pattern keeps."""
        return Pattern("pattern_combine", self, other, 1)

    def __and__(self, other):
        """What both patterns keep."""
        return Pattern("pattern_combine", self, other, 0)

    def slice_heads(self, first, end):
        """Query heads first to end - 1, by their global index, for tensor parallelism: whole groups, or a part of
        one."""
        return Pattern("pattern_slice_heads", self, int32(first, "first"), int32(end, "end"))

    def __reduce__(self):
        return Pattern, (self._recipe[0], *self._recipe[1])


class Layout(Handle):
    """The kept blocks of a pattern over a context. An immutable value; serves every sequence of at most `tokens` keys.

    query_tokens: rows for the last so many queries only, None for all.
    """

    def __init__(self, pattern, tokens, query_tokens=None):
        queries = _ALL_QUERIES if query_tokens is None else int32(query_tokens, "query_tokens", least=0)
        super().__init__("layout_create", pattern.handle, int32(tokens, "tokens"), queries)
        info = LayoutInfo()
        call("layout_info", self.handle, ctypes.byref(info))
        self.pattern, self.query_tokens = pattern, query_tokens
        self.tokens, self.block_tokens, self.heads = info.tokens, info.block_tokens, info.heads
        self.key_blocks, self.first_query_block = info.key_blocks, info.first_query_block
        self.query_blocks, self.kept_blocks = info.query_blocks, info.kept_blocks

    def rows(self):
        """The layout as CSR, (row_starts [heads * query_blocks + 1], columns [kept_blocks]), int32: row (h, i) is at
        h * query_blocks + i - first_query_block."""
        starts = np.empty(self.heads * self.query_blocks + 1, np.int32)
        columns = np.empty(self.kept_blocks, np.int32)
        call("layout_rows", self.handle, _native(starts), starts.size, _native(columns), columns.size)
        return starts, columns

    def mask(self):
        """Kept blocks as bool [heads, query_blocks, key_blocks]."""
        starts, columns = self.rows()
        kept = np.zeros((self.heads * self.query_blocks, self.key_blocks), bool)
        kept[np.repeat(np.arange(len(starts) - 1), np.diff(starts)), columns] = True
        return kept.reshape(self.heads, self.query_blocks, self.key_blocks)

    def report(self):
        """kept_blocks, dense_blocks (their ratio is the ceiling of any speed-up), empty_rows, is_cache_efficient,
        is_covered (the heads together read everything)."""
        report = LayoutReport()
        call("layout_report", self.handle, ctypes.byref(report))
        names = ("kept_blocks", "dense_blocks", "empty_rows")
        flags = ("is_cache_efficient", "is_covered")
        return {**{name: getattr(report, name) for name in names},
                **{name: bool(getattr(report, name)) for name in flags}}

    def __reduce__(self):
        return Layout, (self.pattern, self.tokens, self.query_tokens)


def _heads(query_heads, key_value_heads, block_tokens, causal):
    return query_heads, query_heads if key_value_heads is None else key_value_heads, block_tokens, _flag(causal)


def _flag(value):
    return int(bool(value))


def _native(argument):
    if isinstance(argument, tuple):
        structure, values = argument
        return ctypes.byref(structure(*values))
    if isinstance(argument, Pattern):
        return argument.handle
    if isinstance(argument, np.ndarray):
        return argument.ctypes.data_as(ctypes.POINTER(np.ctypeslib.as_ctypes_type(argument.dtype)))
    return argument
