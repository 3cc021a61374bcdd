using System.Reflection;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Turns the statements of a kernel into instructions: chooses the class by mnemonic and type, and the
/// operands' places.</summary>
internal sealed partial class Decoder(PtxFunction kernel, RegisterFile registers, SymbolLayout symbols)
{
    private static readonly Dictionary<string, Type> Types = new()
    {
        ["s8"] = typeof(sbyte), ["u8"] = typeof(byte), ["b8"] = typeof(byte),
        ["s16"] = typeof(short), ["u16"] = typeof(ushort), ["b16"] = typeof(ushort),
        ["s32"] = typeof(int), ["u32"] = typeof(uint), ["b32"] = typeof(uint),
        ["s64"] = typeof(long), ["u64"] = typeof(ulong), ["b64"] = typeof(ulong),
        ["f16"] = typeof(Half), ["f32"] = typeof(float), ["f64"] = typeof(double),
    };

    private readonly Dictionary<(Type, string), ConstructorInvoker> _constructors = [];

    private PtxStatement _statement = null!;
    private string[] _parts = [];

    /// <summary>Decodes all statements.</summary>
    public IEnumerable<Instruction> Decode()
    {
        foreach (var statement in kernel.Statements)
        {
            _statement = statement;
            _parts = statement.Mnemonic.Split('.');
            Instruction instruction;
            try
            {
                instruction = Decode(_parts[0]);
            }
            catch (Exception e) when (e is NotSupportedException or InvalidCastException or ArgumentException
                or KeyNotFoundException or FormatException)
            {
                throw new NotSupportedException($"line {statement.Line}: {statement.Text}: {e.Message}", e);
            }
            instruction.Statement = statement;
            if (statement.Guard is { } guard)
            {
                instruction.Guard = registers.Predicate(guard);
                instruction.GuardInversion = statement.IsGuardNegated ? uint.MaxValue : 0;
            }
            yield return instruction;
        }
    }

    private Instruction Decode(string root) => root switch
    {
        "ld" or "ldu" => Load(),
        "st" => Store(),
        "atom" or "red" => Atomic(root == "red"),
        "cp" => AsyncCopy(),
        "ldmatrix" => LoadMatrix(),
        "mma" => MultiplyMatrices(),
        "shfl" => Shuffle(),
        "bar" or "barrier" => Barrier(),
        "bra" => new Branch(Label(_statement.Operands[0])),
        "brx" => IndexedBranch(),
        "ret" or "exit" => new Exit(),
        "trap" => new Trap(),
        "membar" or "fence" or "prefetch" or "nanosleep" => new Nothing(),
        "mov" => Move(),
        "cvta" => AddressConversion(),
        "cvt" => Conversion(),
        "setp" => Comparison(),
        "testp" => Property(),
        "selp" => Selection(),
        "mul" or "mad" => Product(root == "mad"),
        "fma" => Make(typeof(Ternary<,,>),
            [ElementType, ElementType, typeof(FusedMultiplyAdd<>).MakeGenericType(ElementType)], Target(0), Source(1),
            Source(2), Source(3)),
        _ => Arithmetic(root),
    };

    /// <summary>Last part of the mnemonic: the type.</summary>
    private Type ElementType => TypeNamed(_parts[^1]);

    private bool Has(string part) => _parts.Contains(part);

    private static Type TypeNamed(string name) =>
        Types.TryGetValue(name, out var type) ? type : throw new NotSupportedException($"type {name}");

    private static int LaneBytes(Type type) =>
        type == typeof(long) || type == typeof(ulong) || type == typeof(double) ? 8 : 4;

    // --- operands

    private int Target(int n) => Target(n, ElementType);

    private int Target(int n, Type type) => Register(_statement.Operands[n], LaneBytes(type));

    private int Source(int n) => Source(n, ElementType);

    private int Source(int n, Type type) => Value(_statement.Operands[n], LaneBytes(type));

    private int Register(PtxOperand operand, int laneBytes) => registers.Of(((PtxRegister)operand).Name, laneBytes);

    private int Value(PtxOperand operand, int laneBytes) => operand switch
    {
        PtxRegister register => registers.Of(register.Name, laneBytes),
        PtxImmediate immediate => registers.Constant(immediate.Bits, laneBytes),
        PtxSymbol symbol => registers.Constant(symbols[symbol.Name].Address, laneBytes),
        _ => throw new NotSupportedException($"operand {operand}"),
    };

    private int[] Elements(int n, int laneBytes) => _statement.Operands[n] is PtxVector vector
        ? [.. vector.Elements.Select(e => Value(e, laneBytes))]
        : [Value(_statement.Operands[n], laneBytes)];

    private int Predicate(int n) => Predicate(_statement.Operands[n]);

    private int Predicate(PtxOperand operand) => operand is PtxImmediate immediate
        ? registers.Constant(immediate.Bits, 0) : registers.Predicate(((PtxRegister)operand).Name);

    private int Label(PtxOperand operand) => Label(((PtxSymbol)operand).Name);

    private int Label(string name) =>
        kernel.Labels.TryGetValue(name, out int target) ? target : throw new NotSupportedException($"label {name}");

    private PtxPointer Pointer(int n)
    {
        var address = (PtxAddress)_statement.Operands[n];
        return address.Base switch
        {
            PtxRegister register =>
                new PtxPointer(registers.Of(register.Name, registers.LaneBytes(register.Name)),
                registers.LaneBytes(register.Name) == 8, address.Offset),
            PtxSymbol symbol =>
                new PtxPointer(registers.Constant(symbols[symbol.Name].Address, 8), true, address.Offset),
            PtxImmediate immediate => new PtxPointer(registers.Constant(immediate.Bits, 8), true, address.Offset),
            _ => throw new NotSupportedException($"address {address}"),
        };
    }

    // An instruction class of given element types, by the only public constructor.
    private Instruction Make(Type definition, Type[] typeArguments, params object[] arguments)
    {
        var key = (definition, string.Join(",", typeArguments.Select(t => t.ToString())));
        if (!_constructors.TryGetValue(key, out var invoker))
            _constructors[key] = invoker =
                ConstructorInvoker.Create(definition.MakeGenericType(typeArguments).GetConstructors().Single());
        return (Instruction)invoker.Invoke(arguments.AsSpan()!);
    }
}
