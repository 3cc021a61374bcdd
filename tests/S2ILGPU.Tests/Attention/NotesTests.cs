using S2ILGPU.Attention;
using S2ILGPU.Devices;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.Variants;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Tests.Attention;

/// <summary>Portable kernels instead of tensor-core kernels are never used in silence.</summary>
public sealed class NotesTests
{
    private const int Tokens = 16;

    [Fact]
    public void A_device_without_tensor_cores_says_what_has_them_before_any_call()
    {
        using var engine = IlgpuDevices.CreateEngine(Emulated.Device);
        string note = Assert.Single(engine.Notes);
        Assert.Contains("compute capability 8.0 or later", note);
        Assert.Equal(engine.Notes, IlgpuDevices.Notes(Emulated.Device));
        Attend(engine, ElementType.BFloat16, 20);
        Assert.Equal([note], engine.Notes); // the device is the reason for every call
        Assert.Empty(IlgpuDevices.Notes("cpu"));
    }

    [Fact]
    public void Calls_without_a_kernel_are_noted_once_for_each_kind()
    {
        TestScale.SkipUnlessDrawn(2);
        using var engine = TensorCores();
        Assert.Empty(engine.Notes);
        Attend(engine, ElementType.Float32, 64);
        Attend(engine, ElementType.Float32, 32);
        Assert.Equal("attention on fp32 runs on portable kernels in single precision: tensor cores take queries, keys "
            + "and values of bf16 or fp16", Assert.Single(engine.Notes));
        Attend(engine, ElementType.BFloat16, 32);
        Attend(engine, ElementType.BFloat16, 32);
        Assert.Equal(2, engine.Notes.Count);
        Assert.Contains("bf16 attention of head dim 32", engine.Notes[1]);
        Assert.Contains("head dims 64, 80, 96, 112, 128, 192, 256", engine.Notes[1]);
        Attend(engine, ElementType.Float16, 32);
        Attend(engine, ElementType.Float16, 64, scale: 0);
        Assert.Equal(4, engine.Notes.Count);
        Assert.Contains("positive scale", engine.Notes[3]);
    }

    [Fact]
    public void Calls_with_a_kernel_are_not_noted()
    {
        TestScale.SkipUnlessDrawn(3);
        using var engine = TensorCores();
        Attend(engine, ElementType.BFloat16, 64);
        Assert.Equal(ElementType.BFloat16, engine.AttentionKernels.Last(KernelOperation.Forward)!.ElementType);
        Assert.Empty(engine.Notes);
    }

    [Fact]
    public void A_backward_pass_notes_the_same_kind_as_the_forward_pass()
    {
        TestScale.SkipUnlessDrawn(2);
        using var engine = TensorCores();
        Attend(engine, ElementType.BFloat16, 32, isBackward: true);
        Assert.Contains("head dim 32", Assert.Single(engine.Notes));
    }

    [Fact]
    public void What_a_model_will_ask_for_is_noted_before_it_runs()
    {
        using var engine = TensorCores();
        engine.ExpectAttention(ElementType.BFloat16, ElementType.BFloat16, 64);
        Assert.Empty(engine.Notes);
        engine.ExpectAttention(ElementType.Float32, ElementType.BFloat16, 64);
        engine.ExpectAttention(ElementType.Float32, ElementType.BFloat16, 64);
        Assert.Contains("fp32 queries over bf16 keys", Assert.Single(engine.Notes));
        engine.ExpectAttention(ElementType.BFloat16, ElementType.Int8, 64);
        Assert.Contains("bf16 queries over int8 keys", engine.Notes[1]);
    }

    // 100 KB of consumer GPUs, 164 of an A100, 228 of an H100.
    [Theory]
    [InlineData(100)]
    [InlineData(164)]
    [InlineData(228)]
    public void What_the_table_refuses_for_its_memory_says_how_much_is_needed(int kilobytes)
    {
        foreach (int headDim in KernelVariants.HeadDims.ToArray())
            foreach (var operation in (KernelOperation[])[KernelOperation.Forward, KernelOperation.Decode,
                KernelOperation.QueryGradient, KernelOperation.KeyValueGradient])
            {
                var problem = new AttentionProblem(ElementType.Float16, headDim, 64);
                bool isServed = Serves(operation, problem, kilobytes);
                string note = new PortableReason(PortableReason.Kinds.SharedMemory, ElementType.Float16,
                    ElementType.Float16, headDim, operation).Sentence(kilobytes);
                int needed = int.Parse(note.Split("need ")[1].Split(' ')[0], null);
                Assert.Equal(needed <= kilobytes, isServed);
                Assert.True(Serves(operation, problem, needed), note);
            }
    }

    private static bool Serves(KernelOperation operation, in AttentionProblem problem, int kilobytes) =>
        AttentionLaunchTable.Choose(operation, problem, kilobytes) is not null
        || (operation == KernelOperation.KeyValueGradient
        && AttentionLaunchTable.Choose(KernelOperation.KeyGradient, problem, kilobytes) is not null
        && AttentionLaunchTable.Choose(KernelOperation.ValueGradient, problem, kilobytes) is not null);

    private static IlgpuEngine TensorCores() => (IlgpuEngine)Emulated.CreateWithTensorCores();

    private static void Attend(IlgpuEngine engine, ElementType type, int headDim, float scale = 0.1f,
        bool isBackward = false)
    {
        var shape = new Shape(1, Tokens, 1, headDim);
        var layout = BlockLayout.Create(new DensePattern(1, 1, blockTokens: 16), Tokens);
        var all = SequenceBatch.Uniform(1, Tokens, Tokens);
        Tensor[] t = [.. Enumerable.Range(0, 8).Select(_ => engine.Allocate(shape, type))];
        using var lse = engine.Allocate(new Shape(1, 1, Tokens), ElementType.Float32);
        foreach (var tensor in t)
            engine.Fill(tensor, 0.5f);
        engine.AttentionForward(new AttentionForwardArguments(t[0], t[1], t[2], t[3], lse, layout, all, scale));
        if (isBackward)
            engine.AttentionBackward(new AttentionBackwardArguments(t[0], t[1], t[2], t[3], lse, t[4], null, t[5],
                t[6], t[7], layout, all, scale));
        foreach (var tensor in t)
            tensor.Dispose();
    }
}
