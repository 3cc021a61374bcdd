using S2ILGPU.Cli.Bench;
using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using TorchSharp;
using static TorchSharp.torch;

namespace S2ILGPU.Peers.Torch;

/// <summary>Dense causal attention of libtorch against ours, dense and sparse.</summary>
internal static class TorchAttention
{
    // Only the checks have a mask, whose [H, N, N] are 8 MB at this length; at 32,768 tokens they would be 8 GB. The
    // dense calls have none, and libtorch makes no scores [H, N, N] of them either: the process stays below 1 GB at
    // 8192 tokens, where these would have 2.
    private const int Heads = 8, CheckedTokens = 1024;

    private static readonly string[] s_works =
        ["attention forward", "attention backward", "attention forward and backward"];

    public static void Measure(PeerReport report)
    {
        bool isQuick = report.Options.IsQuick;
        foreach (int headDim in (int[])[64, 128])
            Measure(report, headDim, isQuick ? [1024, 2048, 4096] : [1024, 2048, 4096, 8192, 16384, 32768]);
        foreach (int headDim in isQuick ? (int[])[] : [80, 96, 256])
            Measure(report, headDim, [4096]);
    }

    private static void Measure(PeerReport report, int headDim, int[] lengths)
    {
        bool isChecked = false;
        foreach (int tokens in lengths)
        {
            string size = $"D{headDim}, {tokens} tokens";
            // All names are asked for, so that a wrong --only can be answered with them.
            bool[] wanted = [.. s_works.Select(work => report.Wants($"{work} {size}"))];
            if (!wanted.Contains(true))
                continue;
            if (!isChecked)
                CheckSparse(report, headDim);
            isChecked = true;
            Measure(report, tokens, headDim, size);
        }
    }

    private static void Measure(PeerReport report, int tokens, int headDim, string size)
    {
        using var inputs = new AttentionInputs(report.Engine, new AttentionSize(tokens, Heads, Heads, headDim,
            HasGradients: true));
        using var theirs = new TorchCall(inputs, mask: null);
        var patterns = BenchPatterns.All(Heads);
        AttentionWork[] ours = [.. patterns.Select(p => new AttentionWork(inputs, p.Pattern))];
        var (forward, backward) = Check(report, $"attention {size}", inputs, theirs, patterns[0].Pattern);
        Compare(s_works[0], theirs.Forward, work => work.Forward, forward);
        foreach (var work in ours)
            work.Forward(); // a backward pass needs its results
        if (report.Wants($"{s_works[1]} {size}"))
            using (var kept = theirs.Keep())
                Compare(s_works[1], kept.Backward, work => work.Backward, backward);
        Compare(s_works[2], theirs.ForwardAndBackward, work => () => Both(work), backward);
        foreach (var work in ours)
            work.Dispose();

        void Compare(string work, Action peers, Func<AttentionWork, Action> own, double error)
        {
            if (report.Wants($"{work} {size}"))
                report.Compare($"{work} {size}", peers, [.. ours.Select((our, i) => new OurVariant(patterns[i].Name,
                    own(our), i == 0 ? error : null, Note: Kept(ours, i)))]);
        }
    }

    // Dense blocks over kept ones: what sparsity can gain at most.
    private static string Kept(AttentionWork[] ours, int i) => i == 0 ? ""
        : FormattableString.Invariant($"{ours[0].Scores / ours[i].Scores:0.00}x fewer blocks than dense");

    private static void Both(AttentionWork work)
    {
        work.Forward();
        work.Backward();
    }

    // The sparse patterns against libtorch with a mask, at a length where a mask [H, N, N] is small.
    private static void CheckSparse(PeerReport report, int headDim)
    {
        using var inputs = new AttentionInputs(report.Engine, new AttentionSize(CheckedTokens, Heads, Heads, headDim,
            HasGradients: true));
        foreach (var (name, pattern) in BenchPatterns.All(Heads)[1..])
        {
            using var mask = Mask(BlockLayout.Create(pattern, CheckedTokens));
            using var theirs = new TorchCall(inputs, mask);
            Check(report, $"{name} D{headDim}, {CheckedTokens} tokens", inputs, theirs, pattern);
        }
    }

