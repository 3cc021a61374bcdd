using System.Globalization;
using System.Text;

namespace S2ILGPU.Serving.Metrics;

/// <summary>Prometheus' text format, version 0.0.4.</summary>
internal sealed class MetricsText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly StringBuilder _text = new();

    /// <summary>Begins a metric, whose samples follow.</summary>
    public void Begin(string name, string type, string help) =>
        _text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n");

    public void Sample(string name, double value, string? labels = null) =>
        _text.Append(CultureInfo.InvariantCulture, $"{name}{(labels is null ? "" : $"{{{labels}}}")} {Text(value)}\n");

    /// <summary>A metric with one value, which may fall.</summary>
    public void Gauge(string name, string help, double value)
    {
        Begin(name, "gauge", help);
        Sample(name, value);
    }

    /// <summary>A metric with one value, which only grows.</summary>
    public void Counter(string name, string help, double value)
    {
        Begin(name, "counter", help);
        Sample(name, value);
    }

    public override string ToString() => _text.ToString();

    private static string Text(double value) =>
        double.IsPositiveInfinity(value) ? "+Inf" : value.ToString(CultureInfo.InvariantCulture);
}
