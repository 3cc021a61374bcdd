"""Attention with gradients, on tensors of the CPU."""

import torch
from torch.autograd.function import once_differentiable

from .. import _calls, engine as engines
from .._numbers import int32
from .._structures import Sequence

_TYPES = {torch.float32: _calls.FLOAT32, torch.float16: _calls.FLOAT16, torch.bfloat16: _calls.BFLOAT16}


def attention(query, key, value, layout, *, scale=None, sequences=None, engine=None):
    """O = softmax(scale Q K^T over the kept blocks) V and LSE = ln sum exp(scale q k), both differentiable.

    query [B, Nq, H, D], key and value [B, Nk, Hkv, D] of one type; query i sits at position Nk - Nq + i. layout: covers
    the keys. scale: None for 1 / sqrt(D). sequences: of a padded or packed batch; None where they fill the tensors.

    Returns (O [B, Nq, H, D] of the type of query, LSE [B, H, Nq] float32). Raises S2Error where shapes do not fit,
    TypeError for other devices and types.
    """
    return _Attention.apply(query, key, value, layout, scale, sequences, _engine(engine))


@torch.no_grad()
def decode(query, key_cache, value_cache, key_counts, layout, *, scale=None, engine=None):
    """Attention of the newest Nq queries over a contiguous cache, without gradients.

    query [B, Nq, H, D]; key_cache, value_cache [B, capacity, Hkv, D], read in place; key_counts [B]: keys of each
    sequence, those of its queries included. Returns (O, LSE).
    """
    query, key, value = _readable(query, "query"), _readable(key_cache, "key"), _readable(value_cache, "value")
    output, log_sum_exp = torch.empty_like(query, memory_format=torch.contiguous_format), _statistics(query)
    views = _views(query=query, key=key, value=value, output=output, log_sum_exp=log_sum_exp)
    counts = key_counts.tolist() if torch.is_tensor(key_counts) else list(key_counts)
    _calls.decode(_engine(engine), layout, views, counts, scale)
    return output, log_sum_exp


def combine_attn_partitions(*parts, hdim=2, engine=None):
    """Attention over all keys from attention over disjoint parts of them, differentiable in O_i and LSE_i.

    parts: (O_i, LSE_i) each, LSE_i [B, H, N] float32. hdim: the dimension of O_i that has the heads: 2 for
    [B, N, H, D], 1 for [B, H, N, D]. Returns (O, LSE), again a part.
    """
    outputs, log_sum_exps = _calls.outputs_and_log_sum_exps(parts)
    outputs = [_calls.heads_third(tensor, hdim, f"output of part {n}") for n, tensor in enumerate(outputs)]
    output, log_sum_exp = _Merge.apply(_engine(engine), len(outputs), *outputs, *log_sum_exps)
    return _calls.heads_third(output, hdim, "output"), log_sum_exp


