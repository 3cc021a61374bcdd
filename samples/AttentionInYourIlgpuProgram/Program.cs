// Sparse attention inside a program that has its own ILGPU context, buffers and kernels: on its stream, on its memory, between its own kernels.

using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using S2ILGPU;
using S2ILGPU.Backends;
using S2ILGPU.Devices;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;

const int Tokens = 100, Heads = 2, HeadDim = 32;

// What the program has anyway. On ILGPU's CPU device (no GPU here) groups must have 128 threads or more.
using var context = Context.Create(builder => builder.Default().EnableAlgorithms().WithTensorCores());
var device = context.GetPreferredDevice(preferCPU: false);
using var accelerator = device.AcceleratorType == AcceleratorType.CPU ? new CPUDevice(32, 8, 1).CreateAccelerator(context) : device.CreateAccelerator(context);
using var stream = accelerator.CreateStream();
using var queries = accelerator.Allocate1D<float>(Tokens * Heads * HeadDim);    // [N, H, D]
using var keys = accelerator.Allocate1D<float>(Tokens * Heads * HeadDim);
using var values = accelerator.Allocate1D<float>(Tokens * Heads * HeadDim);
using var outputs = accelerator.Allocate1D<float>(Tokens * Heads * HeadDim);
using var logSumExps = accelerator.Allocate1D<float>(Heads * Tokens);           // [H, N]
var fill = accelerator.LoadKernel<FillArguments>(Fill);
foreach (var (buffer, seed) in new[] { (queries, 1), (keys, 2), (values, 3) })
    fill(stream, new KernelConfig(new Index3D(2, 1, 1), new Index3D(32, 1, 1)), new FillArguments { Memory = buffer.View.BaseView, Seed = seed });

// What it adds: an engine on its accelerator and stream, tensors over its memory, and the call.
var layout = BlockLayout.Create(new LocalStridePattern(Heads, Heads, blockTokens: 16, localBlocks: 2, verticalStride: 2), Tokens);
using var engine = new IlgpuBackend(accelerator, stream);
using var q = engine.View(queries.View.BaseView, 1, Tokens, Heads, HeadDim);    // [B, N, H, D]
using var k = engine.View(keys.View.BaseView, 1, Tokens, Heads, HeadDim);
using var v = engine.View(values.View.BaseView, 1, Tokens, Heads, HeadDim);
using var o = engine.View(outputs.View.BaseView, 1, Tokens, Heads, HeadDim);
using var lse = engine.View(logSumExps.View.BaseView, 1, Heads, Tokens);        // [B, H, N]
engine.AttentionForward(new AttentionForwardArguments(q, k, v, o, lse, layout, SequenceBatch.Uniform(1, Tokens, Tokens), 1 / MathF.Sqrt(HeadDim)));

// The program goes on with its results. Here: one row, computed again by hand.
stream.Synchronize();
var (query, key, value, output) = (queries.GetAsArray1D(), keys.GetAsArray1D(), values.GetAsArray1D(), outputs.GetAsArray1D());
double worst = 0;
for (int token = 0; token < Tokens; token += 33)
    for (int head = 0; head < Heads; head++)
        for (int d = 0; d < HeadDim; d++)
            worst = Math.Max(worst, Math.Abs(output[(token * Heads + head) * HeadDim + d] - ByHand(token, head, d)));
Console.WriteLine($"{engine.Name}: largest difference to the definition {worst:0.0e+0}");

double ByHand(int token, int head, int d)
{
    double sum = 0, weighted = 0;
    for (int j = 0; j <= token; j++)
    {
        if (!layout.Pattern.Keeps(head, token / 16, j / 16))
            continue;
        double score = 0;
        for (int c = 0; c < HeadDim; c++)
            score += query[(token * Heads + head) * HeadDim + c] * key[(j * Heads + head) * HeadDim + c];
        double weight = Math.Exp(score / Math.Sqrt(HeadDim));
        (sum, weighted) = (sum + weight, weighted + weight * value[(j * Heads + head) * HeadDim + d]);
    }
    return weighted / sum;
}

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
