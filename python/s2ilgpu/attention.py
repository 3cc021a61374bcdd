"""Attention on NumPy arrays, and on what gives its memory by DLPack."""

import numpy as np

from . import _calls, engine as engines
from ._structures import Sequence

# By name: NumPy has no bfloat16, and the dtype that ml_dtypes adds is called so.
_TYPES = {"float32": _calls.FLOAT32, "float16": _calls.FLOAT16, "bfloat16": _calls.BFLOAT16}


def attention_forward(query, key, value, layout, *, scale=None, sequences=None, output=None, engine=None):
    """O = softmax(scale Q K^T over the kept blocks) V and LSE = ln sum exp(scale q k).

    query [B, Nq, H, D], key and value [B, Nk, Hkv, D]: float32, float16, or bfloat16 of ml_dtypes; read in place unless
    the elements of a head are apart. Query i sits at position Nk - Nq + i. layout: covers the keys. scale: None for 1 /
    sqrt(D). sequences: of a padded or packed batch; None where they fill the arrays. output: where O goes, or None; no
    memory of query, key or value.

    Returns (O [B, Nq, H, D] of the type of query, LSE [B, H, Nq] float32). Raises S2Error where shapes do not fit.
    """
    query, key, value = _array(query, "query"), _array(key, "key"), _array(value, "value")
    output = np.empty(query.shape, query.dtype) if output is None else _writable(output, "output")
    log_sum_exp = _statistics(query)
    _calls.forward(_engine(engine), layout, _views(query=query, key=key, value=value, output=output,
                                                   log_sum_exp=log_sum_exp), scale, sequences)
    return output, log_sum_exp


def attention_backward(query, key, value, output, log_sum_exp, output_gradient, layout, *, log_sum_exp_gradient=None,
                       scale=None, sequences=None, engine=None):
    """The gradients of attention_forward: (dQ, dK, dV), shaped and typed like query, key, value.

    output, log_sum_exp: of forward. output_gradient dO [B, Nq, H, D]; log_sum_exp_gradient dLSE [B, H, Nq] float32,
    None for 0. scale and sequences: those of forward.
    """
    names = dict(query=query, key=key, value=value, output=output, log_sum_exp=log_sum_exp,
                 output_gradient=output_gradient)
    read = {name: _array(array, name) for name, array in names.items()}
    if log_sum_exp_gradient is not None:
        read["log_sum_exp_gradient"] = _array(log_sum_exp_gradient, "log_sum_exp_gradient")
    gradients = [np.empty(read[name].shape, read[name].dtype) for name in ("query", "key", "value")]
    written = dict(zip(("query_gradient", "key_gradient", "value_gradient"), gradients))
    _calls.backward(_engine(engine), layout, _views(**read, **written), scale, sequences)
    return tuple(gradients)


def decode(query, key_cache, value_cache, key_counts, layout, *, scale=None, engine=None):
    """Attention of the newest Nq queries over a contiguous cache.

    query [B, Nq, H, D]; key_cache, value_cache [B, capacity, Hkv, D], read in place; key_counts [B]: keys of each
    sequence, those of its queries included; layout: covers the longest, and may cover the capacity once for all steps.

    Returns (O [B, Nq, H, D], LSE [B, H, Nq] float32).
    """
    query = _array(query, "query")
    output, log_sum_exp = np.empty(query.shape, query.dtype), _statistics(query)
    views = _views(query=query, key=_array(key_cache, "key_cache"), value=_array(value_cache, "value_cache"),
                   output=output, log_sum_exp=log_sum_exp)
    _calls.decode(_engine(engine), layout, views, list(key_counts), scale)
    return output, log_sum_exp


def combine_attn_partitions(*parts, hdim=2, engine=None):
    """Attention over all keys from attention over disjoint parts of them: LSE = ln sum_i exp(LSE_i), O = sum_i
    exp(LSE_i - LSE) O_i.

    parts: (O_i, LSE_i) each, LSE_i [B, H, N] float32. hdim: the dimension of O_i that has the heads: 2 for
    [B, N, H, D], 1 for [B, H, N, D]. Returns (O, LSE), again a part: merges compose in a tree. A part with -inf counts
    nothing.
    """
    outputs, log_sum_exps = _calls.outputs_and_log_sum_exps(parts)
    outputs = [_array(array, f"output of part {n}") for n, array in enumerate(outputs)]
    outputs = [_calls.heads_third(array, hdim, f"output of part {n}") for n, array in enumerate(outputs)]
    log_sum_exps = [_array(array, f"log-sum-exp of part {n}") for n, array in enumerate(log_sum_exps)]
    output, log_sum_exp = np.empty(outputs[0].shape, outputs[0].dtype), _statistics(outputs[0])
    _calls.merge(_engine(engine), [_view(array) for array in outputs], [_view(array) for array in log_sum_exps],
                 _view(output), _view(log_sum_exp))
    return _calls.heads_third(output, hdim, "output"), log_sum_exp


def _engine(engine):
    return engine if engine is not None else engines.default()


def _array(array, name):
    """As NumPy, without a copy where the strides allow."""
    if not isinstance(array, np.ndarray):
        array = _from_dlpack(array, name) if hasattr(array, "__dlpack__") else np.asarray(array)
    if array.dtype.name not in _TYPES:
        raise TypeError(f"{name} is {array.dtype}, which is not one of {', '.join(_TYPES)}")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    apart = array.ndim and array.shape[-1] > 1 and array.strides[-1] != array.itemsize
    if apart or any(stride < 0 or stride % array.itemsize for stride in array.strides):
        array = np.ascontiguousarray(array)
    return array


def _from_dlpack(array, name):
    try:
        return np.from_dlpack(array)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        kind = f"{type(array).__module__}.{type(array).__qualname__}"
        of_type = f" of {array.dtype}" if hasattr(array, "dtype") else ""
        raise TypeError(f"{name} is a {kind}{of_type} that NumPy cannot read by DLPack ({error}): for PyTorch use the "
                        "functions of s2ilgpu.torch, or convert to float32 on the CPU, without gradients") from error


def _writable(array, name):
    """The array itself, where it can be written in place."""
    if not isinstance(array, np.ndarray) or not array.flags.writeable:
        raise ValueError(f"{name} is a NumPy array that can be written")
    if _array(array, name) is not array:
        raise ValueError(f"{name} is written in place: its elements of a head must be adjacent and in the byte order "
                         f"of this machine, got {array.dtype.str} with strides of {list(array.strides)} bytes")
    return array


def _statistics(query):
    """Room for LSE [B, H, N]."""
    if query.ndim != 4:
        raise ValueError(f"query is [batch, tokens, heads, head dim], got {list(query.shape)}")
    return np.empty((query.shape[0], query.shape[2], query.shape[1]), np.float32)


def _view(array):
    return _calls.view(array.ctypes.data, _TYPES[array.dtype.name], array.shape,
                       [stride // array.itemsize for stride in array.strides])


def _views(**arrays):
    return {name: _view(array) for name, array in arrays.items()}
