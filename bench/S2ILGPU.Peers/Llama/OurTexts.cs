using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.Tensors;

namespace S2ILGPU.Peers.Llama;

/// <summary>Our model and scheduler, which continue several texts side by side.</summary>
internal sealed class OurTexts : IDisposable
{
    private readonly TransformerModel _model;
    private readonly Scheduler _scheduler;
    private readonly int[][] _prompts;
    private readonly int _tokens;

    public OurTexts(IEngine engine, TransformerConfig config, ElementType type, int[][] prompts, int tokens)
    {
        (_prompts, _tokens) = (prompts, tokens);
        _model = new TransformerModel(engine, config, matrixType: type);
        _scheduler = new Scheduler(_model, new SchedulerOptions
        {
            Sequences = prompts.Length,
            ElementType = type,
            Prefixes = 0, // every call computes its prompts
        });
    }

    /// <summary>Continues all prompts, always by the likeliest token.</summary>
    public int[][] Generate()
    {
        List<int>[] texts = [.. _prompts.Select(_ => new List<int>())];
        foreach (var (prompt, text) in _prompts.Zip(texts))
            _scheduler.Submit(new GenerationRequest
            {
                Prompt = prompt,
                MaxTokens = _tokens,
                Sampling = new SamplingOptions { Temperature = 0 },
                OnToken = token => text.Add(token.Token!.Value),
            });
        while (_scheduler.Step()) { }
        return [.. texts.Select(text => text.ToArray())];
    }

    public void Dispose()
    {
        _scheduler.Dispose();
        _model.Dispose();
    }
}
