namespace S2ILGPU.TestSupport.Ptx;

/// <summary>
/// Lays out the registers of a warp: 32 lanes side by side for each register, a mask of 32 bits for each predicate.
/// Constants and special registers are registers that are written before the kernel begins.
/// </summary>
internal sealed class RegisterFile(IReadOnlyList<(string Prefix, string Type)> declarations)
{
    private static readonly char[] Digits = [.. "0123456789"];

    private readonly Dictionary<string, string> _types = declarations.ToDictionary(d => d.Prefix, d => d.Type);
    private readonly Dictionary<string, int> _offsets = [];
    private readonly Dictionary<(ulong Bits, int LaneBytes), int> _constants = [];
    private int _predicates, _predicatesLeft;

    /// <summary>Size of all registers.</summary>
    public int Bytes { get; private set; }

    /// <summary>Constants: bits, bytes per lane (0 for a predicate), offset.</summary>
    public IEnumerable<(ulong Bits, int LaneBytes, int Offset)> Constants =>
        _constants.Select(c => (c.Key.Bits, c.Key.LaneBytes, c.Value));

    /// <summary>The special registers in use.</summary>
    public IEnumerable<(string Name, int Offset)> Special =>
        _offsets.Where(r => IsSpecial(r.Key)).Select(r => (r.Key, r.Value));

    /// <summary>Offset of a register of 4 or 8 bytes per lane.</summary>
    public int Of(string name, int laneBytes)
    {
        int actual = LaneBytes(name);
        if (actual != laneBytes)
            throw new NotSupportedException($"register {name} has {actual * 8} bits, the instruction {laneBytes * 8}");
        if (!_offsets.TryGetValue(name, out int offset))
            _offsets[name] = offset = Allocate(laneBytes * 32);
        return offset;
    }

    /// <summary>Bytes per lane of a register.</summary>
    public int LaneBytes(string name) => IsSpecial(name) ? 4 : TypeOf(name) is "b64" or "u64" or "s64" or "f64" ? 8 : 4;

    /// <summary>Offset of a predicate's lane mask.</summary>
    public int Predicate(string name)
    {
        if (TypeOf(name) != "pred")
            throw new NotSupportedException($"register {name} is no predicate");
        if (!_offsets.TryGetValue(name, out int offset))
            _offsets[name] = offset = NewPredicate();
        return offset;
    }

    /// <summary>A predicate without a name.</summary>
    public int NewPredicate()
    {
        if (_predicatesLeft == 0)
            (_predicates, _predicatesLeft) = (Allocate(64), 16);
        return _predicates + 4 * (16 - _predicatesLeft--);
    }

    /// <summary>A register that holds a constant in every lane.</summary>
    public int Constant(ulong bits, int laneBytes)
    {
        if (laneBytes == 4)
            bits &= uint.MaxValue;
        if (!_constants.TryGetValue((bits, laneBytes), out int offset))
            _constants[(bits, laneBytes)] = offset = laneBytes == 0 ? NewPredicate() : Allocate(laneBytes * 32);
        return offset;
    }

    private static bool IsSpecial(string name) =>
        name.StartsWith("%tid.", StringComparison.Ordinal) || name.StartsWith("%ntid.", StringComparison.Ordinal)
        || name.StartsWith("%ctaid.", StringComparison.Ordinal) || name.StartsWith("%nctaid.", StringComparison.Ordinal)
        || name is "%laneid" or "%warpid" or "%dynamic_smem_size";

    private string TypeOf(string name) =>
        _types.TryGetValue(name, out var type) || _types.TryGetValue(name.TrimEnd(Digits), out type) ? type
        : throw new NotSupportedException($"register {name} is not declared");

    private int Allocate(int bytes)
    {
        int offset = Bytes;
        Bytes += bytes;
        return offset;
    }
}
