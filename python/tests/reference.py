"""Attention by its definition, in double precision, and the seed of a run."""

import os
import random

import numpy as np

SEED = int(os.environ.get("S2_SEED") or random.SystemRandom().randrange(1 << 31))


def generator():
    """Random numbers at the seed of this run."""
    return np.random.default_rng(SEED)


def message(what=""):
    """How to repeat a failure."""
    return f"{what} (set S2_SEED={SEED} to repeat)"


def keeps(head, query, key, *, block, local, stride, query_heads, offset=0, homogeneous=False, dense_from=1 << 30):
    """Whether a head of a causal local-stride pattern sees the key of a position."""
    i, j = query // block, key // block
    step = 0 if homogeneous else max(1, stride // query_heads)
    return key <= query and (i - j < local or head >= dense_from or (j + head * step + offset) % stride == 0)


def token_mask(heads, queries, keys, **pattern):
    """[heads, Nq, Nk], for the last `queries` positions."""
    return np.array([[[keeps(h, keys - queries + i, j, **pattern) for j in range(keys)] for i in range(queries)]
                     for h in range(heads)]).reshape(heads, queries, keys)


def dense(query, key, value, mask, scale=None):
    """(O [B, Nq, H, D], LSE [B, H, Nq]) of mask [H, Nq, Nk]."""
    query, key, value = (np.asarray(array, np.float64) for array in (query, key, value))
    group = query.shape[2] // key.shape[2]
    key, value = np.repeat(key, group, 2), np.repeat(value, group, 2)
    scores = np.einsum("bihd,bjhd->bhij", query, key) * (1 / np.sqrt(query.shape[3]) if scale is None else scale)
    scores = np.where(mask, scores, -np.inf)
    top = scores.max(-1, keepdims=True)
    weights = np.exp(scores - top)
    total = weights.sum(-1, keepdims=True)
    return np.einsum("bhij,bjhd->bihd", weights / total, value), (top + np.log(total))[..., 0]


def error(actual, expected):
    """The largest difference; NaN counts as infinite."""
    difference = np.abs(np.asarray(actual, np.float64) - np.asarray(expected, np.float64))
    return float(np.nan_to_num(difference, nan=np.inf).max(initial=0))
