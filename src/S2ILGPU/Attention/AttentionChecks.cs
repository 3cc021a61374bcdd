using S2ILGPU.Engines;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;

namespace S2ILGPU.Attention;

/// <summary>What GPU attention demands of its arguments; the ops in front check the rest.</summary>
internal static class AttentionChecks
{
    /// <summary>The widest head of the kernels.</summary>
    public const int MaxHeadDim = PortableDecode.MaxHeadDim;

    /// <summary>Checks shapes, types and the page table of a forward pass.</summary>
    /// <exception cref="ArgumentException">Something does not fit; the message has the values.</exception>
    public static void Forward(in AttentionForwardArguments a)
    {
        const string operation = nameof(IEngine.AttentionForward);
        Query(operation, a.Query, a.Layout);
        int batch = a.Query.Shape[0], headDim = a.Query.Shape[3], keyValueHeads = a.Layout.Pattern.KeyValueHeads;
        if (a.Pages is { } pages)
        {
            bool fits = a.Key.Shape.Rank == 3 && a.Key.Shape == new Shape(a.Key.Shape[0], a.Layout.BlockTokens, headDim)
                && a.Key.Stride(2) == 1 && a.Value.Stride(2) == 1;
            if (!fits)
                throw new ShapeException(operation, nameof(a.Key),
                    $"pages [P, {a.Layout.BlockTokens}, {headDim}] with adjacent D", a.Key.ToString());
            if (pages.KeyValueHeads != keyValueHeads || pages.Sequences < a.Sequences.Sequences.Length)
                throw new ArgumentException(
                    $"{operation}: a page table of {pages.Sequences} sequences and {pages.KeyValueHeads} KV heads for "
                    + $"{a.Sequences.Sequences.Length} and {keyValueHeads}");
        }
        else
            ShapeException.ThrowUnless(operation, nameof(a.Key), a.Key,
                new Shape(batch, a.Key.Shape[1], keyValueHeads, headDim));
        ShapeException.ThrowUnless(operation, nameof(a.Value), a.Value, a.Key.Shape);
        ShapeException.ThrowUnless(operation, nameof(a.Output), a.Output, a.Query.Shape);
        SameType(operation, nameof(a.Value), a.Value, a.Key);
        SameType(operation, nameof(a.Output), a.Output, a.Query);
        Float(operation, nameof(a.Key), a.Key);
        if (a.LogSumExp is { } logSumExp)
            Statistics(operation, nameof(a.LogSumExp), logSumExp, a.Query);
    }

    /// <summary>Checks shapes and types of a backward pass.</summary>
    /// <exception cref="ArgumentException">Something does not fit; the message has the values.</exception>
    public static void Backward(in AttentionBackwardArguments a)
    {
        const string operation = nameof(IEngine.AttentionBackward);
        Query(operation, a.Query, a.Layout);
        ShapeException.ThrowUnless(operation, nameof(a.Key), a.Key,
            new Shape(a.Query.Shape[0], a.Key.Shape[1], a.Layout.Pattern.KeyValueHeads, a.Query.Shape[3]));
        foreach (var (name, tensor, like) in ((string, Tensor, Tensor)[])[(nameof(a.Value), a.Value, a.Key),
            (nameof(a.KeyGradient), a.KeyGradient, a.Key),
            (nameof(a.ValueGradient), a.ValueGradient, a.Key), (nameof(a.Output), a.Output, a.Query),
                (nameof(a.OutputGradient), a.OutputGradient, a.Query), (nameof(a.QueryGradient),
            a.QueryGradient, a.Query)])
        {
            ShapeException.ThrowUnless(operation, name, tensor, like.Shape);
            SameType(operation, name, tensor, a.Query);
        }
        SameType(operation, nameof(a.Key), a.Key, a.Query);
        Statistics(operation, nameof(a.LogSumExp), a.LogSumExp, a.Query);
        if (a.LogSumExpGradient is { } gradient)
            Statistics(operation, nameof(a.LogSumExpGradient), gradient, a.Query);
    }

    private static void Query(string operation, Tensor query, BlockLayout layout)
    {
        if (query.Shape.Rank != 4 || query.Shape[2] != layout.Pattern.QueryHeads)
            throw new ShapeException(operation, nameof(query), $"[B, Nq, {layout.Pattern.QueryHeads}, D]",
                query.Shape.ToString());
        if (query.Shape[3] is < 1 or > MaxHeadDim)
            throw new ShapeException(operation, nameof(query), $"of a head dimension of at most {MaxHeadDim}",
                query.Shape.ToString());
        Float(operation, nameof(query), query);
    }

    private static void Statistics(string operation, string argument, Tensor tensor, Tensor query)
    {
        ShapeException.ThrowUnless(operation, argument, tensor,
            new Shape(query.Shape[0], query.Shape[2], query.Shape[1]));
        if (tensor.ElementType != ElementType.Float32)
            throw new ShapeException(operation, argument, "Float32", tensor.ToString());
    }

    private static void Float(string operation, string argument, Tensor tensor)
    {
        if (tensor.ElementType is not (ElementType.Float32 or ElementType.BFloat16 or ElementType.Float16))
            throw new ShapeException(operation, argument, "of type Float32, BFloat16 or Float16", tensor.ToString());
    }

    private static void SameType(string operation, string argument, Tensor tensor, Tensor like)
    {
        if (tensor.ElementType != like.ElementType)
            throw new ShapeException(operation, argument, $"{like.ElementType} like {like}", tensor.ToString());
    }
}
