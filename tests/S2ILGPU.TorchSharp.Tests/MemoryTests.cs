using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.TestSupport;
using Xunit;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace S2ILGPU.TorchSharp.Tests;

/// <summary>Tests of the memory of the process run alone.</summary>
[CollectionDefinition(nameof(ProcessMemory), DisableParallelization = true)]
public sealed class ProcessMemory;

/// <summary>Calls leave nothing behind: neither handles nor memory of libtorch.</summary>
[Collection(nameof(ProcessMemory))]
public sealed class MemoryTests
{
    private const int Tokens = 128, Heads = 8, HeadDim = 64;

    // A result that stays alive is 256 KB, 256 MB in the shorter run; the collector's own heap grows by 50 MB.
    private const long AllowedGrowth = 128 << 20;

    private static readonly int s_calls = TestScale.IsFull ? 10_000 : 1_000;

    [TorchFact]
    public void Forward_and_backward_keep_nothing()
    {
        var random = Seeds.NewRandom();
        var layout = BlockLayout.Create(new LocalStridePattern(Heads, Heads, 16, 1, 2), Tokens);
        using Tensor query = TorchCase.Normal(random, ScalarType.Float32, 1, Tokens, Heads, HeadDim),
            dOutput = ones_like(query), dLogSumExp = ones(1, Heads, Tokens);
        Check(() =>
        {
            var (output, logSumExp) = TorchAttention.Forward(query, query, query, layout);
            using (output)
            using (logSumExp)
                autograd.backward([output, logSumExp], [dOutput, dLogSumExp]);
            using var gradient = query.grad;
            query.grad = null;
        });
    }

    [TorchFact]
    public void Graphs_without_a_backward_pass_keep_nothing()
    {
        var random = Seeds.NewRandom();
        var layout = BlockLayout.Create(new LocalStridePattern(Heads, Heads, 16, 1, 2), Tokens);
        using Tensor query = TorchCase.Normal(random, ScalarType.Float32, 1, Tokens, Heads, HeadDim);
        Check(() =>
        {
            var (output, logSumExp) = TorchAttention.Forward(query, query, query, layout);
            var merged = TorchAttention.Merge([output, output], [logSumExp, logSumExp]);
            foreach (var tensor in (Tensor[])[output, logSumExp, merged.Output, merged.LogSumExp])
                tensor.Dispose();
        });
    }

    [TorchFact]
    public void Refused_calls_keep_nothing()
    {
        var layout = BlockLayout.Create(new LocalStridePattern(Heads, Heads, 16, 1, 2), Tokens - 1);
        using Tensor query = zeros([1, Tokens, Heads, HeadDim], requires_grad: true);
        Check(() => Assert.ThrowsAny<ArgumentException>(() => TorchAttention.Forward(query, query, query, layout)));
    }

    // Handles are counted at once; the collector has no part in it.
    private static void Check(Action call)
    {
        for (int n = 0; n < 100; n++)
            call();
        long handles = Tensor.TotalCount, bytes = Environment.WorkingSet;
        for (int n = 0; n < s_calls; n++)
            call();
        Assert.InRange(Tensor.TotalCount - handles, -10, 10);
        Assert.InRange(Environment.WorkingSet - bytes, long.MinValue, AllowedGrowth);
    }
}
