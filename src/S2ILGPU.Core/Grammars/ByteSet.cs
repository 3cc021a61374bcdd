namespace S2ILGPU.Grammars;

/// <summary>A set of byte values. Sets of the same bytes are equal.</summary>
internal sealed record ByteSet
{
    private readonly UInt128 _low, _high; // a bit per byte, from 0 and from 128

    private ByteSet(IEnumerable<int> bytes)
    {
        foreach (int value in bytes)
            if (value < 128)
                _low |= UInt128.One << value;
            else
                _high |= UInt128.One << (value - 128);
    }

    /// <summary>The bytes of a range, both ends included.</summary>
    public static ByteSet Range(int first, int last) => new(Enumerable.Range(first, last - first + 1));

    /// <summary>Some ASCII characters.</summary>
    public static ByteSet Of(string characters) => new(characters.Select(c => (int)c));

    /// <summary>Whether a byte is in the set.</summary>
    public bool Contains(byte value) => ((value < 128 ? _low : _high) >> (value & 127) & 1) != 0;

    /// <summary>This set without some ASCII characters.</summary>
    public ByteSet Except(string characters) =>
        new(Enumerable.Range(0, 256).Where(value => Contains((byte)value) && !characters.Contains((char)value)));

    /// <summary>Numbers of the bytes from 0 on; bytes that are in the same sets have the same one.</summary>
    public static byte[] Classes(IEnumerable<ByteSet> sets)
    {
        var classes = new byte[256];
        foreach (var set in sets.Distinct())
        {
            var known = new Dictionary<(byte, bool), byte>();
            for (int value = 0; value < 256; value++)
            {
                var key = (classes[value], set.Contains((byte)value));
                if (!known.TryGetValue(key, out byte number))
                    known.Add(key, number = (byte)known.Count);
                classes[value] = number;
            }
        }
        return classes;
    }
}
