"""Sparsely-sharded (S2) attention: every head reads its own strided shard of the context.

NumPy here, PyTorch in s2ilgpu.torch. Letters: B batch, H query heads, Hkv key/value heads (divides H), Nq queries, Nk
keys, D head dim (a multiple of 8 from 8 to 256).
"""

from ._library import S2Error, runtime
from .attention import Sequence, attention_backward, attention_forward, combine_attn_partitions, decode
from .engine import Engine, devices
from .patterns import Layout, Pattern

__all__ = [
    "Engine",
    "Layout",
    "Pattern",
    "S2Error",
    "Sequence",
    "attention_backward",
    "attention_forward",
    "combine_attn_partitions",
    "decode",
    "devices",
    "runtime",
]
