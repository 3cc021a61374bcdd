"""Attention for models of Hugging Face's transformers, by its interface of attention functions."""

import torch

from ..patterns import Layout, Pattern
from .functional import attention, sequences_of
from .modules import _counts, _padded

# Models pass these to every attention, and they change nothing here: sizes for other kernels, switches of the model.
_HARMLESS = frozenset((
    "deterministic", "layer_idx", "max_length_k", "max_length_q", "num_items_in_batch", "output_hidden_states",
    "output_router_logits", "return_dict", "use_cache",
))
_CHECKED = frozenset((
    "cache_position", "cu_seq_lens_k", "cu_seq_lens_q", "is_causal", "output_attentions", "position_ids",
    "seq_idx",
))

# Rows of a mask that are compared at once.
_MASK_ROWS = 256


class HuggingFaceAttention:
    """An attention function with the signature of transformers' AttentionInterface.

    pattern: called with (query_heads, key_value_heads) of the whole model, gives the Pattern; layouts are kept and grow
    with the context. engine: None for the CPU. heads: None where the module has all heads; under tensor parallelism
    (query_heads, key_value_heads, first, end): the heads of the whole model, and which query heads this process has.

    Padding, packed batches by cu_seq_lens_q and cu_seq_lens_k or by a mask, and a cache that grows are computed.
    Whatever else would change the arithmetic (dropout, biases, sinks, soft caps, windows, other masks, position_ids
    that start again) raises ValueError with its name, and so does any argument that is not known to change nothing,
    unless it is None.
    """

    def __init__(self, pattern, engine=None, heads=None):
        self._pattern, self._engine, self._heads, self._layouts = pattern, engine, heads, {}

    def __call__(self, module, query, key, value, attention_mask=None, scaling=None, dropout=0.0, **others):
        """query [B, H, Nq, D], key and value [B, Hkv, Nk, D]; attention_mask: None, or padding [B, Nk] as booleans or
        0 and 1, which is what transformers makes of a tokenizer's mask; cu_seq_lens_q and cu_seq_lens_k [sequences + 1]
        of a packed batch, with B = 1. Returns (O [B, Nq, H, D], None)."""
        _check_arguments(module, dropout, others)
        if self._heads is None:
            _check_heads(module, query.shape[1])
        batch, queries, keys = query.shape[0], query.shape[2], key.shape[2]
        counts, padding = _packed_counts(others, batch, queries, keys), None
        if isinstance(attention_mask, PackedMask):
            counts = attention_mask.counts(counts, queries, keys)
        elif attention_mask is not None:
            padding = _padding(attention_mask, batch, keys)
        padded = _padded_sequences(padding, queries, keys)
        packed = None if counts is None else sequences_of(*counts)
        if padded is not None and packed is not None:
            raise ValueError("cu_seq_lens_q and cu_seq_lens_k exclude an attention mask with padding")
        if others.get("seq_idx") is not None and packed is None:
            raise ValueError("sparse attention has no seq_idx without cu_seq_lens_q and cu_seq_lens_k")
        _check_cache_position(others.get("cache_position"), keys)
        if others.get("position_ids") is not None:
            _check_position_ids(others["position_ids"], padding, packed, (batch, queries), keys)
        sequences = padded if packed is None else packed
        q, k, v = (tensor.transpose(1, 2) for tensor in (query, key, value))
        layout = self._layout(query.shape[1], key.shape[1], keys)
        return attention(q, k, v, layout, scale=scaling, sequences=sequences, engine=self._engine)[0], None

    def _layout(self, query_heads, key_value_heads, tokens):
        heads = query_heads, key_value_heads
        layout = self._layouts.get(heads)
        if layout is None or layout.tokens < tokens:
            # twice the context, so that decoding makes few
            layout = self._layouts[heads] = Layout(self._pattern_of(*heads), max(1024, 2 * tokens))
        return layout

    def _pattern_of(self, query_heads, key_value_heads):
        if self._heads is None:
            return self._pattern(query_heads, key_value_heads)
        whole, whole_key_value, first, end = self._heads
        pattern = self._pattern(whole, whole_key_value).slice_heads(first, end)
        if (pattern.query_heads, pattern.key_value_heads) != (query_heads, key_value_heads):
            raise ValueError(f"heads={self._heads} are {pattern.query_heads} query heads on {pattern.key_value_heads}, "
                             f"the module has {query_heads} on {key_value_heads}")
        return pattern


