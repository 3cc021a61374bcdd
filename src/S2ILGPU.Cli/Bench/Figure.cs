using System.Text.Json;

namespace S2ILGPU.Cli.Bench;

/// <summary>What a figure says about its target.</summary>
internal enum Verdict
{
    /// <summary>No target was set.</summary>
    None,

    /// <summary>The median reaches the target.</summary>
    Pass,

    /// <summary>The median misses the target.</summary>
    Miss,

    /// <summary>The median misses the target, but the machine was unsteady, and the steady value reaches it.</summary>
    Unsteady,

    /// <summary>The value is above what can be: what it was compared with waited, or a limit was taken too low. It says
    /// nothing about the target.</summary>
    AboveCeiling,

    /// <summary>There is a target and no value.</summary>
    NoValue,
}

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

    /// <summary>How much the middle half of some measurements may vary, of their median. A quiet machine stays within 2
    /// %.</summary>
    public const double TolerableVariation = 0.05;

    /// <summary>What the best tenth of the measurements reaches, of the best tenth of the machine's own limit: what a
    /// quiet machine would show.</summary>
    public double? Steady { get; init; }

    /// <summary>The most that the value can be, in its unit: 1 for a fraction of a limit; null where nothing says
    /// so.</summary>
    public double? Ceiling { get; init; }

    /// <summary>How much the limit that the value is divided by varied in the same rounds, for a ratio the machine's
    /// peak: <see cref="Samples.Variation"/>; null where none was measured.</summary>
    public double? YardstickVariation { get; init; }

    /// <summary>A figure from measurements.</summary>
    /// <param name="name">What was measured, with its sizes.</param>
    /// <param name="samples">The measurements.</param>
    /// <param name="target">The least value that is good enough.</param>
    /// <param name="unit">Unit of the value.</param>
    /// <param name="note">What else a reader needs.</param>
    /// <param name="yardstick">The machine's own limit in the same rounds, where it was measured.</param>
    /// <param name="steady"><see cref="Steady"/>; that of the samples by default.</param>
    public static Figure Of(string name, Samples samples, double? target, string unit, string note = "",
        Samples? yardstick = null, double? steady = null) =>
        new(name, samples.Median, target, unit, samples.Spread, note)
    {
        Steady = steady ?? samples.Quantile(0.9),
        YardstickVariation = yardstick?.Variation,
    };

    /// <summary>Whether the target is met, and whether the machine was steady enough to say so.</summary>
    /// <remarks>The other hyper-thread of a core slows real kernels for a while, 1.4 times was measured, where the
    /// machine's peak (multiply-adds in registers) hardly notices; so a wide spread of the figure itself counts as much
    /// as one of the yardstick.</remarks>
    public Verdict Verdict => this switch
    {
        { Target: null } => Verdict.None,
        { Value: null } => Verdict.NoValue,
        _ when Value > Ceiling => Verdict.AboveCeiling,
        _ when Value >= Target => Verdict.Pass,
        _ when Steady >= Target && (Spread > TolerableVariation * Value || YardstickVariation > TolerableVariation)
            => Verdict.Unsteady,
        _ => Verdict.Miss,
    };

    /// <summary>The verdict in a word: pass, miss, unsteady, above (its ceiling); none where there is no value, and
    /// nothing where there is no target.</summary>
    public string Mark => Verdict switch
    {
        Verdict.Pass => "pass",
        Verdict.Miss => "miss",
        Verdict.Unsteady => "unsteady",
        Verdict.AboveCeiling => "above",
        _ => Value is null ? "none" : "",
    };

    /// <summary>Writes the figure as a JSON object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("name", Name);
        WriteNumber(json, "value", Value);
        WriteNumber(json, "target", Target);
        json.WriteString("unit", Unit);
        WriteNumber(json, "spread", Spread);
        WriteNumber(json, "steady", Steady);
        WriteNumber(json, "ceiling", Ceiling);
        WriteNumber(json, "limitVariation", YardstickVariation);
        json.WriteString("verdict", Mark.Length == 0 ? null : Mark);
        json.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, double? number)
    {
        if (number is { } value && double.IsFinite(value))
            json.WriteNumber(name, Math.Round(value, 4));
        else
            json.WriteNull(name);
    }
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
