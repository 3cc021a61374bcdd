using S2ILGPU.Engines;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>Sizes of the benches of whole models, where the command line names none.</summary>
/// <param name="Preset">Shape of the model.</param>
/// <param name="Rows">Tokens of a step, for matrix products alone.</param>
/// <param name="DecodeSequences">Sequences of a decoding step.</param>
/// <param name="MostRounds">Steps after which enough is known.</param>
internal sealed record ModelDefaults(string Preset, int Rows, int DecodeSequences, int MostRounds)
{
    /// <summary>Those of a kind of device.</summary>
    public static ModelDefaults Of(DeviceKind kind) => kind switch
    {
        DeviceKind.Emulated => new("tiny", 16, 2, 1),
        DeviceKind.Cpu => new("base", 1024, 4, 10),
        _ => new("100m", 8192, 16, 20),
    };

    /// <summary>How often, given what other benches of the device do.</summary>
    public Rounds Rounds(DeviceBenchSettings settings) =>
        settings.Rounds with { Most = Math.Min(MostRounds, settings.Rounds.Most) };
}
