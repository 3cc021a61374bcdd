"""PyTorch: gradients, types and a training against masked dense attention."""

import copy
import gc
import pickle
import unittest

import numpy as np
import s2ilgpu
import torch
from reference import SEED, message, token_mask
from s2ilgpu.torch import LocalStrideSparseAttention, attention, combine_attn_partitions, decode, sequences_of
from s2ilgpu.torch.functional import _readable

PATTERN = dict(block=16, local=1, stride=3, query_heads=4)


def dense(q, k, v, mask, scale=None):
    """(O, LSE) by PyTorch, in the type of q; mask [H, Nq, Nk]."""
    group = q.shape[2] // k.shape[2]
    k, v = k.repeat_interleave(group, 2), v.repeat_interleave(group, 2)
    scores = torch.einsum("bihd,bjhd->bhij", q, k) * (q.shape[3] ** -0.5 if scale is None else scale)
    scores = scores.masked_fill(~mask, -torch.inf)
    return torch.einsum("bhij,bjhd->bihd", scores.softmax(-1), v), scores.logsumexp(-1)


def mask_of(queries, keys, heads=2, group=2, **changes):
    mask = token_mask(heads, queries, keys, **{**PATTERN, **changes})
    return torch.from_numpy(np.repeat(mask, group, 0))


def problem(queries, keys, dtype=torch.float32, batch=2, dim=24):
    return [torch.randn(batch, tokens, heads, dim).to(dtype).requires_grad_()
            for tokens, heads in ((queries, 4), (keys, 2), (keys, 2))]


def double(tensors):
    return [tensor.detach().double().requires_grad_() for tensor in tensors]


