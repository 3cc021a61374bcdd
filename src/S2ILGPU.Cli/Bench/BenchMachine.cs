using System.Diagnostics;
using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cli.Bench;

/// <summary>What a group of figures measures beside its variants, in the same rounds.</summary>
[Flags]
internal enum Yardsticks
{
    None = 0,
    PeakOneThread = 1,
    PeakAllThreads = 2,
    ReadRate = 4,
}

/// <summary>The machine under measurement: an engine on one thread, an engine on all of them, and the machine's own
/// limits.</summary>
internal sealed class BenchMachine : IDisposable
{
    private readonly MachineProbe _one, _all;
    private readonly List<double> _peakOne = [], _peakAll = [], _readRate = [];

    public BenchMachine(BenchSettings settings)
    {
        Settings = settings;
        All = CreateEngine(new CpuOptions());
        One = All.Threads == 1 ? All : CreateEngine(new CpuOptions(Threads: 1));
        _all = MachineProbe.Create(All, settings.ReadBytes);
        _one = All.Threads == 1 ? _all : MachineProbe.Create(One, readBytes: 1);
    }

    public BenchSettings Settings { get; }

    /// <summary>The engine on one thread.</summary>
    public CpuEngine One { get; }

    /// <summary>The engine on all threads; the same one where there is only one.</summary>
    public CpuEngine All { get; }

    /// <summary>The machine's own limits over the whole run.</summary>
    public MachineLimits Limits => new(new SortedDictionary<int, Limit>
    {
        [All.Threads] = Limit.Of(_peakAll),
        [1] = Limit.Of(All.Threads == 1 ? [.. _peakAll, .. _peakOne] : _peakOne),
    }, Limit.Of(_readRate));

    /// <summary>Measures every limit a few times: between two groups of figures, so that each is known over the whole
    /// run.</summary>
    public void MeasureLimits() => Time(new Rounds(Least: 3, Most: 3, Seconds: 0, WarmUpSeconds: 0),
        Yardsticks.PeakOneThread | Yardsticks.PeakAllThreads | Yardsticks.ReadRate);

    /// <summary>An engine cut for the same caches; the caller disposes it.</summary>
    public CpuEngine CreateEngine(CpuOptions options) => new(options with { Caches = Settings.Caches });

    /// <summary>Measures variants in turn, and the yardsticks with them in every round.</summary>
    public Timings Time(Rounds rounds, Yardsticks yardsticks, params Action[] variants) =>
        Time(rounds, yardsticks, Alternating.OfCalls, variants);

    /// <inheritdoc cref="Time(Rounds, Yardsticks, Action[])"/>
    public Timings Time(Rounds rounds, Yardsticks yardsticks, in Measurement measurement, Action[] variants)
    {
        var measured = new List<Action>(variants);
        int one = Add(Yardsticks.PeakOneThread, _one.MultiplyAdd),
            all = Add(Yardsticks.PeakAllThreads, _all.MultiplyAdd);
        int read = Add(Yardsticks.ReadRate, _all.Read);
        var seconds = Alternating.Time(rounds, measurement, [.. measured]);
        return new Timings(seconds[..variants.Length])
        {
            PeakOneThread = Rate(one, _one.MultiplyAddFlops, _peakOne),
            PeakAllThreads = Rate(all, _all.MultiplyAddFlops, _peakAll),
            ReadRate = Rate(read, _all.ReadBytes, _readRate),
        };

        int Add(Yardsticks yardstick, Action probe)
        {
            if (!yardsticks.HasFlag(yardstick))
                return -1;
            measured.Add(probe);
            return measured.Count - 1;
        }

        Samples? Rate(int index, long work, List<double> history)
        {
            if (index < 0)
                return null;
            var rate = seconds[index].Each(s => work / s);
            history.AddRange(rate.Values);
            return rate;
        }
    }

    /// <summary>One measurement of a yardstick of all threads, beside work that is timed elsewhere: what it does per
    /// second.</summary>
    public double Rate(Yardsticks yardstick)
    {
        var (probe, work, history) = yardstick switch
        {
            Yardsticks.PeakAllThreads => ((Action)_all.MultiplyAdd, _all.MultiplyAddFlops, _peakAll),
            Yardsticks.ReadRate => (_all.Read, _all.ReadBytes, _readRate),
            _ => throw new ArgumentException($"{yardstick} is not a yardstick of all threads"),
        };
        double rate = work / Alternating.OfCalls.Seconds(probe, calls: 2);
        history.Add(rate);
        return rate;
    }

    public void Dispose()
    {
        if (!ReferenceEquals(_one, _all))
            _one.Dispose();
        _all.Dispose();
        One.Dispose();
        All.Dispose();
    }

    /// <summary>The commit of the working directory; null where there is none, or no git.</summary>
    public static string? Commit()
    {
        try
        {
            var start = new ProcessStartInfo("git", ["rev-parse", "--short", "HEAD"]) { RedirectStandardOutput = true,
                RedirectStandardError = true };
            using var git = Process.Start(start);
            string? commit = git?.StandardOutput.ReadToEnd().Trim();
            git?.WaitForExit();
            return git?.ExitCode == 0 ? commit : null;
        }
        catch (System.ComponentModel.Win32Exception) // git is not installed
        {
            return null;
        }
    }
}

/// <summary>Times of some variants and what the machine could do at most in the same rounds.</summary>
internal sealed class Timings(Samples[] seconds)
{
    /// <summary>Multiplications and additions per second.</summary>
    public Samples? PeakOneThread { get; init; }

    /// <inheritdoc cref="PeakOneThread"/>
    public Samples? PeakAllThreads { get; init; }

    /// <summary>Bytes per second.</summary>
    public Samples? ReadRate { get; init; }

    /// <summary>Seconds of a variant.</summary>
    public Samples this[int variant] => seconds[variant];

    /// <summary>Work per second of a variant as a fraction of a yardstick, round by round.</summary>
    /// <param name="variant">The variant.</param>
    /// <param name="work">Its work, in the unit of the yardstick.</param>
    /// <param name="yardstick">A yardstick that was measured.</param>
    public Samples Fraction(int variant, double work, Samples? yardstick) =>
        seconds[variant].With(yardstick ?? throw new InvalidOperationException("the yardstick was not measured"),
        (s, best) => work / s / best);

    /// <summary>The figure of <see cref="Fraction"/>, with what a quiet machine would show.</summary>
    public Figure Figure(string name, int variant, double work, Samples? yardstick, double? target, string unit,
        string note = "")
    {
        var fraction = Fraction(variant, work, yardstick);
        return Bench.Figure.Of(name, fraction, target, unit, note, yardstick,
            steady: work / seconds[variant].Quantile(0.1) / yardstick!.Quantile(0.9)) with { Ceiling = 1 };
    }

    /// <summary>The figure of a ratio or of a rate that no limit divides: it is judged beside the peak of the same
    /// rounds, which says whether the machine had other things to do.</summary>
    public Figure RatioFigure(string name, Samples ratio, double? target, string unit, string note = "") =>
        Bench.Figure.Of(name, ratio, target, unit, note, PeakAllThreads ?? PeakOneThread
            ?? throw new InvalidOperationException("no yardstick was measured"));

    /// <summary>How many times as fast a variant is as another, round by round.</summary>
    public Samples Ratio(int variant, int baseline) =>
        seconds[baseline].With(seconds[variant], (slow, fast) => slow / fast);
}
