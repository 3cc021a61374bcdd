using System.Runtime.CompilerServices;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Executes PTX texts without a GPU and is their sanitizer.</summary>
/// <remarks>
/// <para>The first fault of a launch is thrown as <see cref="PtxFaultException"/>, with the line of the C# source where
/// the text names lines; <see cref="PtxFaultKind"/> lists what is found.</para>
/// <para>Not modelled: ptxas, timing, memory ordering between groups, the rounding inside tensor cores (sums here are
/// fp32, one product after another).</para>
/// <para>The machine is for one thread at a time. Arrays that it maps stay where they are until it is disposed.</para>
/// </remarks>
public sealed class PtxMachine(PtxProgram program, PtxOptions? options = null) : IDisposable
{
    private const int MaximumStaticShared = 48 * 1024;

    private readonly Clock _clock = new();
    private GlobalMemory? _global;

    /// <summary>Decodes the only kernel of a PTX text.</summary>
    public PtxMachine(string text, PtxOptions? options = null) : this(PtxProgram.Parse(text), options)
    {
    }

    /// <summary>The kernel.</summary>
    public PtxProgram Program { get; } = program;

    /// <summary>How it runs.</summary>
    public PtxOptions Options { get; } = options ?? new PtxOptions();

    /// <summary>Instructions that warps executed so far.</summary>
    public long WarpInstructions { get; private set; }

    /// <summary>Makes an array part of global memory and returns its address; the kernel works on the array
    /// itself.</summary>
    public ulong Map<T>(T[] data, string name, PtxAccess access) where T : unmanaged =>
        Global.Map(data, (long)data.Length * Unsafe.SizeOf<T>(), name, access);

    /// <summary>Runs a grid, one group after another in a seeded order.</summary>
    /// <param name="grid">Groups.</param>
    /// <param name="size">Threads of a group.</param>
    /// <param name="arguments">The kernel's arguments as bytes; see <see cref="KernelArguments"/>.</param>
    /// <param name="dynamicSharedBytes">Size of dynamic shared memory.</param>
    public void Launch(PtxDim grid, PtxDim size, byte[] arguments, int dynamicSharedBytes = 0)
    {
        if (arguments.Length != Program.ArgumentBytes)
            throw new PtxFaultException(PtxFaultKind.Launch,
                $"{Program.Name} takes {Program.ArgumentBytes} bytes of arguments, not {arguments.Length}");
        if (Program.MaximumThreads > 0 && size.Count > Program.MaximumThreads)
            throw new PtxFaultException(PtxFaultKind.Launch,
                $"{Program.Name} was compiled for {Program.MaximumThreads} threads a group, not {size.Count}");
        if (Program.StaticSharedBytes > MaximumStaticShared)
            throw new PtxFaultException(PtxFaultKind.Launch,
                $"{Program.StaticSharedBytes} bytes of static shared memory; a group may have {MaximumStaticShared}");
        if (Program.StaticSharedBytes + dynamicSharedBytes > Options.MaximumSharedBytes)
            throw new PtxFaultException(PtxFaultKind.Launch,
                $"{Program.StaticSharedBytes + dynamicSharedBytes} bytes of shared memory; a group may have "
                + $"{Options.MaximumSharedBytes}");
        var random = new Random(Options.Seed);
        int[] order = [.. Enumerable.Range(0, checked((int)grid.Count))];
        random.Shuffle(order);
        using var group = new Group(Program, Options, grid, size, arguments, dynamicSharedBytes, Global, _clock);
        _clock.BeginLaunch();
        foreach (int n in order)
            WarpInstructions += group.Run(new PtxDim(n % grid.X, n / grid.X % grid.Y, n / grid.X / grid.Y), random);
    }

    /// <summary>Lets the arrays go.</summary>
    public void Dispose() => _global?.Dispose();

    private GlobalMemory Global => _global ??= new GlobalMemory(Options.DetectRaces ? _clock : null);
}
