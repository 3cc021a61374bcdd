namespace S2ILGPU.TestSupport.Ptx;

// Memory, matrices, shuffles, barriers and branches.
internal sealed partial class Decoder
{
    private Type Space => Has("global") ? typeof(GlobalSpace)
        : _parts.Any(part => part.StartsWith("shared", StringComparison.Ordinal)) ? typeof(SharedSpace)
        : Has("local") ? typeof(LocalSpace) : Has("param") || Has("const")
            ? throw new NotSupportedException("state space") : typeof(GenericSpace);

    private Instruction Load()
    {
        var type = ElementType;
        if (!Has("param"))
            return Make(typeof(Load<,>), [type, Space], Elements(0, LaneBytes(type)), Pointer(1));
        var address = (PtxAddress)_statement.Operands[1];
        int offset = (int)symbols[((PtxSymbol)address.Base).Name].Address + (int)address.Offset;
        return Make(typeof(LoadParameter<>), [type], Elements(0, LaneBytes(type)), offset);
    }

    private Instruction Store()
    {
        var type = ElementType;
        return Make(typeof(Store<,>), [type, Space], Elements(1, LaneBytes(type)), Pointer(0));
    }

    private Instruction Atomic(bool isReduction)
    {
        var type = ElementType;
        int at = isReduction ? 0 : 1, target = isReduction ? -1 : Target(0);
        if (Has("cas"))
            return Make(typeof(AtomicCompareExchange<,>), [type, Space], target, Pointer(at), Source(at + 1),
                Source(at + 2));
        var function = Has("exch") ? typeof(Second<>) : BinaryFunctions[_parts.Last(BinaryFunctions.ContainsKey)];
        return Make(typeof(AtomicUpdate<,,>), [type, Space, function.MakeGenericType(type)], target, Pointer(at),
            Source(at + 1));
    }

    private Instruction AsyncCopy()
    {
        if (Has("commit_group"))
            return new CommitCopies();
        if (Has("wait_all"))
            return new WaitForCopies(-1);
        if (Has("wait_group"))
            return new WaitForCopies((int)((PtxImmediate)_statement.Operands[0]).Bits);
        if (!Has("async") || Has("bulk"))
            throw new NotSupportedException("unknown copy");
        int sourceBytes = _statement.Operands.Count > 3 ? Source(3, typeof(uint)) : -1;
        return new AsyncCopy(Pointer(0), Pointer(1), (int)((PtxImmediate)_statement.Operands[2]).Bits, sourceBytes);
    }

    private Instruction LoadMatrix()
    {
        int[] targets = Elements(0, 4);
        if (!Has("m8n8") || !Has("b16") || !Has($"x{targets.Length}"))
            throw new NotSupportedException("unknown matrix load");
        return new LoadMatrix(targets, Pointer(1), Has("trans"));
    }

    private Instruction MultiplyMatrices()
    {
        int[] d = Elements(0, 4), a = Elements(1, 4), b = Elements(2, 4), c = Elements(3, 4);
        string shape = Has("tf32") ? "m16n8k8" : "m16n8k16";
        if (!Has(shape) || d.Length != 4 || a.Length != 4 || b.Length != 2 || c.Length != 4)
            throw new NotSupportedException("unknown matrix product");
        return string.Join('.', _parts[^4..]) switch
        {
            "f32.bf16.bf16.f32" => new MultiplyMatrices<BFloat16Element>(d, a, b, c),
            "f32.f16.f16.f32" => new MultiplyMatrices<Float16Element>(d, a, b, c),
            "f32.tf32.tf32.f32" => new MultiplyMatrices<Tf32Element>(d, a, b, c),
            _ => throw new NotSupportedException("unknown matrix product"),
        };
    }

    private Instruction Shuffle()
    {
        var target = (PtxRegister)_statement.Operands[0];
        var mode = _parts[2] switch
        {
            "bfly" => ShuffleMode.Butterfly,
            "up" => ShuffleMode.Up,
            "down" => ShuffleMode.Down,
            "idx" => ShuffleMode.Index,
            _ => throw new NotSupportedException("unknown shuffle"),
        };
        var type = typeof(uint);
        return new Shuffle(registers.Of(target.Name, 4), target.Predicate is { } p ? registers.Predicate(p) : -1,
            Source(1, type), Source(2, type), Source(3, type), Source(4, type), mode);
    }

    private Instruction Barrier()
    {
        if (Has("warp"))
            return new WarpBarrier();
        if (Has("sync"))
            return _statement.Operands is [PtxImmediate { Bits: 0 }] ? new GroupBarrier()
                : throw new NotSupportedException("a barrier of a part of the group");
        if (!Has("red"))
            throw new NotSupportedException("unknown barrier");
        var operand = (PtxRegister)_statement.Operands[2];
        int target = Has("popc") ? Target(0, typeof(uint)) : Predicate(0);
        return new GroupBarrier(target, Predicate(operand), operand.IsNegated ? uint.MaxValue : 0, Has("popc") ? 'p'
            : Has("and") ? 'a' : 'o');
    }

    private Instruction IndexedBranch()
    {
        string list = ((PtxSymbol)_statement.Operands[1]).Name;
        return new IndexedBranch(Source(0, typeof(uint)), [.. kernel.BranchTargets[list].Select(Label)]);
    }
}
