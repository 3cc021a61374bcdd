using System.Globalization;
using System.Text.Json;
using S2ILGPU.Engines;

namespace S2ILGPU.Cli.Verify;

/// <summary>What the check of one implementation found.</summary>
/// <param name="Variant">The implementation.</param>
/// <param name="HeadDims">Head dimensions that were checked.</param>
/// <param name="Cases">Number of problems.</param>
/// <param name="Worst">The worst element relative to its tolerance; null when nothing could be computed.</param>
/// <param name="WorstCase">The problem where it was.</param>
/// <param name="Failure">What went wrong otherwise: the first exception, or that no problem made the engine take
/// it.</param>
/// <param name="Others">Number of further problems for which the engine took another implementation.</param>
internal sealed record VariantResult(EngineVariant Variant, IReadOnlyList<int> HeadDims, int Cases, WorstError? Worst,
    string WorstCase, string? Failure, int Others = 0)
{
    /// <summary>Whether every element of every result was within its tolerance, and nothing was thrown.</summary>
    public bool IsPassed => Failure is null && Cases > 0 && Worst is { IsWithin: true };

    /// <summary>One line.</summary>
    public string Line(int nameWidth)
    {
        string head =
            $"{(IsPassed ? "PASS" : "FAIL")}  {Variant.PassName,-8}  {Variant.Types,-9}  D "
            + $"{string.Join(" ", HeadDims),-16}  {Variant.Name.PadRight(nameWidth)}";
        string error = Worst is null ? "no result"
            : string.Create(CultureInfo.InvariantCulture,
            $"worst {Worst.Error:0.0e-00} of {Worst.Tolerance}, {Worst.Tensor} in {WorstCase}");
        string others = Others == 0 ? "" : $"; {Others} more went to other kernels";
        string element = Worst is { IsWithin: false } ? $": {Worst.Describe()}" : "";
        return $"{head}  {Cases,3} cases  {error}{element}{others}{(Failure is null ? "" : $"; {Failure}")}";
    }
}

/// <summary>The self-check of a device: correctness, then speed.</summary>
/// <param name="Device">The device.</param>
/// <param name="Engine">What the engine calls itself.</param>
/// <param name="Seed">Seed of the random inputs.</param>
/// <param name="Results">One per implementation.</param>
/// <param name="WriteSpeed">Writes the entries of the times; null when none were wanted.</param>
/// <param name="Seconds">How long the checks took.</param>
internal sealed record VerifyReport(DeviceInfo Device, string Engine, int Seed, IReadOnlyList<VariantResult> Results,
    Action<Utf8JsonWriter>? WriteSpeed, double Seconds)
{
    /// <summary>How many implementations failed.</summary>
    public int Failures => Results.Count(r => !r.IsPassed);

    /// <summary>The result in one line.</summary>
    public string Summary => string.Create(CultureInfo.InvariantCulture,
        $"{Results.Count - Failures} of {Results.Count} variants passed in {Seconds:0.0} s, seed {Seed}");

    /// <summary>Writes the report as one JSON object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("device", Device.Id);
        json.WriteString("name", Engine);
        json.WriteNumber("seed", Seed);
        json.WriteBoolean("passed", Failures == 0);
        json.WriteNumber("seconds", Math.Round(Seconds, 3));
        json.WriteStartArray("variants");
        foreach (var result in Results)
            Write(json, result);
        json.WriteEndArray();
        if (WriteSpeed is not null)
        {
            json.WriteStartArray("speed");
            WriteSpeed(json);
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, VariantResult result)
    {
        json.WriteStartObject();
        json.WriteString("name", result.Variant.Name);
        json.WriteString("pass", result.Variant.PassName);
        json.WriteString("dtype", result.Variant.Types);
        json.WriteStartArray("headDims");
        foreach (int headDim in result.HeadDims)
            json.WriteNumberValue(headDim);
        json.WriteEndArray();
        json.WriteNumber("cases", result.Cases);
        json.WriteNumber("casesOfOthers", result.Others);
        json.WriteBoolean("passed", result.IsPassed);
        if (result.Failure is not null)
            json.WriteString("failure", result.Failure);
        if (result.Worst is { } worst)
        {
            Number(json, "worstError", worst.Error);
            json.WriteNumber("tolerance", worst.Tolerance.Limit);
            json.WriteBoolean("relative", worst.Tolerance.IsRelative);
            json.WriteString("tensor", worst.Tensor);
            json.WriteString("case", result.WorstCase);
            json.WriteString("element", worst.Describe());
        }
        json.WriteEndObject();
    }

    // JSON has no infinity: an element that is NaN, or was not written.
    private static void Number(Utf8JsonWriter json, string name, double value)
    {
        if (double.IsFinite(value))
            json.WriteNumber(name, value);
        else
            json.WriteNull(name);
    }
}
