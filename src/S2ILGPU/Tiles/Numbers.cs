namespace S2ILGPU.Tiles;

/// <summary>A number as a type, so that kernels are compiled for it.</summary>
internal interface INumber
{
    /// <summary>The number.</summary>
    static abstract int Value { get; }
}

internal readonly struct N1 : INumber { public static int Value => 1; }

internal readonly struct N2 : INumber { public static int Value => 2; }

internal readonly struct N3 : INumber { public static int Value => 3; }

internal readonly struct N4 : INumber { public static int Value => 4; }

internal readonly struct N8 : INumber { public static int Value => 8; }

internal readonly struct N16 : INumber { public static int Value => 16; }

internal readonly struct N32 : INumber { public static int Value => 32; }

internal readonly struct N64 : INumber { public static int Value => 64; }

internal readonly struct N80 : INumber { public static int Value => 80; }

internal readonly struct N96 : INumber { public static int Value => 96; }

internal readonly struct N112 : INumber { public static int Value => 112; }

internal readonly struct N128 : INumber { public static int Value => 128; }

internal readonly struct N192 : INumber { public static int Value => 192; }

internal readonly struct N256 : INumber { public static int Value => 256; }

/// <summary>Where blocks of columns lie.</summary>
internal interface IPlacement
{
    /// <summary>Whether an entry of a list is looked up in a page table; otherwise it is the number of the block in
    /// memory.</summary>
    static abstract bool Paged { get; }
}

/// <summary>Blocks one after the other in memory.</summary>
internal readonly struct InBlocks : IPlacement
{
    /// <inheritdoc/>
    public static bool Paged => false;
}

/// <summary>Blocks in pages.</summary>
internal readonly struct InPages : IPlacement
{
    /// <inheritdoc/>
    public static bool Paged => true;
}
