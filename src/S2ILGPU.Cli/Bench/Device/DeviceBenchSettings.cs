using S2ILGPU.Engines;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>Sizes and patience of a run on a device.</summary>
internal sealed record DeviceBenchSettings
{
    /// <summary>H.</summary>
    public int Heads { get; init; } = 32;

    /// <summary>Hkv.</summary>
    public int KeyValueHeads { get; init; } = 8;

    /// <summary>Values of D.</summary>
    public IReadOnlyList<int> HeadDims { get; init; } = [128, 64];

    /// <summary>Lengths of the forward and the backward pass, and positions of each sequence while decoding.</summary>
    public IReadOnlyList<int> Tokens { get; init; } = [1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072];

    /// <summary>Positions of all sequences of a decoding step together: what is kept of them should exceed every cache
    /// of the device.</summary>
    public int DecodeTokens { get; init; } = 1 << 20;

    /// <summary>Dense first: the others are compared with it.</summary>
    public IReadOnlyList<DevicePattern> Patterns { get; init; } =
        [DevicePattern.Dense, new(16, 8), new(8, 32), new(8, 16)];

    /// <summary>What to measure.</summary>
    public IReadOnlyList<string> Works { get; init; } = ["forward", "backward", "decode"];

    /// <summary>Whether every call has lengths that no recent call had, so that the host's plans are measured too:
    /// attention a little shorter than the whole, decoding one token longer each time.</summary>
    public bool IsVaried { get; init; }

    /// <summary>How often.</summary>
    public Rounds Rounds { get; init; } = new(5, 30, 2, WarmUpSeconds: 0.3);

    /// <summary>Calls between two synchronisations take at least so long, so that waiting for the device does not
    /// count.</summary>
    public double BatchSeconds { get; init; } = 0.02;

    /// <summary>The settings for a device: full sizes for GPUs, shorter ones for processors, tiny ones where threads
    /// are emulated.</summary>
    public static DeviceBenchSettings For(DeviceKind kind, bool isQuick)
    {
        DeviceBenchSettings gpu = new(),
            cpu = gpu with { Heads = 8, KeyValueHeads = 2, HeadDims = [64, 128],
            Tokens = [1024, 2048, 4096, 8192, 16384], DecodeTokens = 1 << 19 };
        return (kind, isQuick) switch
        {
            (DeviceKind.Emulated, _) => gpu with
            {
                Heads = 2,
                KeyValueHeads = 1,
                HeadDims = [64],
                Tokens = [256],
                DecodeTokens = 512,
                BatchSeconds = 0,
                Rounds = new Rounds(1, 1, 0, 0),
                Patterns = [DevicePattern.Dense, new(1, 2)],
            },
            (DeviceKind.Cpu, false) => cpu,
            (DeviceKind.Cpu, true) =>
                cpu with { HeadDims = [64], Tokens = [1024, 4096], DecodeTokens = 1 << 18,
                Rounds = new Rounds(3, 8, 0.5, 0.1) },
            (_, true) =>
                gpu with { HeadDims = [128], Tokens = [4096, 16384, 65536], Rounds = new Rounds(3, 10, 0.5, 0.1) },
            _ => gpu,
        };
    }

    /// <summary>What <c>s2 verify</c> measures after its checks: one length, forward only.</summary>
    public static DeviceBenchSettings ForVerify(DeviceKind kind)
    {
        var settings = For(kind, isQuick: true);
        int tokens = kind switch { DeviceKind.Emulated => 256, DeviceKind.Cpu => 4096, _ => 32768 };
        return settings with { Works = ["forward"], Tokens = [tokens], HeadDims = [settings.HeadDims[0]] };
    }
}
