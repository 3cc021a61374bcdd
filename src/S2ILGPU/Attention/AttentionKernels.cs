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
    private readonly bool _isEmulated;
    private readonly string? _missing;
    private readonly HashSet<PortableReason> _reasons = [];
    private readonly List<string> _notes = [];

    /// <summary>The kernels for a device.</summary>
    /// <param name="device">The device.</param>
    /// <param name="knowsPrimitives">Whether the context knows the library's device primitives.</param>
    /// <param name="mayUseTensorCores">Whether they may be used.</param>
    public AttentionKernels(Device device, bool knowsPrimitives, bool mayUseTensorCores)
    {
        _isEmulated = device.AcceleratorType == AcceleratorType.CPU;
        MultiprocessorKilobytes = _isEmulated ? EmulatedKilobytes : PrimitiveKernels.MultiprocessorKilobytes(device);
        _missing = TensorCoreNeeds.Missing(device, knowsPrimitives, mayUseTensorCores);
        UseTensorCores = _missing is null;
    }

    /// <summary>What portable kernels do although tensor cores would be faster: what the device lacks, or the calls so
    /// far that had no tensor-core kernel.</summary>
    public IEnumerable<string> Notes => UseTensorCores ? _notes : _notes.Prepend(_missing!);

    /// <summary>Whether 16-bit operands go to tensor-core kernels; otherwise all work is done by portable
    /// ones.</summary>
    public bool UseTensorCores { get; private set; }

    /// <summary>Shared memory of a multiprocessor in KB; an emulated device counts as an A100.</summary>
    public int MultiprocessorKilobytes { get; }

    /// <summary>The variants that this device can run. Emulated devices run all of them, though by themselves they
    /// choose only portable ones.</summary>
    public IReadOnlyList<KernelVariant> Variants =>
        [.. KernelVariants.All.Where(RunsOnDevice), .. PortableVariants.All];

    /// <summary>Whether this device can run a tensor-core kernel.</summary>
    public bool RunsOnDevice(KernelVariant variant) => _isEmulated
        || (UseTensorCores && AttentionLaunchTable.RunsOn(variant, MultiprocessorKilobytes));

    /// <summary>Prefers a variant wherever it fits, until the result is disposed. What served operations before is
    /// forgotten.</summary>
    public IDisposable Force(KernelVariant variant)
    {
        bool usedTensorCores = UseTensorCores;
        UseTensorCores |= _isEmulated && !variant.IsPortable;
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

    /// <summary>Tells, the first time, that calls of a kind have no tensor-core kernel.</summary>
    public void NotePortable(in PortableReason reason)
    {
        if (_reasons.Add(reason))
            _notes.Add(reason.Sentence(MultiprocessorKilobytes));
    }

    /// <summary>Whether operands and scale of a call are for tensor cores at all; otherwise the reason is
    /// noted.</summary>
    public bool TakesOperands(Tensor query, Tensor key, float scale)
    {
        if (!UseTensorCores)
            return false;
        int headDim = query.Shape[3];
        var reason = PortableReason.Of(query.ElementType, key.ElementType, headDim)
            ?? (scale > 0 ? null
                : new PortableReason(PortableReason.Kinds.Scale, query.ElementType, query.ElementType));
        if (reason is { } found)
            NotePortable(found);
        return reason is null;
    }

    /// <summary>Tells of attention that will come what a call would tell.</summary>
    public void Expect(ElementType query, ElementType key, int headDim)
    {
        if (UseTensorCores && PortableReason.Of(query, key, headDim) is { } reason)
            NotePortable(reason);
    }

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
        return AttentionLaunchTable.Choose(operation, problem, MultiprocessorKilobytes);
    }

    private sealed class Forced(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
