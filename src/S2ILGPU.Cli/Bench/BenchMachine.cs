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
        All = new CpuEngine();
        One = All.Threads == 1 ? All : new CpuEngine(new CpuOptions(Threads: 1));
        _all = MachineProbe.Create(All, settings.ReadBytes);
        _one = All.Threads == 1 ? _all : MachineProbe.Create(One, readBytes: 1);
    }

    public BenchSettings Settings { get; }

    /// <summary>The engine on one thread.</summary>
    public CpuEngine One { get; }

    /// <summary>The engine on all threads; the same one where there is only one.</summary>
    public CpuEngine All { get; }

    /// <summary>Billions of float32 multiplications and additions per second by number of threads, the median over the
    /// whole run.</summary>
    public IReadOnlyDictionary<int, double> PeakGflops => new SortedDictionary<int, double>
    {
        [All.Threads] = MedianOf(_peakAll),
        [1] = MedianOf(All.Threads == 1 ? _peakAll : _peakOne),
    };

    /// <summary>Billions of bytes per second that all threads read, the median over the whole run.</summary>
    public double ReadGBs => MedianOf(_readRate);

    /// <summary>How much the peak of all threads varied over the whole run: width of the middle half of its
    /// measurements, of their median. Above a few percent something else was running.</summary>
    public double PeakVariation => _peakAll.Count == 0 ? 0 : new Samples([.. _peakAll]).Variation;

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

    private static double MedianOf(List<double> rates) => rates.Count == 0 ? 0 : new Samples([.. rates]).Median / 1e9;
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
            steady: work / seconds[variant].Quantile(0.1) / yardstick!.Quantile(0.9));
    }

    /// <summary>How many times as fast a variant is as another, round by round.</summary>
    public Samples Ratio(int variant, int baseline) =>
        seconds[baseline].With(seconds[variant], (slow, fast) => slow / fast);
}
