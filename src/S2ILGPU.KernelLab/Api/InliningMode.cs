namespace ILGPU;

/// <summary>What ILGPU's compiler inlines; no effect here.</summary>
public enum InliningMode
{
    /// <summary>Everything.</summary>
    Aggressive,

    /// <summary>Small methods and those marked for it.</summary>
    Conservative,

    /// <summary>Nothing.</summary>
    Disabled,
}
