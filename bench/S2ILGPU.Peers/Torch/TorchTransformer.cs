using S2ILGPU.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace S2ILGPU.Peers.Torch;

/// <summary>Our transformer written with libtorch's ops: pre-norm RMSNorm, rotary positions, grouped queries, SwiGLU,
/// tied embeddings, dense attention.</summary>
/// <remarks>libtorch has no fused RMSNorm, rotary or SwiGLU in TorchSharp, so these are compositions, as they are in
/// most of its models.</remarks>
internal sealed class TorchTransformer : IDisposable
{
    private readonly TransformerConfig _config;
    private readonly torch.Tensor _cosine, _sine;

    /// <summary>Copies a model of ours.</summary>
    /// <param name="model">The model; tied embeddings, SwiGLU.</param>
    /// <param name="tokens">N, tokens of a sequence.</param>
    public TorchTransformer(TransformerModel model, int tokens)
    {
        _config = model.Config;
        Parameters = [.. model.Parameters.Select(p => new Parameter(model.Engine.ToTorch(p.Value)))];
        (_cosine, _sine) = Angles(tokens);
    }

    /// <summary>In the order of ours, with the same fused matrices.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>Number of trainable numbers.</summary>
    public long ParameterCount => Parameters.Sum(p => p.numel());

    /// <summary>Mean loss of one sequence; the caller's dispose scope owns it.</summary>
    /// <param name="tokens">[N].</param>
    /// <param name="targets">[N].</param>
    public torch.Tensor Loss(torch.Tensor tokens, torch.Tensor targets)
    {
        var x = Parameters[0].index_select(0, tokens);
        for (int layer = 0; layer < _config.Layers; layer++)
            x = Layer(x, layer);
        var logits = F.linear(Norm(x, Parameters[^1]), Parameters[0]);
        return F.cross_entropy(logits, targets);
    }

    public void Dispose()
    {
        foreach (var parameter in Parameters)
            parameter.Dispose();
        _cosine.Dispose();
        _sine.Dispose();
    }

    // x [N, C]; parameters of a layer: norm, QKV, O, norm, gate and up, down.
    private torch.Tensor Layer(torch.Tensor x, int layer)
    {
        int first = 1 + 6 * layer;
        x = x + F.linear(Attend(Norm(x, Parameters[first]), Parameters[first + 1]), Parameters[first + 2]);
        var halves = F.linear(Norm(x, Parameters[first + 3]), Parameters[first + 4]).chunk(2, -1);
        return x + F.linear(F.silu(halves[0]) * halves[1], Parameters[first + 5]);
    }

    private torch.Tensor Attend(torch.Tensor x, Parameter weight)
    {
        int heads = _config.QueryHeads, keyHeads = _config.KeyValueHeads;
        long tokens = x.shape[0];
        var fused = F.linear(x, weight).view(1, tokens, heads + 2 * keyHeads, _config.HeadDim).transpose(1, 2);
        var parts = fused.split([heads, keyHeads, keyHeads], 1);
        var key = Rotate(parts[1]).repeat_interleave(heads / keyHeads, 1);
        var value = parts[2].repeat_interleave(heads / keyHeads, 1);
        return F.scaled_dot_product_attention(Rotate(parts[0]), key, value, is_casual: true)
            .transpose(1, 2).reshape(tokens, heads * _config.HeadDim);
    }

    // Pairs (x_c, x_{c+D/2}), as ours.
    private torch.Tensor Rotate(torch.Tensor x)
    {
        var halves = x.chunk(2, -1);
        return x * _cosine + cat([-halves[1], halves[0]], -1) * _sine;
    }

    private torch.Tensor Norm(torch.Tensor x, Parameter weight) =>
        x * (x.square().mean([-1], keepdim: true) + _config.NormEpsilon).rsqrt() * weight;

    private (torch.Tensor Cosine, torch.Tensor Sine) Angles(int tokens)
    {
        int dim = _config.HeadDim;
        float[] cosine = new float[tokens * dim], sine = new float[tokens * dim];
        for (int token = 0; token < tokens; token++)
            for (int c = 0; c < dim; c++)
                (sine[token * dim + c], cosine[token * dim + c]) = MathF.SinCos((float)(token
                    * Math.Pow(_config.RopeTheta, -2.0 * (c % (dim / 2)) / dim)));
        return (torch.tensor(cosine, [tokens, dim]), torch.tensor(sine, [tokens, dim]));
    }
}
