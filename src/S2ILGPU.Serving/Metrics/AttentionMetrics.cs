using S2ILGPU.AttentionWorkers;

namespace S2ILGPU.Serving.Metrics;

/// <summary>What attention on workers cost, as metrics.</summary>
internal static class AttentionMetrics
{
    public static void Write(MetricsText text, AttentionWorkerFigures figures)
    {
        text.Counter("s2_attention_sent_bytes_total", "Bytes sent to attention workers.", figures.BytesSent);
        text.Counter("s2_attention_received_bytes_total", "Bytes received from attention workers.",
            figures.BytesReceived);
        text.Counter("s2_attention_sent_tensor_bytes_total", "Bytes of queries, keys and values that were sent.",
            figures.TensorBytesSent);
        text.Counter("s2_attention_received_tensor_bytes_total", "Bytes of outputs that were received.",
            figures.TensorBytesReceived);
        text.Counter("s2_attention_away_seconds_total", "Seconds from queries to their outputs.", figures.AwaySeconds);
        text.Counter("s2_attention_wait_seconds_total", "Seconds of these in which nothing was computed here.",
            figures.WaitSeconds);
        text.Gauge("s2_attention_overlap", "Share of the seconds away in which something was computed here.",
            figures.AwaySeconds > 0 ? 1 - figures.WaitSeconds / figures.AwaySeconds : 0);
        text.Counter("s2_attention_losses_total", "Times that a worker was lost and the cache computed again.",
            figures.Losses);
        Each(text, "s2_attention_worker_cpu_seconds_total", "CPU seconds of a worker.", figures.Workers,
            figures.WorkerCpuSeconds);
        Each(text, "s2_attention_worker_busy_seconds_total", "Seconds that a worker computed.", figures.Workers,
            figures.WorkerBusySeconds);
        text.Counter("s2_process_cpu_seconds_total", "CPU seconds of this process.",
            Environment.CpuUsage.TotalTime.TotalSeconds);
    }

    private static void Each(MetricsText text, string name, string help, IReadOnlyList<string> workers,
        IReadOnlyList<double> values)
    {
        text.Begin(name, "counter", help);
        for (int i = 0; i < workers.Count; i++)
            text.Sample(name, values[i], $"worker=\"{workers[i]}\"");
    }
}
