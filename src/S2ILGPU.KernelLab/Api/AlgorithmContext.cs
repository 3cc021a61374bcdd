namespace ILGPU;

/// <summary>Switches ILGPU.Algorithms on.</summary>
public static class AlgorithmContext
{
    /// <summary>Does nothing here: <see cref="Algorithms.XMath"/> always works.</summary>
    /// <param name="builder">The builder.</param>
    /// <returns>The builder.</returns>
    public static Context.Builder EnableAlgorithms(this Context.Builder builder) => builder;
}
