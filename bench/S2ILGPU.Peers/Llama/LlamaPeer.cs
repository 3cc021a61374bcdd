using System.Runtime.InteropServices;
using LLama.Exceptions;
using LLama.Native;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.Peers.Llama;

/// <summary>llama.cpp beside ours on a model of random weights: a whole prompt, tokens after it, and several texts side
/// by side.</summary>
internal static class LlamaPeer
{
    // Tokens that a context has room for after its prompt: more than the calls of a measurement.
    private const int Room = 512;

    // The weights of one side are rounded to 11 bits, those of the other to 8.
    private const double HalfTolerance = 0.03;

    private static readonly TransformerConfig s_config = new()
    {
        VocabularySize = 24576,
        Dim = 768,
        Layers = 12,
        QueryHeads = 12,
        KeyValueHeads = 4,
        HeadDim = 64,
        FeedForwardDim = 2048,
        Attention = new AttentionPlan(new DenseAttention()),
    };

    public static void Measure(PeerReport report)
    {
        report.Version = $"llama.cpp of LLamaSharp {Load()}, {report.Engine.Threads} threads";
        foreach (int tokens in report.Options.IsQuick ? (int[])[2048] : [2048, 8192])
            foreach (bool isHalf in (bool[])[false, true])
                Measure(report, tokens, isHalf);
        foreach (int texts in report.Options.IsQuick ? (int[])[16] : [16, 64])
            foreach (bool isHalf in (bool[])[false, true])
                MeasureTexts(report, texts, isHalf);
    }

    private static string Load()
    {
        const string failure = "Failed Loading '";
        string failed = "";
        try
        {
            // The exception lists what may be the matter; the log has the files. The first is the one meant for this
            // processor, the others are tried in its place.
            NativeLibraryConfig.All.WithLogCallback((_, text) =>
            {
                if (failed.Length == 0 && text.StartsWith(failure, StringComparison.Ordinal))
                    failed = text[failure.Length..].Trim().TrimEnd('\'');
            });
            NativeApi.llama_empty_call();
            // The assembly does not know its version; the package folder that it is read from does.
            return new FileInfo(typeof(NativeApi).Assembly.Location).Directory?.Parent?.Parent?.Name ?? "";
        }
        catch (Exception e) when (e is TypeInitializationException or DllNotFoundException or RuntimeError)
        {
            throw PeerMissingException.Of("LLamaSharp finds no library that loads here", e, WhyNot(failed));
        }
    }

