using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace S2ILGPU.TorchSharp.Tests;

/// <summary>Dense masked attention of libtorch in double precision, what ours is compared with.</summary>
internal static class TorchCase
{
    /// <summary>Values N(0, 1) that want gradients.</summary>
    public static Tensor Normal(Random random, ScalarType type, params long[] shape)
    {
        using var values = tensor(random.Normal(shape.Aggregate(1L, (product, n) => product * n)), shape);
        return values.to(type).requires_grad_();
    }

    /// <summary>A double-precision copy that wants gradients.</summary>
    public static Tensor Double(Tensor tensor) => tensor.detach().to(ScalarType.Float64).requires_grad_();

    /// <summary><c>O = softmax(scale Q K^T + mask) V, LSE</c> with everything computed.</summary>
    /// <param name="query">[B, Nq, H, D].</param>
    /// <param name="key">[B, Nk, Hkv, D].</param>
    /// <param name="value">[B, Nk, Hkv, D].</param>
    /// <param name="pattern">What is not masked.</param>
    public static (Tensor Output, Tensor LogSumExp) Dense(Tensor query, Tensor key, Tensor value,
        AttentionPattern pattern)
    {
        long group = query.shape[2] / key.shape[2];
        Tensor q = query.transpose(1, 2), k = key.repeat_interleave(group, 2).transpose(1, 2),
            v = value.repeat_interleave(group, 2).transpose(1, 2);
        var kept = Mask(pattern, (int)query.shape[1], (int)key.shape[1]);
        var scores = (q.matmul(k.transpose(2, 3)) / Math.Sqrt(query.shape[3]))
            .masked_fill(kept.logical_not(), double.NegativeInfinity);
        return (scores.softmax(-1).matmul(v).transpose(1, 2), scores.logsumexp(-1));
    }

    /// <summary>The kept (query, key) pairs, [H, Nq, Nk], from <see cref="AttentionPattern.Keeps"/> alone.</summary>
    public static Tensor Mask(AttentionPattern pattern, int queries, int keys)
    {
        int group = pattern.QueryHeads / pattern.PatternHeads;
        var kept = new bool[pattern.QueryHeads, queries, keys];
        for (int h = 0; h < pattern.QueryHeads; h++)
            for (int i = 0; i < queries; i++)
                for (int j = 0; j < keys; j++)
                {
                    int position = keys - queries + i;
                    kept[h, i, j] = (j <= position || !pattern.IsCausal) && pattern.Keeps(h / group,
                        position / pattern.BlockTokens, j / pattern.BlockTokens);
                }
        return tensor(kept);
    }

    /// <summary>Fails unless every element is within the tolerance.</summary>
    public static void AssertClose(Tolerance tolerance, string what, Tensor? expected, Tensor? actual)
    {
        Assert.NotNull(expected);
        Assert.NotNull(actual);
        Assert.Equal(expected.shape, actual.shape);
        MaximumError.AssertWithin(tolerance, what, new Shape([.. expected.shape.Select(n => (int)n)]),
            Values(expected), Values(actual));
    }

    /// <summary>The values in row-major order.</summary>
    public static double[] Values(Tensor tensor) =>
        tensor.detach().to(ScalarType.Float64).contiguous().data<double>().ToArray();
}
