using System.Globalization;
using S2ILGPU.Cli.Devices;
using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>Attention on a device at growing lengths: forward, backward, decoding; dense and sparse in turn.</summary>
/// <param name="engine">The engine; stays with the caller.</param>
/// <param name="device">Its device.</param>
/// <param name="settings">Sizes and patience.</param>
/// <param name="machine">The machine whose engine it is, where its limits are measured too.</param>
internal sealed class DeviceBench(IEngine engine, DeviceInfo device, DeviceBenchSettings settings,
    BenchMachine? machine = null)
{
    // Packed copies, lists and partial results of the engine come on top of the tensors.
    private const double WorkspaceFactor = 2, UsableMemory = 0.9;

    private readonly List<string> _notes = [];

    /// <summary>Measures everything.</summary>
    /// <param name="show">Called with the entries of each size as soon as they are measured.</param>
    /// <param name="cancellation">Ends the run.</param>
    public DeviceReport Run(Action<IReadOnlyList<IDeviceEntry>> show, CancellationToken cancellation)
    {
        using var timer = new DeviceTimer(engine, machine);
        var (queryType, keyType) = FastestTypes();
        var entries = new List<DeviceEntry>();
        foreach (string work in settings.Works)
            foreach (int headDim in settings.HeadDims)
                foreach (int tokens in settings.Tokens)
                {
                    cancellation.ThrowIfCancellationRequested();
                    int sequences = work == "decode" ? Math.Max(1, settings.DecodeTokens / tokens) : 1;
                    string type = (work == "decode" ? keyType : queryType).ShortName();
                    var size = new AttentionShape(work, headDim, settings.Heads, settings.KeyValueHeads, type, "",
                        tokens, sequences);
                    var measured = Measure(timer, size, queryType, keyType, cancellation);
                    entries.AddRange(measured);
                    show(measured);
                }
        return new DeviceReport(device, engine.Name, DateOnly.FromDateTime(DateTime.UtcNow),
            DeviceReport.CommitOfTool(), entries, _notes);
    }

    private IReadOnlyList<DeviceEntry> Measure(DeviceTimer timer, AttentionShape size, ElementType queryType,
        ElementType keyType, CancellationToken cancellation)
    {
        bool isDecode = size.Work == "decode", isBackward = size.Work == "backward";
        double bytes = isDecode ? DeviceDecode.BytesOf(size, keyType)
            : DeviceInputs.BytesOf(size, queryType, isBackward) * WorkspaceFactor;
        if (device.MemoryBytes > 0 && bytes > device.MemoryBytes * UsableMemory)
        {
            _notes.Add(string.Create(CultureInfo.InvariantCulture,
                $"{size.Size}: left out, needs about {bytes / 1e9:0.0} GB of {device.MemoryBytes / 1e9:0.0} GB"));
            return [];
        }
        try
        {
            return isDecode ? Decode(timer, size, queryType, keyType, cancellation)
                : Attend(timer, size, queryType, isBackward, cancellation);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            _notes.Add($"{size.Size}: failed, {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}");
            return [];
        }
    }

    private List<DeviceEntry> Attend(DeviceTimer timer, AttentionShape size, ElementType type, bool isBackward,
        CancellationToken cancellation)
    {
        using var inputs = new DeviceInputs(engine, size, type, isBackward, settings.IsVaried);
        BlockLayout[] layouts =
            [.. settings.Patterns.Select(p =>
            BlockLayout.Create(p.Create(size.Heads, size.KeyValueHeads), size.Tokens))];
        if (isBackward)
            inputs.Forward(layouts[0]);
        Action[] variants =
            [.. layouts.Select(layout =>
            (Action)(isBackward ? () => inputs.Backward(layout) : () => inputs.Forward(layout)))];
        var timings = timer.Time(settings.Rounds, settings.BatchSeconds, Yardsticks.PeakAllThreads, cancellation,
            variants);
        double flopsPerBlock = (isBackward ? 10.0 : 4.0) * DevicePattern.BlockTokens * DevicePattern.BlockTokens
            * size.HeadDim * (size.Heads / size.KeyValueHeads);
        return Entries(size, timings, [.. layouts.Select(l => l.KeptBlocks)], flopsPerBlock, bytesPerBlock: 0);
    }

    private List<DeviceEntry> Decode(DeviceTimer timer, AttentionShape size, ElementType queryType, ElementType keyType,
        CancellationToken cancellation)
    {
        using var decode = new DeviceDecode(engine, size, queryType, keyType, settings.IsVaried);
        var steps = settings.Patterns.Select(p => decode.Prepare(p.Create(size.Heads, size.KeyValueHeads))).ToArray();
        var timings = timer.Time(settings.Rounds, settings.BatchSeconds, Yardsticks.ReadRate, cancellation,
            [.. steps.Select(s => s.Step)]);
        double elements = (double)DevicePattern.BlockTokens * size.HeadDim;
        return Entries(size, timings, [.. steps.Select(s => s.KeptBlocks)],
            4 * elements * (size.Heads / size.KeyValueHeads), 2 * elements * keyType.SizeBytes());
    }

    // Dense is the first pattern.
    private List<DeviceEntry> Entries(AttentionShape size, Timings timings, long[] keptBlocks, double flopsPerBlock,
        double bytesPerBlock)
    {
        var entries = new List<DeviceEntry>();
        for (int i = 0; i < keptBlocks.Length; i++)
        {
            var speedUp = i == 0 ? null : timings.Ratio(i, baseline: 0);
            double flops = keptBlocks[i] * flopsPerBlock, bytes = keptBlocks[i] * bytesPerBlock;
            entries.Add(new DeviceEntry(size with { Pattern = settings.Patterns[i].Name }, timings[i].Median * 1e3,
                timings[i].Spread * 1e3, flops, (double)keptBlocks[0] / keptBlocks[i], speedUp?.Median)
            {
                SpeedUpSpread = speedUp?.Spread,
                KeptBytes = bytes,
                OfLimit = bytes > 0 ? OfLimit.Of(timings[i], bytes, timings.ReadRate)
                    : OfLimit.Of(timings[i], flops, timings.PeakAllThreads),
            });
        }
        return entries;
    }

    // bf16 where the engine takes it, on GPUs through tensor cores; a cache may be narrower than the queries. CPUs
    // compute in fp32 whatever is stored, and read nothing but the cache often enough to gain from 16 bits.
    private (ElementType Query, ElementType Key) FastestTypes() =>
        engine is not CpuEngine && Accepts(ElementType.BFloat16, ElementType.BFloat16)
            ? (ElementType.BFloat16, ElementType.BFloat16)
        : Accepts(ElementType.Float32, ElementType.BFloat16) ? (ElementType.Float32, ElementType.BFloat16)
        : (ElementType.Float32, ElementType.Float32);

    private bool Accepts(ElementType queryType, ElementType keyType)
    {
        try
        {
            var shape = new AttentionShape("decode", settings.HeadDims[0], 1, 1, "", "", DevicePattern.BlockTokens);
            using var decode = new DeviceDecode(engine, shape, queryType, keyType, isVaried: false);
            decode.Prepare(DevicePattern.Dense.Create(1, 1)).Step();
            if (queryType == keyType)
                using (var inputs = new DeviceInputs(engine, shape, queryType, hasGradients: false,
                        isVaried: false))
                    inputs.Forward(BlockLayout.Create(DevicePattern.Dense.Create(1, 1), shape.Tokens));
            return true;
        }
        // how engines refuse a type
        catch (Exception e) when (e.GetType() == typeof(ArgumentException) || e is NotSupportedException)
        {
            return false;
        }
        // a kernel that does not compile: other types may do
        catch (Exception e) when (e is not OperationCanceledException)
        {
            _notes.Add(
                $"{queryType.ShortName()}/{keyType.ShortName()} left out, {e.GetType().Name}: "
                + $"{e.Message.ReplaceLineEndings(" ")}");
            return false;
        }
    }
}
