"""Sparsely-sharded attention for PyTorch: functions with gradients, a module, an attention for Hugging Face models.

Tensors are on the CPU, in float32, bfloat16 or float16, and are read and written in place where their strides allow.
"""

from .functional import attention, combine_attn_partitions, decode, sequences_of
from .huggingface import HuggingFaceAttention, register_attention
from .modules import LocalStrideSparseAttention

__all__ = [
    "HuggingFaceAttention",
    "LocalStrideSparseAttention",
    "attention",
    "combine_attn_partitions",
    "decode",
    "register_attention",
    "sequences_of",
]
