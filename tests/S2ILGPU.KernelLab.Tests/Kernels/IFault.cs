namespace S2ILGPU.KernelLab.Tests.Kernels;

/// <summary>Which fault a kernel has; folded by the compiler, one copy of the kernel each.</summary>
public interface IFault
{
    /// <summary>Reads one element too far.</summary>
    static virtual bool Bounds => false;

    /// <summary>Leaves an element unwritten.</summary>
    static virtual bool Uninitialised => false;

    /// <summary>Has a barrier that not all threads reach.</summary>
    static virtual bool Divergent => false;

    /// <summary>Lacks a barrier.</summary>
    static virtual bool Race => false;
}

public struct Correct : IFault;

public struct BoundsFault : IFault
{
    public static bool Bounds => true;
}

public struct UninitialisedFault : IFault
{
    public static bool Uninitialised => true;
}

public struct DivergentFault : IFault
{
    public static bool Divergent => true;
}

public struct RaceFault : IFault
{
    public static bool Race => true;
}
