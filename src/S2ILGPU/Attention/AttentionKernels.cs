using System.Reflection;
using ILGPU.Runtime;
using S2ILGPU.Compiler;
using S2ILGPU.Tensors;
using S2ILGPU.Variants;

namespace S2ILGPU.Attention;

/// <summary>Which kernel an engine uses for which call: that of the launch table, or a forced variant.</summary>
internal sealed class AttentionKernels
{
    // Emulated devices run every kernel; kernels are chosen for them as for an A100.
    private const int EmulatedKilobytes = 164;

    private readonly List<KernelVariant> _forced = [];
    private readonly Dictionary<KernelOperation, KernelVariant> _last = [];
    private readonly int _kilobytes;
    private readonly bool _isEmulated;

    /// <summary>The kernels for a device.</summary>
    /// <param name="device">The device.</param>
    /// <param name="knowsPrimitives">Whether the context knows the library's device primitives, and they may be
    /// used.</param>
    public AttentionKernels(Device device, bool knowsPrimitives)
    {
        _isEmulated = device.AcceleratorType == AcceleratorType.CPU;
        _kilobytes = _isEmulated ? EmulatedKilobytes : PrimitiveKernels.MultiprocessorKilobytes(device);
        UseTensorCores = knowsPrimitives
            && (_isEmulated ? CanEmulate(device)
            : PrimitiveKernels.Architecture(device) >= KernelVariants.LeastArchitecture);
    }

    /// <summary>Whether 16-bit operands go to tensor-core kernels; otherwise all work is done by portable
    /// ones.</summary>
    public bool UseTensorCores { get; set; }

    /// <summary>The variants that this device can run. Emulated devices run all of them, though by themselves they
    /// choose only portable ones.</summary>
    public IReadOnlyList<KernelVariant> Variants =>
        [.. KernelVariants.All.Where(variant => _isEmulated
        || (UseTensorCores && AttentionLaunchTable.RunsOn(variant, _kilobytes))), .. PortableVariants.All];

    /// <summary>Prefers a variant wherever it fits, until the result is disposed. What served operations before is
    /// forgotten.</summary>
    public IDisposable Force(KernelVariant variant)
    {
        bool usedTensorCores = UseTensorCores;
        UseTensorCores |= _isEmulated && variant.ElementType != ElementType.Float32;
        _forced.Add(variant);
        _last.Clear();
        return new Forced(() =>
        {
            _forced.Remove(variant);
            UseTensorCores = usedTensorCores;
        });
    }

    /// <summary>The variant that served an operation last; null when none did.</summary>
    public KernelVariant? Last(KernelOperation operation) => _last.GetValueOrDefault(operation);

    /// <summary>Notes which variant serves an operation.</summary>
    public void Used(KernelVariant variant) => _last[variant.Operation] = variant;

    /// <summary>Notes that a portable kernel serves an operation; those that read keys of other types are not in the
    /// registry.</summary>
    public void UsedPortable(KernelOperation operation, MethodInfo kernel)
    {
        _last.Remove(operation);
        foreach (var variant in PortableVariants.All)
            if (variant.Operation == operation && variant.Method == kernel)
                _last[operation] = variant;
    }

    /// <summary>The tensor-core kernel for a call, or null when portable kernels do it.</summary>
    public KernelVariant? Choose(KernelOperation operation, in AttentionProblem problem)
    {
        if (!UseTensorCores)
            return null;
        for (int n = _forced.Count - 1; n >= 0; n--)
            if (AttentionLaunchTable.Fits(_forced[n], operation, problem with { Rows = 0 }))
                return _forced[n];
        return AttentionLaunchTable.Choose(operation, problem, _kilobytes);
    }

    // The C# bodies of the primitives exchange values through memory of one group at a time, between the 32 lanes of
    // its warps.
    private static bool CanEmulate(Device device) =>
        device is { NumMultiprocessors: 1, WarpSize: 32, MaxNumThreadsPerGroup: >= KernelVariants.MaxThreads };

    private sealed class Forced(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
