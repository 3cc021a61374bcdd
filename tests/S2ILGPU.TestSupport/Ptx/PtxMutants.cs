using System.Text.RegularExpressions;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>What kind of fault was planted.</summary>
public enum PtxMutantKind
{
    /// <summary>A wait for asynchronous copies is gone.</summary>
    WaitDropped,

    /// <summary>A wait for asynchronous copies lets one group more be under way.</summary>
    WaitWeakened,

    /// <summary>A group of copies is not closed.</summary>
    CommitDropped,

    /// <summary>A barrier of the group is gone.</summary>
    BarrierDropped,

    /// <summary>A barrier of a warp is gone.</summary>
    WarpBarrierDropped,

    /// <summary>One ldmatrix.trans lacks its .trans, or one without has it.</summary>
    TransposeSwapped,

    /// <summary>One ldmatrix reads 16 bytes further on.</summary>
    MatrixMoved,

    /// <summary>An exclusive or (of a swizzle) is gone.</summary>
    SwizzleDropped,

    /// <summary>The comparison that occurs most often, the one of the mask, counts one position too many or too
    /// few.</summary>
    MaskOffByOne,

    /// <summary>An exponential is gone.</summary>
    ExponentialDropped,

    /// <summary>A packing of two results writes 0.</summary>
    PackDropped,

    /// <summary>An operand of a product is not rounded to TF32.</summary>
    RoundingDropped,

    /// <summary>A shuffle gives each lane its own value.</summary>
    ShuffleDropped,

    /// <summary>A product of matrices adds nothing.</summary>
    ProductDropped,

    /// <summary>A copy that must leave memory zero reads instead.</summary>
    ZeroFillDropped,
}

/// <summary>A kernel with one planted fault.</summary>
/// <param name="Kind">What was done.</param>
/// <param name="Ordinal">To which of the instructions that it can be done to, from 0.</param>
/// <param name="Count">Number of those instructions.</param>
/// <param name="Line">Line of the text.</param>
/// <param name="Plant">Makes the text.</param>
public sealed record PtxMutant(PtxMutantKind Kind, int Ordinal, int Count, int Line, Func<string> Plant)
{
    /// <summary>The text, made anew by every call.</summary>
    public string Text => Plant();

    public override string ToString() => $"{Kind} {Ordinal + 1} of {Count} (line {Line})";
}

/// <summary>Plants faults in PTX texts: whoever proves a kernel by running it must find them.</summary>
public static partial class PtxMutants
{
    /// <summary>All faults, kind by kind, those of each kind in random order.</summary>
    /// <param name="text">A module with one kernel.</param>
    /// <param name="random">Chooses the order.</param>
    public static IEnumerable<PtxMutant> Plant(string text, Random random)
    {
        int begin = KernelBegin(text);
        var found = new List<PtxMutant>();
        Every(PtxMutantKind.WaitDropped, Wait(), _ => "");
        Every(PtxMutantKind.WaitWeakened, Wait(), m => $"cp.async.wait_group {int.Parse(m.Groups[1].ValueSpan) + 1};");
        Every(PtxMutantKind.CommitDropped, Commit(), _ => "");
        Every(PtxMutantKind.BarrierDropped, GroupBarrier(), _ => "");
        Every(PtxMutantKind.WarpBarrierDropped, WarpBarrier(), _ => "");
        Every(PtxMutantKind.TransposeSwapped, LoadMatrix(), m => m.Value.Contains(".trans", StringComparison.Ordinal)
            ? m.Value.Replace(".trans", "") : m.Value.Replace(".x4", ".x4.trans"));
        Every(PtxMutantKind.MatrixMoved, LoadMatrixAddress(), m =>
            $"{m.Groups[1].Value}+{(m.Groups[2].Success ? int.Parse(m.Groups[2].ValueSpan) : 0) ^ 16}];");
        Every(PtxMutantKind.SwizzleDropped, Xor(), m => $"mov.b32 {m.Groups[1].Value}, {m.Groups[2].Value};");
        Every(PtxMutantKind.ExponentialDropped, Exponential(), m =>
            $"mov.f32 {m.Groups[1].Value}, {m.Groups[2].Value};");
        Every(PtxMutantKind.PackDropped, Pack(), m => $"mov.b32 {m.Groups[1].Value}, 0;");
        Every(PtxMutantKind.RoundingDropped, Rounding(), m => $"mov.b32 {m.Groups[1].Value}, {m.Groups[2].Value};");
        Every(PtxMutantKind.ShuffleDropped, Shuffle(), m => $"mov.b32 {m.Groups[1].Value}, {m.Groups[2].Value};");
        Every(PtxMutantKind.ProductDropped, Product(), m =>
            string.Join(' ', m.Groups[1].Value.Split(',')
            .Zip(m.Groups[2].Value.Split(','), (d, c) => $"mov.b32 {d.Trim()}, {c.Trim()};")));
        Every(PtxMutantKind.ZeroFillDropped, ZeroFill(), m => $"{m.Groups[1].Value}, 16;");
        if (OffByOne(text, begin) is { } mask)
            found.Add(mask);
        return found;

        void Every(PtxMutantKind kind, Regex pattern, Func<Match, string> replacement)
        {
            var matches = pattern.Matches(text, begin).ToArray();
            int[] order = [.. Enumerable.Range(0, matches.Length)];
            random.Shuffle(order);
            foreach (int n in order)
            {
                var match = matches[n];
                found.Add(new PtxMutant(kind, n, matches.Length, LineOf(text, match.Index),
                    () => string.Concat(text.AsSpan(0, match.Index), replacement(match),
                    text.AsSpan(match.Index + match.Length))));
            }
        }
    }

