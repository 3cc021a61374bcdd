namespace S2ILGPU.KernelLab;

/// <summary>What the sanitizer reports.</summary>
public enum FindingKind
{
    /// <summary>Two threads touch the same element, one of them writes, and no barrier lies between.</summary>
    Race,

    /// <summary>Memory was read that nobody had written.</summary>
    Uninitialised,

    /// <summary>The target of an asynchronous copy was touched before the copying thread had waited for it.</summary>
    MissingWait,

    /// <summary>A thread ended with asynchronous copies that it never waited for.</summary>
    UnwaitedCopy,

    /// <summary>A write outside of every array was noticed afterwards. Accesses through views and <see cref="Raw"/> throw at once instead.</summary>
    OutOfBounds,
}
