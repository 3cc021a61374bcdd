namespace S2ILGPU.Native;

/// <summary><c>s2_api</c>: the functions in the order of the header.</summary>
internal unsafe struct ApiTable
{
    public int Version, Reserved;
    public delegate* unmanaged[Cdecl]<byte*, long, long*, int> LastError, Devices;
    public delegate* unmanaged[Cdecl]<byte*, int, ulong*, int> EngineCreate;
    public delegate* unmanaged[Cdecl]<ulong, int> Release;
    public delegate* unmanaged[Cdecl]<ulong, byte*, long, long*, int> Describe;
    public delegate* unmanaged[Cdecl]<NativeHeads*, ulong*, int> PatternDense;
    public delegate* unmanaged[Cdecl]<NativeHeads*, int, int, NativeStripes*, ulong*, int> PatternLocalStride;
    public delegate* unmanaged[Cdecl]<NativeHeads*, int, int, ulong*, int> PatternSlidingWindow;
    public delegate* unmanaged[Cdecl]<NativeHeads*, NativeTwoRange*, NativeStripes*, ulong*, int> PatternTwoRange;
    public delegate* unmanaged[Cdecl]<NativeHeads*, byte*, int, int, ulong*, int> PatternTable;
    public delegate* unmanaged[Cdecl]<ulong, ulong, int, ulong*, int> PatternCombine;
    public delegate* unmanaged[Cdecl]<ulong, int, int, ulong*, int> PatternSliceHeads;
    public delegate* unmanaged[Cdecl]<ulong, NativePatternInfo*, int> PatternInfo;
    public delegate* unmanaged[Cdecl]<ulong, int, int, ulong*, int> LayoutCreate;
    public delegate* unmanaged[Cdecl]<ulong, NativeLayoutInfo*, int> LayoutInfo;
    public delegate* unmanaged[Cdecl]<ulong, int*, long, int*, long, int> LayoutRows;
    public delegate* unmanaged[Cdecl]<ulong, NativeLayoutReport*, int> LayoutReport;
    public delegate* unmanaged[Cdecl]<ulong, ulong, NativeForward*, int> AttentionForward;
    public delegate* unmanaged[Cdecl]<ulong, ulong, NativeBackward*, int> AttentionBackward;
    public delegate* unmanaged[Cdecl]<ulong, ulong, NativeForward*, int*, int> AttentionDecode;
    public delegate* unmanaged[Cdecl]<ulong, NativeMerge*, int> AttentionMerge;
    public delegate* unmanaged[Cdecl]<ulong, NativeMergeBackward*, int> AttentionMergeBackward;

    /// <summary>The table of this library.</summary>
    public static ApiTable Create() => new()
    {
        Version = Exports.Version,
        LastError = &EngineFunctions.LastError,
        Devices = &EngineFunctions.Devices,
        EngineCreate = &EngineFunctions.Create,
        Release = &EngineFunctions.Release,
        Describe = &EngineFunctions.Describe,
        PatternDense = &PatternFunctions.Dense,
        PatternLocalStride = &PatternFunctions.LocalStride,
        PatternSlidingWindow = &PatternFunctions.SlidingWindow,
        PatternTwoRange = &PatternFunctions.TwoRange,
        PatternTable = &PatternFunctions.Table,
        PatternCombine = &PatternFunctions.Combine,
        PatternSliceHeads = &PatternFunctions.SliceHeads,
        PatternInfo = &PatternFunctions.Info,
        LayoutCreate = &LayoutFunctions.Create,
        LayoutInfo = &LayoutFunctions.Info,
        LayoutRows = &LayoutFunctions.Rows,
        LayoutReport = &LayoutFunctions.Report,
        AttentionForward = &AttentionFunctions.Forward,
        AttentionBackward = &AttentionFunctions.Backward,
        AttentionDecode = &AttentionFunctions.Decode,
        AttentionMerge = &MergeFunctions.Merge,
        AttentionMergeBackward = &MergeFunctions.Backward,
    };
}