    private static (double Forward, double Backward) Check(PeerReport report, string name, AttentionInputs inputs,
        TorchCall theirs, AttentionPattern pattern)
    {
        var engine = report.Engine;
        var layout = BlockLayout.Create(pattern, inputs.Query.Shape[1]);
        using var result = SparseAttention.Forward(engine, inputs.Query, inputs.Key, inputs.Value, layout);
        using var gradients = SparseAttention.Backward(engine, inputs.Query, inputs.Key, inputs.Value, result,
            inputs.OutputGradient!, layout);
        using var scope = NewDisposeScope();
        var (output, query, key, value) = theirs.Results();
        double forward = Agreement.Check($"{name}: output", engine.Values(result.Output), output);
        double backward = Agreement.Check($"{name}: dQ", engine.Values(gradients.Query), query);
        backward = Math.Max(backward, Agreement.Check($"{name}: dK", engine.Values(gradients.Key), key));
        return (forward, Math.Max(backward, Agreement.Check($"{name}: dV", engine.Values(gradients.Value), value)));
    }

    private static torch.Tensor Mask(BlockLayout layout)
    {
        int tokens = layout.Tokens, block = layout.BlockTokens;
        var kept = new bool[Heads * tokens * tokens];
        for (int head = 0; head < Heads; head++)
            for (int query = 0; query < tokens; query++)
            {
                var row = layout.Row(head / (Heads / layout.Heads), query / block);
                var line = kept.AsSpan((head * tokens + query) * tokens, tokens);
                foreach (int keyBlock in (int[])[.. row.Full, .. row.Partial])
                    line[(keyBlock * block)..Math.Min(query + 1, (keyBlock + 1) * block)].Fill(true);
            }
        return torch.tensor(kept, [1, Heads, tokens, tokens]);
    }

    /// <summary>Attention of libtorch on copies of our inputs, in its own layout [1, H, N, D].</summary>
    private sealed class TorchCall : IDisposable
    {
        private readonly torch.Tensor _query, _key, _value, _outputGradient;
        private readonly torch.Tensor? _mask;

        public TorchCall(AttentionInputs inputs, torch.Tensor? mask)
        {
            _mask = mask;
            _query = Copy(inputs.Query).requires_grad_();
            _key = Copy(inputs.Key).requires_grad_();
            _value = Copy(inputs.Value).requires_grad_();
            _outputGradient = Copy(inputs.OutputGradient!);

            torch.Tensor Copy(Tensors.Tensor tensor)
            {
                using var rows = inputs.Engine.ToTorch(tensor);
                using var heads = rows.transpose(1, 2);
                return heads.contiguous();
            }
        }

        public void Forward()
        {
            using var scope = NewDisposeScope();
            using var inference = no_grad();
            Attend();
        }

        public void ForwardAndBackward()
        {
            using var scope = NewDisposeScope();
            autograd.grad([Attend()], [_query, _key, _value], [_outputGradient]);
        }

        /// <summary>A forward pass whose gradients can be taken again and again.</summary>
        public KeptOutput Keep() => new(Attend(), [_query, _key, _value], _outputGradient);

        /// <summary>Output and gradients in our layout [1, N, H, D].</summary>
        public (float[] Output, float[] Query, float[] Key, float[] Value) Results()
        {
            using var scope = NewDisposeScope();
            var output = Attend();
            var gradients = autograd.grad([output], [_query, _key, _value], [_outputGradient]);
            return (Rows(output), Rows(gradients[0]), Rows(gradients[1]), Rows(gradients[2]));

            static float[] Rows(torch.Tensor tensor) => tensor.transpose(1, 2).Values();
        }

        public void Dispose()
        {
            _query.Dispose();
            _key.Dispose();
            _value.Dispose();
            _outputGradient.Dispose();
        }

        private torch.Tensor Attend() => nn.functional.scaled_dot_product_attention(_query, _key, _value, _mask,
            is_casual: _mask is null);
    }

    /// <summary>An output of libtorch with its graph.</summary>
    private sealed class KeptOutput(torch.Tensor output, torch.Tensor[] inputs, torch.Tensor outputGradient)
        : IDisposable
    {
        public void Backward()
        {
            using var scope = NewDisposeScope();
            autograd.grad([output], inputs, [outputGradient], retain_graph: true);
        }

        public void Dispose() => output.Dispose();
    }
}
