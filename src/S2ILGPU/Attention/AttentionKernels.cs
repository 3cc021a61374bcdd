using ILGPU.Runtime;
using S2ILGPU.Devices;
using S2ILGPU.Launch;

namespace S2ILGPU.Attention;

/// <summary>Which kernel an engine uses for which call: the launch table, or a variant that somebody asked for.</summary>
internal sealed class AttentionKernels
{
    // Emulated devices run every kernel; kernels are chosen for them as for an A100.
    private const int EmulatedKilobytes = 164;

    private readonly List<KernelVariant> _forced = [];
    private readonly Dictionary<KernelOperation, KernelVariant> _last = [];
    private readonly int _kilobytes;

    /// <summary>The kernels for a device.</summary>
    /// <param name="device">The device.</param>
    /// <param name="useTensorCores">Whether the context knows the library's device primitives.</param>
    public AttentionKernels(Device device, bool useTensorCores)
    {
        bool isEmulated = device.AcceleratorType == AcceleratorType.CPU;
        _kilobytes = isEmulated ? EmulatedKilobytes : AcceleratorRuntime.MultiprocessorKilobytes(device);
        UseTensorCores = useTensorCores && (isEmulated || AcceleratorRuntime.CudaArchitecture(device) >= KernelVariants.LeastArchitecture);
    }

    /// <summary>Whether 16-bit operands go to tensor-core kernels; otherwise all work is done by portable ones.</summary>
    public bool UseTensorCores { get; set; }

    /// <summary>The variants that this device can run.</summary>
    public IReadOnlyList<KernelVariant> Variants =>
        [.. KernelVariants.All.Where(variant => UseTensorCores && AttentionLaunchTable.RunsOn(variant, _kilobytes)), .. PortableVariants.All];

    /// <summary>Prefers a variant wherever it fits, until the result is disposed.</summary>
    public IDisposable Force(KernelVariant variant)
    {
        _forced.Add(variant);
        return new Forced(() => _forced.Remove(variant));
    }

    /// <summary>The variant that served an operation last; null when none did.</summary>
    public KernelVariant? Last(KernelOperation operation) => _last.GetValueOrDefault(operation);

    /// <summary>Notes which variant serves an operation.</summary>
    public void Used(KernelVariant variant) => _last[variant.Operation] = variant;

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

    private sealed class Forced(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
