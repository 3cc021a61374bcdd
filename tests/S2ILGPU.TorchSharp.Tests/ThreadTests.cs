using S2ILGPU.Cpu;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.TestSupport;
using Xunit;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace S2ILGPU.TorchSharp.Tests;

/// <summary>Threads that call at once get the bits that each gets alone.</summary>
public sealed class ThreadTests
{
    private const int Threads = 4, Rounds = 20;

    [TorchFact]
    public async Task Threads_may_share_an_engine_or_have_their_own()
    {
        using var own = new CpuEngine(new CpuOptions { Threads = 2 });
        var layout = BlockLayout.Create(new LocalStridePattern(2, 1, 16, 1, 2), 60);
        double[][] expected = [.. Enumerable.Range(0, Threads).Select(n => Run(n, layout, null))];
        double[][][] all = await Task.WhenAll(Enumerable.Range(0, Threads).Select(n => Task.Run(() =>
            Enumerable.Range(0, Rounds).Select(_ => Run(n, layout, n % 2 == 0 ? null : own)).ToArray())));
        for (int n = 0; n < Threads; n++)
            Assert.All(all[n], values => Assert.Equal(expected[n], values));
    }

    // Output and gradients.
    private static double[] Run(int number, BlockLayout layout, CpuEngine? engine)
    {
        var random = new Random(Seeds.Current + number);
        using var scope = NewDisposeScope();
        Tensor query = TorchCase.Normal(random, ScalarType.Float32, 1, 60, 2, 8),
            key = TorchCase.Normal(random, ScalarType.Float32, 1, 60, 1, 8);
        var (output, _) = TorchAttention.Forward(query, key, key, layout, engine: engine);
        output.pow(2).sum().backward();
        return [.. TorchCase.Values(output), .. TorchCase.Values(query.grad!), .. TorchCase.Values(key.grad!)];
    }
}
