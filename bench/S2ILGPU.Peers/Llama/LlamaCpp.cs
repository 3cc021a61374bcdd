using LLama;
using LLama.Common;
using LLama.Native;

namespace S2ILGPU.Peers.Llama;

/// <summary>A GGUF model in llama.cpp with room for one sequence.</summary>
internal sealed class LlamaCpp : IDisposable
{
    private readonly LLamaWeights _weights;
    private readonly LLamaContext _context;
    private readonly LLamaBatch _prompt = new(), _next = new();
    private readonly int _promptTokens;
    private int _length;

    /// <param name="path">The file.</param>
    /// <param name="threads">Threads of prompts and of single tokens.</param>
    /// <param name="prompt">Ids of the prompt.</param>
    /// <param name="contextTokens">Positions of the cache.</param>
    /// <param name="cacheType">Element type of keys and values.</param>
    public LlamaCpp(string path, int threads, int[] prompt, int contextTokens, GGMLType cacheType)
    {
        var parameters = new ModelParams(path)
        {
            ContextSize = (uint)contextTokens,
            BatchSize = (uint)prompt.Length,
            Threads = threads,
            BatchThreads = threads,
            GpuLayerCount = 0,
            LoadMode = LLamaLoadMode.None, // in memory of the process, as ours
            TypeK = cacheType,
            TypeV = cacheType,
            FlashAttention = null, // its own choice
        };
        _weights = LLamaWeights.LoadFromFile(parameters);
        _context = _weights.CreateContext(parameters);
        _promptTokens = prompt.Length;
        for (int i = 0; i < prompt.Length; i++)
            _prompt.Add(prompt[i], i, LLamaSeqId.Zero, logits: i == prompt.Length - 1);
    }

    /// <summary>Logits [V] after the last call.</summary>
    public ReadOnlySpan<float> Logits => _context.NativeHandle.GetLogitsIth(-1);

    /// <summary>Reads the prompt into an empty cache.</summary>
    public void Prefill()
    {
        _context.NativeHandle.MemoryClear(data: false);
        Decode(_prompt);
        _length = _promptTokens;
    }

    /// <summary>Adds a token.</summary>
    public void Next(int token)
    {
        _next.Clear();
        _next.Add(token, _length++, LLamaSeqId.Zero, logits: true);
        Decode(_next);
    }

    public void Dispose()
    {
        _context.Dispose();
        _weights.Dispose();
    }

    private void Decode(LLamaBatch batch)
    {
        var result = _context.Decode(batch);
        _context.NativeHandle.Synchronize();
        if (result != DecodeResult.Ok)
            throw new InvalidOperationException($"llama.cpp could not decode {batch.TokenCount} tokens: {result}");
    }
}
