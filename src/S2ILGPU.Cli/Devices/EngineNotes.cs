using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Devices;

/// <summary>Tells on the error stream what an engine does in a slower way than one may think, each once.</summary>
/// <param name="engine">The engine; only that on ILGPU has such notes.</param>
/// <param name="error">The error stream.</param>
internal sealed class EngineNotes(IEngine engine, TextWriter error)
{
    private readonly HashSet<string> _written = [];

    /// <summary>Writes what can be said before a model runs.</summary>
    /// <param name="engine">The engine that it runs on.</param>
    /// <param name="model">The model.</param>
    /// <param name="cache">How keys are kept while a text is continued; null for the type of activations.</param>
    /// <param name="error">The error stream.</param>
    /// <returns>For what comes up later.</returns>
    public static EngineNotes Begin(IEngine engine, TransformerModel model, ElementType? cache, TextWriter error)
    {
        var queries = model.ActivationType;
        (engine as IlgpuEngine)?.ExpectAttention(queries, cache ?? queries, model.Config.HeadDim);
        var notes = new EngineNotes(engine, error);
        notes.WriteNew();
        return notes;
    }

    /// <summary>Writes what came up since the last time.</summary>
    public void WriteNew()
    {
        if (engine is not IlgpuEngine { Notes: var notes })
            return;
        foreach (string note in notes.Where(_written.Add))
            error.WriteLine($"note: {note}");
    }
}