    // What the loader says of a file, after a line of .NET's own advice.
    private static string WhyNot(string file)
    {
        try
        {
            if (file.Length > 0)
                NativeLibrary.Free(NativeLibrary.Load(Path.GetFullPath(file, AppContext.BaseDirectory)));
            return "";
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            string[] lines = e.Message.Split('\n',
                StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            return lines[Math.Min(1, lines.Length - 1)];
        }
    }

    private static void Measure(PeerReport report, int tokens, bool isHalf)
    {
        string prefill = $"prefill {tokens} tokens, {Kind(isHalf)}",
            decode = $"decode at {tokens} tokens, {Kind(isHalf)}";
        if (!report.Wants(prefill) && !report.Wants(decode))
            return;
        var config = s_config with { ContextTokens = tokens + Room };
        int[] prompt = RandomTokens(tokens, seed: 1), next = RandomTokens(Room, seed: 2);
        string path = NewPath();
        try
        {
            using var dense = new Ours(report, config, isHalf, prompt, next);
            using var sparse = new Ours(report, config with { Attention = AttentionPlan.Sparse }, isHalf, prompt, next);
            Write(path, report, config, isHalf);
            var cacheType = isHalf ? GGMLType.GGML_TYPE_F16 : GGMLType.GGML_TYPE_F32;
            using var theirs = new LlamaCpp(path, report.Engine.Threads, prompt, config.ContextTokens, cacheType);
            sparse.Prefill();
            dense.Prefill();
            theirs.Prefill();
            double error = Agreement.Check(prefill, dense.Logits, theirs.Logits,
                isHalf ? HalfTolerance : Agreement.Tolerance);
            string size = FormattableString.Invariant($"{config.ParameterCount / 1e6:0.0} M parameters");
            int call = 0;
            // First, while all are right after the prompt.
            if (report.Wants(decode))
                report.Compare(decode, () => theirs.Next(next[call++ % Room]),
                    new OurVariant("dense", dense.Next, error, 1, size), new OurVariant("s2", sparse.Next, null, 1));
            if (report.Wants(prefill))
                report.Compare(prefill, report.Options.ModelRounds, theirs.Prefill,
                    new OurVariant("dense", dense.Prefill, error, tokens, size),
                    new OurVariant("s2", sparse.Prefill, null, tokens));
        }
        finally
        {
            File.Delete(path);
        }
    }

    // Prompts of 256 tokens that come together, 64 tokens each.
    private static void MeasureTexts(PeerReport report, int texts, bool isHalf)
    {
        const int PromptTokens = 256, Tokens = 64;
        string name = $"{texts} texts of {PromptTokens} and {Tokens} tokens, {Kind(isHalf)}";
        if (!report.Wants(name))
            return;
        var config = s_config with { ContextTokens = PromptTokens + Tokens };
        var type = isHalf ? ElementType.BFloat16 : ElementType.Float32;
        int[][] prompts = [.. Enumerable.Range(0, texts).Select(text => RandomTokens(PromptTokens, seed: 3 + text))];
        string path = NewPath();
        try
        {
            Write(path, report, config, isHalf);
            using var ours = new OurTexts(report.Engine, config, type, prompts, Tokens);
            using var theirs = new LlamaTexts(path, report.Engine.Threads, prompts, Tokens,
                isHalf ? GGMLType.GGML_TYPE_F16 : GGMLType.GGML_TYPE_F32);
            // Where two tokens are about as likely, rounding decides, and the rest of a text differs.
            var pairs = ours.Generate().Zip(theirs.Generate()).ToArray();
            int first = pairs.Count(pair => pair.First[0] == pair.Second[0]),
                whole = pairs.Count(pair => pair.First.SequenceEqual(pair.Second));
            if (first < 0.9 * texts)
                throw new DisagreementException($"{name}: only {first} of {texts} first tokens are equal");
            report.Compare(name, report.Options.ModelRounds, () => theirs.Generate(), new OurVariant("dense",
                () => ours.Generate(), null, texts * Tokens, $"{whole} of {texts} texts equal, {first} first tokens"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static string Kind(bool isHalf) => isHalf ? "F16 against bf16" : "F32";

    private static string NewPath() => Path.Combine(Path.GetTempPath(), $"s2-peers-{Environment.ProcessId}.gguf");

    // Always from float32 weights, so that each side rounds them itself.
    private static void Write(string path, PeerReport report, TransformerConfig config, bool isHalf)
    {
        using var model = new TransformerModel(report.Engine, config);
        long weights = GgufFile.Write(path, model, isHalf);
        if (weights != config.ParameterCount)
            throw new DisagreementException($"{weights} weights written, ours has {config.ParameterCount}");
    }

    private static int[] RandomTokens(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(s_config.VocabularySize))];
    }

    /// <summary>Our model with its cache.</summary>
    private sealed class Ours : IDisposable
    {
        private readonly TransformerModel _model;
        private readonly TransformerDecoder _decoder;
        private readonly int[] _prompt, _next;
        private readonly float[] _logits;
        private int _call;

        public Ours(PeerReport report, TransformerConfig config, bool isHalf, int[] prompt, int[] next)
        {
            var type = isHalf ? ElementType.BFloat16 : ElementType.Float32;
            _model = new TransformerModel(report.Engine, config, matrixType: type);
            _decoder = new TransformerDecoder(_model, new KeyValueCacheOptions { ElementType = type });
            (_prompt, _next, _logits) = (prompt, next, new float[config.VocabularySize]);
        }

        public ReadOnlySpan<float> Logits => _logits;

        public void Prefill()
        {
            _decoder.Clear(0);
            _decoder.Append(_prompt, _logits);
        }

        public void Next() => _decoder.Append(_next.AsSpan(_call++ % Room, 1), _logits);

        public void Dispose()
        {
            _decoder.Dispose();
            _model.Dispose();
        }
    }
}
