using System.Globalization;
using System.Text.Json;
using S2ILGPU.Cli.Devices;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>One matrix product's time.</summary>
/// <param name="Shape">The product; C is M x N, sums have K terms.</param>
/// <param name="Work">forward, input gradient or weight gradient.</param>
/// <param name="ElementType">Element type of what is stored in activations' type, in short.</param>
/// <param name="Milliseconds">The median of a call.</param>
/// <param name="Spread">Width of the middle half of the measurements, in milliseconds.</param>
internal sealed record ProductEntry(MatMulShape Shape, string Work, string ElementType, double Milliseconds,
    double Spread) : IDeviceEntry
{
    /// <summary>The rate of the peak; null where it was not measured.</summary>
    public OfLimit? OfLimit { get; init; }

    /// <summary>Trillions of multiplications and additions per second.</summary>
    public double TeraFlops => Shape.Flops / Milliseconds / 1e9;

    public string Line => string.Create(CultureInfo.InvariantCulture,
        $"{Shape.Name,-22} {Work,-15} {ElementType,-4} {Shape.M,7} x {Shape.N,6} x {Shape.K,6} "
        + $"{Milliseconds,10:0.0000} ms +-{Spread / 2,8:0.0000} {TeraFlops,8:0.000} TFLOP/s");

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("product", Shape.Name);
        json.WriteString("work", Work);
        json.WriteString("dtype", ElementType);
        json.WriteNumber("m", Shape.M);
        json.WriteNumber("n", Shape.N);
        json.WriteNumber("k", Shape.K);
        json.WriteNumber("milliseconds", EntryText.Rounded(Milliseconds));
        json.WriteNumber("spread", EntryText.Rounded(Spread));
        json.WriteNumber("flops", Shape.Flops);
        json.WriteNumber("teraFlops", EntryText.Rounded(TeraFlops));
        OfLimit.Write(json, "ofPeak", OfLimit);
        json.WriteEndObject();
    }
}

/// <summary>The products of a transformer's layer and head: <c>y = x W^T</c>, <c>dx = dy W</c>, <c>dW += dy^T x</c>, in
/// the engine's float type and in every 16-bit type that it takes.</summary>
/// <param name="engine">The engine; stays with the caller.</param>
/// <param name="model">The shape of the transformer.</param>
/// <param name="rows">Tokens of a step.</param>
/// <param name="settings">Patience.</param>
/// <param name="machine">The machine whose engine it is, where its peak is measured too.</param>
internal sealed class ProductBench(IEngine engine, TransformerConfig model, int rows, DeviceBenchSettings settings,
    BenchMachine? machine = null)
{
    private static readonly ElementType[] s_short = [ElementType.Float16, ElementType.BFloat16];

    /// <summary>Measures everything.</summary>
    public IEnumerable<IReadOnlyList<IDeviceEntry>> Run(CancellationToken cancellation)
    {
        using var timer = new DeviceTimer(engine, machine);
        foreach (var type in s_short.Where(engine.SupportsActivations).Prepend(engine.FloatType))
            foreach (var (name, columns, inner) in Weights())
                yield return Measure(timer, name, type, columns, inner, cancellation);
    }

    // [out, in] of every weight, each shape once.
    private IEnumerable<(string Name, int Columns, int Inner)> Weights() =>
    [
        ("queries, keys, values", (model.QueryHeads + 2 * model.KeyValueHeads) * model.HeadDim, model.Dim),
        ("attention output", model.Dim, model.QueryHeads * model.HeadDim),
        ("gate and up", 2 * model.FeedForwardDim, model.Dim),
        ("down", model.Dim, model.FeedForwardDim),
        ("head", model.VocabularySize, model.Dim),
    ];

    private IReadOnlyList<IDeviceEntry> Measure(DeviceTimer timer, string name, ElementType type, int columns,
        int inner, CancellationToken cancellation)
    {
        // Logits and gradients of weights have the float type.
        var resultType = name == "head" ? engine.FloatType : type;
        int ofRows = name == "head" ? Math.Min(rows, Math.Max(256, inner)) : rows; // as the head is computed
        using Tensor x = Random(1, type, ofRows, inner), w = Random(2, type, columns, inner),
            y = Random(3, resultType, ofRows, columns), dx = Random(4, type, ofRows, inner),
            dw = Random(5, engine.FloatType, columns, inner);
        (string Work, MatMulShape Shape, MatMulArguments Arguments)[] products =
        [
            ("forward", new(name, ofRows, columns, inner), new(x, w, y, TransposeB: true)),
            ("input gradient", new(name, ofRows, inner, columns), new(y, w, dx)),
            ("weight gradient", new(name, columns, inner, ofRows), new(y, x, dw, TransposeA: true, Accumulate: true)),
        ];
        var timings = timer.Time(settings.Rounds, settings.BatchSeconds, Yardsticks.PeakAllThreads, cancellation,
            [.. products.Select(product => (Action)(() => engine.MatMul(product.Arguments)))]);
        return [.. products.Select((product, n) => new ProductEntry(product.Shape, product.Work, type.ShortName(),
            timings[n].Median * 1e3, timings[n].Spread * 1e3)
        {
            OfLimit = OfLimit.Of(timings[n], product.Shape.Flops, timings.PeakAllThreads),
        })];
    }

    private Tensor Random(int seed, ElementType type, int tensorRows, int columns)
    {
        var tensor = engine.Allocate(new Shape(tensorRows, columns), type);
        DeviceInputs.Fill(engine, tensor, seed);
        return tensor;
    }
}
