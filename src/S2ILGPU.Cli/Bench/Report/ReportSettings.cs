using S2ILGPU.Cli.Bench.Device;

namespace S2ILGPU.Cli.Bench.Report;

/// <summary>Sizes and patience of a report. Lengths go up; those that the time does not reach are left out.</summary>
internal sealed record ReportSettings
{
    /// <summary>Every length that a server of 2 cores reaches in hours.</summary>
    public static ReportSettings Full { get; } = new();

    /// <summary>Few lengths and repetitions: below 20 minutes.</summary>
    public static ReportSettings Quick { get; } = new()
    {
        IsQuick = true,
        Minutes = 16,
        PeerMinutes = 6,
        Tokens = [4096, 16384, 32768, 131072],
        TrainingTokens = [4096, 32768],
        Rounds = new Rounds(2, 10, 1, WarmUpSeconds: 0.1),
        Machine = BenchSettings.Quick,
    };

    /// <summary>Whether this is <see cref="Quick"/>: the peers are told so too.</summary>
    public bool IsQuick { get; init; }

    /// <summary>Time for everything, peers included, that the lengths are chosen for.</summary>
    public double Minutes { get; init; } = 150;

    /// <summary>Time for all peers together.</summary>
    public double PeerMinutes { get; init; } = 60;

    /// <summary>H of attention and decoding.</summary>
    public int Heads { get; init; } = 4;

    /// <summary>Hkv.</summary>
    public int KeyValueHeads { get; init; } = 2;

    /// <summary>Values of D; the first is that of the headlines.</summary>
    public IReadOnlyList<int> HeadDims { get; init; } = [64, 128];

    /// <summary>Dense first; the last is that of the headlines.</summary>
    public IReadOnlyList<DevicePattern> Patterns { get; init; } = [DevicePattern.Dense, new(16, 8), new(8, 32)];

    /// <summary>Lengths of the forward and the backward pass; the last is that of the headline.</summary>
    public IReadOnlyList<int> Tokens { get; init; } = [1024, 4096, 16384, 32768, 65536, 131072];

    /// <summary>Positions of each sequence while decoding; the last two are those of the headlines.</summary>
    public IReadOnlyList<int> DecodeTokens { get; init; } = [8192, 32768, 131072];

    /// <summary>How often the bytes that the last pattern keeps exceed the last cache while decoding.</summary>
    public double DecodeOverCache { get; init; } = 4;

    /// <summary>Preset whose products are measured.</summary>
    public string ProductPreset { get; init; } = "small";

    /// <summary>Rows of the products.</summary>
    public int ProductRows { get; init; } = 1024;

    /// <summary>Preset whose training step is measured, with one sequence.</summary>
    public string TrainingPreset { get; init; } = "base";

    /// <summary>Lengths of the training steps; the last is that of the headlines.</summary>
    public IReadOnlyList<int> TrainingTokens { get; init; } = [1024, 4096, 16384, 32768];

    /// <summary>Lengths of layouts.</summary>
    public IReadOnlyList<int> LayoutTokens { get; init; } = [8192, 32768, 131072];

    /// <summary>Preset that generates, one text at a time.</summary>
    public string GenerationPreset { get; init; } = "small";

    /// <summary>Positions in the cache while generating.</summary>
    public IReadOnlyList<int> GenerationTokens { get; init; } = [2048, 8192, 16384, 32768];

    /// <summary>How often.</summary>
    public Rounds Rounds { get; init; } = new(5, 20, 3);

    /// <summary>Calls that make up a measurement take at least so long together.</summary>
    public double BatchSeconds { get; init; } = 0.02;

    /// <summary>What the machine's own limits, layouts and OpenBLAS are measured with.</summary>
    public BenchSettings Machine { get; init; } = BenchSettings.Full;
}
