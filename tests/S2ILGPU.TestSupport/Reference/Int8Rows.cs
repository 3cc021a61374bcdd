namespace S2ILGPU.TestSupport;

/// <summary>Rows of Int8 pages, by the rule of <see cref="S2ILGPU.Engines.IEngine.WritePages"/>. The rule is one of
/// single precision, so that every engine makes the same integers.</summary>
public static class Int8Rows
{
    /// <summary>The integers of a row and their scale.</summary>
    public static (sbyte[] Integers, float Scale) Quantize(ReadOnlySpan<double> row)
    {
        float max = 0;
        foreach (double x in row)
            max = float.IsNaN((float)x) || float.IsNaN(max) ? float.NaN : Math.Max(max, Math.Abs((float)x));
        var integers = new sbyte[row.Length];
        if (!float.IsFinite(max))
            return (integers, float.NaN);
        if (max < MathF.ScaleB(1, -100))
            return (integers, 0);
        for (int d = 0; d < row.Length; d++)
            integers[d] = (sbyte)MathF.Round((float)row[d] * (127 / max));
        return (integers, Math.Min(max / 127, MathF.ScaleB(1, 121)));
    }

    /// <summary>Makes a row what its integers and its scale stand for.</summary>
    public static void Round(Span<double> row)
    {
        var (integers, scale) = Quantize(row);
        for (int d = 0; d < row.Length; d++)
            row[d] = integers[d] * (double)scale;
    }
}
