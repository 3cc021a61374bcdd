namespace S2ILGPU.Tiles;

/// <summary>8 bytes: four 16-bit elements, half of the B operand of a matrix product.</summary>
internal struct U2
{
    /// <summary>Pairs of elements, the first in the low half.</summary>
    public uint X, Y;
}

/// <summary>16 bytes: eight 16-bit elements. ILGPU loads and stores it as one vector.</summary>
internal struct U4
{
    /// <summary>Pairs of elements, the first in the low half.</summary>
    public uint X, Y, Z, W;
}

/// <summary>Two neighbouring floats.</summary>
internal struct F2
{
    /// <summary>The floats.</summary>
    public float X, Y;
}

/// <summary>Four floats: 16 neighbouring bytes, or one thread's part of a 16x8 accumulator (row g: X, Y; row g + 8: Z,
/// W).</summary>
internal struct F4
{
    /// <summary>The floats.</summary>
    public float X, Y, Z, W;
}
