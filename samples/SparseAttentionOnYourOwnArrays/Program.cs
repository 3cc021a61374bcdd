// Sparse attention on plain arrays, checked against its definition: softmax over the keys of the kept blocks, one query
// at a time.

using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Models;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;

// any number of tokens; two query heads share a key/value head
const int Tokens = 1000, QueryHeads = 8, KeyValueHeads = 4, HeadDim = 64;

float[] queries = Normal("queries", QueryHeads), keys = Normal("keys", KeyValueHeads),
    values = Normal("values", KeyValueHeads);
var pattern = new LocalStridePattern(QueryHeads, KeyValueHeads, blockTokens: 64, localBlocks: 2, verticalStride: 4);
var layout = BlockLayout.Create(pattern, Tokens);

using var engine = Engine.Create("auto");
using var q = engine.FromArray(queries, 1, Tokens, QueryHeads, HeadDim);       // [B, N, H, D]
using var k = engine.FromArray(keys, 1, Tokens, KeyValueHeads, HeadDim);       // [B, N, Hkv, D]
using var v = engine.FromArray(values, 1, Tokens, KeyValueHeads, HeadDim);
using var result = SparseAttention.Forward(engine, q, k, v, layout);
float[] output = engine.ToArray(result.Output);                                // [B, N, H, D]
float[] logSumExp = engine.ToArray(result.LogSumExp);                          // [B, H, N]

Console.WriteLine($"{engine.Name}: {pattern}");
Console.WriteLine(
    $"{"token",5} {"head",5} {"keys read",10} {"first output",13} {"by hand",10} {"log-sum-exp",12} {"by hand",10}");
double worst = 0;
foreach (int token in (int[])[0, 63, 64, 500, 999])
    foreach (int head in (int[])[0, 3, 7])
    {
        var (expected, expectedLogSumExp, read) = ByHand(token, head);
        int at = (token * QueryHeads + head) * HeadDim;
        for (int d = 0; d < HeadDim; d++)
            worst = Math.Max(worst, Math.Abs(output[at + d] - expected[d]));
        Console.WriteLine($"{token,5} {head,5} {read,10} {output[at],13:0.00000} {expected[0],10:0.00000} "
            + $"{logSumExp[head * Tokens + token],12:0.00000} {expectedLogSumExp,10:0.00000}");
    }
Console.WriteLine($"largest difference over all {HeadDim} components: {worst:0.0e+0}");

(double[] Output, double LogSumExp, int KeysRead) ByHand(int token, int head)
{
    int keyHead = head / (QueryHeads / KeyValueHeads), read = 0;
    double sum = 0;
    var weighted = new double[HeadDim];
    for (int key = 0; key <= token; key++)
    {
        if (!pattern.Keeps(pattern.PatternHeadOf(head), token / pattern.BlockTokens, key / pattern.BlockTokens))
            continue;
        read++;
        double score = 0;
        for (int d = 0; d < HeadDim; d++)
            score += (double)queries[(token * QueryHeads + head) * HeadDim + d]
                * keys[(key * KeyValueHeads + keyHead) * HeadDim + d];
        double weight = Math.Exp(score / Math.Sqrt(HeadDim));
        sum += weight;
        for (int d = 0; d < HeadDim; d++)
            weighted[d] += weight * values[(key * KeyValueHeads + keyHead) * HeadDim + d];
    }
    return ([.. weighted.Select(x => x / sum)], Math.Log(sum), read);
}

float[] Normal(string name, int heads)
{
    var array = new float[Tokens * heads * HeadDim];
    new RandomSource(seed: 1, name).FillNormal(array, deviation: 1);
    return array;
}
