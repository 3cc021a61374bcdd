using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>The PTX of the portable attention kernels, executed with the lists that the host makes, against
/// float64.</summary>
public sealed class PortableAttentionTests
{
    private static readonly ElementType[] s_types = [ElementType.Float32, ElementType.BFloat16, ElementType.Float16,
        ElementType.Int8];

    /// <summary>Types and places of keys; those of 8 bits lie in pages.</summary>
    internal static IEnumerable<(string Type, string Placement)> AllKeys =>
        from type in s_types from placement in Enum.GetValues<KeyPlacement>()
        where type != ElementType.Int8 || placement == KeyPlacement.Pages
        select (type.ToString(), placement.ToString());

    public static TheoryData<string, string> ForwardKeys => [.. Sweeps.PortableForwardKeys];

    public static TheoryData<int> GradientProblems => [.. Sweeps.PortableGradients];

    public static TheoryData<string, string> DecodeKeys => [.. Sweeps.PortableDecodeKeys];

    [Theory]
    [MemberData(nameof(ForwardKeys))]
    public void Output_and_log_sum_exp_agree_with_float64(string keyType, string placement)
    {
        TestScale.SkipUnlessDrawn(4);
        foreach (var data in TestScale.Part(AttentionProblems.OfPortable(Enum.Parse<ElementType>(keyType)), 2))
            foreach (int parts in (int[])[1, 3])
                PortableRuns.Forward(data, Enum.Parse<KeyPlacement>(placement), parts);
    }

    [Theory]
    [MemberData(nameof(DecodeKeys))]
    public void Decoded_rows_agree_with_float64(string keyType, string placement)
    {
        TestScale.SkipUnlessDrawn(2);
        foreach (var data in TestScale.Part(AttentionProblems.OfPortableDecode(Enum.Parse<ElementType>(keyType)), 2))
            foreach (int parts in new[] { 1, 3 })
                PortableRuns.Decode(data, Enum.Parse<KeyPlacement>(placement), parts);
    }

    [Theory]
    [MemberData(nameof(GradientProblems))]
    public void Gradients_agree_with_float64(int problem)
    {
        TestScale.SkipUnlessDrawn(3);
        var data = AttentionProblems.OfPortable(ElementType.Float32).ElementAt(problem);
        float[] delta = PortableRuns.Delta(data);
        PortableRuns.Backward(typeof(QueryRows), data, delta);
        PortableRuns.Backward(typeof(KeyRows), data, delta);
    }

    // Some rows see nothing in some parts, some in none; the outputs of such rows may be anything.
    [Fact]
    public void Merged_parts_agree_with_float64()
    {
        const int parts = 3;
        Shape shape = new(2, 11, 3, 37), lineShape = new(shape[0], shape[2], shape[1]);
        var random = Seeds.NewRandom();
        int rows = (int)lineShape.Count, elements = (int)shape.Count;
        float[] outputs = [.. random.Normal(parts * elements).Select(x => (float)x)],
            lines = [.. random.Normal(parts * rows, 3).Select(x => (float)x)];
        for (int part = 0; part < parts; part++)
            for (int line = 0; line < rows; line++)
                if (line % 5 == 0 || (line + part) % 4 == 0)
                {
                    var (b, h, n) = (line / shape[1] / shape[2], line / shape[1] % shape[2], line % shape[1]);
                    lines[part * rows + line] = float.NegativeInfinity;
                    outputs.AsSpan(part * elements + ((b * shape[1] + n) * shape[2] + h) * shape[3], shape[3])
                        .Fill(float.NaN);
                }
        var (output, logSumExp) = PortableRuns.MergeParts(shape, parts, outputs, lines);
        var (expected, expectedLines) = Reference(shape, lineShape, parts, outputs, lines);
        var tolerance = Tolerance.Forward(ElementType.Float32);
        MaximumError.AssertWithin(tolerance, "merged O", shape, expected, [.. output.Select(x => (double)x)]);
        MaximumError.AssertWithin(tolerance, "merged LSE", lineShape, expectedLines,
            [.. logSumExp.Select(x => (double)x)]);
    }

    private static (double[] Output, double[] LogSumExp) Reference(Shape shape, Shape lineShape, int parts,
        float[] outputs, float[] lines)
    {
        using var engine = new ReferenceEngine();
        Tensor Part(Shape partShape, float[] values, int part)
        {
            var tensor = engine.Allocate(partShape, ElementType.Float64);
            ReferenceEngine.SetValues(tensor,
                [.. values.Skip((int)(part * partShape.Count)).Take((int)partShape.Count).Select(x => (double)x)]);
            return tensor;
        }
        Tensor[] partOutputs = [.. Enumerable.Range(0, parts).Select(part => Part(shape, outputs, part))],
            partLines = [.. Enumerable.Range(0, parts).Select(part => Part(lineShape, lines, part))];
        using Tensor output = engine.Allocate(shape, ElementType.Float64),
            logSumExp = engine.Allocate(lineShape, ElementType.Float64);
        engine.MergePartitions(partOutputs, partLines, output, logSumExp);
        foreach (var tensor in partOutputs.Concat(partLines))
            tensor.Dispose();
        return (ReferenceEngine.Values(output), ReferenceEngine.Values(logSumExp));
    }
}
