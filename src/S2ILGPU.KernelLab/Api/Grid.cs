using S2ILGPU.KernelLab;

namespace ILGPU;

/// <summary>The grid of groups that the running kernel was launched with.</summary>
public static class Grid
{
    /// <summary>The group's X position.</summary>
    public static int IdxX => Engine.GroupIndex.X;

    /// <summary>The group's Y position.</summary>
    public static int IdxY => Engine.GroupIndex.Y;

    /// <summary>The group's Z position.</summary>
    public static int IdxZ => Engine.GroupIndex.Z;

    /// <summary>The number of groups in X.</summary>
    public static int DimX => Engine.GridDim.X;

    /// <summary>The number of groups in Y.</summary>
    public static int DimY => Engine.GridDim.Y;

    /// <summary>The number of groups in Z.</summary>
    public static int DimZ => Engine.GridDim.Z;

    /// <summary>The group's position.</summary>
    public static Index3D Index => Engine.GroupIndex;

    /// <summary>The number of groups in each dimension.</summary>
    public static Index3D Dimension => Engine.GridDim;

    /// <summary>The group's number, X fastest.</summary>
    public static int LinearIndex => IdxX + DimX * (IdxY + DimY * IdxZ);

    /// <summary>The thread's position in the grid.</summary>
    public static Index3D GlobalIndex => new(IdxX * Group.DimX + Group.IdxX, IdxY * Group.DimY + Group.IdxY, IdxZ * Group.DimZ + Group.IdxZ);

    /// <summary>The thread's number in the grid.</summary>
    public static int GlobalLinearIndex => LinearIndex * Group.Dimension.Size + Group.LinearIndex;
}
