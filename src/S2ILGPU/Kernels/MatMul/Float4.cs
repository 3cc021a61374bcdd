namespace S2ILGPU.Kernels.MatMul;

/// <summary>Four neighbouring floats, 16 bytes: one load.</summary>
internal struct Float4
{
    public float X, Y, Z, W;

    /// <summary><c>this + factor x</c></summary>
    public readonly Float4 AddScaled(float factor, Float4 x) =>
        new() { X = X + factor * x.X, Y = Y + factor * x.Y, Z = Z + factor * x.Z, W = W + factor * x.W };
}

/// <summary>A block of 4 rows and 4 columns in a thread's registers.</summary>
internal struct Block4x4
{
    public Float4 Row0, Row1, Row2, Row3;

    /// <summary><c>this + a b^T</c>: a down the rows, b along the columns.</summary>
    public readonly Block4x4 AddOuterProduct(Float4 a, Float4 b) => new()
    {
        Row0 = Row0.AddScaled(a.X, b),
        Row1 = Row1.AddScaled(a.Y, b),
        Row2 = Row2.AddScaled(a.Z, b),
        Row3 = Row3.AddScaled(a.W, b),
    };
}
