using ILGPU.Runtime;
using S2ILGPU.Devices;
using S2ILGPU.Launch;

namespace S2ILGPU.Attention;

/// <summary>Which kernel an engine uses for which call: the launch table, or a variant that somebody asked for.</summary>
internal sealed class AttentionKernels
{
    // Emulated devices run every kernel; the table treats them as the oldest architecture with tensor cores.
    private const int EmulatedArchitecture = 80;

    private readonly List<KernelVariant> _forced = [];
    private readonly Dictionary<AttentionOperation, KernelVariant> _last = [];
    private readonly int _architecture;

    /// <summary>The kernels for a device.</summary>
    /// <param name="device">The device.</param>
    /// <param name="useTensorCores">Whether the context knows the library's device primitives.</param>
    public AttentionKernels(Device device, bool useTensorCores)
    {
        int cuda = AcceleratorRuntime.CudaArchitecture(device);
        _architecture = device.AcceleratorType == AcceleratorType.CPU ? EmulatedArchitecture : cuda;
        UseTensorCores = useTensorCores && _architecture >= 80;
    }

    /// <summary>Whether 16-bit operands go to tensor-core kernels; otherwise all work is done by portable ones.</summary>
    public bool UseTensorCores { get; set; }

    /// <summary>The variants that this device can run.</summary>
    public IReadOnlyList<KernelVariant> Variants =>
        [.. KernelVariants.All.Where(variant => !variant.UsesTensorCores || (UseTensorCores && AttentionLaunchTable.RunsOn(variant, _architecture)))];

    /// <summary>Prefers a variant wherever it fits, until the result is disposed.</summary>
    public IDisposable Force(KernelVariant variant)
    {
        _forced.Add(variant);
        return new Forced(() => _forced.Remove(variant));
    }

    /// <summary>The variant that served an operation last; null when none did.</summary>
    public KernelVariant? Last(AttentionOperation operation) => _last.GetValueOrDefault(operation);

    /// <summary>Notes which variant serves an operation.</summary>
    public void Used(KernelVariant variant) => _last[variant.Operation] = variant;

    /// <summary>The tensor-core kernel for a call, or null when portable kernels do it.</summary>
    public KernelVariant? Choose(AttentionOperation operation, in AttentionProblem problem)
    {
        if (!UseTensorCores)
            return null;
        for (int n = _forced.Count - 1; n >= 0; n--)
            if (_forced[n].UsesTensorCores && _forced[n].Fits(operation, problem))
                return _forced[n];
        return AttentionLaunchTable.Choose(operation, problem, _architecture);
    }

    private sealed class Forced(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
