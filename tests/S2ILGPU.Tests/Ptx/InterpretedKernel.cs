using System.Reflection;
using S2ILGPU.Compiler;
using S2ILGPU.TestSupport;
using S2ILGPU.TestSupport.Ptx;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>A kernel compiled by ILGPU to PTX, to be run by the PTX machine. Compiled and decoded once, when first
/// needed; some megabytes, so tests let it go.</summary>
/// <param name="method">The kernel.</param>
/// <param name="threads">Threads of a group.</param>
internal sealed class InterpretedKernel(MethodInfo method, int threads)
{
    private readonly Lock _lock = new();
    private string? _text;
    private PtxProgram? _program;
    private (string Text, PtxProgram Program)? _mutant; // the last one: several launches try it

    /// <summary>The kernel.</summary>
    public MethodInfo Method => method;

    /// <summary>Threads of a group.</summary>
    public int Threads => threads;

    /// <summary>Dynamic shared memory of a group.</summary>
    public int SharedBytes { get; init; }

    /// <summary>Whether it is compiled as portable kernels are: for sm_75, and no loop unrolled.</summary>
    public bool IsPortable { get; init; }

    /// <summary>The PTX, with C# lines.</summary>
    public string Text
    {
        get
        {
            lock (_lock)
                return _text ??= Compile(sourceLines: true);
        }
    }

    private PtxProgram Program
    {
        get
        {
            lock (_lock)
                return _program ??= PtxProgram.Parse(Text);
        }
    }

    /// <summary>Runs the kernel.</summary>
    /// <param name="grid">Groups.</param>
    /// <param name="copies">When asynchronous copies arrive.</param>
    /// <param name="arguments">Sets the fields of the kernel's argument struct.</param>
    /// <param name="text">Other PTX in place of the kernel's own: a mutant.</param>
    /// <param name="seed">Order of the threads; the seed of the run if it is not given.</param>
    /// <param name="sharedBytes">Dynamic shared memory in place of <see cref="SharedBytes"/>.</param>
    public void Launch(PtxDim grid, CopyTiming copies, Action<KernelArguments> arguments, string? text = null,
        int? seed = null, int? sharedBytes = null)
    {
        var program = text is null ? Program : Mutant(text);
        using var machine = new PtxMachine(program,
            new PtxOptions { Copies = copies, Seed = seed ?? Seeds.Current, MaximumWarpInstructions = 5_000_000 });
        var values = new KernelArguments(machine, Method.GetParameters()[0].ParameterType);
        arguments(values);
        machine.Launch(grid, Threads, values.ToBytes(), sharedBytes ?? SharedBytes);
    }

    private PtxProgram Mutant(string text)
    {
        lock (_lock)
            if (_mutant is not { } known || !ReferenceEquals(known.Text, text))
                _mutant = (text, PtxProgram.Parse(text));
        return _mutant.Value.Program;
    }

    /// <summary>Compiles the kernel.</summary>
    /// <param name="sourceLines">Whether the PTX names C# lines: without, it is what engines run.</param>
    public string Compile(bool sourceLines) => OfflineCompiler.Ptx(Method, Threads, IsPortable ? 75 : 80,
        unroll: !IsPortable, sourceLines);
}
