namespace S2ILGPU.KernelLab;

/// <summary>
/// The order in which the threads of a group run between two barriers and in which the groups run, and what fresh memory holds. The same schedule gives the same run, bit by bit.
/// </summary>
/// <param name="Order">The rule.</param>
/// <param name="Seed">The seed of <see cref="ThreadOrder.Random"/>.</param>
/// <param name="Poison">Four bytes that fresh memory is filled with. The default is a NaN as float, as two fp16 and as two bf16 values, and a negative int.</param>
public sealed record Schedule(ThreadOrder Order = ThreadOrder.Ascending, int Seed = 0, uint Poison = Schedule.DefaultPoison)
{
    /// <summary>The default of <see cref="Poison"/>.</summary>
    public const uint DefaultPoison = 0xFFC5FFC5;

    /// <summary>Another NaN pattern: what depends on uninitialised memory differs between the two.</summary>
    public const uint OtherPoison = 0x7FD37FD3;

    /// <summary>Thread 0 first.</summary>
    public static Schedule Ascending { get; } = new();

    /// <summary>The last thread first.</summary>
    public static Schedule Descending { get; } = new(ThreadOrder.Descending);

    /// <summary>A random order that the seed determines.</summary>
    /// <param name="seed">Any number.</param>
    /// <returns>The schedule.</returns>
    public static Schedule Random(int seed) => new(ThreadOrder.Random, seed);
}
