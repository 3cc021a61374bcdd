using Microsoft.ML.OnnxRuntime;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;

namespace S2ILGPU.Peers.Onnx;

/// <summary>ONNX Runtime's block-sparse and dense attention beside ours.</summary>
internal static class OnnxPeer
{
    private const int Heads = 8;

    public static void Measure(PeerReport report)
    {
        report.Version = $"ONNX Runtime {Version()}, {report.Engine.Threads} threads";
        foreach (int headDim in report.Options.IsQuick ? (int[])[64] : [64, 128])
            foreach (int tokens in (int[])[4096, 8192])
            {
                var (sparse, dense) = (BenchPatterns.L16S8(Heads, Heads), new DensePattern(Heads, Heads));
                Measure(report, $"SparseAttention D{headDim}, {tokens} tokens, L16 s8", tokens, headDim, sparse);
                Measure(report, $"GroupQueryAttention D{headDim}, {tokens} tokens, dense", tokens, headDim, dense);
            }
    }

    private static string Version()
    {
        try
        {
            return OrtEnv.Instance().GetVersionString();
        }
        catch (Exception e) when (e is TypeInitializationException or DllNotFoundException)
        {
            throw PeerMissingException.Of("its library does not load", e);
        }
    }

    private static void Measure(PeerReport report, string name, int tokens, int headDim, AttentionPattern pattern)
    {
        if (!report.Wants(name))
            return;
        var engine = report.Engine;
        using var inputs = new AttentionInputs(engine, new AttentionSize(tokens, Heads, Heads, headDim));
        using var ours = new AttentionWork(inputs, pattern);
        var layout = BlockLayout.Create(pattern, tokens);
        using var theirs = new OnnxAttention(engine.Threads, tokens, Heads, headDim,
            pattern is DensePattern ? null : layout, engine.Values(inputs.Query), engine.Values(inputs.Key),
            engine.Values(inputs.Value));
        theirs.Run();
        using var result = SparseAttention.Forward(engine, inputs.Query, inputs.Key, inputs.Value, layout);
        double error = Agreement.Check(name, engine.Values(result.Output), theirs.Output);
        report.Compare(name, theirs.Run, new OurVariant(pattern is DensePattern ? "dense" : "L16 s8", ours.Forward,
            error));
    }
}
