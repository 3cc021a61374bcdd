namespace S2ILGPU;

public sealed partial class IlgpuBackend
{
    private static NotSupportedException Pending() => new("not yet on this branch");
}
