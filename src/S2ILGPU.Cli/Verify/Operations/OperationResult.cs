using System.Globalization;
using System.Text.Json;
using S2ILGPU.Cli.Devices;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Verify.Operations;

/// <summary>What the checks of one operation found.</summary>
/// <param name="Name">The operation's name in the engine's contract.</param>
/// <param name="Type">Element type of activations.</param>
/// <param name="Cases">Number of calls that were compared.</param>
/// <param name="Worst">The worst element relative to its tolerance; null when nothing could be computed.</param>
/// <param name="WorstCase">Sizes and form of that call.</param>
/// <param name="Failure">The first exception; null for none.</param>
internal sealed record OperationResult(string Name, ElementType Type, int Cases, WorstError? Worst, string WorstCase,
    string? Failure) : ICheckResult
{
    public bool IsPassed => Failure is null && Cases > 0 && Worst is { IsWithin: true };

    public string Line(int nameWidth)
    {
        string error = Worst is null ? "no result"
            : string.Create(CultureInfo.InvariantCulture,
            $"worst {Worst.Error:0.0e-00} of {Worst.Tolerance}, {Worst.Tensor} in {WorstCase}");
        string element = Worst is { IsWithin: false } ? $": {Worst.Describe()}" : "";
        return $"{(IsPassed ? "PASS" : "FAIL")}  operation  {Type.ShortName(),-5}  {Name.PadRight(nameWidth)}  "
            + $"{Cases,3} cases  {error}{element}{(Failure is null ? "" : $"; {Failure}")}";
    }

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("name", Name);
        json.WriteString("dtype", Type.ShortName());
        json.WriteNumber("cases", Cases);
        json.WriteBoolean("passed", IsPassed);
        if (Failure is not null)
            json.WriteString("failure", Failure);
        Worst?.Write(json, WorstCase);
        json.WriteEndObject();
    }
}
