// A pattern of your own: one class says which blocks a head keeps; layouts, reports, attention and decoding follow from
// it.

using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Models;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

const int Heads = 4, HeadDim = 32;

var pattern = new FadingMemoryPattern(Heads, windowBlocks: 2, blockTokens: 16);
Console.WriteLine("what the newest block reads, oldest block first:");
for (int head = 0; head < Heads; head++)
{
    var row = Enumerable.Range(0, 64).Select(keyBlock => pattern.Keeps(head, 63, keyBlock) ? '#' : '.');
    Console.WriteLine($"head {head}  {string.Concat(row)}");
}

Console.WriteLine();
Console.WriteLine($"{"tokens",7} {"kept",6} {"cache",6}  coverage");
foreach (int tokens in (int[])[128, 1024, 16384])
{
    var report = PatternReport.Of(pattern, tokens);
    Console.WriteLine($"{tokens,7} {report.KeptFraction,6:P0} {report.KeptCacheFraction,6:P0}  {report.Coverage}");
    if (report.IsCacheEfficient != pattern.IsCacheEfficient)
        throw new InvalidOperationException("the pattern promises what it does not keep");
}

using var engine = Engine.Create("auto");
using var dense = Attend(new DensePattern(Heads, Heads, blockTokens: 16));
using var fading = Attend(pattern);
float[] difference = [.. engine.ToArray(fading.Output).Zip(engine.ToArray(dense.Output), (a, b) => Math.Abs(a - b))];
int exact = pattern.WindowBlocks * pattern.BlockTokens; // as long as nothing has faded
Console.WriteLine();
Console.WriteLine($"{engine.Name}, 1024 tokens, largest difference from dense attention:");
Console.WriteLine($"first {exact} tokens  {difference.Take(exact * Heads * HeadDim).Max():0.0e+0}");
Console.WriteLine($"all tokens       {difference.Max():0.0e+0}");

AttentionResult Attend(AttentionPattern over)
{
    var random = new RandomSource(seed: 1);
    using var q = Normal(random);
    using var k = Normal(random);
    using var v = Normal(random);
    return SparseAttention.Forward(engine, q, k, v, BlockLayout.Create(over, 1024));
}

Tensor Normal(RandomSource random)
{
    var values = new float[1024 * Heads * HeadDim];
    random.FillNormal(values, deviation: 1);
    return engine.FromArray(values, 1, 1024, Heads, HeadDim);
}

/// <summary>Memory that thins out with age: block j stays in sight for W blocks times the largest power of two that
/// divides j + h.</summary>
internal sealed class FadingMemoryPattern(int heads, int windowBlocks, int blockTokens)
    : AttentionPattern(heads, heads, blockTokens, isCausal: true, perQueryHead: false)
{
    public int WindowBlocks => windowBlocks;

    // A block fades once and for ever, so that a decoder may free it; the report checks this promise.
    public override bool IsCacheEfficient => true;

    // Rows are enumerated with this, block by block; override AppendRow too where a long context makes that slow.
    public override bool Keeps(int head, int queryBlock, int keyBlock)
    {
        int shifted = keyBlock + head, power = shifted & -shifted; // 0 stays for ever: the start of the text, in head 0
        return keyBlock <= queryBlock && (shifted == 0 || queryBlock - keyBlock < windowBlocks * power);
    }
}
