namespace S2ILGPU.TestSupport.Ptx;

/// <summary>One instruction as written.</summary>
/// <param name="Line">Line of the text, from 1.</param>
/// <param name="Text">The instruction itself.</param>
/// <param name="Guard">Predicate register of <c>@%p</c>, or null.</param>
/// <param name="IsGuardNegated">Whether it was <c>@!%p</c>.</param>
/// <param name="Mnemonic">As in <c>ld.global.v4.b32</c>.</param>
/// <param name="Operands">In order.</param>
/// <param name="Source">C# file, by its number, and line; (0, 0) where the text names none.</param>
internal sealed record PtxStatement(int Line, string Text, string? Guard, bool IsGuardNegated, string Mnemonic,
    IReadOnlyList<PtxOperand> Operands, (int File, int Line) Source);

/// <summary>A variable in shared, local, constant or global memory, or a parameter.</summary>
/// <param name="Space">The directive: <c>shared</c>, <c>local</c>, <c>const</c>, <c>global</c> or <c>param</c>.</param>
/// <param name="Name">Its name.</param>
/// <param name="Alignment">In bytes.</param>
/// <param name="Bytes">Size; 0 for memory that the launch sizes.</param>
/// <param name="Data">Initial contents; zero where the text says nothing.</param>
internal sealed record PtxVariable(string Space, string Name, int Alignment, int Bytes, byte[] Data);

/// <summary>A function or kernel.</summary>
internal sealed class PtxFunction
{
    public required string Name { get; init; }

    public required bool IsKernel { get; init; }

    public required IReadOnlyList<PtxVariable> Parameters { get; init; }

    /// <summary>Largest number of threads that the kernel was compiled for, or 0.</summary>
    public required int MaximumThreads { get; init; }

    public List<PtxStatement> Statements { get; } = [];

    /// <summary>Index of the statement that follows each label.</summary>
    public Dictionary<string, int> Labels { get; } = [];

    /// <summary>Labels of each <c>.branchtargets</c> list.</summary>
    public Dictionary<string, string[]> BranchTargets { get; } = [];

    /// <summary>Registers by prefix and type, as declared: <c>.reg .b32 %r&lt;5&gt;</c> is ("%r", "b32"); single
    /// registers by their whole name.</summary>
    public List<(string Prefix, string Type)> Registers { get; } = [];

    public List<PtxVariable> Variables { get; } = [];
}

/// <summary>A PTX text: its kernels, functions and variables.</summary>
/// <param name="Functions">Kernels and functions.</param>
/// <param name="Variables">Variables outside of functions.</param>
/// <param name="Files">C# files, by their numbers.</param>
internal sealed record PtxModule(IReadOnlyList<PtxFunction> Functions, IReadOnlyList<PtxVariable> Variables,
    IReadOnlyDictionary<int, string> Files)
{
    /// <summary>The C# line of a statement.</summary>
    public SourceLine? SourceOf(PtxStatement statement) =>
        Files.TryGetValue(statement.Source.File, out string? file) ? new SourceLine(file, statement.Source.Line) : null;

    /// <summary>The only kernel.</summary>
    public PtxFunction Kernel => Functions.Single(function => function.IsKernel);
}
