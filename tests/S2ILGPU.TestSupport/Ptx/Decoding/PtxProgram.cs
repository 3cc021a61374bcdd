namespace S2ILGPU.TestSupport.Ptx;

/// <summary>A kernel decoded for execution; immutable, so that many launches may share it.</summary>
public sealed unsafe class PtxProgram
{
    private readonly RegisterFile _registers;

    private PtxProgram(PtxModule module)
    {
        var kernel = module.Kernel;
        Name = kernel.Name;
        MaximumThreads = kernel.MaximumThreads;
        var layout = new SymbolLayout(module, kernel);
        (StaticSharedBytes, DynamicSharedOffset, SharedGaps) =
            (layout.StaticSharedBytes, layout.SharedEnd, layout.SharedGaps);
        (LocalBytes, ArgumentBytes) = (layout.LocalBytes, layout.ArgumentBytes);
        _registers = new RegisterFile(kernel.Registers);
        Code = [.. new Decoder(kernel, _registers, layout).Decode()];
        foreach (var instruction in Code)
            instruction.Source = module.SourceOf(instruction.Statement);
    }

    /// <summary>Name of the kernel.</summary>
    public string Name { get; }

    /// <summary>Largest group that the kernel was compiled for, or 0 when it does not say.</summary>
    public int MaximumThreads { get; }

    /// <summary>Size of the kernel's arguments.</summary>
    public int ArgumentBytes { get; }

    /// <summary>Instructions of the kernel.</summary>
    public int InstructionCount => Code.Length;

    internal Instruction[] Code { get; }

    internal int RegisterBytes => (_registers.Bytes + 127) / 128 * 128;

    internal int StaticSharedBytes { get; }

    internal int DynamicSharedOffset { get; }

    internal (int Begin, int End)[] SharedGaps { get; }

    internal int LocalBytes { get; }

    /// <summary>Decodes the only kernel of a PTX text.</summary>
    /// <exception cref="NotSupportedException">An instruction that the machine does not know.</exception>
    public static PtxProgram Parse(string text) => new(PtxParser.Parse(text));

    internal void WriteConstants(byte* registers)
    {
        foreach (var (bits, laneBytes, offset) in _registers.Constants)
            if (laneBytes == 0)
                *(uint*)(registers + offset) = bits != 0 ? uint.MaxValue : 0;
            else
                for (int lane = 0; lane < 32; lane++)
                    if (laneBytes == 8)
                        Cell<ulong>.Set(registers + offset, lane, bits);
                    else
                        Cell<uint>.Set(registers + offset, lane, (uint)bits);
    }

    internal void WriteSpecialRegisters(Warp warp, PtxDim grid, PtxDim size, PtxDim position)
    {
        foreach (var (name, offset) in _registers.Special)
            for (int lane = 0; lane < 32; lane++)
                Cell<int>.Set(warp.Registers + offset, lane, Special(name, warp, lane, grid, size, position));
    }

    private static int Special(string name, Warp warp, int lane, PtxDim grid, PtxDim size, PtxDim position)
    {
        int thread = warp.FirstThread + lane;
        return name switch
        {
            "%tid.x" => thread % size.X,
            "%tid.y" => thread / size.X % size.Y,
            "%tid.z" => thread / size.X / size.Y,
            "%ntid.x" => size.X,
            "%ntid.y" => size.Y,
            "%ntid.z" => size.Z,
            "%ctaid.x" => position.X,
            "%ctaid.y" => position.Y,
            "%ctaid.z" => position.Z,
            "%nctaid.x" => grid.X,
            "%nctaid.y" => grid.Y,
            "%nctaid.z" => grid.Z,
            "%laneid" => lane,
            "%warpid" => warp.Index,
            "%dynamic_smem_size" => warp.Group.DynamicSharedBytes,
            _ => throw new NotSupportedException($"special register {name}"),
        };
    }
}
