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
        TiedEmbeddings = false,
        Attention = AttentionPlan.Dense,
    };

    // The head of its own type is that of files whose authors left it in single precision.
    [Theory]
    [InlineData(SafetensorsType.BFloat16, SafetensorsType.BFloat16)]
    [InlineData(SafetensorsType.Float32, SafetensorsType.Float32)]
    [InlineData(SafetensorsType.Float16, SafetensorsType.Float16)]
    [InlineData(SafetensorsType.BFloat16, SafetensorsType.Float32)]
    [InlineData(SafetensorsType.Float16, SafetensorsType.BFloat16)]
    public void Peak_is_little_more_than_the_file(SafetensorsType stored, SafetensorsType head)
    {
        TestScale.SkipUnlessDrawn(2);
        using var folder = new TemporaryFolder();
        Write(folder, name => name == ModelParameters.HeadName ? head : stored);
        long bytes = new FileInfo(folder[ModelFolder.Weights]).Length;
        using var engine = new CpuEngine();
        long before = GC.GetAllocatedBytesForCurrentThread();
        using var model = ModelFolder.LoadModel(folder.FullPath, engine);
        long managed = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.All(model.StoredTensors.Where(tensor => tensor.Tensor.Shape.Rank == 2),
            tensor => Assert.Equal((tensor.Name == ModelParameters.HeadName ? head : stored).ToString(),
                tensor.Tensor.ElementType.ToString()));
        double peak = (double)(engine.PeakBytes + managed) / bytes;
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{stored}, head {head}: file {bytes / 1e6:0.0} MB, tensors {engine.PeakBytes / 1e6:0.0} MB, managed "
            + $"memory {managed / 1e6:0.0} MB, {peak:0.000} times the file");
        Assert.True(peak <= 1.2, $"{peak} times the {bytes} bytes of the file");
    }

    private static void Write(TemporaryFolder folder, Func<string, SafetensorsType> typeOf)
    {
        var values = new float[1 << 16];
        var random = Seeds.NewRandom();
        for (int i = 0; i < values.Length; i++)
            values[i] = random.NextSingle() - 0.5f;
        folder.Write(ModelFolder.Config, TransformerConfigFile.Format(s_config));
        SafetensorsFile.Write(folder[ModelFolder.Weights], ModelParameters.Of(s_config).Stored.Select(tensor =>
        {
            var type = typeOf(tensor.Name);
            var bytes = new byte[values.Length * type.SizeBytes()];
            FloatConversion.FromSingle(type, values, bytes);
            return new SafetensorsTensor(tensor.Name, type,
                [.. Enumerable.Range(0, tensor.Shape.Rank).Select(d => (long)tensor.Shape[d])], stream =>
                {
                    for (long left = tensor.Shape.Count * type.SizeBytes(); left > 0; left -= bytes.Length)
                        stream.Write(bytes.AsSpan(0, (int)Math.Min(left, bytes.Length)));
                });
        }));
    }
}
