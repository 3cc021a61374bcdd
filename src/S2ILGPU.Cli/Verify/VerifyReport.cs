using System.Globalization;
using System.Text.Json;
using S2ILGPU.Compiler;
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
    string WorstCase, string? Failure, int Others = 0) : ICheckResult
{
    public bool IsPassed => Failure is null && Cases > 0 && Worst is { IsWithin: true };

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

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("name", Variant.Name);
        json.WriteString("pass", Variant.PassName);
        json.WriteString("dtype", Variant.Types);
        json.WriteStartArray("headDims");
        foreach (int headDim in HeadDims)
            json.WriteNumberValue(headDim);
        json.WriteEndArray();
        json.WriteNumber("cases", Cases);
        json.WriteNumber("casesOfOthers", Others);
        json.WriteBoolean("passed", IsPassed);
        if (Failure is not null)
            json.WriteString("failure", Failure);
        Worst?.Write(json, WorstCase);
        json.WriteEndObject();
    }
}

/// <summary>The self-check of a device: correctness, then speed.</summary>
/// <param name="Device">The device.</param>
/// <param name="Engine">What the engine calls itself.</param>
/// <param name="Seed">Seed of the random inputs.</param>
/// <param name="Attention">One per implementation of attention.</param>
/// <param name="Operations">One per other operation and element type.</param>
/// <param name="Kernels">What the driver of a CUDA device says of the kernels that were loaded; empty for other
/// devices.</param>
/// <param name="WriteSpeed">Writes the entries of the times; null when none were wanted.</param>
/// <param name="Seconds">How long the checks took.</param>
internal sealed record VerifyReport(DeviceInfo Device, string Engine, int Seed,
    IReadOnlyList<VariantResult> Attention, IReadOnlyList<ICheckResult> Operations,
    IReadOnlyList<KernelResources> Kernels, Action<Utf8JsonWriter>? WriteSpeed, double Seconds)
{
    /// <summary>How many checks there were.</summary>
    public int Count => Attention.Count + Operations.Count;

    /// <summary>How many of them failed.</summary>
    public int Failures => Attention.Concat(Operations).Count(r => !r.IsPassed);

    /// <summary>The result in one line.</summary>
    public string Summary => string.Create(CultureInfo.InvariantCulture,
        $"{Count - Failures} of {Count} checks passed in {Seconds:0.0} s, seed {Seed}");

    /// <summary>Writes the report as one JSON object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("device", Device.Id);
        json.WriteString("name", Engine);
        json.WriteNumber("seed", Seed);
        json.WriteBoolean("passed", Failures == 0);
        json.WriteNumber("seconds", Math.Round(Seconds, 3));
        WriteArray(json, "variants", Attention);
        WriteArray(json, "operations", Operations);
        json.WriteStartArray("kernels");
        foreach (var kernel in Kernels)
            Write(json, kernel);
        json.WriteEndArray();
        if (WriteSpeed is not null)
        {
            json.WriteStartArray("speed");
            WriteSpeed(json);
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    /// <summary>A kernel in one line.</summary>
    public static string Line(KernelResources kernel) =>
        $"kernel  {kernel.Name}: {kernel.Registers} registers, {kernel.LocalBytes} bytes of local memory, "
        + $"{kernel.SharedBytes} bytes of shared memory, {kernel.GroupsPerMultiprocessor} groups of "
        + $"{kernel.GroupThreads} threads per multiprocessor";

    private static void Write(Utf8JsonWriter json, KernelResources kernel)
    {
        json.WriteStartObject();
        json.WriteString("name", kernel.Name);
        json.WriteNumber("registers", kernel.Registers);
        json.WriteNumber("localBytes", kernel.LocalBytes);
        json.WriteNumber("sharedBytes", kernel.SharedBytes);
        json.WriteNumber("groupThreads", kernel.GroupThreads);
        json.WriteNumber("groupsPerMultiprocessor", kernel.GroupsPerMultiprocessor);
        json.WriteEndObject();
    }

    private static void WriteArray(Utf8JsonWriter json, string name, IEnumerable<ICheckResult> results)
    {
        json.WriteStartArray(name);
        foreach (var result in results)
            result.Write(json);
        json.WriteEndArray();
    }
}