    // Changes all comparisons of the kind that occurs most often: those of the mask, one per element of a tile.
    private static PtxMutant? OffByOne(string text, int begin)
    {
        var comparisons = Comparison().Matches(text, begin).GroupBy(m => m.Groups[1].Value).MaxBy(g => g.Count());
        if (comparisons is null || comparisons.Count() < 16)
            return null;
        string changed = comparisons.Key switch { "le" => "lt", "lt" => "le", "ge" => "gt", _ => "ge" };
        string Mutant() => text[..begin] + Comparison()
            .Replace(text[begin..], m => m.Groups[1].Value == comparisons.Key
            ? m.Value.Replace($"setp.{comparisons.Key}", $"setp.{changed}") : m.Value);
        return new PtxMutant(PtxMutantKind.MaskOffByOne, 0, 1, LineOf(text, comparisons.First().Index), Mutant);
    }

    private static int KernelBegin(string text)
    {
        int entry = text.IndexOf(".entry", StringComparison.Ordinal);
        return text.IndexOf('{', entry);
    }

    private static int LineOf(string text, int index) => text.AsSpan(0, index).Count('\n') + 1;

    [GeneratedRegex(@"cp\.async\.wait_group (\d+);")]
    private static partial Regex Wait();

    [GeneratedRegex(@"cp\.async\.commit_group;")]
    private static partial Regex Commit();

    [GeneratedRegex(@"bar\.sync\s+0;")]
    private static partial Regex GroupBarrier();

    [GeneratedRegex(@"bar\.warp\.sync\s+[^;]*;")]
    private static partial Regex WarpBarrier();

    [GeneratedRegex(@"ldmatrix\.[\w.]*")]
    private static partial Regex LoadMatrix();

    [GeneratedRegex(@"(ldmatrix\.[\w.]*\s*\{[^}]*\},\s*\[%\w+)(?:\+(\d+))?\];")]
    private static partial Regex LoadMatrixAddress();

    // a swizzle by 0, which ILGPU leaves in the text, changes nothing
    [GeneratedRegex(@"xor\.b32\s+(%r\d+), (%r\d+), (?!0;)[^;]*;")]
    private static partial Regex Xor();

    [GeneratedRegex(@"ex2\.[\w.]*\s+(%f\d+), (%f\d+);")]
    private static partial Regex Exponential();

    [GeneratedRegex(@"cvt\.rn\.(?:b?f16x2)\.f32 (%r\d+), (%f\d+), (%f\d+);")]
    private static partial Regex Pack();

    [GeneratedRegex(@"cvt\.rna\.tf32\.f32 (%\w+), (%\w+);")]
    private static partial Regex Rounding();

    [GeneratedRegex(@"shfl\.sync\.\w+\.b32\s+(%\w+), (%\w+), [^;]*;")]
    private static partial Regex Shuffle();

    [GeneratedRegex(@"mma\.[\w.]*\s*\{([^}]*)\}, *\{[^}]*\}, *\{[^}]*\}, *\{([^}]*)\};")]
    private static partial Regex Product();

    [GeneratedRegex(@"(cp\.async\.cg\.shared\.global \[[^\]]*\], \[[^\]]*\]), 16, %\w+;")]
    private static partial Regex ZeroFill();

    [GeneratedRegex(@"setp\.(l[te]|g[te])\.[su]32[^;]*;")]
    private static partial Regex Comparison();
}
