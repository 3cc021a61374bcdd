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
from s2ilgpu.torch.huggingface import padding_mask


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
            self.assertTrue(torch.equal(self.call(q, k, v, mask.bool()), output))
        ones = torch.ones(2, 40)
        self.assertTrue(torch.equal(self.call(q, k, v, ones), self.call(q, k, v)))

    def test_padding_while_decoding(self):
        q, k, v = self.tensors(1, 40)
        mask = torch.ones(2, 40)
        mask[1, :15] = 0
        output = self.call(q, k, v, mask, position_ids=torch.tensor([[39], [24]]))
        self.check(output[1:], dense(q[1:], k[1:, :, 15:], v[1:, :, 15:], 0.25))

    def test_packed_batches(self):
        lengths = [23, 1, 16]
        q, k, v = self.tensors(40, 40, batch=1)
        starts = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32)
        positions = torch.cat([torch.arange(n) for n in lengths])[None]
        packed = dict(cu_seq_lens_q=starts, cu_seq_lens_k=starts, max_length_q=23, max_length_k=23)
        expected = torch.cat([dense(*(t[:, :, end - n:end] for t in (q, k, v)), 0.25)
                              for n, end in zip(lengths, starts[1:].tolist())], 1)
        for others in ({}, dict(position_ids=positions), dict(position_ids=torch.arange(40)[None]),
                       dict(mask=torch.ones(1, 40)), dict(cache_position=torch.arange(40)),
                       dict(seq_idx=torch.tensor([[0] * 23 + [1] + [2] * 16]))):
            self.check(self.call(q, k, v, **packed, **others), expected)
        # without a cache transformers sees the sequences in position_ids, and asks for their mask
        ids = (positions == 0).cumsum(1)
        mask = padding_mask(mask_function=lambda b, h, q, k: (k <= q) & (ids[b, q] == ids[b, k]), batch_size=1,
                            cache_position=torch.arange(40), kv_length=40)
        for others in ({}, packed):
            self.check(self.call(q, k, v, mask, position_ids=positions, **others), expected)
        wrong = torch.tensor([0, 20, 40])
        with self.assertRaisesRegex(ValueError, r"sequences of \[23, 1, 16\] tokens, got 40 .* of .*20, 20"):
            self.call(q, k, v, mask, cu_seq_lens_q=wrong, cu_seq_lens_k=wrong)
        with self.assertRaisesRegex(ValueError, "got 39 queries, 39 keys"):
            self.call(*(t[:, :, :39] for t in (q, k, v)), mask)
        for changes, error in (
            (dict(cu_seq_lens_k=None), "come together"),
            (dict(cu_seq_lens_k=starts[:-1]), "cu_seq_lens_k ends at 24, the batch has 40"),
            (dict(cu_seq_lens_q=starts + 1), "cu_seq_lens_q must ascend from 0"),
            (dict(cu_seq_lens_q=torch.tensor([0, 30, 20, 40])), "cu_seq_lens_q must ascend"),
            (dict(mask=(torch.arange(40) > 3)[None]), "exclude an attention mask with padding"),
            (dict(position_ids=positions.roll(1)), "do not ascend by 1"),
        ):
            with self.assertRaisesRegex(ValueError, error):
                self.call(q, k, v, **{**packed, **changes})
        with self.assertRaisesRegex(ValueError, "with B = 1, got B = 2"):
            self.call(*self.tensors(40, 40), **packed)

    def test_positions_are_those_of_one_sequence(self):
        q, k, v = self.tensors(20, 20)
        mask = torch.ones(2, 20, dtype=torch.long)
        mask[1, :7] = 0
        # as generate() makes them: padding has 1
        positions = (mask.cumsum(1) - 1).masked_fill(mask == 0, 1)
        padded = self.call(q, k, v, mask)
        for given in (positions, torch.arange(20)[None]):
            self.assertTrue(torch.equal(self.call(q, k, v, mask, position_ids=given), padded))
        whole = self.call(q, k, v)
        self.assertTrue(torch.equal(self.call(q, k, v, position_ids=torch.arange(20)[None]), whole))
        last = self.call(q[:, :, 15:], k, v, position_ids=torch.arange(15, 20).expand(2, -1))
        self.check(last, whole[:, 15:])
        again = torch.arange(20)
        again[12:] -= 12
        for given, error in ((again[None], "packed batches need cu_seq_lens_q"),
                             (again.expand(3, 2, -1), r"got \[3, 2, 20\]"), (again[None, :5], r"got \[1, 5\]"),
                             (torch.arange(20).expand(3, 20), r"got \[3, 20\]"),
                             (torch.zeros(2, 20), "ascend by 1"), (torch.arange(3, 23)[None], "ends at 22 .* 20 keys"),
                             (positions, "do not ascend by 1")):
            with self.assertRaisesRegex(ValueError, error):
                self.call(q, k, v, position_ids=given)
        with self.assertRaisesRegex(ValueError, "ends at 4 where there are 20 keys"):
            self.call(q[:, :, :5], k, v, position_ids=torch.arange(5)[None])
        with self.assertRaisesRegex(ValueError, "do not ascend by 1"):
            self.call(q, k, v, mask, position_ids=again[None])

    def test_masks_are_of_0_and_1(self):
        q, k, v = self.tensors(20, 20)
        for wrong in (0.5, -1e9, 2, float("nan"), -torch.inf):
            mask = torch.ones(2, 20)
            mask[1, :3] = wrong
            with self.assertRaisesRegex(ValueError, f"of 1 and 0, or of booleans, got {wrong}"):
                self.call(q, k, v, mask)
        for shape in ([1, 20], [20], [3, 20], [2, 21]):
            with self.assertRaisesRegex(ValueError, "an attention mask is .2, 20 keys. of 1 and 0"):
                self.call(q, k, v, torch.ones(shape))
        additive = torch.zeros(2, 20)
        additive[1, :3] = -torch.inf
        with self.assertRaisesRegex(ValueError, "of 1 and 0"):
            self.call(q, k, v, additive)

    def test_heads_of_a_rank_are_parts_of_the_whole(self):
        class Config:
            num_attention_heads = 4

        layer = Layer()
        layer.config = Config()
        q, k, v = self.tensors(60, 60)
        whole = self.attend(layer, q, k, v)[0]
        self.attend(Layer(), q[:, :2], k[:, :1], v[:, :1])  # its layout is kept
        parts = []
        for first, end in ((0, 2), (2, 4)):
            attend = HuggingFaceAttention(pattern, heads=(4, 2, first, end))
            part = q[:, first:end], k[:, first // 2:end // 2], v[:, first // 2:end // 2]
            parts.append(attend(layer, *part)[0])
            with self.assertRaisesRegex(ValueError, "2 query heads of a model with 4"):
                self.attend(layer, *part)
            with self.assertRaisesRegex(ValueError, "the module has 4 on 2"):
                attend(layer, q, k, v)
        self.check(torch.cat(parts, 2), whole)
        # the parts of a group are on one KV head
        halves = [HuggingFaceAttention(pattern, heads=(4, 2, n, n + 1))(layer, *(t[:, m:m + 1] for t, m in (
            (q, n), (k, n // 2), (v, n // 2))))[0] for n in range(4)]
        self.check(torch.cat(halves, 2), whole)

    def test_arguments_that_are_not_known_are_refused(self):
        q, k, v = self.tensors(20, 20)
        one = torch.ones(())
        for name in ("sinks", "s_aux", "attn_bias", "window_size", "softcap", "sliding_window", "head_mask",
                     "position_bias", "token_type_ids", "block_tables", "anything"):
            with self.assertRaisesRegex(ValueError, f"has no {name}$"):
                self.call(q, k, v, **{name: one})
            self.call(q, k, v, **{name: None})
        with self.assertRaisesRegex(ValueError, "no seq_idx without cu_seq_lens_q"):
            self.call(q, k, v, seq_idx=one)
        with self.assertRaisesRegex(ValueError, "no output_attentions"):
            self.call(q, k, v, output_attentions=True)
        harmless = dict(use_cache=False, num_items_in_batch=one, output_attentions=False, output_hidden_states=True,
                        max_length_q=20, is_causal=True)
        self.assertTrue(torch.equal(self.call(q, k, v, **harmless), self.call(q, k, v)))
        layer = Layer()
        layer.is_causal = False
        for is_causal in ({}, dict(is_causal=None), dict(is_causal=False)):
            with self.assertRaisesRegex(ValueError, "not causal"):
                self.attend(layer, q, k, v, **is_causal)
        self.attend(layer, q, k, v, is_causal=True)

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

    def test_mask_functions_that_are_not_causal_are_refused(self):
        def causal_mask_function(batch, head, query, key):
            raise AssertionError("known by its name")

        ids = torch.tensor([[0] * 300, [0] * 120 + [1] * 180])
        functions = {
            "causal": lambda b, h, q, k: k <= q,
            "window": lambda b, h, q, k: (k <= q) & (k > q - 290),
            "chunk": lambda b, h, q, k: (k <= q) & (k // 299 == q // 299),
            "packed": lambda b, h, q, k: (k <= q) & (ids[b, q] == ids[b, k]),
            "both directions": lambda b, h, q, k: q >= 0,
            "prefix": lambda b, h, q, k: (k <= q) | (k < 2),
        }
        padding = torch.ones(2, 300, dtype=torch.bool)
        given = dict(batch_size=2, kv_length=300, attention_mask=padding, dtype=torch.float32)
        versions = dict(cache_position=torch.arange(300)), dict(q_length=300, q_offset=0)
        for version in versions:
            for name, function in functions.items():
                if name == "causal":
                    self.assertIs(padding_mask(mask_function=function, **given, **version), padding)
                    continue
                with self.subTest(name), self.assertRaisesRegex(ValueError, "is not the causal one"):
                    padding_mask(mask_function=function, **given, **version)
            self.assertIs(padding_mask(mask_function=causal_mask_function, **given, **version), padding)
        # a batch of one is packed only where its mask is exactly that, and where nothing of it is padding
        def second(b, h, q, k):
            return functions["packed"](b + 1, h, q, k)

        functions["packed and more"] = lambda b, h, q, k: second(b, h, q, k) | ((q == 200) & (k == 7))
        functions["packed but less"] = lambda b, h, q, k: second(b, h, q, k) & ((q != 250) | (k != 130))
        for name in ("window", "both directions", "prefix", "packed and more", "packed but less"):
            with self.subTest(name), self.assertRaisesRegex(ValueError, "is not the causal one"):
                padding_mask(mask_function=functions[name], batch_size=1, kv_length=300, q_length=300)
        padding = (torch.arange(300) > 7)[None]
        with self.assertRaisesRegex(ValueError, "is not the causal one"):
            padding_mask(mask_function=second, batch_size=1, kv_length=300, q_length=300, attention_mask=padding)
        # shorter than the window and the chunk, and the last query of a cache
        for version in (dict(cache_position=torch.arange(200)), dict(q_length=1, q_offset=199)):
            for name in ("causal", "window", "chunk"):
                padding_mask(mask_function=functions[name], batch_size=2, kv_length=200, **version)
        with self.assertRaisesRegex(ValueError, "is not the causal one"):
            padding_mask(mask_function=functions["window"], batch_size=1, kv_length=300, q_length=1, q_offset=299)


if __name__ == "__main__":
    unittest.main()
