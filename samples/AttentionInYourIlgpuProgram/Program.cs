// Sparse attention inside a program that has its own ILGPU context, buffers and kernels: on its stream, on its memory,
// between its own kernels.

using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using S2ILGPU;
using S2ILGPU.Devices;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

const int Tokens = 100, Heads = 2, HeadDim = 32;

// What the program has anyway. On ILGPU's CPU device (no GPU here) groups must have 128 threads or more.
using var context = Context.Create(builder => builder.Default().EnableAlgorithms().WithTensorCores());
var device = context.GetPreferredDevice(preferCPU: false);
using var accelerator = device.AcceleratorType == AcceleratorType.CPU
    ? new CPUDevice(32, 8, 1).CreateAccelerator(context) : device.CreateAccelerator(context);
using var stream = accelerator.CreateStream();
var fill = accelerator.LoadKernel<FillArguments>(Fill);
// [N, H, D]
var (queries, keys, values, gradients) = (Buffer(Tokens, seed: 1), Buffer(Tokens, seed: 2), Buffer(Tokens, seed: 3),
    Buffer(Tokens, seed: 4));
var (outputs, queryGradients, keyGradients, valueGradients, decoded) =
    (Buffer(Tokens), Buffer(Tokens), Buffer(Tokens), Buffer(Tokens), Buffer(1));
// [H, N]
using var logSumExps = accelerator.Allocate1D<float>(Heads * Tokens);

// What it adds: an engine on its accelerator and stream, tensors over its memory, and the calls. The same on buffers of
// ILGPU's Half, or of ushort for bfloat16.
using var engine = new IlgpuEngine(accelerator, stream);
var (q, k, v, o, dO) = (View(queries), View(keys), View(values), View(outputs), View(gradients));     // [B, N, H, D]
var (dQ, dK, dV, next) = (View(queryGradients), View(keyGradients), View(valueGradients), View(decoded));
var lse = engine.View(logSumExps.View.BaseView, 1, Heads, Tokens);                                    // [B, H, N]
var layout = BlockLayout.Create(new LocalStridePattern(Heads, Heads, blockTokens: 16, localBlocks: 2,
    verticalStride: 2), Tokens);
using var result = SparseAttention.Forward(engine, q, k, v, layout, output: o, logSumExp: lse);
SparseAttention.Backward(engine, q, k, v, result, dO, layout, into: new AttentionGradients(dQ, dK, dV));
using var last = q.Slice(1, Tokens - 1, 1);                                      // decoding: one query, all keys
using var step = SparseAttention.Forward(engine, last, k, v, layout, output: next);
Tensor View(MemoryBuffer1D<float, Stride1D.Dense> memory) =>
    engine.View(memory.View.BaseView, 1, (int)memory.Length / (Heads * HeadDim), Heads, HeadDim);

// The program goes on with its results. Here: compared with the definition, its derivatives by finite differences, and
// the last row of the forward pass.
var (query, key, value, loss) = (Doubles(queries), Doubles(keys), Doubles(values), Doubles(gradients));
double[] output = Doubles(outputs), expected = Definition();
Console.WriteLine($"{engine.Name}; tensor cores for 16-bit buffers: {engine.UsesTensorCores}");
Console.WriteLine($"forward:  largest difference to the definition {Largest(output.Zip(expected)):0.0e+0}");
var samples = from operand in new (double[] Values, double[] Gradient)[] { (query, Doubles(queryGradients)),
    (key, Doubles(keyGradients)), (value, Doubles(valueGradients)) }
              from n in new[] { 5, 1234, 3456, 6399 }
              select (operand.Gradient[n], (LossAt(operand.Values, n, 1e-4) - LossAt(operand.Values, n, -1e-4)) / 2e-4);
Console.WriteLine($"backward: largest difference to finite differences {Largest(samples):0.0e+0}");
Console.WriteLine(
    $"decoding: largest difference to the forward pass "
    + $"{Largest(Doubles(decoded).Zip(output[^(Heads * HeadDim)..])):0.0e+0}");

MemoryBuffer1D<float, Stride1D.Dense> Buffer(int rows, int seed = 0)
{
    var buffer = accelerator.Allocate1D<float>(rows * Heads * HeadDim); // freed with the accelerator
    fill(stream, new KernelConfig(new Index3D(2, 1, 1), new Index3D(32, 1, 1)),
        new FillArguments { Memory = buffer.View.BaseView, Seed = seed });
    return buffer;
}

double[] Doubles(MemoryBuffer1D<float, Stride1D.Dense> buffer) =>
    [.. buffer.GetAsArray1D(stream).Select(x => (double)x)];

static double Largest(IEnumerable<(double, double)> pairs) => pairs.Max(pair => Math.Abs(pair.Item1 - pair.Item2));

double LossAt(double[] operand, int n, double change)
{
    operand[n] += change;
    double result = Definition().Zip(loss, (x, weight) => x * weight).Sum();
    operand[n] -= change;
    return result;
}

// Softmax over the kept keys, times the values.
double[] Definition() => [.. from token in Enumerable.Range(0, Tokens)
                             from head in Enumerable.Range(0, Heads)
                             let kept = Enumerable.Range(0, token + 1)
                                 .Where(j => layout.Pattern.Keeps(head, token / 16, j / 16))
                                 .Select(j => (j * Heads + head) * HeadDim).ToArray()
                             let row = (token * Heads + head) * HeadDim
                             let weights = kept.Select(at =>
                                 Math.Exp(result.Scale * Enumerable.Range(0, HeadDim)
                                     .Sum(c => query[row + c] * key[at + c])))
                                 .ToArray()
                             from d in Enumerable.Range(0, HeadDim)
                             select kept.Zip(weights, (at, weight) => weight * value[at + d]).Sum() / weights.Sum()];

// A kernel of the program: numbers that look random.
static void Fill(FillArguments a)
{
    for (int n = Grid.IdxX * Group.DimX + Group.IdxX; n < a.Memory.IntLength; n += Grid.DimX * Group.DimX)
    {
        uint x = (uint)n * 2654435761u + (uint)a.Seed * 40503u;
        x = (x ^ (x >> 15)) * 2246822519u;
        a.Memory[n] = (x >> 8) * (1f / (1 << 23)) - 1;
    }
}

/// <summary>The argument of the program's kernel.</summary>
public struct FillArguments
{
    /// <summary>Where to write.</summary>
    public ArrayView<float> Memory;

    /// <summary>Which numbers.</summary>
    public int Seed;
}
