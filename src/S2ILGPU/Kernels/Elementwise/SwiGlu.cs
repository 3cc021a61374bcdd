using ILGPU;

namespace S2ILGPU.Kernels.Elementwise;

/// <summary><c>y = g sigmoid(g) u</c></summary>
internal struct SwiGluOperation : IRowOperation
{
    public RowView Gate, Up, Y;

    public int Rows { readonly get; set; }

    public int Columns { readonly get; set; }

    public readonly void Apply(int row, int column)
    {
        float g = Gate.Data[Gate.Start(row) + column];
        Y.Data[Y.Start(row) + column] = g * Sigmoid.Of(g) * Up.Data[Up.Start(row) + column];
    }
}

/// <summary><c>dg (+)= dy u s (1 + g (1 - s)), du (+)= dy g s, s = sigmoid(g)</c></summary>
internal struct SwiGluBackwardOperation : IRowOperation
{
    public RowView Gate, Up, OutputGradient;
    public RowTarget GateGradient, UpGradient;

    public int Rows { readonly get; set; }

    public int Columns { readonly get; set; }

    public readonly void Apply(int row, int column)
    {
        float g = Gate.Data[Gate.Start(row) + column];
        float u = Up.Data[Up.Start(row) + column];
        float dy = OutputGradient.Data[OutputGradient.Start(row) + column];
        float s = Sigmoid.Of(g);
        if (GateGradient.IsNeeded != 0)
            GateGradient.Put(row, column, dy * u * s * (1 + g * Sigmoid.Of(-g)));
        if (UpGradient.IsNeeded != 0)
            UpGradient.Put(row, column, dy * g * s);
    }
}
