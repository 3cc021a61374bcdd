using System.Collections.Concurrent;
using System.Reflection;
using S2ILGPU.TestSupport;
using S2ILGPU.TestSupport.Ptx;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>A kernel compiled by ILGPU to PTX, to be run by the interpreter. Compiled once per process.</summary>
/// <param name="Method">The kernel.</param>
/// <param name="Threads">Threads of a group.</param>
/// <param name="SharedBytes">Dynamic shared memory of a group.</param>
/// <param name="MinGroups">Groups per multiprocessor that registers must allow, or null.</param>
/// <param name="Unroll">Whether constant loops are unrolled, as tensor-core kernels need.</param>
internal sealed record InterpretedKernel(MethodInfo Method, int Threads, int SharedBytes = 0, int? MinGroups = null, bool Unroll = true)
{
    private static readonly ConcurrentDictionary<InterpretedKernel, Lazy<string>> _texts = [];
    private static readonly ConcurrentDictionary<string, Lazy<PtxProgram>> _programs = [];

    /// <summary>The PTX.</summary>
    public string Text => _texts.GetOrAdd(this, kernel => new Lazy<string>(kernel.Compile)).Value;

    /// <summary>Runs the kernel.</summary>
    /// <param name="grid">Groups.</param>
    /// <param name="copies">When asynchronous copies arrive.</param>
    /// <param name="arguments">Sets the fields of the kernel's argument struct.</param>
    /// <param name="text">Other PTX in place of the kernel's own: a mutant.</param>
    public void Launch(PtxDim grid, CopyTiming copies, Action<KernelArguments> arguments, string? text = null)
    {
        var program = text is null ? _programs.GetOrAdd(Text, key => new Lazy<PtxProgram>(() => PtxProgram.Parse(key))).Value : PtxProgram.Parse(text);
        using var machine = new PtxMachine(program, new PtxOptions { Copies = copies, Seed = Seeds.Current, MaximumWarpInstructions = 5_000_000 });
        var values = new KernelArguments(machine, Method.GetParameters()[0].ParameterType);
        arguments(values);
        machine.Launch(grid, Threads, values.ToBytes(), SharedBytes);
    }

    private string Compile()
    {
#if KERNEL_LAB
        Assert.Skip("this build has no compiler: KernelLab executes the kernels itself");
        return "";
#else
        return S2ILGPU.Ilgpu.OfflineCompiler.Ptx(Method, Threads, MinGroups, 80, Unroll);
#endif
    }
}
