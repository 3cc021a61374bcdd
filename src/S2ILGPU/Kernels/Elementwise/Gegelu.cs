namespace S2ILGPU.Kernels.Elementwise;

/// <summary><c>y = g sigmoid(1.702 g) (u + 1), g = min(gate, L), u = clamp(up, -L, L)</c></summary>
internal struct GegeluOperation : IRowOperation
{
    /// <summary>The sharpness of the sigmoid that stands for the normal distribution.</summary>
    public const float Sharpness = 1.702f;

    public RowView Gate, Up, Y;
    public float Limit;

    public int Rows { readonly get; set; }

    public readonly long Columns => Y.Columns;

    public readonly void Apply<TStored>(int row, long column) where TStored : struct, IStoredElement
    {
        var g = Gate.Load<TStored>(row, column).Clamp(float.NegativeInfinity, Limit);
        var u = Up.Load<TStored>(row, column).Clamp(-Limit, Limit);
        Y.Store<TStored>(row, column, g * (g * Sharpness).Map<Sigmoid>() * (u + 1));
    }
}

/// <summary><c>dgate (+)= [gate &lt;= L] dy (u + 1) s (1 + 1.702 g (1 - s)), dup (+)= [|up| &lt;= L] dy g s, s =
/// sigmoid(1.702 g)</c></summary>
internal struct GegeluBackwardOperation : IRowOperation
{
    public RowView Gate, Up, OutputGradient;
    public RowTarget GateGradient, UpGradient;
    public float Limit;

    public int Rows { readonly get; set; }

    public readonly long Columns => OutputGradient.Columns;

    public readonly void Apply<TStored>(int row, long column) where TStored : struct, IStoredElement
    {
        var gate = Gate.Load<TStored>(row, column);
        var up = Up.Load<TStored>(row, column);
        var dy = OutputGradient.Load<TStored>(row, column);
        var g = gate.Clamp(float.NegativeInfinity, Limit);
        var s = (g * GegeluOperation.Sharpness).Map<Sigmoid>();
        if (GateGradient.IsNeeded != 0)
        {
            var rest = (g * -GegeluOperation.Sharpness).Map<Sigmoid>();
            GateGradient.Put<TStored>(row, column, dy * (up.Clamp(-Limit, Limit) + 1) * s
                * (g * GegeluOperation.Sharpness * rest + 1) * gate.IsWithin(float.NegativeInfinity, Limit));
        }
        if (UpGradient.IsNeeded != 0)
            UpGradient.Put<TStored>(row, column, dy * g * s * up.IsWithin(-Limit, Limit));
    }
}
