using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Storage;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests;

public sealed class AttendCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("s2-attend-").FullName;

    private string Input => Path.Combine(_folder, "in.safetensors");

    private string Output => Path.Combine(_folder, "out.safetensors");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(SafetensorsType.Float32, 1, 100, 100, 4, 4, 16, "", true)]
    [InlineData(SafetensorsType.Float32, 2, 70, 133, 4, 2, 24, "--slide-by query --scale 0.3", true)]
    [InlineData(SafetensorsType.Float32, 1, 1, 90, 2, 1, 32, "", false)]
    [InlineData(SafetensorsType.Float32, 1, 80, 80, 2, 2, 8, "--non-causal", true)]
    [InlineData(SafetensorsType.BFloat16, 1, 65, 65, 4, 2, 64, "", true)]
    [InlineData(SafetensorsType.Float16, 1, 65, 65, 4, 2, 64, "", true)]
    public async Task Agrees_with_the_reference(SafetensorsType type, int batch, int queries, int keys, int heads,
        int kvHeads, int headDim, string more, bool backward)
    {
        var random = Seeds.NewRandom();
        Shape q = new(batch, queries, heads, headDim), k = new(batch, keys, kvHeads, headDim),
            l = new(batch, heads, queries);
        var inputs = new List<SafetensorsTensor> { Random("q", type, q), Random("k", type, k), Random("v", type, k) };
        if (backward)
            inputs.AddRange([Random("dout", type, q), Random("dlse", SafetensorsType.Float32, l)]);
        SafetensorsFile.Write(Input, inputs);
        await Tool.SucceedAsync(
            $"attend --input {Input} --output {Output} --block-size 16 --local-blocks 1 --vert-stride 3 {more}");

        using var reference = new ReferenceEngine();
        using var file = SafetensorsFile.Open(Input);
        using var result = SafetensorsFile.Open(Output);
        Assert.Equal(backward ? ["dk", "dq", "dv", "lse", "out"] : ["lse", "out"], result.Names.Order());
        var pattern = new LocalStridePattern(heads, kvHeads, 16, 1, 3,
            new StripeOptions { SlideByQueryHead = more.Contains("query") }, isCausal: !more.Contains("non-causal"));
        var layout = BlockLayout.Create(pattern, keys);
        float? scale = more.Contains("0.3") ? 0.3f : null;
        using Tensor query = Load("q", q), key = Load("k", k), value = Load("v", k);
        using var expected = SparseAttention.Forward(reference, query, key, value, layout,
            new AttentionOptions { Scale = scale });
        Compare("out", expected.Output, type, Tolerance.Forward(Element(type)));
        Compare("lse", expected.LogSumExp, SafetensorsType.Float32, Tolerance.Forward(ElementType.Float32));
        if (!backward)
            return;
        // From the output as the tool rounded it.
        using Tensor dOut = Load("dout", q), dLse = Load("dlse", l);
        using var written = new AttentionResult(LoadFrom(result, "out", q), LoadFrom(result, "lse", l), expected.Scale);
        using var gradients = SparseAttention.Backward(reference, query, key, value, written, dOut, layout, dLse);
        Compare("dq", gradients.Query, type, Tolerance.Backward(Element(type)).Relative);
        Compare("dk", gradients.Key, type, Tolerance.Backward(Element(type)).Relative);
        Compare("dv", gradients.Value, type, Tolerance.Backward(Element(type)).Relative);

        SafetensorsTensor Random(string name, SafetensorsType t, Shape shape) =>
            new(name, t, LongShape(shape), random.Normal(shape.Count).Select(x => (float)x).ToArray());

        Tensor Load(string name, Shape shape) => LoadFrom(file, name, shape);

        Tensor LoadFrom(SafetensorsFile from, string name, Shape shape)
        {
            var tensor = reference.Allocate(shape, ElementType.Float64);
            ReferenceEngine.SetValues(tensor, [.. from.ReadSingles(name).Select(x => (double)x)]);
            return tensor;
        }

        void Compare(string name, Tensor wanted, SafetensorsType t, Tolerance tolerance)
        {
            Assert.Equal(t, result.Info(name).Type);
            Assert.Equal(LongShape(wanted.Shape), result.Info(name).Shape.ToArray());
            MaximumError.AssertWithin(tolerance, name, wanted.Shape, ReferenceEngine.Values(wanted),
                [.. result.ReadSingles(name).Select(x => (double)x)]);
        }
    }

    [Fact]
    public async Task Dtype_rounds_inputs_and_outputs()
    {
        Shape q = new(1, 32, 1, 8);
        float[] values = [.. Seeds.NewRandom().Normal(q.Count).Select(x => (float)x)];
        SafetensorsFile.Write(Input,
            [.. new[] { "q", "k", "v" }.Select(n =>
            new SafetensorsTensor(n, SafetensorsType.Float32, LongShape(q), values))]);
        await Tool.SucceedAsync($"attend --input {Input} --output {Output} --dtype bf16");
        using var result = SafetensorsFile.Open(Output);
        Assert.Equal(SafetensorsType.BFloat16, result.Info("out").Type);
        Assert.Equal(SafetensorsType.Float32, result.Info("lse").Type);
        // The first query sees only itself: its output is its value, rounded.
        Assert.All(result.ReadSingles("out")[..8].Zip(values), pair =>
            Assert.Equal(pair.Second, pair.First, Math.Abs(pair.Second) / 256 + 1e-30f));
    }

    [Fact]
    public async Task Bad_input_is_refused_and_nothing_is_written()
    {
        await Tool.RefuseAsync($"attend --input {_folder}/missing --output {Output}", "missing");
        Write(new(1, 32, 4, 16), new(1, 32, 3, 16));
        await Refuse("", "3", "4");
        Write(new(1, 32, 4, 16), new(1, 32, 4, 24));
        await Refuse("", "24", "16");
        Write(new(1, 64, 4, 16), new(1, 32, 4, 16));
        await Refuse("", "64", "32");
        Write(new(1, 32, 4, 12), new(1, 32, 4, 12));
        await Refuse("", "12");
        Write(new(1, 32, 4, 16), new(1, 32, 4, 16));
        await Refuse("--block-size 48", "48");
        await Refuse("--heads 8", "8", "4");
        await Refuse("--device cuda:7", "cuda:7");
        await Refuse("--dtype fp8", "fp8");
        Write(new(1, 32, 4, 16), new(1, 32, 4, 16), nan: true);
        await Refuse("--check-finite", "NaN");
        SafetensorsFile.Write(Input,
            [new SafetensorsTensor("q", SafetensorsType.Float32, [1, 2, 1, 8], new float[16])]);
        await Refuse("", "'k'");
        byte[] whole = File.ReadAllBytes(Input);
        File.WriteAllBytes(Input, whole[..(whole.Length - 10)]);
        await Refuse("", Input);

        Task Refuse(string more, params string[] parts)
        {
            Assert.False(File.Exists(Output));
            return Tool.RefuseAsync($"attend --input {Input} --output {Output} {more}", parts);
        }

        void Write(Shape q, Shape k, bool nan = false)
        {
            float[] values = new float[q.Count];
            values[^1] = nan ? float.NaN : 1;
            SafetensorsFile.Write(Input,
                [Float("q", q, values), Float("k", k, new float[k.Count]), Float("v", k, new float[k.Count])]);
        }

        static SafetensorsTensor Float(string name, Shape shape, float[] values) =>
            new(name, SafetensorsType.Float32, LongShape(shape), values);
    }

    [Theory]
    [InlineData("q", "[1, 200000, 64, 256]", 3_276_800_000)] // each extent is small, the product is not
    [InlineData("k", "[1, 1, 2147483648, 1]", 2_147_483_648)]
    public async Task A_tensor_that_is_too_large_is_named_with_its_shape_and_the_limit(string name, string shape,
        long count)
    {
        const string Small = "[1, 8, 64, 256]";
        long small = 8 * 64 * 256 * 2, offset = 0;
        string header = string.Join(",", new[] { "q", "k", "v" }.Select(n =>
        {
            long start = offset, end = offset += n == name ? 2 * count : small;
            string tensorShape = n == name ? shape : Small;
            return $"\"{n}\":{{\"dtype\":\"F16\",\"shape\":{tensorShape},\"data_offsets\":[{start},{end}]}}";
        }));
        using (var stream = File.Create(Input))
        {
            stream.Write(BitConverter.GetBytes((long)header.Length + 2));
            stream.Write(System.Text.Encoding.ASCII.GetBytes($"{{{header}}}"));
            stream.SetLength(stream.Position + offset); // a hole: nothing is written
        }
        await Tool.RefuseAsync($"attend --input {Input} --output {Output}", $"{Input}: {name} F16 {shape}",
            $"{count} elements", "at most 2147483591");
        Assert.False(File.Exists(Output));
    }

    private static long[] LongShape(Shape shape) => [.. Enumerable.Range(0, shape.Rank).Select(d => (long)shape[d])];

    private static ElementType Element(SafetensorsType type) => type switch
    {
        SafetensorsType.Float16 => ElementType.Float16,
        SafetensorsType.BFloat16 => ElementType.BFloat16,
        _ => ElementType.Float32,
    };
}
