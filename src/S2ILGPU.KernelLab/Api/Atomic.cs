using S2ILGPU.KernelLab;

namespace ILGPU;

/// <summary>Indivisible updates of shared and global memory. They order nothing else.</summary>
public static class Atomic
{
    /// <summary>Adds.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static int Add(ref int target, int value) => AtomicUpdate.Apply(ref target, value, static (old, v) => old + v);

    /// <summary>Keeps the greater.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static int Max(ref int target, int value) => AtomicUpdate.Apply(ref target, value, static (old, v) => Math.Max(old, v));

    /// <summary>Keeps the lesser.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static int Min(ref int target, int value) => AtomicUpdate.Apply(ref target, value, static (old, v) => Math.Min(old, v));

    /// <summary>Keeps the common bits.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static int And(ref int target, int value) => AtomicUpdate.Apply(ref target, value, static (old, v) => old & v);

    /// <summary>Sets bits.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static int Or(ref int target, int value) => AtomicUpdate.Apply(ref target, value, static (old, v) => old | v);

    /// <summary>Flips bits.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static int Xor(ref int target, int value) => AtomicUpdate.Apply(ref target, value, static (old, v) => old ^ v);

    /// <summary>Replaces the value.</summary>
    /// <param name="target">What is replaced.</param>
    /// <param name="value">The new value.</param>
    /// <returns>The value before.</returns>
    public static int Exchange(ref int target, int value) => AtomicUpdate.Apply(ref target, value, static (_, v) => v);

    /// <summary>Replaces the value if it is as expected.</summary>
    /// <param name="target">What is replaced.</param>
    /// <param name="compare">The expected value.</param>
    /// <param name="value">The new value.</param>
    /// <returns>The value before.</returns>
    public static int CompareExchange(ref int target, int compare, int value) => AtomicUpdate.CompareExchange(ref target, compare, value);

    /// <summary>Adds.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static uint Add(ref uint target, uint value) => AtomicUpdate.Apply(ref target, value, static (old, v) => old + v);

    /// <summary>Keeps the greater.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static uint Max(ref uint target, uint value) => AtomicUpdate.Apply(ref target, value, static (old, v) => Math.Max(old, v));

    /// <summary>Keeps the lesser.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static uint Min(ref uint target, uint value) => AtomicUpdate.Apply(ref target, value, static (old, v) => Math.Min(old, v));

    /// <summary>Keeps the common bits.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static uint And(ref uint target, uint value) => AtomicUpdate.Apply(ref target, value, static (old, v) => old & v);

    /// <summary>Sets bits.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static uint Or(ref uint target, uint value) => AtomicUpdate.Apply(ref target, value, static (old, v) => old | v);

    /// <summary>Flips bits.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static uint Xor(ref uint target, uint value) => AtomicUpdate.Apply(ref target, value, static (old, v) => old ^ v);

    /// <summary>Replaces the value.</summary>
    /// <param name="target">What is replaced.</param>
    /// <param name="value">The new value.</param>
    /// <returns>The value before.</returns>
    public static uint Exchange(ref uint target, uint value) => AtomicUpdate.Apply(ref target, value, static (_, v) => v);

    /// <summary>Replaces the value if it is as expected.</summary>
    /// <param name="target">What is replaced.</param>
    /// <param name="compare">The expected value.</param>
    /// <param name="value">The new value.</param>
    /// <returns>The value before.</returns>
    public static uint CompareExchange(ref uint target, uint compare, uint value) => AtomicUpdate.CompareExchange(ref target, compare, value);

    /// <summary>Adds.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static long Add(ref long target, long value) => AtomicUpdate.Apply(ref target, value, static (old, v) => old + v);

    /// <summary>Keeps the greater.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static long Max(ref long target, long value) => AtomicUpdate.Apply(ref target, value, static (old, v) => Math.Max(old, v));

    /// <summary>Keeps the lesser.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static long Min(ref long target, long value) => AtomicUpdate.Apply(ref target, value, static (old, v) => Math.Min(old, v));

    /// <summary>Keeps the common bits.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static long And(ref long target, long value) => AtomicUpdate.Apply(ref target, value, static (old, v) => old & v);

    /// <summary>Sets bits.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static long Or(ref long target, long value) => AtomicUpdate.Apply(ref target, value, static (old, v) => old | v);

    /// <summary>Flips bits.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static long Xor(ref long target, long value) => AtomicUpdate.Apply(ref target, value, static (old, v) => old ^ v);

    /// <summary>Replaces the value.</summary>
    /// <param name="target">What is replaced.</param>
    /// <param name="value">The new value.</param>
    /// <returns>The value before.</returns>
    public static long Exchange(ref long target, long value) => AtomicUpdate.Apply(ref target, value, static (_, v) => v);

