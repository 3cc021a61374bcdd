namespace S2ILGPU.Kernels.Optimizer;

/// <summary>The tensors that a kernel over many of them takes, in its argument: views cannot lie in device memory. Each
/// tensor has groups of its own, and a group finds its tensor by its number.</summary>
/// <typeparam name="TTensor">What a group gets of a tensor.</typeparam>
internal interface ITensorList<TTensor> where TTensor : struct
{
    /// <summary>Tensors that fit.</summary>
    static abstract int Capacity { get; }

    /// <summary>Number of the first group of the first tensor.</summary>
    int FirstGroup { get; }

    /// <summary>The tensor of a group.</summary>
    TTensor Of(int group);

    /// <summary>The number of a group within its tensor.</summary>
    int Within(int group);

    /// <summary>Sets the n-th tensor; its groups end where those of the next one begin.</summary>
    void Set(int n, int firstGroup, in TTensor tensor);
}

/// <summary>One tensor.</summary>
internal struct OneTensor<TTensor> : ITensorList<TTensor> where TTensor : struct
{
    public TTensor Tensor;
    public int First;

    public static int Capacity => 1;

    public readonly int FirstGroup => First;

    public readonly TTensor Of(int group) => Tensor;

    public readonly int Within(int group) => group - First;

    public void Set(int n, int firstGroup, in TTensor tensor) => (First, Tensor) = (firstGroup, tensor);
}

/// <summary>Two lists, one after the other: lists of lists make a binary search, since a kernel can index no
/// fields.</summary>
internal struct TwoLists<TTensor, TList> : ITensorList<TTensor>
    where TTensor : struct
    where TList : struct, ITensorList<TTensor>
{
    public TList Low, High;

    public static int Capacity => 2 * TList.Capacity;

    public readonly int FirstGroup => Low.FirstGroup;

    public readonly TTensor Of(int group) => group < High.FirstGroup ? Low.Of(group) : High.Of(group);

    public readonly int Within(int group) => group < High.FirstGroup ? Low.Within(group) : High.Within(group);

    public void Set(int n, int firstGroup, in TTensor tensor)
    {
        if (n < TList.Capacity)
            Low.Set(n, firstGroup, tensor);
        else
            High.Set(n - TList.Capacity, firstGroup, tensor);
    }
}

/// <summary>Four tensors: what the 1,024 bytes of arguments that OpenCL promises have room for.</summary>
internal struct Four<TTensor> : ITensorList<TTensor> where TTensor : struct
{
    public TwoLists<TTensor, TwoLists<TTensor, OneTensor<TTensor>>> Tensors;

    public static int Capacity => 4;

    public readonly int FirstGroup => Tensors.FirstGroup;

    public readonly TTensor Of(int group) => Tensors.Of(group);

    public readonly int Within(int group) => Tensors.Within(group);

    public void Set(int n, int firstGroup, in TTensor tensor) => Tensors.Set(n, firstGroup, tensor);
}

/// <summary>Thirty-two tensors: what CUDA's 4,096 bytes of arguments have room for.</summary>
internal struct ThirtyTwo<TTensor> : ITensorList<TTensor> where TTensor : struct
{
    public TwoLists<TTensor, TwoLists<TTensor, TwoLists<TTensor, Four<TTensor>>>> Tensors;

    public static int Capacity => 32;

    public readonly int FirstGroup => Tensors.FirstGroup;

    public readonly TTensor Of(int group) => Tensors.Of(group);

    public readonly int Within(int group) => Tensors.Within(group);

    public void Set(int n, int firstGroup, in TTensor tensor) => Tensors.Set(n, firstGroup, tensor);
}

/// <summary>Lists of tensors, made on the host.</summary>
internal static class TensorList
{
    /// <summary>As few full lists as tensors need, each with the groups of its launch.</summary>
    /// <param name="tensors">The tensors, in order.</param>
    /// <param name="groups">Groups of a tensor, at least 1.</param>
    /// <exception cref="OverflowException">A list has more groups than a grid.</exception>
    public static IEnumerable<(TList List, int Groups)> Cut<TTensor, TList>(IEnumerable<TTensor> tensors,
        Func<TTensor, int> groups)
        where TTensor : struct
        where TList : struct, ITensorList<TTensor>
    {
        foreach (var part in tensors.Chunk(TList.Capacity))
        {
            var (list, next) = (default(TList), 0);
            for (int n = 0; n < TList.Capacity; n++)
                if (n < part.Length)
                {
                    list.Set(n, next, part[n]);
                    next = checked(next + groups(part[n]));
                }
                else
                    list.Set(n, int.MaxValue, default); // no group finds it
            yield return (list, next);
        }
    }
}
