using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

const int Tokens = 2000, QueryHeads = 8, KeyValueHeads = 4, HeadDim = 64;

// Each head reads a window of 4 blocks and one remote block of 4, shifted from head to head.
var pattern = new LocalStridePattern(QueryHeads, KeyValueHeads, blockTokens: 64, localBlocks: 4, verticalStride: 4);
var layout = BlockLayout.Create(pattern, Tokens);
var report = PatternReport.Of(pattern, Tokens);
Console.WriteLine($"{report.KeptFraction:P0} of the blocks are read, at most {report.DenseOverSparse:0.0}x faster");
Console.WriteLine($"every token is read by some head: {report.Coverage.IsComplete}");

using var engine = Engine.Create("auto");                       // the fastest device that is there
using Tensor query = Random(QueryHeads), key = Random(KeyValueHeads), value = Random(KeyValueHeads);
using var result = SparseAttention.Forward(engine, query, key, value, layout);
using Tensor outputGradient = Random(QueryHeads);
using var gradients = SparseAttention.Backward(engine, query, key, value, result, outputGradient, layout);

float[] output = engine.ToArray(result.Output);                 // [1, Tokens, QueryHeads, HeadDim]
float[] keyGradient = engine.ToArray(gradients.Key);            // [1, Tokens, KeyValueHeads, HeadDim]
Console.WriteLine($"{engine.Name}: output {output[^1]:0.0000}, key gradient {keyGradient[^1]:0.0000}");

// [1, Tokens, heads, HeadDim]
Tensor Random(int heads)
{
    var random = new Random(heads);
    float[] values = [.. Enumerable.Range(0, Tokens * heads * HeadDim).Select(_ => random.NextSingle() - 0.5f)];
    return engine.FromArray(values, 1, Tokens, heads, HeadDim);
}
