using S2ILGPU.Autograd;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

public static partial class Operations
{
    /// <summary>The two halves of the last dimension, without a copy: gate and up of one fused product.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[..., 2C].</param>
    /// <returns>Views [..., C]; their gradients lie in one tensor [..., 2C], which becomes the gradient of <paramref
    /// name="x"/>.</returns>
    /// <exception cref="ShapeException">The last dimension is odd.</exception>
    public static (Variable First, Variable Second) Halves(this Tape tape, Variable x)
    {
        int half = x.Shape[-1] / 2;
        if (x.Shape[-1] % 2 != 0)
            throw new ShapeException(nameof(Halves), nameof(x), "of an even last dimension", x.Shape.ToString());
        var whole = WholeOf(tape, x);
        var first = PartOf(tape, x, whole, -1, 0, half);
        var second = PartOf(tape, x, whole, -1, half, half);
        if (tape.Needs(x))
            RecordSplit(tape, x, whole, first, second);
        return (first, second);
    }

    /// <summary>Queries, keys and values of one fused product, without a copy.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[B, N, H + 2 Hkv, D]: query heads, then key heads, then value heads.</param>
    /// <param name="queryHeads">H.</param>
    /// <param name="keyValueHeads">Hkv.</param>
    /// <returns>Views [B, N, H, D], [B, N, Hkv, D] and [B, N, Hkv, D]; their gradients lie in one tensor, which becomes
    /// the gradient of <paramref name="x"/>.</returns>
    /// <exception cref="ShapeException">The heads are not H + 2 Hkv.</exception>
    public static (Variable Query, Variable Key, Variable Value) SplitHeads(this Tape tape, Variable x, int queryHeads,
        int keyValueHeads)
    {
        ShapeRules.Rank(nameof(SplitHeads), nameof(x), x.Shape, 4);
        ShapeRules.Same(nameof(SplitHeads), nameof(x), x.Shape, x.Shape.With(2, queryHeads + 2 * keyValueHeads));
        var whole = WholeOf(tape, x);
        var query = PartOf(tape, x, whole, 2, 0, queryHeads);
        var key = PartOf(tape, x, whole, 2, queryHeads, keyValueHeads);
        var value = PartOf(tape, x, whole, 2, queryHeads + keyValueHeads, keyValueHeads);
        if (tape.Needs(x))
            RecordSplit(tape, x, whole, query, key, value);
        return (query, key, value);
    }

    // An alias whose gradient is private to the parts: x itself may have other readers, whose gradients must not meet
    // half-written memory.
    private static Variable WholeOf(Tape tape, Variable x) =>
        tape.Needs(x) ? tape.View(x, ViewKey.Reshape(x.Shape)) : x;

    private static Variable PartOf(Tape tape, Variable x, Variable whole, int dimension, int start, int count)
    {
        var part = tape.View(whole, ViewKey.Range(x.Shape, dimension, start, count));
        if (!ReferenceEquals(whole, x))
        {
            part.Whole = whole;
            part.RequiresGradient = true;
        }
        return part;
    }

    private static void RecordSplit(Tape tape, Variable x, Variable whole, params Variable[] parts) =>
        tape.Record(whole, () =>
    {
        foreach (var part in parts)
            if (!part.HasGradient)
                tape.Engine.Fill(part.ClaimGradient(tape.Engine), 0);
        tape.GiveGradient(x, whole.Gradient!);
    });
}
