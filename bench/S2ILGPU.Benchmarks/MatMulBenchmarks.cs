using BenchmarkDotNet.Attributes;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Benchmarks;

/// <summary>The three products of a linear layer, at the widths of transformers.</summary>
public class MatMulBenchmarks : DeviceBenchmarks
{
    private Tensor _input = null!, _weight = null!, _output = null!, _weightGradient = null!, _inputGradient = null!;

    [Params(4096)]
    public int Tokens { get; set; }

    [Params("256 to 512", "256 to 1408", "704 to 256", "512 to 2816", "2048 to 2048")]
    public string Layer { get; set; } = "";

    [Benchmark]
    public void Forward() => Multiply(new MatMulArguments(_input, _weight, _output, TransposeB: true));

    [Benchmark]
    public void InputGradient() => Multiply(new MatMulArguments(_output, _weight, _inputGradient));

    [Benchmark]
    public void WeightGradient() => Multiply(new MatMulArguments(_output, _input, _weightGradient, TransposeA: true));

    /// <inheritdoc/>
    public override Work Of(string benchmark)
    {
        var (inputs, outputs) = Widths();
        return new Work(Flops: 2.0 * Tokens * inputs * outputs);
    }

    /// <inheritdoc/>
    protected override void Prepare()
    {
        var (inputs, outputs) = Widths();
        _input = Normal(Tokens, inputs);
        _weight = Normal(outputs, inputs);
        _output = Normal(Tokens, outputs);
        _inputGradient = Normal(Tokens, inputs);
        _weightGradient = Normal(outputs, inputs);
    }

    private void Multiply(in MatMulArguments arguments)
    {
        Engine.MatMul(arguments);
        Wait();
    }

    private (int Inputs, int Outputs) Widths() =>
        Layer.Split(" to ") is [var inputs, var outputs] ? (int.Parse(inputs), int.Parse(outputs))
        : throw new InvalidOperationException($"a layer is written as '256 to 512', got '{Layer}'");
}
