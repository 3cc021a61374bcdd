using S2ILGPU.Cli.Devices;
using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Verify;

/// <summary>Which results of a kernel are checked.</summary>
internal enum CheckedPass
{
    /// <summary>O and LSE.</summary>
    Forward,

    /// <summary>dQ, dK and dV.</summary>
    Backward,

    /// <summary>dQ alone.</summary>
    QueryGradient,

    /// <summary>dK and dV alone.</summary>
    KeyValueGradients,

    /// <summary>O and LSE of few queries over a paged cache.</summary>
    Decode,

    /// <summary>Merging partitions of the keys.</summary>
    Merge,
}

/// <summary>One implementation of a pass that an engine can choose.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Pass">What it computes.</param>
/// <param name="QueryType">Element type of queries, outputs and their gradients.</param>
/// <param name="KeyType">Element type of keys, values and their gradients.</param>
/// <param name="HeadDims">Head dimensions to check.</param>
/// <param name="Engine">The engine that runs it.</param>
internal sealed record EngineVariant(string Name, CheckedPass Pass, ElementType QueryType, ElementType KeyType,
    IReadOnlyList<int> HeadDims, IEngine Engine)
{
    /// <summary>Makes the engine take this implementation until the result is disposed; null where the engine has no
    /// other.</summary>
    public Func<IDisposable>? Force { get; init; }

    /// <summary>Whether the engine took this implementation since it was forced; null where it cannot take
    /// another.</summary>
    public Func<bool>? IsUsed { get; init; }

    /// <summary>The cases that it can serve; null for all of its pass.</summary>
    public IReadOnlyList<CheckCase>? Cases { get; init; }

    /// <summary>Whether it is checked only when it is asked for by name.</summary>
    public bool IsOnRequest { get; init; }

    /// <summary>Element types in short, as in <c>bf16</c> or <c>fp32/bf16</c> for a query and a cache of different
    /// types.</summary>
    public string Types => QueryType == KeyType ? QueryType.ShortName()
        : $"{QueryType.ShortName()}/{KeyType.ShortName()}";

    /// <summary>The pass in words.</summary>
    public string PassName => Pass switch
    {
        CheckedPass.QueryGradient => "dQ",
        CheckedPass.KeyValueGradients => "dK, dV",
        _ => Pass.ToString().ToLowerInvariant(),
    };
}

