namespace S2ILGPU.Models;

/// <summary>A tensor of a file that is a part of a parameter.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Rows">Its rows.</param>
/// <param name="Order">How they are ordered; null for as in the parameter.</param>
internal sealed record FilePart(string Name, int Rows, RowOrder? Order = null);

/// <summary>Where the rows of a tensor of a file stand in a parameter.</summary>
/// <param name="rows">The row of the parameter for each row of the file: every row once.</param>
internal sealed class RowOrder(IReadOnlyList<int> rows)
{
    /// <summary>Puts the rows of a file in the order of the parameter.</summary>
    public void FromFile(ReadOnlySpan<float> file, Span<float> parameter)
    {
        int width = file.Length / rows.Count;
        for (int row = 0; row < rows.Count; row++)
            file.Slice(row * width, width).CopyTo(parameter[(rows[row] * width)..]);
    }

    /// <summary>Puts the rows of a parameter in the order of a file.</summary>
    public void ToFile(ReadOnlySpan<float> parameter, Span<float> file)
    {
        int width = file.Length / rows.Count;
        for (int row = 0; row < rows.Count; row++)
            parameter.Slice(rows[row] * width, width).CopyTo(file[(row * width)..]);
    }
}
