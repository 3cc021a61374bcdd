namespace ILGPU;

/// <summary>How hard ILGPU's compiler tries; no effect here.</summary>
public enum OptimizationLevel
{
    /// <summary>No optimization.</summary>
    O0 = 0,

    /// <summary>The default.</summary>
    O1 = 1,

    /// <summary>Everything.</summary>
    O2 = 2,

    /// <summary>The same as <see cref="O0"/>.</summary>
    Debug = O0,

    /// <summary>The same as <see cref="O1"/>.</summary>
    Release = O1,
}