class TorchTests(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(SEED)
        self.layout = s2ilgpu.Layout(s2ilgpu.Pattern.local_stride(4, 2, 16, 1, 3), 100)

    def check(self, actual, expected, tolerance, what, relative=False):
        difference = (actual.detach().double() - expected.detach().double()).abs()
        if relative:
            difference = difference / expected.detach().double().abs().clamp(min=1)
        largest = torch.nan_to_num(difference, nan=torch.inf).max().item()
        self.assertLessEqual(largest, tolerance, message(what))

    def check_gradients(self, tensors, exact, tolerance, relative=False):
        for name, tensor, expected in zip(("dQ", "dK", "dV"), tensors, exact):
            self.assertEqual(tensor.grad.dtype, tensor.dtype)
            exact_gradient = torch.zeros_like(expected) if expected.grad is None else expected.grad
            self.check(tensor.grad, exact_gradient, tolerance, name, relative)

    def test_gradients_are_those_of_masked_dense_attention_in_double(self):
        # 16-bit gradients: the output that backward reads is rounded too, which doubles the usual tolerance
        for dtype, forward, backward in ((torch.float32, 1e-5, 1e-4), (torch.bfloat16, 1.6e-2, 3.2e-2),
                                         (torch.float16, 2e-3, 4e-3)):
            keys = int(torch.randint(20, 100, ()))
            queries = int(torch.randint(1, keys + 1, ()))
            tensors = problem(queries, keys, dtype)
            exact = double(tensors)
            output, lse = attention(*tensors, self.layout, scale=0.2)
            expected, expected_lse = dense(*exact, mask_of(queries, keys), scale=0.2)
            self.check(output, expected, forward, f"output of {dtype}")
            self.check(lse, expected_lse, 1e-4, "log-sum-exp")
            weight, lse_weight = torch.randn(output.shape).to(dtype), torch.randn(lse.shape)
            ((output * weight).float().sum() + (lse * lse_weight).sum()).backward()
            ((expected * weight).sum() + (expected_lse * lse_weight).sum()).backward()
            self.check_gradients(tensors, exact, backward, relative=dtype != torch.float32)

    def test_gradients_of_parts_of_the_results(self):
        for output_weight, lse_weight in ((1, 0), (0, 1)):
            tensors = problem(30, 40)
            exact = double(tensors)
            for inputs, function in ((tensors, lambda *t: attention(*t, self.layout)),
                                     (exact, lambda *t: dense(*t, mask_of(30, 40)))):
                output, lse = function(*inputs)
                (output.sum() if output_weight else lse.sum()).backward()
            self.check_gradients(tensors, exact, 1e-4)

    def test_only_wanted_gradients_are_computed(self):
        q, k, v = problem(30, 30)
        q.requires_grad_(False)
        v.requires_grad_(False)
        attention(q, k, v, self.layout)[0].sum().backward()
        self.assertIsNone(q.grad)
        self.assertIsNotNone(k.grad)
        self.assertIsNone(v.grad)
        self.assertFalse(attention(q, q[:, :, :2], v, self.layout)[0].requires_grad)

    def test_second_derivatives_are_refused(self):
        q, k, v = problem(20, 20)
        gradient, = torch.autograd.grad(attention(q, k, v, self.layout)[0].pow(2).sum(), q, create_graph=True)
        with self.assertRaisesRegex(RuntimeError, "once_differentiable"):
            gradient.sum().backward()

    def test_strides_and_repeated_heads_are_read_in_place(self):
        q, k, v = (tensor.detach() for tensor in problem(30, 30))
        one = k[:, :, :1].expand(-1, -1, 2, -1)  # stride 0
        head_major = q.transpose(1, 2).contiguous().transpose(1, 2)
        packed = torch.cat([q, k, v], 2)
        for a, b, c in ((head_major, one, v), (packed[:, :, :4], packed[:, :, 4:6], packed[:, :, 6:])):
            expected, _ = attention(a.contiguous(), b.contiguous(), c.contiguous(), self.layout)
            self.assertTrue(torch.equal(attention(a, b, c, self.layout)[0], expected))
            self.assertEqual([_readable(tensor, "").data_ptr() for tensor in (a, b, c)],
                             [tensor.data_ptr() for tensor in (a, b, c)])

    def test_numpy_and_torch_share_memory_by_dlpack(self):
        q, k, v = (tensor.detach() for tensor in problem(30, 30))
        output, lse = s2ilgpu.attention_forward(q, k, v, self.layout)
        self.assertEqual(s2ilgpu.attention._array(q, "q").ctypes.data, q.data_ptr())
        given = torch.from_dlpack(output)
        self.assertEqual(given.data_ptr(), output.ctypes.data)
        self.assertTrue(torch.equal(given, attention(q, k, v, self.layout)[0]))
        self.assertTrue(torch.equal(torch.from_numpy(lse), attention(q, k, v, self.layout)[1]))

    def test_what_numpy_cannot_read_by_dlpack_is_named(self):
        q, k, v = (tensor.detach() for tensor in problem(30, 30))
        narrow = k.bfloat16()
        with self.assertRaisesRegex(TypeError, r"key is a torch\.Tensor of torch\.bfloat16 that .*s2ilgpu\.torch"):
            s2ilgpu.attention_forward(q, narrow, v, self.layout)
        with self.assertRaisesRegex(TypeError, r"value_cache is a torch\.Tensor of torch\.bfloat16"):
            s2ilgpu.decode(q[:, :1], k, narrow, [30, 30], self.layout)
        with self.assertRaisesRegex(TypeError, r"output of part 1 is a torch\.Tensor of torch\.bfloat16"):
            s2ilgpu.combine_attn_partitions((q, q), (narrow, q))
        with self.assertRaisesRegex(TypeError, "value is a torch.* without gradients"):
            s2ilgpu.attention_forward(q, k, v.clone().requires_grad_(), self.layout)

    def test_decode_and_packed_sequences(self):
        q, k, v = (tensor.detach() for tensor in problem(1, 90))
        counts = torch.tensor([17, 90])
        output, lse = decode(q, k, v, counts, self.layout)
        for b, count in enumerate(counts.tolist()):
            expected = dense(q[b:b + 1], k[b:b + 1, :count], v[b:b + 1, :count], mask_of(1, count))
            self.check(output[b:b + 1], expected[0], 1e-5, "decode")
            self.check(lse[b:b + 1], expected[1], 1e-5, "decode")
        lengths = [33, 1, 20]
        tensors = [tensor[:1].detach().requires_grad_() for tensor in problem(54, 54)]
        exact = double(tensors)
        output, _ = attention(*tensors, self.layout, sequences=sequences_of(lengths, lengths))
        parts = [dense(*(t[:, start:start + n] for t in exact), mask_of(n, n))[0]
                 for start, n in zip((0, 33, 34), lengths)]
        output.square().sum().backward()
        torch.cat(parts, 1).square().sum().backward()
        self.check(output, torch.cat(parts, 1), 1e-5, "packed")
        self.check_gradients(tensors, exact, 1e-4)

    def test_merge_and_its_gradient(self):
        outputs = [torch.randn(2, 10, 4, 8).requires_grad_() for _ in range(3)]
        lses = [torch.randn(2, 4, 10).requires_grad_() for _ in range(3)]
        exact_outputs, exact_lses = double(outputs), double(lses)
        output, lse = combine_attn_partitions(*zip(outputs, lses))
        expected_lse = torch.stack(exact_lses).logsumexp(0)
        weights = [(part - expected_lse).exp().transpose(1, 2)[..., None] for part in exact_lses]
        expected = sum(weight * part for weight, part in zip(weights, exact_outputs))
        self.check(output, expected, 1e-5, "output")
        self.check(lse, expected_lse, 1e-5, "log-sum-exp")
        (output.square().sum() + lse.sin().sum()).backward()
        (expected.square().sum() + expected_lse.sin().sum()).backward()
        for part, exact in zip(outputs + lses, exact_outputs + exact_lses):
            self.check(part.grad, exact.grad, 1e-4, "gradient")
        heads_first = [part.detach().transpose(1, 2).requires_grad_() for part in outputs]
        swapped, same_lse = combine_attn_partitions(*zip(heads_first, lses), hdim=1)
        self.assertTrue(torch.equal(swapped.transpose(1, 2), output) and torch.equal(same_lse, lse))
        (swapped.square().sum() + same_lse.sin().sum()).backward()
        for part, exact in zip(heads_first, exact_outputs):
            self.check(part.grad.transpose(1, 2), exact.grad, 1e-4, "gradient with the heads first")
        for wrong in ((outputs, lses), ()):
            with self.assertRaisesRegex(ValueError, "part"):
                combine_attn_partitions(*wrong)

    def test_gradients_pass_gradcheck(self):
        layout, mask = self.layout, mask_of(6, 40)

        class Checked(torch.autograd.Function):
            """The definition in double, with the backward under test."""

            @staticmethod
            def forward(ctx, *tensors):
                ctx.save_for_backward(*tensors)
                return dense(*tensors, mask)

            @staticmethod
            def backward(ctx, *gradients):
                tensors = [tensor.float().requires_grad_() for tensor in ctx.saved_tensors]
                with torch.enable_grad():
                    results = attention(*tensors, layout)
                found = torch.autograd.grad(results, tensors, [gradient.float() for gradient in gradients])
                return tuple(gradient.double() for gradient in found)

        tensors = double(problem(6, 40, batch=1, dim=8))
        # one element of the Jacobian after the other, by finite differences in double
        self.assertTrue(torch.autograd.gradcheck(Checked.apply, tensors, atol=1e-5, rtol=1e-4), message())

    def test_tensors_without_elements(self):
        for batch, queries, keys in ((2, 0, 20), (0, 20, 20), (0, 0, 0), (2, 0, 0)):
            tensors = problem(queries, keys, batch=batch)
            output, lse = attention(*tensors, self.layout)
            self.assertEqual((output.shape, lse.shape), (tensors[0].shape, (batch, 4, queries)))
            (output.sum() + lse.sum()).backward()
            for tensor in tensors:
                self.assertEqual(tensor.grad.shape, tensor.shape)
                self.assertFalse(tensor.grad.any())

    def test_other_tensors_are_refused(self):
        q, k, v = problem(20, 20)
        with self.assertRaisesRegex(TypeError, "float64"):
            attention(q.double(), k, v, self.layout)
        with self.assertRaisesRegex(TypeError, "meta"):
            attention(torch.empty(1, 20, 4, 24, device="meta"), k, v, self.layout)
        with self.assertRaisesRegex(TypeError, "list"):
            attention([1], k, v, self.layout)


    def test_integers_are_not_wrapped(self):
        q, k, v = (tensor.detach() for tensor in problem(1, 90))
        big = (1 << 32) + 7
        for error, value in ((ValueError, big), (TypeError, 7.5), (TypeError, True)):
            values = [20, value]
            for given in (values, torch.tensor(values)) if value is not True else (values,):
                with self.assertRaisesRegex(error, r"key_counts\[[01]\] must be"):
                    decode(q, k, v, given, self.layout)
                with self.assertRaisesRegex(error, r"query_counts\[[01]\] must be"):
                    sequences_of(given, [20, 20])
                with self.assertRaisesRegex(error, r"key_counts\[[01]\] must be"):
                    sequences_of([20, 20], given)
        half = torch.tensor([1 << 30] * 3, dtype=torch.int32)
        with self.assertRaisesRegex(ValueError, f"query_start must be .* got {1 << 31}"):
            sequences_of(half, [1] * 3)
        with self.assertRaisesRegex(ValueError, "2 query counts and 1 key counts"):
            sequences_of([1, 2], [1])


class ModuleTests(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(SEED)

    def check(self, module, mask, key_value_heads, **call):
        query_heads = mask.shape[0]
        q = torch.randn(2, mask.shape[1], query_heads, 16)
        k, v = torch.randn(2, 2, mask.shape[2], key_value_heads, 16)
        expected = dense(q.double(), k.double(), v.double(), mask)[0]
        actual = module(q, k, v, **call)
        self.assertLessEqual((actual - expected).abs().max().item(), 1e-5, message(str(module)))

    def test_arguments_mean_what_they_mean_in_the_reference(self):
        n, group = 90, dict(heads=2, group=2)
        for arguments, rule in (
            (dict(num_kv_heads=2), {}),
            (dict(num_kv_heads=2, homo_head=True), dict(homogeneous=True)),
            (dict(num_kv_heads=2, num_dense_heads=1), dict(dense_from=1)),
            (dict(num_kv_heads=2, head_sliding_offset=2), dict(offset=2)),
        ):
            module = LocalStrideSparseAttention(4, 128, 16, 1, 3, **arguments)
            self.check(module, mask_of(n, n, **group, **rule), 2)
        per_query_head = LocalStrideSparseAttention(4, 128, 16, 1, 3)
        self.check(per_query_head, mask_of(n, n, heads=4, group=1), 2)
        self.check(per_query_head, mask_of(n, n, heads=4, group=1), 4)
        dense_heads = LocalStrideSparseAttention(4, 128, 16, 1, 3, num_dense_heads=2)
        self.check(dense_heads, mask_of(n, n, heads=4, group=1, dense_from=2), 2)

    def test_ranges_of_heads_are_parts_of_the_whole(self):
        n = 90
        kv = LocalStrideSparseAttention(4, 128, 16, 1, 3, num_kv_heads=2, active_head_range=(1, 2))
        self.check(kv, mask_of(n, n)[2:], 1)
        query = LocalStrideSparseAttention(4, 128, 16, 1, 3, active_head_range=(2, 4))
        self.check(query, mask_of(n, n, heads=4, group=1)[2:], 2)
        self.check(query, mask_of(n, n, heads=4, group=1)[2:], 1)

    def test_heads_first_fewer_queries_and_scale(self):
        module = LocalStrideSparseAttention(4, 128, 16, 1, 3, num_kv_heads=2, seq_dim=2)
        q, k, v = torch.randn(2, 4, 7, 16), torch.randn(2, 2, 50, 16), torch.randn(2, 2, 50, 16)
        expected = dense(*(t.double().transpose(1, 2) for t in (q, k, v)), mask_of(7, 50), 0.5)[0]
        self.assertLessEqual((module(q, k, v, 0.5).transpose(1, 2) - expected).abs().max().item(), 1e-5, message())

    def test_padding_and_packing(self):
        module = LocalStrideSparseAttention(4, 128, 16, 1, 3, num_kv_heads=2)
        q, k, v = (tensor.detach() for tensor in problem(40, 40, dim=16))
        right = module(q, k, v, seqlens=torch.tensor([40, 13]))
        left = module(q, k, v, left_paddings=torch.tensor([0, 27]))
        first = dense(q[:1].double(), k[:1].double(), v[:1].double(), mask_of(40, 40))[0]
        for output, rows in ((right, slice(0, 13)), (left, slice(27, 40))):
            self.assertLessEqual((output[:1] - first).abs().max().item(), 1e-5, message())
            second = dense(*(t[1:, rows].double() for t in (q, k, v)), mask_of(13, 13))[0]
            self.assertLessEqual((output[1:, rows] - second).abs().max().item(), 1e-5, message())
            padding = torch.ones(40, dtype=torch.bool)
            padding[rows] = False
            self.assertEqual(output[1, padding].abs().max().item(), 0)
        packed = module(*(torch.cat([t[0], t[1, :13]]) for t in (q, k, v)), cu_seqlen_k=torch.tensor([0, 40, 53]))
        self.assertTrue(torch.equal(packed, torch.cat([right[0], right[1, :13]])))

    def test_wrong_arguments_are_named(self):
        for arguments, error in ((dict(block_size=17), "17"), (dict(local_blocks=0), "got 0"),
                                 (dict(num_kv_heads=3), "3"), (dict(seq_dim=3), "seq_dim")):
            given = {**dict(num_heads=4, max_seq_len=64, block_size=16, local_blocks=1, vert_stride=4,
                            num_kv_heads=2), **arguments}
            with self.assertRaisesRegex(ValueError, error):
                LocalStrideSparseAttention(**given)
        with self.assertRaisesRegex(ValueError, "0 key/value heads"):
            LocalStrideSparseAttention(4, 64, 16, 1, 4, num_kv_heads=0)
        module = LocalStrideSparseAttention(4, 64, 16, 1, 4, num_kv_heads=2)
        q, k, v = (torch.randn(2, 40, heads, 16) for heads in (4, 2, 2))
        for error, value in ((ValueError, (1 << 32) + 7), (TypeError, 7.5)):
            for name in ("seqlens", "left_paddings"):
                with self.assertRaisesRegex(error, rf"{name}\[[01]\] must be"):
                    module(q, k, v, **{name: torch.tensor([0, value])})
            with self.assertRaisesRegex(error, r"cu_seqlen_k\[[01]\] must be"):
                module(q[0], k[0], v[0], cu_seqlen_k=torch.tensor([0, value]))
        with self.assertRaisesRegex(ValueError, "covers 64 tokens"):
            module(*(torch.randn(1, 80, heads, 16) for heads in (4, 2, 2)))
        for name in ("seqlens", "left_paddings"):
            with self.assertRaisesRegex(ValueError, f"{name} has 1 entries for a batch of 2"):
                module(q, k, v, **{name: torch.tensor([20])})
        for cumulative in ([5, 20], [0, 30, 20], []):
            with self.assertRaisesRegex(ValueError, "cu_seqlen_k must ascend from 0"):
                module(q[0], k[0], v[0], cu_seqlen_k=cumulative)

    def test_copies_and_pickles_leave_the_engine_to_the_original(self):
        module = LocalStrideSparseAttention(4, 64, 16, 1, 4, num_kv_heads=2, engine=s2ilgpu.Engine(threads=2))
        tensors = [torch.randn(1, 64, heads, 16) for heads in (4, 2, 2)]
        expected = module(*tensors)
        for make in (copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))):
            other = make(module)
            self.assertTrue(torch.equal(other(*tensors), expected))
            del other
            gc.collect()
            self.assertTrue(torch.equal(module(*tensors), expected))


