using System.Collections.Concurrent;
using S2ILGPU.AttentionWorkers;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.Serving.Routing;

namespace S2ILGPU.Serving.Metrics;

/// <summary>What <c>/metrics</c> says, besides the scheduler's own counters. Thread-safe.</summary>
internal sealed class ServingMetrics
{
    private readonly ConcurrentDictionary<int, Counter> _byStatus = [];
    private readonly Lock _gate = new();
    private CertificateCounts _prompts;

    /// <summary>Tokens of the prompts of accepted requests.</summary>
    public Counter PromptTokens { get; } = new();

    /// <summary>Seconds from a request to the first token of each of its texts.</summary>
    public Histogram FirstToken { get; } = new();

    /// <summary>Seconds between two tokens of a text.</summary>
    public Histogram NextToken { get; } = new();

    /// <summary>Requests that were placed on other instances of a cluster.</summary>
    public Counter PlacedElsewhere { get; } = new();

    /// <summary>Texts that went on elsewhere after their instance was lost.</summary>
    public Counter Continued { get; } = new();

    /// <summary>Counts an answer.</summary>
    public void Answered(int status) => _byStatus.GetOrAdd(status, _ => new Counter()).Add(1);

    /// <summary>Counts a prompt whose blocks were chosen at run time.</summary>
    /// <param name="certificate">What was kept of it.</param>
    /// <param name="alpha">What was to be kept.</param>
    public void Sampled(SampleCertificate certificate, double alpha)
    {
        lock (_gate)
            _prompts = _prompts.With(certificate.Audit, alpha);
    }

    /// <summary>All metrics as text.</summary>
    /// <param name="counters">Those of this server's scheduler.</param>
    /// <param name="instances">The instances of its cluster; empty for a server alone.</param>
    /// <param name="sample">What blocks chosen at run time kept; null for a model that runs with its
    /// patterns.</param>
    /// <param name="attention">What attention on workers cost; null where it runs here.</param>
    /// <param name="lending">What is borrowed and lent; null for a server alone.</param>
    public string Format(SchedulerCounters counters, IReadOnlyList<InstanceStatus> instances,
        SampleAttentionFigures? sample, AttentionWorkerFigures? attention, LendingFigures? lending)
    {
        var text = new MetricsText();
        text.Begin("s2_requests_total", "counter",
            "Answers of the API by HTTP status; 499 where the client left before the end.");
        foreach (var (status, count) in _byStatus.OrderBy(s => s.Key))
            text.Sample("s2_requests_total", count.Value, $"status=\"{status}\"");
        text.Gauge("s2_queue_requests", "Requests that wait.", counters.Queued);
        text.Gauge("s2_running_sequences", "Sequences that run.", counters.Running);
        text.Counter("s2_prompt_tokens_total", "Tokens of accepted prompts.", PromptTokens.Value);
        text.Counter("s2_generated_tokens_total", "Tokens that came out.", counters.GeneratedTokens);
        text.Counter("s2_computed_tokens_total", "Tokens that went through the model.", counters.ComputedTokens);
        text.Counter("s2_proposals_total", "Proposals that were computed.", counters.Proposals);
        text.Counter("s2_proposed_tokens_total", "Tokens that were proposed.", counters.ProposedTokens);
        text.Counter("s2_accepted_tokens_total", "Proposed tokens that were drawn; each saved its text a step.",
            counters.AcceptedTokens);
        text.Counter("s2_steps_total", "Steps of the scheduler.", counters.Steps);
        text.Counter("s2_preemptions_total", "Times that a running sequence gave way.", counters.Preemptions);
        text.Counter("s2_prefix_hits_total", "Requests that began behind a shared prefix.", counters.PrefixHits);
        text.Counter("s2_prefix_tokens_total", "Tokens that shared prefixes saved.", counters.PrefixTokens);
        Cache(text, counters);
        if (sample is not null)
            lock (_gate)
                SampleMetrics.Write(text, sample, _prompts);
        if (attention is not null)
            AttentionMetrics.Write(text, attention);
        lending?.Write(text);
        if (instances.Count > 0)
            Cluster(text, instances);
        FirstToken.Write(text, "s2_time_to_first_token_seconds", "From a request to its first token.");
        NextToken.Write(text, "s2_time_between_tokens_seconds", "Between two tokens of a text.");
        return text.ToString();
    }

    private void Cluster(MetricsText text, IReadOnlyList<InstanceStatus> instances)
    {
        text.Gauge("s2_instances", "Instances of the cluster that answer, this one too.", instances.Count);
        Each("s2_instance_ready", "Whether an instance takes requests.", instance => instance.IsReady ? 1 : 0);
        Each("s2_instance_running_sequences", "Sequences that an instance runs.", i => i.Counters.Running);
        Each("s2_instance_queue_requests", "Requests that wait on an instance.", i => i.Counters.Queued);
        Each("s2_instance_cache_pages_used", "Pages in use on an instance.", i => i.Counters.UsedPages);
        text.Counter("s2_requests_placed_elsewhere_total", "Requests placed on other instances.",
            PlacedElsewhere.Value);
        text.Counter("s2_requests_continued_total", "Texts continued elsewhere when an instance was lost.",
            Continued.Value);

        void Each(string name, string help, Func<InstanceStatus, double> value)
        {
            text.Begin(name, "gauge", help);
            foreach (var instance in instances)
                text.Sample(name, value(instance), $"instance=\"{instance.Name}\"");
        }
    }

    // Pages of layers may differ in size, so the limit is in bytes.
    private static void Cache(MetricsText text, SchedulerCounters counters)
    {
        text.Gauge("s2_cache_pages_used", "Pages in use, those of prefixes too.", counters.UsedPages);
        text.Gauge("s2_cache_pages_free", "Pages that wait to be used again.", counters.FreePages);
        text.Gauge("s2_cache_pages_total", "Pages in use and free ones.", counters.UsedPages + counters.FreePages);
        text.Gauge("s2_cache_bytes_used", "Bytes of the pages in use.", counters.UsedBytes);
        text.Gauge("s2_cache_bytes_free", "Bytes of pages that wait to be used again.", counters.FreeBytes);
        text.Gauge("s2_cache_bytes_limit", "The most bytes of pages.",
            counters.MaxBytes == long.MaxValue ? double.PositiveInfinity : counters.MaxBytes);
        text.Gauge("s2_cache_bytes_dense", "Bytes that dense attention would keep for the running sequences.",
            counters.DenseBytes);
        text.Gauge("s2_prefixes", "Prefixes that are kept.", counters.Prefixes);
    }
}
