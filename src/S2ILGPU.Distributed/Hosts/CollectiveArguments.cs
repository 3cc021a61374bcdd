using S2ILGPU.Tensors;

namespace S2ILGPU.Distributed.Hosts;

/// <summary>Refuses what no collective takes, before anything is sent.</summary>
internal static class CollectiveArguments
{
    /// <summary>Tags of messages are below.</summary>
    public const int Tags = 1 << 14;

    /// <summary>Checks a tensor.</summary>
    /// <exception cref="ShapeException">The tensor is strided, of another type, or too large.</exception>
    public static void CheckTensor(string operation, string argument, Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor, argument);
        if (tensor.ElementType is not (ElementType.Float32 or ElementType.BFloat16 or ElementType.Int32)
            || !tensor.IsContiguous || tensor.Count > Array.MaxLength)
            throw new ShapeException(operation, argument,
                $"contiguous Float32, BFloat16 or Int32 of at most {Array.MaxLength} elements",
                $"{tensor}{(tensor.IsContiguous ? "" : ", strided")}");
    }

    /// <summary>Checks the tensors of an operation that makes one part of each rank a whole, or the other way
    /// round.</summary>
    /// <exception cref="ShapeException">The whole is not one part of each rank.</exception>
    public static void CheckParts(string operation, Tensor part, Tensor all, int ranks)
    {
        CheckTensor(operation, nameof(part), part);
        CheckTensor(operation, nameof(all), all);
        if (all.ElementType != part.ElementType || all.Count != part.Count * ranks)
            throw new ShapeException(operation, nameof(all),
                $"{part.ElementType} with {part.Count} x {ranks} elements", all.ToString());
    }

    /// <summary>Checks the tensors of an exchange.</summary>
    /// <returns>What goes to each rank, and what comes from each.</returns>
    /// <exception cref="ShapeException">The types differ, or counts do not fit.</exception>
    public static (HostRange[] Outgoing, HostRange[] Incoming) CheckExchange(string operation, Tensor send,
        ReadOnlySpan<int> sendCounts, Tensor receive, ReadOnlySpan<int> receiveCounts, int ranks)
    {
        CheckTensor(operation, nameof(send), send);
        CheckTensor(operation, nameof(receive), receive);
        if (send.ElementType != receive.ElementType)
            throw new ShapeException(operation, nameof(receive), $"{send.ElementType}", $"{receive}");
        return (HostRange.OfCounts(operation, nameof(send), send, sendCounts, ranks),
            HostRange.OfCounts(operation, nameof(receive), receive, receiveCounts, ranks));
    }

    /// <summary>Checks the number of a rank.</summary>
    /// <param name="operation">The operation.</param>
    /// <param name="argument">Its argument.</param>
    /// <param name="rank">The number.</param>
    /// <param name="ranks">Number of ranks.</param>
    /// <param name="self">The own rank where another one is needed; null where any will do.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such rank.</exception>
    public static void CheckRank(string operation, string argument, int rank, int ranks, int? self = null)
    {
        if ((uint)rank >= (uint)ranks || rank == self)
            throw new ArgumentOutOfRangeException(argument,
                $"{operation}: {argument} must be {(self is null ? "a" : "another")} rank of {ranks}, got {rank}");
    }

    /// <summary>Checks the tag of a message.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not one.</exception>
    public static void CheckTag(string operation, int tag)
    {
        if ((uint)tag >= Tags)
            throw new ArgumentOutOfRangeException(nameof(tag), $"{operation}: a tag is 0 to {Tags - 1}, got {tag}");
    }

    /// <summary>Checks the color of a group.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative, which MPI does not take.</exception>
    public static void CheckColor(string operation, int color)
    {
        if (color < 0)
            throw new ArgumentOutOfRangeException(nameof(color),
                $"{operation}: a color must not be negative, got {color}");
    }
}