    /// <summary>Replaces the value if it is as expected.</summary>
    /// <param name="target">What is replaced.</param>
    /// <param name="compare">The expected value.</param>
    /// <param name="value">The new value.</param>
    /// <returns>The value before.</returns>
    public static long CompareExchange(ref long target, long compare, long value) => AtomicUpdate.CompareExchange(ref target, compare, value);

    /// <summary>Adds.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static ulong Add(ref ulong target, ulong value) => AtomicUpdate.Apply(ref target, value, static (old, v) => old + v);

    /// <summary>Keeps the greater.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static ulong Max(ref ulong target, ulong value) => AtomicUpdate.Apply(ref target, value, static (old, v) => Math.Max(old, v));

    /// <summary>Keeps the lesser.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static ulong Min(ref ulong target, ulong value) => AtomicUpdate.Apply(ref target, value, static (old, v) => Math.Min(old, v));

    /// <summary>Keeps the common bits.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static ulong And(ref ulong target, ulong value) => AtomicUpdate.Apply(ref target, value, static (old, v) => old & v);

    /// <summary>Sets bits.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static ulong Or(ref ulong target, ulong value) => AtomicUpdate.Apply(ref target, value, static (old, v) => old | v);

    /// <summary>Flips bits.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static ulong Xor(ref ulong target, ulong value) => AtomicUpdate.Apply(ref target, value, static (old, v) => old ^ v);

    /// <summary>Replaces the value.</summary>
    /// <param name="target">What is replaced.</param>
    /// <param name="value">The new value.</param>
    /// <returns>The value before.</returns>
    public static ulong Exchange(ref ulong target, ulong value) => AtomicUpdate.Apply(ref target, value, static (_, v) => v);

    /// <summary>Replaces the value if it is as expected.</summary>
    /// <param name="target">What is replaced.</param>
    /// <param name="compare">The expected value.</param>
    /// <param name="value">The new value.</param>
    /// <returns>The value before.</returns>
    public static ulong CompareExchange(ref ulong target, ulong compare, ulong value) => AtomicUpdate.CompareExchange(ref target, compare, value);

    /// <summary>Adds.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static float Add(ref float target, float value) => AtomicUpdate.Apply(ref target, value, static (old, v) => old + v);

    /// <summary>Keeps the greater.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static float Max(ref float target, float value) => AtomicUpdate.Apply(ref target, value, static (old, v) => Math.Max(old, v));

    /// <summary>Keeps the lesser.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static float Min(ref float target, float value) => AtomicUpdate.Apply(ref target, value, static (old, v) => Math.Min(old, v));

    /// <summary>Replaces the value.</summary>
    /// <param name="target">What is replaced.</param>
    /// <param name="value">The new value.</param>
    /// <returns>The value before.</returns>
    public static float Exchange(ref float target, float value) => AtomicUpdate.Apply(ref target, value, static (_, v) => v);

    /// <summary>Replaces the value if it is as expected.</summary>
    /// <param name="target">What is replaced.</param>
    /// <param name="compare">The expected value.</param>
    /// <param name="value">The new value.</param>
    /// <returns>The value before.</returns>
    public static float CompareExchange(ref float target, float compare, float value) => AtomicUpdate.CompareExchange(ref target, compare, value);

    /// <summary>Adds.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static double Add(ref double target, double value) => AtomicUpdate.Apply(ref target, value, static (old, v) => old + v);

    /// <summary>Keeps the greater.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static double Max(ref double target, double value) => AtomicUpdate.Apply(ref target, value, static (old, v) => Math.Max(old, v));

    /// <summary>Keeps the lesser.</summary>
    /// <param name="target">What is updated.</param>
    /// <param name="value">The operand.</param>
    /// <returns>The value before.</returns>
    public static double Min(ref double target, double value) => AtomicUpdate.Apply(ref target, value, static (old, v) => Math.Min(old, v));

    /// <summary>Replaces the value.</summary>
    /// <param name="target">What is replaced.</param>
    /// <param name="value">The new value.</param>
    /// <returns>The value before.</returns>
    public static double Exchange(ref double target, double value) => AtomicUpdate.Apply(ref target, value, static (_, v) => v);

    /// <summary>Replaces the value if it is as expected.</summary>
    /// <param name="target">What is replaced.</param>
    /// <param name="compare">The expected value.</param>
    /// <param name="value">The new value.</param>
    /// <returns>The value before.</returns>
    public static double CompareExchange(ref double target, double compare, double value) => AtomicUpdate.CompareExchange(ref target, compare, value);
}
