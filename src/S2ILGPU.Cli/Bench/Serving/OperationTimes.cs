using System.Diagnostics;
using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Engines;

namespace S2ILGPU.Cli.Bench.Serving;

/// <summary>How long the operations of a forward pass take: products, attention with the writes of its pages, all
/// others. A <see cref="TracedEngine"/> reports them.</summary>
internal sealed class OperationTimes
{
    /// <summary>Seconds in products.</summary>
    public double ProductSeconds { get; private set; }

    /// <summary>Seconds in attention and in writing keys and values to pages.</summary>
    public double AttentionSeconds { get; private set; }

    /// <summary>Seconds in the other operations, uploads and downloads among them.</summary>
    public double OtherSeconds { get; private set; }

    /// <summary>When the last download ended, by <see cref="Stopwatch.GetTimestamp"/>.</summary>
    public long DownloadTimestamp { get; private set; }

    /// <summary>Sets the times to 0.</summary>
    public void Reset() => (ProductSeconds, AttentionSeconds, OtherSeconds) = (0, 0, 0);

    /// <summary>Adds an operation that has just ended.</summary>
    public void Add(Operation operation, double seconds)
    {
        switch (operation.Name)
        {
            case nameof(IEngine.MatMul):
                ProductSeconds += seconds;
                break;
            case nameof(IEngine.AttentionForward) or nameof(IEngine.WritePages):
                AttentionSeconds += seconds;
                break;
            default:
                OtherSeconds += seconds;
                if (operation.Name == nameof(IEngine.Download))
                    DownloadTimestamp = Stopwatch.GetTimestamp();
                break;
        }
    }
}
