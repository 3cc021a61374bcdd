namespace S2ILGPU.Kernels.Elementwise;

/// <summary><c>y = g sigmoid(g) u</c></summary>
internal struct SwiGluOperation : IRowOperation
{
    public RowView Gate, Up, Y;

    public int Rows { readonly get; set; }

    public readonly long Columns => Y.Columns;

    public readonly void Apply<TStored>(int row, long column) where TStored : struct, IStoredElement
    {
        var g = Gate.Load<TStored>(row, column);
        Y.Store<TStored>(row, column, g * g.Map<Sigmoid>() * Up.Load<TStored>(row, column));
    }
}

/// <summary><c>dg (+)= dy u s (1 + g (1 - s)), du (+)= dy g s, s = sigmoid(g)</c></summary>
internal struct SwiGluBackwardOperation : IRowOperation
{
    public RowView Gate, Up, OutputGradient;
    public RowTarget GateGradient, UpGradient;

    public int Rows { readonly get; set; }

    public readonly long Columns => OutputGradient.Columns;

    public readonly void Apply<TStored>(int row, long column) where TStored : struct, IStoredElement
    {
        var g = Gate.Load<TStored>(row, column);
        var u = Up.Load<TStored>(row, column);
        var dy = OutputGradient.Load<TStored>(row, column);
        var s = g.Map<Sigmoid>();
        if (GateGradient.IsNeeded != 0)
            GateGradient.Put<TStored>(row, column, dy * u * s * (g * (g * -1).Map<Sigmoid>() + 1));
        if (UpGradient.IsNeeded != 0)
            UpGradient.Put<TStored>(row, column, dy * g * s);
    }
}
