using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using S2ILGPU.Devices;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Lists;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Variants;
using Xunit;

namespace S2ILGPU.Tests.Devices;

/// <summary>What a program with an accelerator of its own gets from the public constructor.</summary>
public sealed class OwnAcceleratorTests
{
    private const int Tokens = 40, Heads = 2, HeadDim = 64;

    [Fact]
    public void Tensor_cores_are_used_without_asking_where_context_and_device_have_them()
    {
        Assert.True(UsesTensorCores(builder => builder.EnableAlgorithms().WithTensorCores(), new CPUDevice(32, 8, 1)));
        // twice does no harm
        Assert.True(UsesTensorCores(builder => builder.WithTensorCores().EnableAlgorithms().WithTensorCores(),
            new CPUDevice(32, 8, 1)));
        // bodies of primitives serve one group at a time
        Assert.False(UsesTensorCores(builder => builder.EnableAlgorithms().WithTensorCores(), new CPUDevice(32, 8, 2)));
    }

    [Fact]
    public void Tensor_cores_are_left_alone_where_the_context_does_not_know_them()
    {
        Assert.False(UsesTensorCores(builder => builder.EnableAlgorithms(), new CPUDevice(32, 8, 1)));
        // groups of 128 threads
        Assert.False(UsesTensorCores(builder => builder.EnableAlgorithms().WithTensorCores(), new CPUDevice(32, 4, 1)));
    }

    [Fact]
    public void No_tensor_core_kernel_has_larger_groups_than_are_asked_for() =>
        Assert.Equal(KernelVariants.MaxThreads, KernelVariants.All.Max(variant => variant.Threads));

    [Fact]
    public void Attention_on_views_of_floats() => CheckAttention(ElementType.Float32, x => x, x => x);

    [Fact]
    public void Attention_on_views_of_halves() =>
        CheckAttention(ElementType.Float16, x => (ILGPU.Half)x, x => (float)x);

    [Fact]
    public void Attention_on_views_of_bfloat16()
    {
        TestScale.SkipUnlessDrawn(4);
        CheckAttention(ElementType.BFloat16, x => (ushort)(BitConverter.SingleToUInt32Bits(x) >> 16),
            x => BitConverter.UInt32BitsToSingle((uint)x << 16));
    }

    private static bool UsesTensorCores(Action<Context.Builder> build, CPUDevice device)
    {
        using var context = Context.Create(build);
        using var accelerator = device.CreateAccelerator(context);
        using var engine = new IlgpuEngine(accelerator);
        return engine.UsesTensorCores;
    }

    // Forward, backward and a decoding step on buffers and a stream of the program, against float64.
    private static void CheckAttention<T>(ElementType type, Func<float, T> narrow, Func<T, float> widen)
        where T : unmanaged
    {
        TestScale.SkipUnlessDrawn(6);
        using var context = Context.Create(builder => builder.EnableAlgorithms().WithTensorCores());
        using var accelerator = new CPUDevice(32, 8, 1).CreateAccelerator(context);
        using var stream = accelerator.CreateStream();
        using var engine = new IlgpuEngine(accelerator, stream);
        using var reference = new ReferenceEngine();
        var random = Seeds.NewRandom();
        var buffers = new MemoryBuffer1D<T, Stride1D.Dense>[9]; // Q, K, V, O, dO, dQ, dK, dV, O of the decoding step
        var (tested, exact) = (new Tensor[9], new Tensor[9]);
        for (int n = 0; n < 9; n++)
        {
            int rows = n == 8 ? 1 : Tokens;
            float[] values = [.. random.Normal(rows * Heads * HeadDim)
                .Select(x => (float)ElementRounding.Round(x, type))];
            buffers[n] = accelerator.Allocate1D<T>(values.Length);
            buffers[n].View.CopyFromCPU(stream, (T[])[.. values.Select(narrow)]);
            tested[n] = engine.View(buffers[n].View.BaseView, 1, rows, Heads, HeadDim);
            exact[n] = reference.Allocate(tested[n].Shape, ElementType.Float64);
            reference.Upload(values, exact[n]);
        }
        using var statistics = accelerator.Allocate1D<float>(Heads * Tokens);
        using var lse = engine.View(statistics.View.BaseView, 1, Heads, Tokens);
        using var exactLse = reference.Allocate(lse.Shape, ElementType.Float64);

        Run(engine, tested, lse);
        using var rounded = reference.Allocate(exact[3].Shape, ElementType.Float64);
        reference.Upload([.. buffers[3].GetAsArray1D(stream).Select(widen)], rounded);
        Run(reference, exact, exactLse, rounded);
        foreach (var (n, name) in new[] { (3, "O"), (5, "dQ"), (6, "dK"), (7, "dV"), (8, "O of the last token") })
        {
            var tolerance = n is 3 or 8 ? Tolerance.Forward(type) : Tolerance.Backward(type);
            var expected = new float[exact[n].Count];
            reference.Download(exact[n], expected);
            double[] actual = [.. buffers[n].GetAsArray1D(stream).Select(x => (double)widen(x))];
            MaximumError.AssertWithin(tolerance, $"{type} {name}", exact[n].Shape,
                [.. expected.Select(x => (double)x)], actual);
        }
        foreach (var operation in (KernelOperation[])[KernelOperation.Forward, KernelOperation.QueryGradient,
            KernelOperation.KeyValueGradient, KernelOperation.Decode])
            Assert.Equal(type, engine.AttentionKernels.Last(operation)?.ElementType);
        foreach (var owned in tested.Concat<IDisposable>(exact).Concat(buffers))
            owned.Dispose();
    }

    // The backward pass of the reference reads the output as the engine rounded it.
    private static void Run(IEngine engine, Tensor[] t, Tensor logSumExp, Tensor? rounded = null)
    {
        var layout = BlockLayout.Create(new LocalStridePattern(Heads, Heads, blockTokens: 16, localBlocks: 1,
            verticalStride: 2), Tokens);
        var all = SequenceBatch.Uniform(1, Tokens, Tokens);
        engine.AttentionForward(new AttentionForwardArguments(t[0], t[1], t[2], t[3], logSumExp, layout, all, 0.125f));
        engine.AttentionBackward(new AttentionBackwardArguments(t[0], t[1], t[2], rounded ?? t[3], logSumExp, t[4],
            null, t[5], t[6], t[7], layout, all, 0.125f));
        using var last = t[0].Slice(1, Tokens - 1, 1);
        engine.AttentionForward(new AttentionForwardArguments(last, t[1], t[2], t[8], null, layout,
            SequenceBatch.Uniform(1, 1, Tokens), 0.125f));
    }
}
