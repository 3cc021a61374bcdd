using S2ILGPU.Models;

namespace S2ILGPU.Serving.Metrics;

/// <summary>What blocks chosen at run time kept, and what choosing them cost, as metrics.</summary>
internal static class SampleMetrics
{
    public static void Write(MetricsText text, SampleAttentionFigures figures, CertificateCounts prompts)
    {
        text.Counter("s2_sample_selections_total", "Choices of blocks, one for each pass and layer.",
            figures.Selections);
        text.Counter("s2_sample_selection_seconds_total", "Seconds of choosing blocks.", figures.SelectionSeconds);
        text.Counter("s2_sample_attention_seconds_total", "Seconds of attention over chosen blocks.",
            figures.AttentionSeconds);
        text.Counter("s2_sample_audit_seconds_total", "Seconds of auditing rows.", figures.AuditSeconds);
        Kept(text, "audited", figures.Audit);
        Kept(text, "sampled", figures.Sample);
        text.Counter("s2_sample_prompts_total", "Prompts with audited rows.", prompts.Count);
        text.Counter("s2_sample_prompts_kept_mean_total", "Those whose audited rows kept alpha on average.",
            prompts.OnAverage);
        text.Counter("s2_sample_prompts_kept_least_total", "Those whose audited rows all kept alpha (CRA).",
            prompts.InEveryRow);
        text.Begin("s2_sample_kept_fraction", "gauge", "Kept blocks over those of dense attention, by head.");
        for (int layer = 0; layer < figures.KeptFractions.Count; layer++)
            for (int head = 0; head < figures.KeptFractions[layer].Count; head++)
                text.Sample("s2_sample_kept_fraction", figures.KeptFractions[layer][head],
                    $"layer=\"{layer}\",head=\"{head}\"");
    }

    private static void Kept(MetricsText text, string rows, KeptProbability kept)
    {
        text.Counter($"s2_sample_{rows}_rows_total", $"Rows {rows}, once for each layer and head.", kept.Rows);
        text.Gauge($"s2_sample_{rows}_kept_least", $"Least probability that {rows} rows kept (CRA).", kept.Least);
        text.Gauge($"s2_sample_{rows}_kept_mean", $"Mean probability that {rows} rows kept.", kept.Mean);
    }
}
