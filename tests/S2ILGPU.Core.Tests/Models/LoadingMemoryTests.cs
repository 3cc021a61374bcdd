using S2ILGPU.Cpu;
using S2ILGPU.Models;
using S2ILGPU.Storage;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

/// <summary>Reading weights takes little memory beside the model, whose matrices are as the file has them.</summary>
public sealed class LoadingMemoryTests
{
    private static readonly TransformerConfig s_config = new()
    {
        VocabularySize = 8192,
        Dim = 768,
        Layers = 3,
        FeedForwardDim = 2048,
        ContextTokens = 128,
        QueryHeads = 12,
        Attention = AttentionPlan.Dense,
    };

    [Theory]
    [InlineData(SafetensorsType.BFloat16, ElementType.BFloat16, 1.2)]
    [InlineData(SafetensorsType.Float32, ElementType.Float32, 1.2)]
    [InlineData(SafetensorsType.Float16, ElementType.Float16, 1.2)]
    public void Peak_is_little_more_than_the_file(SafetensorsType stored, ElementType kept, double ratio)
    {
        TestScale.SkipUnlessDrawn(2);
        using var folder = new TemporaryFolder();
        Write(folder, stored);
        long bytes = new FileInfo(folder[ModelFolder.Weights]).Length;
        using var engine = new CpuEngine();
        long before = GC.GetAllocatedBytesForCurrentThread();
        using var model = ModelFolder.LoadModel(folder.FullPath, engine);
        long managed = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.All(model.StoredTensors.Where(tensor => tensor.Tensor.Shape.Rank == 2),
            tensor => Assert.Equal(kept, tensor.Tensor.ElementType));
        double peak = (double)(engine.PeakBytes + managed) / bytes;
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{stored}: file {bytes / 1e6:0.0} MB, tensors {engine.PeakBytes / 1e6:0.0} MB, managed memory "
            + $"{managed / 1e6:0.0} MB, {peak:0.000} times the file");
        Assert.True(peak <= ratio, $"{peak} times the {bytes} bytes of the file");
    }

    private static void Write(TemporaryFolder folder, SafetensorsType type)
    {
        var values = new float[1 << 16];
        var random = Seeds.NewRandom();
        for (int i = 0; i < values.Length; i++)
            values[i] = random.NextSingle() - 0.5f;
        var bytes = new byte[values.Length * type.SizeBytes()];
        FloatConversion.FromSingle(type, values, bytes);
        folder.Write(ModelFolder.Config, TransformerConfigFile.Format(s_config));
        SafetensorsFile.Write(folder[ModelFolder.Weights], ModelParameters.Of(s_config).Stored.Select(tensor =>
            new SafetensorsTensor(tensor.Name, type,
                [.. Enumerable.Range(0, tensor.Shape.Rank).Select(d => (long)tensor.Shape[d])], stream =>
                {
                    for (long left = tensor.Shape.Count * type.SizeBytes(); left > 0; left -= bytes.Length)
                        stream.Write(bytes.AsSpan(0, (int)Math.Min(left, bytes.Length)));
                })));
    }
}
