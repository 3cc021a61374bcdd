namespace S2ILGPU.Cli.Bench;

/// <summary>One result of a benchmark, beside what it should be.</summary>
/// <param name="Name">What was measured, with its sizes.</param>
/// <param name="Value">The median; null where the engine cannot do it.</param>
/// <param name="Target">The least value that is good enough; null where none was set.</param>
/// <param name="Unit">Unit of the value.</param>
/// <param name="Spread">Width of the middle half of the measurements, in the unit of the value.</param>
/// <param name="Note">What else a reader needs to judge the value: the ceiling of a speed-up, why there is no
/// value.</param>
internal sealed record Figure(string Name, double? Value, double? Target, string Unit, double? Spread, string Note = "")
{
    /// <summary>Unit of figures relative to the fused multiply-adds that the machine can do.</summary>
    public const string OfPeak = "of peak";

    /// <summary>A figure from measurements.</summary>
    public static Figure Of(string name, Samples samples, double? target, string unit, string note = "") =>
        new(name, samples.Median, target, unit, samples.Spread, note);

    /// <summary>Whether the target is met; null without a target or a value.</summary>
    public bool? IsMet => Value >= Target ? true : Value < Target ? false : null;

    /// <summary>pass, miss, or nothing.</summary>
    public string Mark => IsMet switch { true => "pass", false => "miss", _ => Value is null ? "none" : "" };
}

/// <summary>Figures that belong together.</summary>
/// <param name="Title">What they are about.</param>
/// <param name="Figures">The figures, in the order of the report.</param>
internal sealed record FigureGroup(string Title, IReadOnlyList<Figure> Figures);

/// <summary>A speed-up of sparse over dense attention, never without its ceiling.</summary>
/// <param name="Pattern">The pattern in short.</param>
/// <param name="Tokens">N.</param>
/// <param name="Ratio">Time of dense over time of sparse attention, the median over rounds.</param>
/// <param name="Ceiling">Blocks of dense over blocks of sparse attention.</param>
internal sealed record SpeedUp(string Pattern, int Tokens, double Ratio, double Ceiling);
