using System.Reflection;
using S2ILGPU.TestSupport.Ptx;
using Xunit;

namespace S2ILGPU.Tests.Ptx.Faults;

/// <summary>A kernel of these tests, run in several orders of threads, with copies late and early: a fault is found in
/// every one of them, on a line that is marked for it.</summary>
internal sealed class FaultyKernel(MethodInfo method, int threads, bool isPortable = true)
{
    private readonly InterpretedKernel _kernel = new(method, threads) { IsPortable = isPortable };

    public static FaultyKernel Of<TArguments>(Action<TArguments> kernel, int threads = 128, bool isPortable = true)
        where TArguments : struct => new(kernel.Method, threads, isPortable);

    /// <summary>The PTX.</summary>
    public string Text => _kernel.Text;

    /// <summary>Runs without a finding.</summary>
    public void IsClean(PtxDim grid, Action<KernelArguments> arguments, int sharedBytes = 0)
    {
        foreach (var (seed, copies) in Orders)
            Launch(grid, arguments, sharedBytes, seed, copies);
    }

    /// <summary>Fails unless the fault is found on a line with the mark, which ends it as a comment.</summary>
    /// <returns>The fault of the last order.</returns>
    public PtxFaultException Finds(PtxFaultKind kind, string mark, PtxDim grid, Action<KernelArguments> arguments,
        int sharedBytes = 0)
    {
        PtxFaultException? last = null;
        foreach (var (seed, copies) in Orders)
        {
            last = Assert.Throws<PtxFaultException>(() => Launch(grid, arguments, sharedBytes, seed, copies));
            Assert.True(kind == last.Kind, $"{method.Name}, seed {seed}: {last.Kind}: {last.Message}");
            Assert.True(MarksOf(last.Line).Contains(mark), $"{method.Name}, seed {seed}: {last.Message}");
            Assert.Contains(last.Line.ToString()!, last.Message);
        }
        return last!;
    }

    /// <summary>The names in the comment that ends a line.</summary>
    public static string[] MarksOf(SourceLine? source) =>
        source is { } line && File.ReadAllLines(line.File)[line.Line - 1].Split(" // ") is [_, var marks]
        ? marks.Split(", ") : [];

    private static IEnumerable<(int Seed, CopyTiming Copies)> Orders =>
        from seed in Enumerable.Range(0, 3) from copies in Enum.GetValues<CopyTiming>() select (seed, copies);

    /// <summary>The fault that one order shows, or null.</summary>
    public PtxFaultException? Fault(PtxDim grid, Action<KernelArguments> arguments, int seed)
    {
        try
        {
            Launch(grid, arguments, 0, seed, (CopyTiming)(seed % 2));
            return null;
        }
        catch (PtxFaultException fault)
        {
            return fault;
        }
    }

    private void Launch(PtxDim grid, Action<KernelArguments> arguments, int sharedBytes, int seed, CopyTiming copies) =>
        _kernel.Launch(grid, copies, arguments, seed: seed, sharedBytes: sharedBytes);
}
