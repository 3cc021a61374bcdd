using S2ILGPU.Cli.Bench;
using S2ILGPU.Engines;
using TorchSharp;
using static TorchSharp.torch;

namespace S2ILGPU.Peers.Torch;

/// <summary>The three products of a linear layer.</summary>
internal static class TorchLinear
{
    private static readonly (int Tokens, int Inputs, int Outputs)[] s_layers =
    [
        (2048, 256, 1024), (2048, 1024, 256), (1024, 1024, 1024), (2048, 2048, 2048), (2048, 256, 4096),
    ];

    public static void Measure(PeerReport report)
    {
        foreach (var (tokens, inputs, outputs) in s_layers)
            Measure(report, $"linear {tokens} x {inputs} x {outputs}", tokens, inputs, outputs);
    }

    private static void Measure(PeerReport report, string name, int tokens, int inputs, int outputs)
    {
        if (!report.Wants(name))
            return;
        var engine = report.Engine;
        using Tensors.Tensor x = engine.Random(1, tokens, inputs), w = engine.Random(2, outputs, inputs),
            y = engine.Random(3, tokens, outputs), dy = engine.Random(4, tokens, outputs),
            dx = engine.Random(5, tokens, inputs), dw = engine.Random(6, outputs, inputs);
        using torch.Tensor peerX = engine.ToTorch(x), peerW = engine.ToTorch(w), peerDy = engine.ToTorch(dy);
        using var inference = no_grad();

        One("forward", () => nn.functional.linear(peerX, peerW), new MatMulArguments(x, w, y, TransposeB: true));
        One("gradient of the input", () => peerDy.mm(peerW), new MatMulArguments(dy, w, dx));
        One("gradient of the weight", () => peerDy.t().mm(peerX), new MatMulArguments(dy, x, dw, TransposeA: true));

        void One(string product, Func<torch.Tensor> peer, MatMulArguments ours)
        {
            engine.MatMul(ours);
            double error;
            using (NewDisposeScope())
                error = Agreement.Check($"{name}, {product}", engine.Values(ours.C), peer().Values());
            report.Compare($"{name}, {product}", () => Peer(peer), new OurVariant("fp32", () => engine.MatMul(ours),
                error));
        }
    }

    private static void Peer(Func<torch.Tensor> product)
    {
        using var scope = NewDisposeScope();
        product();
    }
}