def register_attention(name="s2", pattern=None, engine=None, heads=None):
    """Makes sparse attention known to transformers, for from_pretrained(..., attn_implementation=name).

    pattern: called with (query_heads, key_value_heads), gives the Pattern; None for local-stride with its defaults.
    engine, heads: of HuggingFaceAttention. Returns the function. Raises ImportError without transformers.
    """
    from transformers import AttentionInterface

    function = HuggingFaceAttention(pattern or Pattern.local_stride, engine, heads)
    AttentionInterface.register(name, function)
    try:
        from transformers import AttentionMaskInterface
    except ImportError:
        return function  # older: masks are made elsewhere, and a mask of four dimensions is refused
    AttentionMaskInterface.register(name, padding_mask)
    return function


def padding_mask(*_, batch_size=1, attention_mask=None, mask_function=None, cache_position=None, q_length=None,
                 q_offset=0, kv_length=None, kv_offset=0, **__):
    """The mask for HuggingFaceAttention: that of padding [B, Nk], None, or a PackedMask.

    mask_function: what transformers would evaluate at (batch, head, query, key). One that cuts a batch with B = 1 into
    sequences, as position_ids that start again do, gives a PackedMask. Raises ValueError for all others that are not
    causal: a window below the context, both directions.
    """
    # The name of the plain one; evaluating the others costs O(Nq Nk) for each forward pass of the model.
    if mask_function is None or getattr(mask_function, "__name__", None) == "causal_mask_function":
        return attention_mask
    queries = (torch.as_tensor(q_offset) + torch.arange(q_length) if cache_position is None else cache_position).cpu()
    keys = torch.arange(kv_length) + kv_offset
    starts = _starts(mask_function, keys) if batch_size == 1 and torch.equal(queries, keys) else keys.new_zeros(1)
    is_packed = len(starts) > 1 and (attention_mask is None or bool(attention_mask.all()))
    if not _is_causal(mask_function, batch_size, queries, keys, starts if is_packed else starts[:1]):
        raise ValueError(f"the mask of {getattr(mask_function, '__qualname__', mask_function)} is not the causal one, "
                         "and not that of a packed batch with B = 1")
    return PackedMask([*starts.tolist(), int(keys[-1]) + 1]) if is_packed else attention_mask


class PackedMask:
    """The mask of a packed batch, which transformers passes from padding_mask to HuggingFaceAttention.

    starts: first token of each sequence, and the end of the last one.
    """

    def __init__(self, starts):
        self._lengths = [end - start for start, end in zip(starts, starts[1:])]

    def counts(self, given, queries, keys):
        """Queries and keys of each sequence; given: those by cu_seq_lens, or None."""
        if queries != keys or sum(self._lengths) != keys or given not in (None, [self._lengths, self._lengths]):
            raise ValueError(f"the mask is of sequences of {self._lengths} tokens, got {queries} queries, {keys} keys"
                             + ("" if given is None else f" and cu_seq_lens_q and cu_seq_lens_k of {given}"))
        return [self._lengths, self._lengths]


def _starts(mask_function, keys):
    """The tokens that do not see the one before them, and the first."""
    zero = torch.zeros(1, dtype=torch.long)
    sees = torch.as_tensor(mask_function(zero, zero, keys[1:], keys[:-1])).cpu().bool().expand(max(0, len(keys) - 1))
    return torch.cat([keys[:1], keys[1:][~sees]])


def _is_causal(mask_function, batch, queries, keys, starts):
    """Whether a mask function lets queries at these positions see the keys from the last start to their own."""
    batches, head = torch.arange(batch).view(-1, 1, 1, 1), torch.zeros(1, 1, 1, 1, dtype=torch.long)
    keys = keys.view(1, 1, 1, -1)
    for rows in queries.split(_MASK_ROWS):
        first = starts[torch.searchsorted(starts, rows, right=True) - 1].view(1, 1, -1, 1)
        rows = rows.view(1, 1, -1, 1)
        seen = torch.as_tensor(mask_function(batches, head, rows, keys)).cpu()
        if not torch.equal(*torch.broadcast_tensors(seen.bool(), (keys <= rows) & (keys >= first))):
            return False
    return True


