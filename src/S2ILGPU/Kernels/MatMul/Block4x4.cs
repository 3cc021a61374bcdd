namespace S2ILGPU.Kernels.MatMul;

/// <summary>A block of 4 rows and 4 columns in a thread's registers.</summary>
internal struct Block4x4
{
    public Quad Row0, Row1, Row2, Row3;

    /// <summary><c>this + a b^T</c>: a down the rows, b along the columns.</summary>
    public readonly Block4x4 AddOuterProduct(Quad a, Quad b) => new()
    {
        Row0 = Row0.AddScaled(a.X, b),
        Row1 = Row1.AddScaled(a.Y, b),
        Row2 = Row2.AddScaled(a.Z, b),
        Row3 = Row3.AddScaled(a.W, b),
    };
}