def sequences_of(query_counts, key_counts):
    """The sequences of a packed batch: one after the other in tensors with B = 1."""
    query_counts = [int32(count, f"query_counts[{n}]") for n, count in enumerate(query_counts)]
    key_counts = [int32(count, f"key_counts[{n}]") for n, count in enumerate(key_counts)]
    if len(query_counts) != len(key_counts):
        raise ValueError(f"{len(query_counts)} query counts and {len(key_counts)} key counts")
    sequences, query, key = [], 0, 0
    for query_count, key_count in zip(query_counts, key_counts):
        sequences.append(Sequence(0, query, query_count, key, key_count))
        query, key = query + query_count, key + key_count
    return sequences


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, key, value, layout, scale, sequences, engine):
        query, key, value = _readable(query, "query"), _readable(key, "key"), _readable(value, "value")
        output, log_sum_exp = torch.empty_like(query, memory_format=torch.contiguous_format), _statistics(query)
        _calls.forward(engine, layout, _views(query=query, key=key, value=value, output=output,
                                              log_sum_exp=log_sum_exp), scale, sequences)
        ctx.save_for_backward(query, key, value, output, log_sum_exp)
        ctx.call = layout, scale, sequences, engine
        ctx.set_materialize_grads(False)
        return output, log_sum_exp

    @staticmethod
    @once_differentiable
    def backward(ctx, output_gradient, log_sum_exp_gradient):
        query, key, value, output, log_sum_exp = ctx.saved_tensors
        layout, scale, sequences, engine = ctx.call
        if output_gradient is None:
            output_gradient = torch.zeros_like(output)
        tensors = dict(query=query, key=key, value=value, output=output, log_sum_exp=log_sum_exp,
                       output_gradient=_readable(output_gradient, "output gradient"))
        if log_sum_exp_gradient is not None:
            tensors["log_sum_exp_gradient"] = _readable(log_sum_exp_gradient, "log-sum-exp gradient")
        gradients = [torch.empty_like(tensor, memory_format=torch.contiguous_format) if needed else None
                     for tensor, needed in zip((query, key, value), ctx.needs_input_grad)]
        tensors.update(zip(("query_gradient", "key_gradient", "value_gradient"), gradients))
        _calls.backward(engine, layout, _views(**tensors), scale, sequences)
        return (*gradients, None, None, None, None)


class _Merge(torch.autograd.Function):
    @staticmethod
    def forward(ctx, engine, parts, *tensors):
        tensors = [_readable(tensor, "part") for tensor in tensors]
        output = torch.empty_like(tensors[0], memory_format=torch.contiguous_format)
        log_sum_exp = _statistics(output)
        views = [_view(tensor) for tensor in tensors]
        _calls.merge(engine, views[:parts], views[parts:], _view(output), _view(log_sum_exp))
        ctx.save_for_backward(output, log_sum_exp, *tensors)
        ctx.engine = engine
        ctx.set_materialize_grads(False)
        return output, log_sum_exp

    @staticmethod
    @once_differentiable
    def backward(ctx, output_gradient, log_sum_exp_gradient):
        output, log_sum_exp, *tensors = ctx.saved_tensors
        if output_gradient is None:
            output_gradient = torch.zeros_like(output)
        given = dict(output=output, log_sum_exp=log_sum_exp, output_gradient=_readable(output_gradient, "gradient"))
        if log_sum_exp_gradient is not None:
            given["log_sum_exp_gradient"] = _readable(log_sum_exp_gradient, "gradient")
        parts = len(tensors) // 2
        gradients = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in tensors]
        for part in range(parts):
            _calls.merge_backward(ctx.engine, _views(
                **given, part_output=tensors[part], part_log_sum_exp=tensors[parts + part],
                part_output_gradient=gradients[part], part_log_sum_exp_gradient=gradients[parts + part]))
        return (None, None, *gradients)


def _engine(engine):
    return engine if engine is not None else engines.default()


def _readable(tensor, name):
    """The tensor, or a dense copy where the elements of a head are apart."""
    if not torch.is_tensor(tensor):
        raise TypeError(f"{name} is a {type(tensor).__name__}, not a tensor")
    if tensor.device.type != "cpu":
        raise TypeError(f"{name} is on {tensor.device}: tensors of the CPU are supported, move it with .cpu()")
    if tensor.dtype not in _TYPES:
        raise TypeError(f"{name} is {tensor.dtype}, which is not one of {', '.join(map(str, _TYPES))}")
    tensor = tensor.detach()
    return tensor if tensor.dim() and (tensor.shape[-1] <= 1 or tensor.stride(-1) == 1) else tensor.contiguous()


def _statistics(query):
    if query.dim() != 4:
        raise ValueError(f"query is [batch, tokens, heads, head dim], got {list(query.shape)}")
    return query.new_empty((query.shape[0], query.shape[2], query.shape[1]), dtype=torch.float32)


def _view(tensor):
    return _calls.view(tensor.data_ptr(), _TYPES[tensor.dtype], tensor.shape, tensor.stride())


def _views(**tensors):
    return {name: _view(tensor) for name, tensor in tensors.items() if tensor is not None}
