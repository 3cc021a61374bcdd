using S2ILGPU.Compiler;
using S2ILGPU.Engines;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.MatMul;
using S2ILGPU.Models;
using S2ILGPU.Patterns;
using S2ILGPU.Reports;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Training;
using S2ILGPU.Variants;
using Xunit;

namespace S2ILGPU.Tests.Training;

/// <summary>Which kernels a training step with bfloat16 activations asks for on a device with tensor cores.</summary>
public sealed class MixedPrecisionKernelTests : IDisposable
{
    // One row tile of each kind: emulated tensor cores take a tenth of a second per tile.
    private const int Tokens = 32;

    // Families that tensor-core kernels replace.
    private static readonly string[] s_replaced = [typeof(PortableForward).Namespace!, typeof(ProductTile).Namespace!];

    private static readonly TransformerConfig s_plain = new()
    {
        VocabularySize = 40,
        Dim = 16,
        Layers = 1,
        QueryHeads = 1,
        KeyValueHeads = 1,
        HeadDim = 64,
        FeedForwardDim = 8,
        ContextTokens = Tokens,
        Attention = AttentionPlan.FirstDense(1, 1, new LocalStrideAttention { BlockTokens = 16, LocalBlocks = 1,
            VerticalStride = 2 }),
    };

    private readonly IEngine _engine = Emulated.CreateWithTensorCores();

    public void Dispose() => _engine.Dispose();

    [Theory]
    [InlineData("plain")]
    [InlineData("biases of queries, keys and values")]
    [InlineData("layer norms and all biases")]
    public void Attention_and_products_are_done_by_tensor_cores_alone(string model)
    {
        TestScale.SkipUnlessDrawn(8);
        var ilgpu = (IlgpuEngine)_engine;
        Step(model switch
        {
            "plain" => s_plain,
            "layer norms and all biases" => s_plain with { Architecture = "Phi3SmallForCausalLM", Dim = 64,
                Norm = NormKind.Layer, QueryKeyValueBias = true, OutputBias = true, FeedForwardBias = true,
                Activation = Activation.Gegelu, TiedEmbeddings = true },
            _ => s_plain with { Architecture = "Qwen2ForCausalLM", QueryKeyValueBias = true },
        });
        KernelOperation[] operations = [KernelOperation.Forward, KernelOperation.QueryGradient];
        foreach (var operation in operations)
            Assert.Equal(ElementType.BFloat16, ilgpu.AttentionKernels.Last(operation)?.ElementType);
        Assert.NotNull(ilgpu.AttentionKernels.Last(KernelOperation.KeyValueGradient)
            ?? ilgpu.AttentionKernels.Last(KernelOperation.KeyGradient));
        var launched = ilgpu.Queue.LaunchedKernels;
        // What computes rows with NaN and infinity again is portable, and has nothing to do otherwise.
        Assert.DoesNotContain(launched, kernel => s_replaced.Contains(kernel.Method.DeclaringType!.Namespace)
            && !kernel.Method.Name.StartsWith("Repair", StringComparison.Ordinal));
        Assert.Empty(ilgpu.Notes);
        Assert.Empty(launched.Select(kernel => kernel.Method).Except(ReportedKernel.All.Select(k => k.Method)));
        // All of them compile for a device; a plain run takes some.
        foreach (var kernel in TestScale.Part(launched, 6))
        {
            int threads = kernel.Threads == 0 ? 64 : kernel.Threads;
            string ptx = OfflineCompiler.Ptx(kernel.Method, threads, 80, kernel.Unroll);
            Assert.True(!ptx.Contains(".local", StringComparison.Ordinal), KernelRequest.NameOf(kernel.Method));
        }
    }

    private void Step(TransformerConfig config)
    {
        using var model = new TransformerModel(_engine, config, seed: 1, activationType: ElementType.BFloat16);
        using var tape = new Autograd.Tape(_engine, activationType: ElementType.BFloat16);
        using var optimizer = new AdamWOptimizer(_engine, model.Parameters, new TrainingOptions());
        int[] tokens = [.. Enumerable.Range(0, Tokens).Select(n => n * 7 % 40)];
        var losses = model.Loss(tape, tokens, [.. tokens.Skip(1), -1], batch: 1);
        tape.Backward(losses, 1f / (Tokens - 1));
        var queue = ((IlgpuEngine)_engine).Queue;
        long before = queue.Launches;
        double norm = optimizer.Step(1, 1e-3f);
        Assert.InRange(model.Parameters.Count, 5, 32);
        Assert.Equal(3, queue.Launches - before); // partial sums of squares, their sum, the update
        Assert.InRange(norm, 1e-3, 1e3);
    }
}
