"""Functions on NumPy arrays against the definition in double precision."""

import copy
import gc
import pickle
import threading
import unittest

import numpy as np
import s2ilgpu
from reference import dense, error, generator, message, token_mask
from s2ilgpu import _library

PATTERN = dict(block=16, local=1, stride=3, query_heads=4)


def pattern(**changes):
    return s2ilgpu.Pattern.local_stride(4, 2, 16, 1, 3, **changes)


def problem(random, queries, keys, dtype=np.float32, batch=2, dim=24):
    shapes = (batch, queries, 4, dim), (batch, keys, 2, dim), (batch, keys, 2, dim)
    return [random.standard_normal(shape).astype(dtype) for shape in shapes]


def mask(queries, keys):
    """Of the 2 KV heads, for the 4 query heads."""
    return np.repeat(token_mask(2, queries, keys, **PATTERN), 2, 0)


class NumpyTests(unittest.TestCase):
    def check(self, actual, expected, tolerance, what):
        self.assertLessEqual(error(actual, expected), tolerance, message(what))

    def test_forward_is_the_definition(self):
        random = generator()
        for dtype, tolerance in ((np.float32, 1e-5), (np.float16, 2e-3)):
            for scale in (None, 0.3):
                keys = int(random.integers(1, 90))
                queries = int(random.integers(1, keys + 1))
                q, k, v = problem(random, queries, keys, dtype)
                layout = s2ilgpu.Layout(pattern(), keys)
                output, lse = s2ilgpu.attention_forward(q, k, v, layout, scale=scale)
                expected, expected_lse = dense(q, k, v, mask(queries, keys), scale)
                self.assertEqual(output.dtype, dtype)
                self.check(output, expected, tolerance, f"output of {dtype.__name__}, {queries} of {keys}")
                self.check(lse, expected_lse, 1e-5, "log-sum-exp")

    def test_backward_is_the_difference_quotient(self):
        random = generator()
        q, k, v = problem(random, 20, 37, batch=1, dim=8)
        layout = s2ilgpu.Layout(pattern(), 37)
        output, lse = s2ilgpu.attention_forward(q, k, v, layout)
        d_output, d_lse = random.standard_normal(output.shape), random.standard_normal(lse.shape)
        gradients = s2ilgpu.attention_backward(q, k, v, output, lse, d_output.astype(np.float32), layout,
                                               log_sum_exp_gradient=d_lse.astype(np.float32))
        rule = mask(20, 37)

        def loss(*arrays):
            o, l = dense(*arrays, rule)
            return (o * d_output).sum() + (l * d_lse).sum()

        for n, gradient in enumerate(gradients):
            direction = random.standard_normal(gradient.shape)
            step = 1e-5
            above, below = ([array + sign * step * direction if n == m else array.astype(np.float64)
                             for m, array in enumerate((q, k, v))] for sign in (1, -1))
            expected = (loss(*above) - loss(*below)) / (2 * step)
            self.assertAlmostEqual(float((gradient * direction).sum()), expected, delta=1e-3 * max(1, abs(expected)),
                                   msg=message(f"gradient {n}"))

    def test_decode_reads_the_cache_in_place(self):
        random = generator()
        capacity = 100
        counts = [int(random.integers(2, capacity + 1)), capacity, 2]
        q, k, v = problem(random, 2, capacity, batch=3)
        layout = s2ilgpu.Layout(pattern(), capacity)
        output, lse = s2ilgpu.decode(q, k, v, counts, layout)
        for b, count in enumerate(counts):
            expected, expected_lse = dense(q[b:b + 1], k[b:b + 1, :count], v[b:b + 1, :count], mask(2, count))
            self.check(output[b:b + 1], expected, 1e-5, f"{count} keys")
            self.check(lse[b:b + 1], expected_lse, 1e-5, f"{count} keys")
        with self.assertRaisesRegex(ValueError, "2 key counts for a batch of 3"):
            s2ilgpu.decode(q, k, v, counts[:2], layout)

    def test_partitions_combine_to_the_whole(self):
        random = generator()
        keys = 64
        q, k, v = problem(random, keys, keys)
        whole = s2ilgpu.Pattern.dense(4, 2, 16, causal=False)
        layout = s2ilgpu.Layout(whole, keys)
        expected = dense(q, k, v, np.ones((4, keys, keys), bool))
        pattern_of = [s2ilgpu.Pattern.table(kept, 4, 2, 16, causal=False) for kept in self.halves(keys // 16, random)]
        parts = [s2ilgpu.attention_forward(q, k, v, s2ilgpu.Layout(part, keys)) for part in pattern_of]
        combined = s2ilgpu.combine_attn_partitions(*parts)
        for actual, exact, alone in zip(combined, expected, s2ilgpu.attention_forward(q, k, v, layout)):
            self.check(actual, exact, 1e-5, "combined")
            self.check(alone, exact, 1e-5, "whole")
        heads_first = s2ilgpu.combine_attn_partitions(*((output.swapaxes(1, 2), lse) for output, lse in parts), hdim=1)
        np.testing.assert_array_equal(heads_first[0].swapaxes(1, 2), combined[0])
        np.testing.assert_array_equal(heads_first[1], combined[1])
        tree = s2ilgpu.combine_attn_partitions(s2ilgpu.combine_attn_partitions(parts[0]), list(parts[1]))
        self.check(tree[0], combined[0], 1e-6, "tree")

    def test_parts_are_pairs_of_output_and_log_sum_exp(self):
        output, lse = np.zeros((1, 5, 4, 8), np.float32), np.zeros((1, 4, 5), np.float32)
        combine = s2ilgpu.combine_attn_partitions
        for parts, hdim, error in (
            ([], 2, "no parts"), ([(output, lse), output], 2, r"part 1 must be \(output, log-sum-exp\), got a ndarray"),
            ([(output, lse, lse)], 2, "got a tuple of 3"), ([(output, lse)], 3, "got 3"),
            ([(output, lse)], -2, "got -2"),
            ([(output[0], lse)], 2, r"output of part 0 must have 4 dimensions, got \[5, 4, 8\]"),
            ([(output, lse)], 1, r"\[1, 5, 4\]"), ([[output, output], [lse, lse]], 2, "output of part 1"),
        ):
            with self.assertRaisesRegex(ValueError, error):
                combine(*parts, hdim=hdim)

    @staticmethod
    def halves(blocks, random):
        left = random.integers(0, 2, (2, blocks, blocks)).astype(bool)
        return left, ~left

    def test_sequences_are_padded_or_packed(self):
        random = generator()
        q, k, v = problem(random, 40, 40)
        layout = s2ilgpu.Layout(pattern(), 40)
        padded = [s2ilgpu.Sequence(0, 0, 7, 0, 30), s2ilgpu.Sequence(1, 5, 35, 0, 40)]
        output, lse = s2ilgpu.attention_forward(q, k, v, layout, sequences=padded)
        self.check(output[:1, :7], dense(q[:1, :7], k[:1, :30], v[:1, :30], mask(7, 30))[0], 1e-5, "first")
        self.check(output[1:, 5:], dense(q[1:, 5:], k[1:], v[1:], mask(35, 40))[0], 1e-5, "second")
        self.assertEqual(float(np.abs(output[0, 7:]).max()), 0)
        self.assertTrue((lse[1, :, :5] == -np.inf).all())

    def test_strides_are_read_in_place(self):
        random = generator()
        q, k, v = problem(random, 40, 40)
        layout = s2ilgpu.Layout(pattern(), 40)
        expected, _ = s2ilgpu.attention_forward(q, k, v, layout)
        head_major = [np.ascontiguousarray(array.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3) for array in (q, k, v)]
        every_other = np.repeat(k, 2, 1)[:, ::2]
        backwards = v[..., ::-1].copy()[..., ::-1]
        output = np.empty((2, 4, 40, 24), np.float32).transpose(0, 2, 1, 3)
        given, _ = s2ilgpu.attention_forward(head_major[0], every_other, backwards, layout, output=output)
        self.assertIs(given, output)
        np.testing.assert_array_equal(output, expected)
        np.testing.assert_array_equal(s2ilgpu.attention_forward(*head_major, layout)[0], expected)

    def test_arrays_of_other_libraries_come_by_dlpack(self):
        class Foreign:
            """An array that NumPy knows by DLPack only."""

            def __init__(self, array):
                self.array = array

            def __dlpack__(self, **options):
                return self.array.__dlpack__(**options)

            def __dlpack_device__(self):
                return self.array.__dlpack_device__()

        q, k, v = problem(generator(), 20, 20)
        layout = s2ilgpu.Layout(pattern(), 20)
        expected, _ = s2ilgpu.attention_forward(q, k, v, layout)
        output, _ = s2ilgpu.attention_forward(Foreign(q), Foreign(k), Foreign(v), layout)
        np.testing.assert_array_equal(output, expected)
        self.assertEqual(s2ilgpu.attention._array(Foreign(q), "q").ctypes.data, q.ctypes.data)
        np.testing.assert_array_equal(np.from_dlpack(output), output)

    def test_bfloat16_is_known_by_the_name_of_its_type(self):
        random = generator()
        q, k, v, d_output = (_to_bfloat16(array) for array in (*problem(random, 30, 50), random.standard_normal(
            (2, 30, 4, 24))))
        layout = s2ilgpu.Layout(pattern(), 50)
        wide = [_to_float32(array) for array in (q, k, v)]
        exact, exact_lse = dense(*wide, mask(30, 50))
        wide_results = s2ilgpu.attention_forward(*wide, layout)
        for dtype in _bfloat16_types():
            with self.subTest(dtype=repr(dtype)):
                arrays = [array.view(dtype) for array in (q, k, v)]
                output, lse = s2ilgpu.attention_forward(*arrays, layout)
                self.assertEqual((output.dtype, lse.dtype), (dtype, np.float32))
                self.check(_to_float32(output), exact, 1.6e-2, "output")
                self.check(lse, exact_lse, 1e-4, "log-sum-exp")
                gradients = s2ilgpu.attention_backward(*arrays, output, lse, d_output.view(dtype), layout)
                expected = s2ilgpu.attention_backward(*wide, *wide_results, _to_float32(d_output), layout)
                for gradient, exact_gradient in zip(gradients, expected):
                    self.assertEqual(gradient.dtype, dtype)
                    # relative above 1: the output that backward reads is rounded too
                    scale = np.maximum(1, np.abs(exact_gradient))
                    self.check(_to_float32(gradient) / scale, exact_gradient / scale, 3.2e-2, "gradient")
                last, _ = s2ilgpu.decode(arrays[0][:, -1:], *arrays[1:], [50, 50], layout)
                self.check(_to_float32(last), exact[:, -1:], 1.6e-2, "decode")

    def test_arrays_of_another_byte_order_are_converted(self):
        q, k, v = problem(generator(), 20, 20)
        layout = s2ilgpu.Layout(pattern(), 20)
        expected, _ = s2ilgpu.attention_forward(q, k, v, layout)
        swapped = q.astype(q.dtype.newbyteorder("S"))
        output, _ = s2ilgpu.attention_forward(swapped, k, v, layout)
        self.assertTrue(output.dtype.isnative)
        np.testing.assert_array_equal(output, expected)
        records = np.zeros(q.shape, np.dtype([("value", np.float32), ("flag", np.uint16)]))
        for given in (swapped, np.empty((*q.shape[:3], 48), np.float32)[..., ::2], records["value"]):
            with self.assertRaisesRegex(ValueError, "output is written in place"):
                s2ilgpu.attention_forward(q, k, v, layout, output=given)
        with self.assertRaisesRegex(TypeError, "output is float64"):
            s2ilgpu.attention_forward(q, k, v, layout, output=q.astype(np.float64))

    def test_layouts_are_the_definition(self):
        for options in ({}, dict(offset=2), dict(homogeneous=True), dict(dense_from=1)):
            changes = dict(head_offset=options.get("offset", 0), homogeneous_heads="homogeneous" in options,
                           dense_heads=int("dense_from" in options))
            layout = s2ilgpu.Layout(pattern(**changes), 150)
            tokens = token_mask(2, 150, 150, **PATTERN, **options)
            np.testing.assert_array_equal(layout.mask(), _blocks(tokens, 16))
            report = layout.report()
            self.assertEqual(report["kept_blocks"], layout.mask().sum())
            self.assertTrue(report["is_cache_efficient"])

    def test_patterns_combine_and_slice(self):
        window = s2ilgpu.Pattern.sliding_window(4, 2, 16, window_blocks=2, sink_blocks=1)
        ranges = s2ilgpu.Pattern.two_range(4, 2, 16, local_blocks=1, near_blocks=3, near_stride=2, far_stride=4)
        masks = [s2ilgpu.Layout(p, 200).mask() for p in (window, ranges, window | ranges, window & ranges)]
        np.testing.assert_array_equal(masks[2], masks[0] | masks[1])
        np.testing.assert_array_equal(masks[3], masks[0] & masks[1])
        part = ranges.slice_heads(2, 4)
        self.assertEqual((part.query_heads, part.key_value_heads), (2, 1))
        np.testing.assert_array_equal(s2ilgpu.Layout(part, 200).mask(), masks[1][1:])

    def test_layouts_can_be_pickled_and_copied(self):
        layout = s2ilgpu.Layout((pattern() | pattern(head_offset=1)).slice_heads(0, 2), 300, 40)
        other = pickle.loads(pickle.dumps(layout))
        self.assertNotEqual(other.handle, layout.handle)
        self.assertEqual(repr(other), repr(layout))
        np.testing.assert_array_equal(other.mask(), layout.mask())
        for copied in (copy.copy(layout), copy.deepcopy(layout)):
            self.assertIs(copied, layout)

    def test_engines_can_be_pickled_and_copied(self):
        q, k, v = problem(generator(), 20, 20)
        engine, layout = s2ilgpu.Engine("cpu", threads=2), s2ilgpu.Layout(pattern(), 20)
        expected, _ = s2ilgpu.attention_forward(q, k, v, layout, engine=engine)
        for make in (copy.copy, copy.deepcopy, lambda one: copy.deepcopy([one])[0], lambda one: pickle.loads(
                pickle.dumps(one))):
            other = make(engine)
            np.testing.assert_array_equal(s2ilgpu.attention_forward(q, k, v, layout, engine=other)[0], expected)
            self.assertEqual(repr(other), repr(engine))
            del other
            gc.collect()
            # the end of the copy is not the end of the engine
            np.testing.assert_array_equal(s2ilgpu.attention_forward(q, k, v, layout, engine=engine)[0], expected)
        self.assertNotEqual(pickle.loads(pickle.dumps(engine)).handle, engine.handle)

    def test_every_handle_has_a_pickle(self):
        kinds = _library.Handle.__subclasses__()
        self.assertEqual({kind.__name__ for kind in kinds}, {"Engine", "Layout", "Pattern"})
        for kind in kinds:
            self.assertIsNot(kind.__reduce__, _library.Handle.__reduce__)
        bare = _library.Handle.__new__(_library.Handle)
        self.assertIs(copy.deepcopy(bare), bare)
        with self.assertRaisesRegex(TypeError, "a Handle cannot be pickled"):
            pickle.dumps(bare)

    def test_arrays_without_elements(self):
        layout = s2ilgpu.Layout(pattern(), 20)
        for dtype in (np.float32, np.float16):
            for batch, queries, keys in ((2, 0, 20), (0, 20, 20), (0, 0, 0), (2, 0, 0)):
                with self.subTest(dtype=dtype.__name__, batch=batch, queries=queries, keys=keys):
                    q, k, v = problem(generator(), queries, keys, dtype, batch)
                    output, lse = s2ilgpu.attention_forward(q, k, v, layout)
                    self.assertEqual((output.shape, lse.shape), (q.shape, (batch, 4, queries)))
                    d_q, d_k, d_v = s2ilgpu.attention_backward(q, k, v, output, lse, output, layout)
                    self.assertEqual((d_q.shape, d_k.shape), (q.shape, k.shape))
                    # keys that no query reads
                    self.assertFalse(d_k.any() or d_v.any())
                    decoded, _ = s2ilgpu.decode(q, k, v, [keys] * batch, layout)
                    combined, _ = s2ilgpu.combine_attn_partitions((output, lse), (decoded, lse))
                    self.assertEqual((decoded.shape, combined.shape), (q.shape, q.shape))

    def test_output_apart_from_what_is_read(self):
        random = generator()
        q, k, v = problem(random, 40, 40)
        layout = s2ilgpu.Layout(pattern(), 40)
        expected, _ = s2ilgpu.attention_forward(q, k, v, layout)
        memory = np.empty(3 * q.size, np.float32)
        shifted = memory[24:24 + q.size].reshape(q.shape)
        memory[:q.size] = q.ravel()
        one = np.concatenate([q, k, v], 2)
        for arrays, output, name in (
            ((q, k, v), q, "query"), ((q, k, v), q[:], "query"),
            ((memory[:q.size].reshape(q.shape), k, v), shifted, "query"),
            ((q, one[:, :, 4:6], one[:, :, 6:]), one[:, :, 3:7], "key"),
            ((q, k, one[:, :, 6:]), one[:, :, 3:7], "value"),
        ):
            with self.assertRaisesRegex(ValueError, f"output must be apart from the memory of {name}"):
                s2ilgpu.attention_forward(*arrays, layout, output=output)
        # side by side in one array
        together = np.concatenate([q, k, v, q], 2)
        output = together[:, :, 8:]
        s2ilgpu.attention_forward(together[:, :, :4], together[:, :, 4:6], together[:, :, 6:8], layout, output=output)
        np.testing.assert_array_equal(output, expected)
        np.testing.assert_array_equal(together[:, :, 4:6], k)

    def test_wrong_arguments_are_named(self):
        q, k, v = problem(generator(), 20, 20)
        layout = s2ilgpu.Layout(pattern(), 20)
        with self.assertRaisesRegex(s2ilgpu.S2Error, r"value must be \[2, 20, 2, 24\], got \[2, 10, 2, 24\]") as caught:
            s2ilgpu.attention_forward(q, k, v[:, :10], layout)
        self.assertEqual(caught.exception.status, 2)
        with self.assertRaisesRegex(s2ilgpu.S2Error, "3 key/value heads do not divide 4"):
            s2ilgpu.Pattern.dense(4, 3)
        with self.assertRaisesRegex(s2ilgpu.S2Error, "abacus"):
            s2ilgpu.Engine("abacus")
        with self.assertRaisesRegex(TypeError, "float64"):
            s2ilgpu.attention_forward(q.astype(np.float64), k, v, layout)
        with self.assertRaisesRegex(ValueError, r"\[20, 4, 24\]"):
            s2ilgpu.attention_forward(q[0], k, v, layout)
        with self.assertRaisesRegex(ValueError, "can be written"):
            frozen = np.empty_like(q)
            frozen.flags.writeable = False
            s2ilgpu.attention_forward(q, k, v, layout, output=frozen)

    def test_integers_and_scales_are_not_wrapped(self):
        q, k, v = problem(generator(), 20, 20)
        layout = s2ilgpu.Layout(pattern(), 20)
        big = (1 << 32) + 7

        def local_stride(value, name):
            given = dict(query_heads=4, key_value_heads=2, block_tokens=16, local_blocks=1, vertical_stride=3)
            return s2ilgpu.Pattern.local_stride(**{**given, name: value})

        def sliding_window(value, name):
            return s2ilgpu.Pattern.sliding_window(4, 2, 16, **{"window_blocks": 1, name: value})

        def two_range(value, name):
            given = dict(local_blocks=1, near_blocks=2, near_stride=2, far_stride=4)
            return s2ilgpu.Pattern.two_range(4, 2, 16, **{**given, name: value})

        def sequence(value, name):
            one = s2ilgpu.Sequence(0, 0, 20, 0, 20)
            with self.assertRaises((TypeError, ValueError)):
                s2ilgpu.Sequence(**{name: value})
            setattr(one, name, value)

        cases = [(local_stride, name) for name in ("query_heads", "key_value_heads", "block_tokens", "local_blocks",
                                                   "vertical_stride", "head_offset", "dense_heads")]
        cases += [(sliding_window, name) for name in ("window_blocks", "sink_blocks")]
        cases += [(two_range, name) for name in ("local_blocks", "near_blocks", "near_stride", "far_stride")]
        cases += [(sequence, name) for name, _ in s2ilgpu.Sequence._fields_]
        cases += [
            (lambda value, _: s2ilgpu.Pattern.dense(value), "query_heads"),
            (lambda value, _: s2ilgpu.Pattern.table(np.ones((4, 2, 2), bool), value), "query_heads"),
            (lambda value, _: pattern().slice_heads(value, 4), "first"),
            (lambda value, _: pattern().slice_heads(0, value), "end"),
            (lambda value, _: s2ilgpu.Layout(pattern(), value), "tokens"),
            (lambda value, _: s2ilgpu.Layout(pattern(), 20, value), "query_tokens"),
            (lambda value, _: s2ilgpu.Engine(threads=value), "threads"),
            (lambda value, _: s2ilgpu.decode(q[:, :1], k, v, [20, value], layout), r"key_counts\[1\]"),
        ]
        for make, name in cases:
            with self.subTest(make=make.__name__, name=name):
                for value in (big, -big, 1 << 31, 10**30, np.int64(big)):
                    with self.assertRaisesRegex(ValueError, rf"\b{name} must be from -?\d+ to 2147483647, got {value}"):
                        make(value, name)
                for value in (True, np.True_, 2.0, np.float32(2), "2"):
                    with self.assertRaisesRegex(TypeError, rf"\b{name} must be an integer, got .*(True|2)"):
                        make(value, name)
        for value in (np.nan, np.inf, 1e39, 10**400, np.float64("nan")):
            with self.assertRaisesRegex(ValueError, f"scale must be finite in float32, got .*{str(value)[:2]}"):
                s2ilgpu.attention_forward(q, k, v, layout, scale=value)
        for value in (True, "0.5", 1j):
            with self.assertRaisesRegex(TypeError, f"scale must be a number, got {value!r}"):
                s2ilgpu.attention_forward(q, k, v, layout, scale=value)

    def test_integers_and_scales_of_numpy_are_taken(self):
        q, k, v = problem(generator(), 20, 20)
        of_numpy = s2ilgpu.Pattern.local_stride(np.int64(4), np.uint8(2), np.array(16), np.int16(1), np.int32(3),
                                                homogeneous_heads=np.False_)
        layouts = s2ilgpu.Layout(pattern(), 20), s2ilgpu.Layout(of_numpy, np.int64(20), np.uint8(20))
        outputs = [s2ilgpu.attention_forward(q, k, v, layout, scale=scale)[0]
                   for layout, scale in zip(layouts, (0.5, np.float32(0.5)))]
        np.testing.assert_array_equal(*outputs)
        decoded = [s2ilgpu.decode(q[:, :1], k, v, counts, layouts[0])[0] for counts in ([20, 7], np.array([20, 7]))]
        np.testing.assert_array_equal(*decoded)

    def test_the_number_of_queries_is_not_negative(self):
        for value in (-1, -20):
            with self.assertRaisesRegex(ValueError, f"query_tokens must be from 0 to 2147483647, got {value}"):
                s2ilgpu.Layout(pattern(), 20, value)

    def test_tables_are_read_in_any_memory_order(self):
        kept = generator().random((2, 3, 3)) < 0.5
        kept[:, 2, 0], kept[:, 0, 2] = True, False
        expected = s2ilgpu.Layout(s2ilgpu.Pattern.table(kept, 4, 2, 16, causal=False), 48).mask()
        np.testing.assert_array_equal(expected, kept)
        head_last = np.asfortranarray(kept)
        np.testing.assert_array_equal(
            s2ilgpu.Layout(s2ilgpu.Pattern.table(head_last, 4, 2, 16, causal=False), 48).mask(), kept)

    def test_threads_share_an_engine(self):
        q, k, v = problem(generator(), 60, 60)
        layout = s2ilgpu.Layout(pattern(), 60)
        expected, _ = s2ilgpu.attention_forward(q, k, v, layout)
        failures = []

        def work():
            for _ in range(20):
                if not np.array_equal(s2ilgpu.attention_forward(q, k, v, layout)[0], expected):
                    failures.append("another result")

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


def _bfloat16_types():
    """A stand-in of 2 bytes that NumPy calls bfloat16, and the type of ml_dtypes where it is installed."""
    types = [np.dtype((type("bfloat", (np.void,), {}), 2))]  # NumPy appends the bits to the name
    try:
        import ml_dtypes
        types.append(np.dtype(ml_dtypes.bfloat16))
    except ImportError:
        pass
    return types


def _to_bfloat16(array):
    """The upper 16 bits of float32, rounded to nearest even, as uint16."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _to_float32(array):
    """From bfloat16 as uint16, or as a type of its bits."""
    return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


def _blocks(tokens, block):
    """Which blocks have a token that is seen."""
    heads, queries, keys = tokens.shape
    padded = np.zeros((heads, -(-queries // block) * block, -(-keys // block) * block), bool)
    padded[:, :queries, :keys] = tokens
    return padded.reshape(heads, padded.shape[1] // block, block, padded.shape[2] // block, block).any((2, 4))


if __name__ == "__main__":
    unittest.main()
