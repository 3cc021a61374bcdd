"""A module with the arguments of DKernel's."""

import torch

from .._numbers import int32
from .._structures import Sequence
from ..patterns import Layout, Pattern
from .functional import attention, sequences_of


class LocalStrideSparseAttention(torch.nn.Module):
    """Local-stride sparse attention, to put in the place of DKernel's module of this name. Causal, with gradients.

    num_heads: query heads H. max_seq_len: the most keys of a sequence. block_size: 16, 32, 64 or 128 tokens.
    local_blocks: the window, the diagonal block included. vert_stride: one remote block is kept of every so many.
    homo_head: all heads have the stripes of head 0. num_dense_heads: the last so many heads of the pattern see
    everything. num_kv_heads: heads of the pattern; None for one per query head, so that the heads of a GQA group
    differ. active_head_range: (first, end) of the heads of the pattern that this module gets. head_sliding_offset:
    phase of the stripes. seq_dim: 1 for [B, N, H, D] (default), 2 for [B, H, N, D]. engine: None for the CPU.

    Differences: block_m and block_n are accepted and mean nothing on a CPU; a part of a past block is never dropped;
    gradients work with sequences of different lengths, fewer queries than keys and grouped heads too.
    """

    def __init__(self, num_heads, max_seq_len, block_size, local_blocks, vert_stride, *, homo_head=False,
                 num_dense_heads=0, num_kv_heads=None, active_head_range=None, head_sliding_offset=0, block_m=None,
                 block_n=None, seq_dim=None, engine=None):
        super().__init__()
        if seq_dim not in (None, 1, 2):
            raise ValueError(f"seq_dim is None, 1 or 2, got {seq_dim}")
        self.num_heads, self.max_seq_len, self.block_size = num_heads, max_seq_len, block_size
        self.local_blocks, self.vert_stride, self.homo_head = local_blocks, vert_stride, homo_head
        self.num_dense_heads, self.num_kv_heads = num_dense_heads, num_kv_heads
        self.active_head_range, self.head_sliding_offset = active_head_range, head_sliding_offset
        self.seq_dim, self.engine = seq_dim or 1, engine
        self._layouts = {}
        if num_kv_heads is not None:
            self.layout(num_kv_heads)  # checks the arguments

    def extra_repr(self):
        return (f"{self.num_heads} heads on {self.num_kv_heads or 'any'}, blocks of {self.block_size}, "
                f"{self.local_blocks} local, stride {self.vert_stride}")

    def layout(self, key_value_heads):
        """The layout for keys of so many heads in all, before active_head_range."""
        if key_value_heads not in self._layouts:
            self._layouts[key_value_heads] = Layout(self._pattern(key_value_heads), self.max_seq_len)
        return self._layouts[key_value_heads]

    def forward(self, q, k, v, sm_scale=None, *, cu_seqlen_k=None, cu_seqlen_q=None, left_paddings=None, seqlens=None):
        """O, shaped like q.

        q, k, v: [B, N, heads, D] (seq_dim 1) or [B, heads, N, D] (seq_dim 2); or packed [tokens, heads, D] with
        cu_seqlen_k [sequences + 1] and cu_seqlen_q (None for the same). sm_scale: None for 1 / sqrt(D). left_paddings
        or seqlens [B]: padding at the start of each sequence, or its length. Rows of padding are 0.
        """
        if q.dim() == 3:
            if cu_seqlen_k is None:
                raise ValueError("packed tensors need cu_seqlen_k")
            keys = _counts(cu_seqlen_k, "cu_seqlen_k")
            queries = keys if cu_seqlen_q is None else _counts(cu_seqlen_q, "cu_seqlen_q")
            q, k, v = q[None], k[None], v[None]
            return self._run(q, k, v, sm_scale, sequences_of(queries, keys))[0]
        if cu_seqlen_k is not None or cu_seqlen_q is not None:
            raise ValueError("cu_seqlen_k and cu_seqlen_q are for packed tensors [tokens, heads, D]")
        if self.seq_dim == 2:
            q, k, v = (tensor.transpose(1, 2) for tensor in (q, k, v))
        output = self._run(q, k, v, sm_scale, _padded(q.shape[:2], k.shape[1], left_paddings, seqlens))
        return output.transpose(1, 2) if self.seq_dim == 2 else output

    def _run(self, q, k, v, scale, sequences):
        heads = k.shape[2]
        if self.active_head_range is not None:
            first, end = self.active_head_range
            # the slice is a part of the heads: the whole has as many more
            heads = self.num_kv_heads or self.num_heads * heads // max(1, end - first)
        return attention(q, k, v, self.layout(heads), scale=scale, sequences=sequences, engine=self.engine)[0]

    def _pattern(self, key_value_heads):
        heads = self.num_kv_heads or self.num_heads  # of the pattern
        if self.num_kv_heads not in (None, key_value_heads):
            raise ValueError(f"keys have {key_value_heads} heads, num_kv_heads is {self.num_kv_heads}")
        group, rest = divmod(heads, max(1, key_value_heads))
        dense, part = divmod(self.num_dense_heads, max(1, group))
        if rest or part:
            raise ValueError(f"{key_value_heads} heads of keys do not divide {heads} heads and {self.num_dense_heads} "
                             "dense heads of the pattern")
        pattern = Pattern.local_stride(
            self.num_heads, key_value_heads, self.block_size, self.local_blocks, self.vert_stride,
            head_offset=self.head_sliding_offset, homogeneous_heads=self.homo_head, dense_heads=dense,
            slide_by_query_head=self.num_kv_heads is None and key_value_heads != self.num_heads)
        if self.active_head_range is None:
            return pattern
        first, end = self.active_head_range
        return pattern.slice_heads(first * self.num_heads // heads, end * self.num_heads // heads)


def _counts(cumulative, name):
    """Lengths from their running sum."""
    starts = [int32(start, f"{name}[{n}]") for n, start in enumerate(cumulative)]
    if starts[:1] != [0] or starts != sorted(starts):
        raise ValueError(f"{name} must ascend from 0, got {starts}")
    return [end - start for start, end in zip(starts, starts[1:])]


def _padded(batch_and_queries, keys, left_paddings, seqlens):
    """The sequences of a padded batch; None where there is no padding."""
    batch, queries = batch_and_queries
    if left_paddings is not None and seqlens is not None:
        raise ValueError("left_paddings and seqlens exclude each other")
    for name, given in (("left_paddings", left_paddings), ("seqlens", seqlens)):
        if given is not None and len(given) != batch:
            raise ValueError(f"{name} has {len(given)} entries for a batch of {batch}")
    if seqlens is not None:
        if queries != keys:
            raise ValueError(f"seqlens need as many queries as keys, got {queries} and {keys}")
        lengths = [int32(length, f"seqlens[{b}]") for b, length in enumerate(seqlens)]
        return [Sequence(b, 0, length, 0, length) for b, length in enumerate(lengths)]
    if left_paddings is None:
        return None
    sequences = []
    for b, padding in enumerate(left_paddings):
        padding = int32(padding, f"left_paddings[{b}]")
        count = keys - padding
        query_count = min(queries, count)
        sequences.append(Sequence(b, queries - query_count, query_count, padding, count))
    return sequences