def _check_arguments(module, dropout, others):
    if dropout:
        raise ValueError(f"sparse attention has no dropout, got {dropout}")
    is_causal = others.get("is_causal")
    if not (getattr(module, "is_causal", True) if is_causal is None else is_causal):
        raise ValueError("a module that is not causal: give it another attention")
    if others.get("output_attentions"):
        raise ValueError("sparse attention has no output_attentions: weights are not kept")
    for name, value in others.items():
        if value is not None and name not in _HARMLESS and name not in _CHECKED:
            raise ValueError(f"sparse attention has no {name}")


def _check_heads(module, query_heads):
    """Raises where the module has a part of the heads that its configuration has."""
    whole = getattr(getattr(module, "config", None), "num_attention_heads", None)
    if isinstance(whole, int) and whole != query_heads:
        raise ValueError(f"{query_heads} query heads of a model with {whole}: heads=(query_heads, key_value_heads, "
                         "first, end) says which ones these are")


def _padding(mask, batch, keys):
    """The mask as booleans."""
    if list(mask.shape) != [batch, keys]:
        raise ValueError(f"an attention mask is [{batch}, {keys} keys] of 1 and 0, got {list(mask.shape)}")
    padding = mask.bool()
    if not torch.equal(padding.to(mask.dtype), mask):
        wrong = mask[padding.to(mask.dtype) != mask][0].item()
        raise ValueError(f"an attention mask is of 1 and 0, or of booleans, got {wrong}")
    return padding


def _padded_sequences(mask, queries, keys):
    """The sequences of a batch with padding; None where there is none."""
    if mask is None or mask.all():
        return None
    lengths = mask.sum(1).tolist()
    steps = mask.int().diff(dim=1)
    if (steps >= 0).all():
        return _padded((len(lengths), queries), keys, [keys - length for length in lengths], None)
    if (steps <= 0).all():
        return _padded((len(lengths), queries), keys, None, lengths)
    raise ValueError("padding is at the start of all sequences, or at the end of all")


def _packed_counts(others, batch, queries, keys):
    """Queries and keys of each sequence by cu_seq_lens; None where they are not given."""
    names = "cu_seq_lens_q", "cu_seq_lens_k"
    given = [others.get(name) for name in names]
    if all(starts is None for starts in given):
        return None
    if any(starts is None for starts in given) or batch != 1:
        raise ValueError(f"cu_seq_lens_q and cu_seq_lens_k come together and with B = 1, got B = {batch}")
    counts = [_counts(starts, name) for starts, name in zip(given, names)]
    for name, lengths, tokens in zip(names, counts, (queries, keys)):
        if sum(lengths) != tokens:
            raise ValueError(f"{name} ends at {sum(lengths)}, the batch has {tokens}")
    return counts


def _check_cache_position(positions, keys):
    if positions is not None and len(positions):
        _check_end("cache_position", int(positions[-1]), keys)


def _check_position_ids(positions, padding, packed, batch_and_queries, keys):
    """Raises where positions are not those of one sequence, apart from its padding, or of the packed ones."""
    batch, queries = batch_and_queries
    if list(positions.shape) not in ([batch, queries], [1, queries]):
        raise ValueError(f"position_ids is [{batch}, {queries} queries], got {list(positions.shape)}")
    steps = positions.diff(dim=1) == 1
    if padding is not None:
        rows = padding[:, keys - queries:]
        steps = steps | ~(rows[:, 1:] & rows[:, :-1])
    for sequence in packed or ():
        if 0 < sequence.query_start < queries:
            steps[:, sequence.query_start - 1] = True
    if not steps.all():
        raise ValueError("position_ids do not ascend by 1: packed batches need cu_seq_lens_q and cu_seq_lens_k")
    # padding moves positions, and packed sequences have their own
    if padding is None and packed is None and queries:
        _check_end("position_ids", int(positions.max()), keys)


def _check_end(name, last, keys):
    if last + 1 != keys:
        raise ValueError(f"{name} ends at {last} where there are {keys} keys: a cache that is longer or shorter than "
                         "the context (StaticCache) is not supported")
