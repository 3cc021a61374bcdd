using S2ILGPU.Cpu;

namespace S2ILGPU.Cli.Bench;

/// <summary>Sizes and patience of a benchmark run.</summary>
internal sealed record BenchSettings
{
    /// <summary>Everything at the sizes that the targets name; minutes.</summary>
    public static BenchSettings Full { get; } = new();

    /// <summary>The short lengths and few repetitions; 1 to 3 minutes on 2 cores.</summary>
    public static BenchSettings Quick { get; } = new()
    {
        AttentionTokens = [4096],
        SpeedUpTokens = [1024, 4096, 16384],
        MatMulRounds = new Rounds(7, 20, 0.3),
        AttentionRounds = new Rounds(3, 12, 1.5),
        SpeedUpRounds = new Rounds(3, 12, 0.5),
        DecodeRounds = new Rounds(10, 100, 1),
        TrainingRounds = new Rounds(4, 6, 2),
        ContextTokens = [1024, 4096],
        ContextRounds = new Rounds(2, 4, 1),
        LayoutTokens = 32768,
        BusyRounds = new Rounds(3, 6, 1),
        LayoutRounds = new Rounds(3, 6, 0.5),
        PeerRounds = new Rounds(3, 10, 0.15, WarmUpSeconds: 0.05),
    };

    /// <summary>Sizes of caches that kernels are cut for; null for those of the machine.</summary>
    public CacheSizes? Caches { get; init; }

    /// <summary>Heads of the attention figures, as many query as key/value heads.</summary>
    public int Heads { get; init; } = 8;

    /// <summary>Head sizes of the attention figures.</summary>
    public IReadOnlyList<int> HeadDims { get; init; } = [64, 128];

    /// <summary>Lengths of the forward and backward figures.</summary>
    public IReadOnlyList<int> AttentionTokens { get; init; } = [4096, 16384];

    /// <summary>Lengths of the speed-up curve.</summary>
    public IReadOnlyList<int> SpeedUpTokens { get; init; } = [1024, 2048, 4096, 8192, 16384, 32768];

    /// <summary>Length of the odd shapes.</summary>
    public int ShapeTokens { get; init; } = 4096;

    /// <summary>Length of the layout that is compared with a forward pass.</summary>
    public int LayoutTokens { get; init; } = 131072;

    /// <summary>Positions in the cache while decoding.</summary>
    public int DecodeTokens { get; init; } = 32768;

    /// <summary>Bytes that are read for the rate of plain reading and, by several caches in turn, while decoding:
    /// several times the last cache.</summary>
    public long ReadBytes { get; init; } = 256L << 20;

    /// <summary>Rows of the matrix products: the tokens of a training step.</summary>
    public int MatMulRows { get; init; } = 4096;

    /// <summary>Preset whose training step is measured.</summary>
    public string TrainingPreset { get; init; } = "base";

    /// <summary>Lengths of the training steps whose throughput and memory are compared.</summary>
    public IReadOnlyList<int> ContextTokens { get; init; } = [1024, 2048, 4096, 8192, 16384];

    /// <summary>Whether to look for other implementations.</summary>
    public bool HasPeers { get; init; } = true;

    public Rounds MatMulRounds { get; init; } = new(7, 60, 1);

    public Rounds AttentionRounds { get; init; } = new(5, 40, 6);

    public Rounds SpeedUpRounds { get; init; } = new(5, 60, 3);

    public Rounds DecodeRounds { get; init; } = new(20, 300, 4);

    public Rounds TrainingRounds { get; init; } = new(10, 20, 8);

    public Rounds ContextRounds { get; init; } = new(3, 10, 4);

    public Rounds BusyRounds { get; init; } = new(5, 20, 5);

    public Rounds LayoutRounds { get; init; } = new(3, 10, 4);

    public Rounds PeerRounds { get; init; } = new(5, 40, 1);
}
