namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Where the variables and parameters of a kernel lie.</summary>
internal sealed class SymbolLayout
{
    private const int SharedGap = 256;

    private readonly Dictionary<string, (string Space, ulong Address)> _symbols = [];
    private readonly List<(int Begin, int End)> _sharedGaps = [];

    public SymbolLayout(PtxModule module, PtxFunction kernel)
    {
        foreach (var parameter in kernel.Parameters)
        {
            ArgumentBytes = Align(ArgumentBytes, parameter.Alignment);
            _symbols[parameter.Name] = ("param", (ulong)ArgumentBytes);
            ArgumentBytes += parameter.Bytes;
        }
        var used = kernel.Statements.SelectMany(s => s.Operands).SelectMany(Symbols).ToHashSet();
        foreach (var variable in module.Variables.Concat(kernel.Variables).Where(v => used.Contains(v.Name))
            .OrderBy(v => v.Bytes == 0))
            switch (variable.Space)
            {
                case "shared": // memory that the launch sizes follows all other
                    StaticSharedBytes = Align(StaticSharedBytes, variable.Alignment) + variable.Bytes;
                    int begin = Align(SharedEnd + (SharedEnd > 0 ? SharedGap : 0), Math.Max(16, variable.Alignment));
                    if (SharedEnd > 0)
                        _sharedGaps.Add((SharedEnd, begin));
                    _symbols[variable.Name] = ("shared", (ulong)(SharedMemory.Begin + begin));
                    SharedEnd = begin + variable.Bytes;
                    break;
                case "local":
                    LocalBytes = Align(LocalBytes, variable.Alignment);
                    _symbols[variable.Name] = ("local", (ulong)LocalBytes);
                    LocalBytes += variable.Bytes;
                    break;
                default:
                    throw new NotSupportedException($"variable {variable.Name} in {variable.Space} memory");
            }
    }

    public int ArgumentBytes { get; }

    /// <summary>Size of the shared variables on a device.</summary>
    public int StaticSharedBytes { get; private set; }

    /// <summary>End of the shared variables in the machine, which lie apart, so that an access past the end of one does
    /// not meet another; memory that the launch sizes begins here.</summary>
    public int SharedEnd { get; private set; }

    /// <summary>Begin and end of what lies between shared variables.</summary>
    public (int Begin, int End)[] SharedGaps => [.. _sharedGaps];

    public int LocalBytes { get; }

    /// <summary>Address of a variable in its space, or offset of a parameter.</summary>
    public (string Space, ulong Address) this[string name] =>
        _symbols.TryGetValue(name, out var symbol) ? symbol : throw new NotSupportedException($"symbol {name}");

    private static int Align(int offset, int alignment) => (offset + alignment - 1) / alignment * alignment;

    private static IEnumerable<string> Symbols(PtxOperand operand) => operand switch
    {
        PtxSymbol symbol => [symbol.Name],
        PtxAddress address => Symbols(address.Base),
        PtxVector vector => vector.Elements.SelectMany(Symbols),
        _ => [],
    };
}
