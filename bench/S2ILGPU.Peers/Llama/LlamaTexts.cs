using System.Numerics.Tensors;
using LLama;
using LLama.Common;
using LLama.Native;

namespace S2ILGPU.Peers.Llama;

/// <summary>A GGUF model in llama.cpp that continues several texts side by side, as its server does: prompts packed
/// into batches, then one token of every text per call. Each text has a part of the cache of its own, so that none
/// reads past another's masked keys.</summary>
internal sealed class LlamaTexts : IDisposable
{
    private const int BatchTokens = 2048;

    private readonly LLamaWeights _weights;
    private readonly LLamaContext _context;
    private readonly LLamaBatch _batch = new();
    private readonly List<int> _withLogits = [];
    private readonly int[][] _prompts;
    private readonly int _tokens;

    /// <param name="path">The file.</param>
    /// <param name="threads">Threads of all calls.</param>
    /// <param name="prompts">Ids of the prompts.</param>
    /// <param name="tokens">Tokens to add to each.</param>
    /// <param name="cacheType">Element type of keys and values.</param>
    public LlamaTexts(string path, int threads, int[][] prompts, int tokens, GGMLType cacheType)
    {
        (_prompts, _tokens) = (prompts, tokens);
        var parameters = new ModelParams(path)
        {
            ContextSize = (uint)prompts.Sum(prompt => prompt.Length + tokens),
            SeqMax = (uint)prompts.Length,
            KVUnified = false,
            BatchSize = BatchTokens,
            Threads = threads,
            BatchThreads = threads,
            GpuLayerCount = 0,
            LoadMode = LLamaLoadMode.None,
            TypeK = cacheType,
            TypeV = cacheType,
            FlashAttention = null,
        };
        _weights = LLamaWeights.LoadFromFile(parameters);
        _context = _weights.CreateContext(parameters);
    }

    /// <summary>Continues all prompts, always by the likeliest token.</summary>
    public int[][] Generate()
    {
        _context.NativeHandle.MemoryClear(data: false);
        List<int>[] texts = [.. _prompts.Select(_ => new List<int>())];
        for (int text = 0; text < _prompts.Length; text++)
            for (int at = 0; at < _prompts[text].Length; at++)
            {
                Add(_prompts[text][at], at, text, hasLogits: at == _prompts[text].Length - 1);
                if (_batch.TokenCount == BatchTokens)
                    Decode(texts);
            }
        Decode(texts);
        while (texts[0].Count < _tokens)
        {
            for (int text = 0; text < texts.Length; text++)
                Add(texts[text][^1], _prompts[text].Length + texts[text].Count - 1, text, hasLogits: true);
            Decode(texts);
        }
        return [.. texts.Select(text => text.ToArray())];
    }

    public void Dispose()
    {
        _context.Dispose();
        _weights.Dispose();
    }

    private void Add(int token, int position, int text, bool hasLogits)
    {
        _withLogits.Add(hasLogits ? text : -1);
        _batch.Add(token, position, (LLamaSeqId)text, hasLogits);
    }

    private void Decode(List<int>[] texts)
    {
        if (_batch.TokenCount == 0)
            return;
        var result = _context.Decode(_batch);
        if (result != DecodeResult.Ok)
            throw new InvalidOperationException($"llama.cpp could not decode {_batch.TokenCount} tokens: {result}");
        for (int i = 0; i < _withLogits.Count; i++)
            if (_withLogits[i] >= 0)
                texts[_withLogits[i]].Add(TensorPrimitives.IndexOfMax(_context.NativeHandle.GetLogitsIth(i)));
        _withLogits.Clear();
        _batch.Clear();
    }
}
