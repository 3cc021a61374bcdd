namespace ILGPU.Runtime;

/// <summary>What a kernel promises about its launches, so that the compiler can give it more registers.</summary>
public readonly struct KernelSpecialization : IEquatable<KernelSpecialization>
{
    /// <summary>No promise.</summary>
    public static readonly KernelSpecialization Empty;

    /// <summary>Creates a promise.</summary>
    /// <param name="maxNumThreadsPerGroup">The most threads of a group; the lab refuses larger ones.</param>
    /// <param name="minNumGroupsPerMultiprocessor">The groups that shall fit on a multiprocessor; no effect here.</param>
    public KernelSpecialization(int? maxNumThreadsPerGroup, int? minNumGroupsPerMultiprocessor)
    {
        if (maxNumThreadsPerGroup < 1)
            throw new ArgumentOutOfRangeException(nameof(maxNumThreadsPerGroup));
        if (minNumGroupsPerMultiprocessor < 1)
            throw new ArgumentOutOfRangeException(nameof(minNumGroupsPerMultiprocessor));
        MaxNumThreadsPerGroup = maxNumThreadsPerGroup;
        MinNumGroupsPerMultiprocessor = minNumGroupsPerMultiprocessor;
    }

    /// <summary>The most threads of a group.</summary>
    public int? MaxNumThreadsPerGroup { get; }

    /// <summary>The groups that shall fit on a multiprocessor.</summary>
    public int? MinNumGroupsPerMultiprocessor { get; }

    /// <summary>Equality of both promises.</summary>
    /// <param name="first">One.</param>
    /// <param name="second">Another.</param>
    /// <returns>Whether they are equal.</returns>
    public static bool operator ==(KernelSpecialization first, KernelSpecialization second) => first.Equals(second);

    /// <summary>Inequality of either promise.</summary>
    /// <param name="first">One.</param>
    /// <param name="second">Another.</param>
    /// <returns>Whether they differ.</returns>
    public static bool operator !=(KernelSpecialization first, KernelSpecialization second) => !first.Equals(second);

    /// <inheritdoc/>
    public bool Equals(KernelSpecialization other) =>
        MaxNumThreadsPerGroup == other.MaxNumThreadsPerGroup && MinNumGroupsPerMultiprocessor == other.MinNumGroupsPerMultiprocessor;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is KernelSpecialization other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(MaxNumThreadsPerGroup, MinNumGroupsPerMultiprocessor);
}
