using System.Globalization;
using System.Text.Json;
using S2ILGPU.Cli.Simulation.Tracing;

namespace S2ILGPU.Cli.Commands;

/// <summary>The memory of a rank, in a line and in JSON.</summary>
internal static class MemoryText
{
    /// <summary>Each part in MB.</summary>
    public static string Line(RankMemory memory) => string.Create(CultureInfo.InvariantCulture,
        $"{Megabytes(memory.Total)} MB: weights {Megabytes(memory.Weights)}, gradients {Megabytes(memory.Gradients)}, "
        + $"moments {Megabytes(memory.Moments)}, activations and buffers {Megabytes(memory.Activations)}, "
        + $"of which keys and values of other ranks {Megabytes(memory.Fetched)}");

    /// <summary>Each part in bytes.</summary>
    public static void Write(Utf8JsonWriter writer, RankMemory memory)
    {
        writer.WriteNumber("weightBytes", memory.Weights);
        writer.WriteNumber("gradientBytes", memory.Gradients);
        writer.WriteNumber("momentBytes", memory.Moments);
        writer.WriteNumber("activationBytes", memory.Activations);
        writer.WriteNumber("fetchedBytes", memory.Fetched);
        writer.WriteNumber("totalBytes", memory.Total);
    }

    private static string Megabytes(long bytes) =>
        (bytes / 1e6).ToString(bytes < 100_000_000 ? "0.0" : "#,0", CultureInfo.InvariantCulture);
}
