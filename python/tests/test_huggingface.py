"""The attention function for transformers, called as its models call one, and a stand-in for its registers.

transformers itself is not part of these tests: the signatures are those of its versions 4.53 to 5.
"""

import sys
import types
import unittest

import numpy as np
import s2ilgpu
import torch
from reference import SEED, message, token_mask
from s2ilgpu.torch import HuggingFaceAttention, register_attention


class Layer(torch.nn.Module):
    """An attention module as models have it."""

    is_causal = True
    num_key_value_groups = 2


def pattern(query_heads, key_value_heads):
    return s2ilgpu.Pattern.local_stride(query_heads, key_value_heads, 16, 1, 3)


def dense(query, key, value, scale):
    """[B, H, Nq, D] in double, with the mask of the pattern."""
    queries, keys = query.shape[2], key.shape[2]
    rule = token_mask(2, queries, keys, block=16, local=1, stride=3, query_heads=4)
    scores = query.double() @ key.double().repeat_interleave(2, 1).transpose(2, 3) * scale
    scores = scores.masked_fill(~torch.from_numpy(np.repeat(rule, 2, 0)), -torch.inf)
    return (scores.softmax(-1) @ value.double().repeat_interleave(2, 1)).transpose(1, 2)


class HuggingFaceTests(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(SEED)
        self.attend = HuggingFaceAttention(pattern)

    def tensors(self, queries, keys, batch=2):
        return [torch.randn(batch, heads, tokens, 16) for heads, tokens in ((4, queries), (2, keys), (2, keys))]

    def call(self, query, key, value, mask=None, **others):
        arguments = dict(dropout=0.0, scaling=0.25, sliding_window=None, position_ids=None, use_cache=True)
        output, weights = self.attend(Layer(), query, key, value, mask, **{**arguments, **others})
        self.assertIsNone(weights)
        return output

    def check(self, actual, expected):
        self.assertLessEqual((actual - expected).abs().max().item(), 1e-5, message())

    def test_prefill_then_decoding(self):
        q, k, v = self.tensors(60, 60)
        self.check(self.call(q, k, v), dense(q, k, v, 0.25))
        for n in (1, 3, 1100):
            q, k, v = self.tensors(min(n, 5), n, batch=1)
            positions = torch.arange(n)
            self.check(self.call(q, k, v, cache_position=positions), dense(q, k, v, 0.25))

    def test_padding_at_either_side(self):
        q, k, v = self.tensors(40, 40)
        for rows in (slice(15, 40), slice(0, 25)):
            mask = torch.zeros(2, 40, dtype=torch.long)
            mask[0], mask[1, rows] = 1, 1
            output = self.call(q, k, v, mask)
            self.check(output[:1], dense(q[:1], k[:1], v[:1], 0.25))
            self.check(output[1:, rows], dense(*(t[1:, :, rows] for t in (q, k, v)), 0.25))
        ones = torch.ones(2, 40)
        self.assertTrue(torch.equal(self.call(q, k, v, ones), self.call(q, k, v)))

    def test_padding_while_decoding(self):
        q, k, v = self.tensors(1, 40)
        mask = torch.ones(2, 40)
        mask[1, :15] = 0
        output = self.call(q, k, v, mask)
        self.check(output[1:], dense(q[1:], k[1:, :, 15:], v[1:, :, 15:], 0.25))

    def test_what_would_change_the_arithmetic_is_refused(self):
        q, k, v = self.tensors(20, 20)
        mask = torch.ones(2, 20)
        mask[0, 3] = 0
        for others, error in ((dict(dropout=0.1), "dropout"), (dict(softcap=30.0), "softcap"),
                              (dict(sliding_window=8), "sliding_window"), (dict(is_causal=False), "not causal"),
                              (dict(mask=torch.ones(2, 1, 20, 20)), "attention mask"), (dict(mask=mask), "padding"),
                              (dict(cache_position=torch.arange(5)), "StaticCache")):
            with self.assertRaisesRegex(ValueError, error):
                self.call(q, k, v, **others)

    def test_registers_with_both_interfaces(self):
        def register(self, name, function):
            self.given[name] = function

        fake = types.ModuleType("transformers")
        for name in ("AttentionInterface", "AttentionMaskInterface"):
            kind = type(name, (), {"given": {}, "register": classmethod(register)})
            setattr(fake, name, kind)
        before = sys.modules.get("transformers")
        sys.modules["transformers"] = fake
        try:
            function = register_attention("s2", pattern)
        finally:
            del sys.modules["transformers"]
            if before is not None:
                sys.modules["transformers"] = before
        self.assertIs(fake.AttentionInterface.given["s2"], function)
        padding = torch.ones(2, 20)
        mask = fake.AttentionMaskInterface.given["s2"](
            batch_size=2, cache_position=torch.arange(20), kv_length=20, mask_function=None, attention_mask=padding)
        self.assertIs(mask, padding)
        q, k, v = self.tensors(20, 20)
        self.assertTrue(torch.equal(function(Layer(), q, k, v, mask, scaling=0.25)[0], self.call(q, k, v)))


if __name__ == "__main__":
    unittest.main()
