using System.Runtime.InteropServices;
using S2ILGPU.Tensors;
using S2ILGPU.Tiles;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>Where a tensor [B, N, H, D] lies in memory. What does not belong to it has all bits set, which is
/// NaN.</summary>
/// <param name="Shape">[B, N, H, D].</param>
/// <param name="Rows">Where its rows lie.</param>
/// <param name="Count">Elements of the memory.</param>
internal sealed record TensorPlace(Shape Shape, RowStrides Rows, long Count)
{
    /// <summary>Row-major where the gap is 0; otherwise heads outside of rows, so many elements before the first row
    /// and behind each row and head.</summary>
    public static TensorPlace Of(Shape shape, int gap)
    {
        long row = shape[3] + gap, head = shape[1] * row + gap, batch = shape[2] * head;
        return gap == 0
            ? new(shape, new() { Batch = (long)shape[1] * shape[2] * shape[3], Row = (long)shape[2] * shape[3],
            Head = shape[3] }, shape.Count)
            : new(shape, new() { Offset = gap, Batch = batch, Row = row, Head = head }, gap + shape[0] * batch);
    }

    /// <summary>The memory that holds row-major elements.</summary>
    public T[] Scatter<T>(T[] elements) where T : unmanaged
    {
        var memory = Untouched<T>();
        ForRows((dense, at) => elements.AsSpan(dense, Shape[3]).CopyTo(memory.AsSpan(at)));
        return memory;
    }

    /// <summary>The row-major elements of the memory; fails where what lies between the rows is not as it
    /// was.</summary>
    public T[] Gather<T>(T[] memory) where T : unmanaged
    {
        var elements = new T[Shape.Count];
        T[] rest = [.. memory];
        ForRows((dense, at) =>
        {
            memory.AsSpan(at, Shape[3]).CopyTo(elements.AsSpan(dense));
            MemoryMarshal.AsBytes(rest.AsSpan(at, Shape[3])).Fill(0xff);
        });
        Assert.True(MemoryMarshal.AsBytes(rest.AsSpan()).IndexOfAnyExcept((byte)0xff) < 0,
            "a kernel wrote between the rows of its result");
        return elements;
    }

    /// <summary>The memory before a kernel writes it.</summary>
    public T[] Untouched<T>() where T : unmanaged => AttentionData.Untouched<T>(Count);

    private void ForRows(Action<int, int> copy)
    {
        for (int b = 0, dense = 0; b < Shape[0]; b++)
            for (int n = 0; n < Shape[1]; n++)
                for (int h = 0; h < Shape[2]; h++, dense += Shape[3])
                    copy(dense, (int)(Rows.Offset + b * Rows.Batch + n * Rows.Row + h * Rows.Head));
    }
}
