// Draws which key blocks each head reads, then who reads what: the shards of the heads together are the whole context.

using S2ILGPU.Layouts;
using S2ILGPU.Patterns;

var pattern = new LocalStridePattern(queryHeads: 4, keyValueHeads: 4, blockTokens: 64, localBlocks: 3,
    verticalStride: 4);
var report = PatternReport.Of(pattern, tokens: 1024);
var layout = report.Layout;
int blocks = layout.KeyBlocks;

Console.WriteLine(pattern);
Console.WriteLine(
    $"{layout.Tokens} tokens: {blocks} query blocks down, {blocks} key blocks across; # is read, . is not");
Console.WriteLine();
Console.WriteLine(Line(head => $"head {head}"));
for (int queryBlock = 0; queryBlock < blocks; queryBlock++)
    Console.WriteLine(Line(head => Row(queryBlock, keyBlock => pattern.Keeps(head, queryBlock, keyBlock) ? '#' : '.')));

Console.WriteLine();
Console.WriteLine(
    "all heads: the number of the only head that reads a block, # where every head does, + where some do, ? where "
    + "none does");
for (int queryBlock = 0; queryBlock < blocks; queryBlock++)
    Console.WriteLine(Row(queryBlock, keyBlock => Readers(queryBlock, keyBlock)));

Console.WriteLine();
Console.WriteLine(
    $"kept      {report.KeptBlocks} of {report.DenseBlocks} blocks: at most {report.DenseOverSparse:0.0}x faster than "
    + $"dense");
Console.WriteLine($"coverage  {report.Coverage}");
Console.WriteLine($"decoding  keeps {report.KeptCacheFraction:P0} of the key/value cache");

string Line(Func<int, string> text) =>
    string.Join("   ", Enumerable.Range(0, layout.Heads).Select(head => text(head).PadRight(blocks))).TrimEnd();

// A row of a causal grid ends at its diagonal.
string Row(int queryBlock, Func<int, char> cell) => string.Concat(Enumerable.Range(0, queryBlock + 1).Select(cell));

char Readers(int queryBlock, int keyBlock)
{
    int[] heads = [.. Enumerable.Range(0, layout.Heads).Where(head => pattern.Keeps(head, queryBlock, keyBlock))];
    return heads.Length switch { 0 => '?', 1 => (char)('0' + heads[0]), var n => n == layout.Heads ? '#' : '+' };
}
