"""Attention for models of Hugging Face's transformers, by its interface of attention functions."""

from ..patterns import Layout, Pattern
from .functional import attention
from .modules import _padded


class HuggingFaceAttention:
    """An attention function with the signature of transformers' AttentionInterface.

    pattern: called with (query_heads, key_value_heads), gives the Pattern; layouts are kept and grow with the context.
    engine: None for the CPU. What would change the arithmetic and is not done here (dropout, biases, soft caps, other
    masks) raises ValueError instead of being ignored.
    """

    def __init__(self, pattern, engine=None):
        self._pattern, self._engine, self._layouts = pattern, engine, {}

    def __call__(self, module, query, key, value, attention_mask=None, scaling=None, dropout=0.0, **others):
        """query [B, H, Nq, D], key and value [B, Hkv, Nk, D]; attention_mask: None, or 1 and 0 of padding [B, Nk].
        Returns (O [B, Nq, H, D], None)."""
        self._check(module, key, dropout, others)
        layout = self._layout(query.shape[1], key.shape[1], key.shape[2])
        q, k, v = (tensor.transpose(1, 2) for tensor in (query, key, value))
        sequences = None if attention_mask is None else _sequences(attention_mask, q.shape[1], k.shape[1])
        return attention(q, k, v, layout, scale=scaling, sequences=sequences, engine=self._engine)[0], None

    def _layout(self, query_heads, key_value_heads, tokens):
        heads = query_heads, key_value_heads
        layout = self._layouts.get(heads)
        if layout is None or layout.tokens < tokens:
            # twice the context, so that decoding makes few
            layout = self._layouts[heads] = Layout(self._pattern(*heads), max(1024, 2 * tokens))
        return layout

    @staticmethod
    def _check(module, key, dropout, others):
        if dropout:
            raise ValueError(f"sparse attention has no dropout, got {dropout}")
        if others.get("is_causal", getattr(module, "is_causal", True)) is False:
            raise ValueError("a module that is not causal: give it another attention")
        for name in ("softcap", "sliding_window", "s_aux", "head_mask", "position_bias"):
            if others.get(name) is not None:
                raise ValueError(f"sparse attention has no {name}")
        positions = others.get("cache_position")
        if positions is not None and int(positions[-1]) + 1 != key.shape[2]:
            raise ValueError(f"{key.shape[2]} keys at position {int(positions[-1])}: a cache that is longer than what "
                             "it holds (StaticCache) is not supported")


def register_attention(name="s2", pattern=None, engine=None):
    """Makes sparse attention known to transformers, for from_pretrained(..., attn_implementation=name).

    pattern: called with (query_heads, key_value_heads), gives the Pattern; None for local-stride with its defaults.
    Returns the function. Raises ImportError without transformers.
    """
    from transformers import AttentionInterface

    function = HuggingFaceAttention(pattern or Pattern.local_stride, engine)
    AttentionInterface.register(name, function)
    try:
        from transformers import AttentionMaskInterface
    except ImportError:
        return function  # older: masks are made elsewhere, and a mask of four dimensions is refused
    AttentionMaskInterface.register(name, padding_mask)
    return function


def padding_mask(*_, attention_mask=None, **__):
    """The mask for HuggingFaceAttention: that of padding, or None."""
    return attention_mask


def _sequences(mask, queries, keys):
    if mask.dim() != 2 or mask.shape[1] != keys:
        raise ValueError(f"an attention mask is [batch, {keys} keys] of 1 and 0, got {list(mask.shape)}")
    lengths = mask.bool().sum(1).tolist()
    if all(length == keys for length in lengths):
        return None
    ascending = (mask.bool().int().diff(dim=1) >= 0).all(1)
    if ascending.all():
        return _padded(queries, keys, [keys - length for length in lengths], None)
    if (mask.bool().int().diff(dim=1) <= 0).all():
        return _padded(queries, keys, None, lengths)
    raise ValueError("padding is at the start of all sequences, or at the end of all")
