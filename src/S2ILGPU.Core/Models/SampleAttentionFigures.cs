namespace S2ILGPU.Models;

/// <summary>What SampleAttention kept of the passes that it sampled, and what choosing cost. An immutable
/// value.</summary>
/// <remarks>The kept probability of a row is <c>sum of p_ij over the kept keys = exp(LSE_kept - LSE_all)</c>, exact but
/// for rounding; rows count once for each layer and query head. A NaN in keys or queries makes it NaN. Seconds on a
/// device are those of the last layer of each pass: to take them means to wait.</remarks>
public sealed record SampleAttentionFigures
{
    /// <summary>Nothing was sampled so far.</summary>
    public static SampleAttentionFigures None { get; } = new();

    /// <summary>Sequences whose queries were sampled, counted once for each pass and layer.</summary>
    public long Selections { get; init; }

    /// <summary>The kept probability of rows drawn at random: the certificate.</summary>
    public KeptProbability Audit { get; init; }

    /// <summary>The kept probability of the sampled rows themselves.</summary>
    public KeptProbability Sample { get; init; }

    /// <summary>What was to be kept: <see cref="SampleAttentionOptions.Alpha"/>; 0 where nothing is sampled.</summary>
    public double Alpha { get; init; }

    /// <summary>How many passes of a sequence kept <see cref="Alpha"/>.</summary>
    public CertificateCounts Passes { get; init; }

    /// <summary>Seconds of sampling rows and choosing blocks.</summary>
    public double SelectionSeconds { get; init; }

    /// <summary>Seconds of attention over the chosen blocks.</summary>
    public double AttentionSeconds { get; init; }

    /// <summary>Seconds of measuring the audited rows.</summary>
    public double AuditSeconds { get; init; }

    /// <summary>Kept blocks over those of dense attention, [layers][H]; 0 before the first pass.</summary>
    public IReadOnlyList<IReadOnlyList<double>> KeptFractions { get; init; } = [];

    /// <summary>Kept blocks over those of dense attention, of all layers and heads.</summary>
    public double KeptFraction { get; init; }

    /// <summary>Selection over selection and attention, in time; 0 before the first pass.</summary>
    public double SelectionShare =>
        SelectionSeconds == 0 ? 0 : SelectionSeconds / (SelectionSeconds + AttentionSeconds);
}

/// <summary>The probability that rows keep: cumulative residual attention (CRA) is its least.</summary>
/// <param name="Rows">Rows so far, once for each layer and query head.</param>
/// <param name="Mean">Their mean; 0 without rows.</param>
/// <param name="Least">Their least; 1 without rows.</param>
public readonly record struct KeptProbability(long Rows, double Mean, double Least)
{
    /// <summary>No rows.</summary>
    public static KeptProbability None => new(0, 0, 1);

    /// <summary>Adds a row.</summary>
    /// <param name="kept">Its kept probability, 0 to 1.</param>
    public KeptProbability With(double kept) =>
        new(Rows + 1, Mean + (kept - Mean) / (Rows + 1), Math.Min(Rows == 0 ? 1 : Least, kept));

    /// <summary>Adds other rows.</summary>
    /// <param name="other">The other rows.</param>
    public KeptProbability Join(KeptProbability other) => Rows == 0 ? other : other.Rows == 0 ? this
        : new(Rows + other.Rows, Mean + (other.Mean - Mean) * other.Rows / (Rows + other.Rows),
            Math.Min(Least, other.Least));
}

/// <summary>How many certificates keep a probability.</summary>
/// <param name="Count">Certificates with audited rows.</param>
/// <param name="OnAverage">Those whose mean reaches it.</param>
/// <param name="InEveryRow">Those whose least reaches it: their CRA.</param>
public readonly record struct CertificateCounts(long Count, long OnAverage, long InEveryRow)
{
    /// <summary>Adds a certificate; one without audited rows says nothing and does not count.</summary>
    /// <param name="audit">The kept probability of its audited rows.</param>
    /// <param name="alpha">The probability, 0 to 1.</param>
    public CertificateCounts With(KeptProbability audit, double alpha) => audit.Rows == 0 ? this
        : new(Count + 1, OnAverage + (audit.Mean >= alpha ? 1 : 0), InEveryRow + (audit.Least >= alpha ? 1 : 0));
}

/// <summary>What SampleAttention kept of one text's prompt.</summary>
/// <param name="Audit">The kept probability of its audited rows.</param>
/// <param name="KeptBlocks">Kept blocks of the passes that were sampled, of all layers and heads.</param>
/// <param name="AllBlocks">Those of dense attention.</param>
public readonly record struct SampleCertificate(KeptProbability Audit, long KeptBlocks, long AllBlocks)
{
    /// <summary>Kept blocks over those of dense attention; 0 where nothing was sampled.</summary>
    public double KeptFraction => AllBlocks == 0 ? 0 : (double)KeptBlocks / AllBlocks;

    /// <summary>Adds another pass, or another text.</summary>
    /// <param name="other">What it kept.</param>
    public SampleCertificate Join(SampleCertificate other) =>
        new(Audit.Join(other.Audit), KeptBlocks + other.KeptBlocks, AllBlocks + other.AllBlocks);
}