class TrainingTests(unittest.TestCase):
    STEPS, TOKENS, HEADS, DIM, VOCABULARY = 20, 64, 4, 32, 50

    def test_a_model_follows_its_dense_twin(self):
        torch.manual_seed(SEED)
        data = torch.randint(self.VOCABULARY, (self.STEPS, 2, self.TOKENS + 1))
        sparse = Model(self, LocalStrideSparseAttention(self.HEADS, self.TOKENS, 16, 1, 2))
        mask = mask_of(self.TOKENS, self.TOKENS, heads=self.HEADS, group=1, stride=2)
        twin = Model(self, lambda q, k, v: dense(q, k, v, mask)[0])
        twin.load_state_dict(sparse.state_dict())
        losses = [self.train(model, data) for model in (sparse, twin)]
        self.assertLessEqual(max(abs(a - b) for a, b in zip(*losses)), 1e-4, message(str(losses)))
        for a, b in zip(sparse.parameters(), twin.parameters()):
            self.assertLessEqual((a - b).abs().max().item(), 1e-4, message())
        self.assertNotEqual(losses[0][0], losses[0][-1])

    @staticmethod
    def train(model, data):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        losses = []
        for batch in data:
            loss = torch.nn.functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses


class Model(torch.nn.Module):
    """Two layers of attention and a feed-forward product each."""

    def __init__(self, sizes, attend):
        super().__init__()
        self.heads, self.attend, dim = sizes.HEADS, attend, sizes.DIM
        self.embedding = torch.nn.Embedding(sizes.VOCABULARY, dim)
        self.layers = torch.nn.ModuleList(
            torch.nn.ModuleDict(dict(norm=torch.nn.LayerNorm(dim), qkv=torch.nn.Linear(dim, 3 * dim),
                                     out=torch.nn.Linear(dim, dim), mlp=torch.nn.Linear(dim, dim)))
            for _ in range(2))
        self.head = torch.nn.Linear(dim, sizes.VOCABULARY)

    def forward(self, tokens):
        x = self.embedding(tokens)
        for layer in self.layers:
            q, k, v = layer["qkv"](layer["norm"](x)).unflatten(-1, (3, self.heads, -1)).unbind(2)
            x = x + layer["out"](self.attend(q, k, v).flatten(2))
            x = x + layer["mlp"](x).tanh()
        return self.head(x)


if __name__ == "__main__":
    unittest.main()