/// <summary>All implementations of attention that an engine can choose on its device.</summary>
/// <param name="variants">The implementations.</param>
/// <param name="owned">Engines that were created for them.</param>
internal sealed class EngineVariants(IReadOnlyList<EngineVariant> variants, params IReadOnlyList<IEngine> owned)
    : IDisposable
{
    // A CUDA context takes some hundred MB of the device.
    private const int MostEngines = 8, KernelsPerEngine = 16;

    private static readonly int[] s_headDims = [40, 64, 96, 128, 256], s_fewHeadDims = [40];
    private static readonly ElementType[] s_cacheTypes =
        [ElementType.Float32, ElementType.BFloat16, ElementType.Float16],
        s_pageTypes = [.. s_cacheTypes, ElementType.Int8];

    /// <summary>The implementations.</summary>
    public IReadOnlyList<EngineVariant> Variants => variants;

    /// <summary>The engines that were created for them.</summary>
    public IReadOnlyList<IEngine> Owned => owned;

    /// <summary>Whether their engines may work at the same time.</summary>
    public bool IsConcurrent { get; private init; }

    /// <summary>What a reader should know about the choice; empty where there is nothing to say.</summary>
    public string Note { get; private init; } = "";

    /// <summary>The implementations of an engine.</summary>
    /// <param name="engine">The engine; stays with the caller.</param>
    /// <param name="isEmulated">Whether it executes thread by thread, so that one head dimension has to do.</param>
    /// <param name="createAnother">Creates one more engine on the same device, or null.</param>
    public static EngineVariants Of(IEngine engine, bool isEmulated, Func<IEngine>? createAnother = null) =>
        engine switch
    {
        CpuEngine cpu => OfWidths(cpu, isEmulated ? s_fewHeadDims : s_headDims),
        IlgpuEngine ilgpu => OfRegistry(ilgpu, isEmulated, isEmulated ? null : createAnother),
        _ => new EngineVariants(
            [.. Passes("default", engine, [engine.FloatType], isEmulated ? s_fewHeadDims : s_headDims)]),
    };

    public void Dispose()
    {
        foreach (var engine in owned)
            engine.Dispose();
    }

    // One source per kernel, compiled once for each width of the registers.
    private static EngineVariants OfWidths(CpuEngine engine, int[] headDims)
    {
        var narrower = SimdWidths.Available.Where(width => width != engine.Simd)
            .Select(width => new CpuEngine(new CpuOptions(width, engine.Threads))).ToArray();
        CpuEngine[] all = [.. narrower, engine];
        return new EngineVariants([.. all.OrderBy(e => e.Simd)
            .SelectMany(e => Passes(CpuEngine.SimdName(e.Simd), e, s_cacheTypes, headDims)
                .Concat(Short(CpuEngine.SimdName(e.Simd), e, headDims)))], narrower);
    }

    // What the engine chooses, and each kernel of the registry. Compiling them takes most of the time of a GPU, so
    // several engines share the work: each has its own ILGPU context, which compiles one kernel at a time.
    private static EngineVariants OfRegistry(IlgpuEngine engine, bool isEmulated, Func<IEngine>? createAnother)
    {
        var registry = RegistryVariants.Of(engine, isEmulated);
        int count = createAnother is null ? 0
            : Math.Clamp(Math.Min(Environment.ProcessorCount / 2, registry.Count / KernelsPerEngine), 1,
            MostEngines) - 1;
        var others = Enumerable.Range(0, count).Select(_ => (IlgpuEngine)createAnother!()).ToArray();
        IlgpuEngine[] all = [engine, .. others];
        var kernels = registry.Select((kernel, n) => kernel.On(all[n % all.Length]));
        int onRequest = registry.Count(kernel => kernel.IsOnRequest);
        return new EngineVariants([.. Chosen(engine, isEmulated ? s_fewHeadDims : s_headDims), .. kernels], others)
        {
            IsConcurrent = true,
            Note = onRequest == 0 ? ""
                : $"this device executes kernels thread by thread: {registry.Count - onRequest} of {registry.Count} "
                + $"kernels, "
                + "one per operation, element type and placement of keys, each on one small case; --only NAME checks "
                    + "any other",
        };
    }

    // What the engine takes by itself for each element type.
    private static IEnumerable<EngineVariant> Chosen(IEngine engine, int[] headDims)
    {
        foreach (var type in s_cacheTypes)
            foreach (var pass in (CheckedPass[])[CheckedPass.Forward, CheckedPass.Backward, CheckedPass.Decode,
                CheckedPass.Merge])
                yield return new EngineVariant("chosen", pass, type, type, headDims, engine);
        foreach (var cacheType in s_pageTypes.Where(type => type != engine.FloatType))
            yield return new EngineVariant("chosen", CheckedPass.Decode, engine.FloatType, cacheType, headDims, engine);
    }

    // Queries, outputs and gradients of 16 bits too.
    private static IEnumerable<EngineVariant> Short(string name, IEngine engine, int[] headDims)
    {
        foreach (var pass in (CheckedPass[])[CheckedPass.Forward, CheckedPass.Backward, CheckedPass.Decode,
            CheckedPass.Merge])
            yield return new EngineVariant(name, pass, ElementType.BFloat16, ElementType.BFloat16, headDims, engine);
        yield return new EngineVariant(name, CheckedPass.Decode, ElementType.BFloat16, ElementType.Int8, headDims,
            engine);
    }

    private static IEnumerable<EngineVariant> Passes(string name, IEngine engine, ElementType[] cacheTypes,
        int[] headDims)
    {
        var type = engine.FloatType;
        foreach (var cacheType in cacheTypes)
            yield return new EngineVariant(name, CheckedPass.Forward, type, cacheType, headDims, engine);
        yield return new EngineVariant(name, CheckedPass.Backward, type, type, headDims, engine);
        foreach (var pageType in s_pageTypes.Where(t => t == ElementType.Int8 || cacheTypes.Contains(t)))
            yield return new EngineVariant(name, CheckedPass.Decode, type, pageType, headDims, engine);
        yield return new EngineVariant(name, CheckedPass.Merge, type, type, headDims, engine);
    }
}
