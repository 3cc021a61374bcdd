using System.Runtime.InteropServices;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace S2ILGPU.TorchSharp.Tests;

/// <summary>What is wrong is refused by name, and nothing ends the process.</summary>
public sealed class ErrorTests
{
    private static readonly BlockLayout s_layout = BlockLayout.Create(new LocalStridePattern(2, 2, 16, 1, 2), 20);

    [TorchFact]
    public void Other_types_and_devices_are_refused_by_name()
    {
        using var scope = NewDisposeScope();
        Tensor good = zeros(1, 20, 2, 8);
        AssertRefused("query is Float64, which is not one of Float32, BFloat16", good.to(ScalarType.Float64), good);
        AssertRefused("key is Float16", good, good.to(ScalarType.Float16));
        AssertRefused("query is on meta", zeros([1, 20, 2, 8], device: new Device(DeviceType.META)), good);
        AssertRefused("key is stored as a sparse tensor", good, good.to_sparse());
    }

    [TorchFact]
    public void Shapes_are_refused_by_name()
    {
        using var scope = NewDisposeScope();
        Tensor good = zeros(1, 20, 2, 8);
        AssertRefused("query is [batch, tokens, heads, head dim], got [20, 2, 8]", good[0], good);
        AssertRefused("key has 1 to 4 dimensions", good, good[TensorIndex.Null]);
        AssertRefused("layout", zeros(1, 21, 2, 8), zeros(1, 21, 2, 8));
        Assert.Throws<ShapeException>(() => TorchAttention.Forward(good, zeros(1, 19, 2, 8), good, s_layout));
        Assert.Throws<ShapeException>(() => TorchAttention.Forward(good, good.to(ScalarType.BFloat16), good, s_layout));
        Assert.Throws<ArgumentNullException>(() => TorchAttention.Forward(null!, good, good, s_layout));
        Assert.Throws<ArgumentException>(() => TorchAttention.Merge([], []));
        Assert.Throws<ArgumentException>(() => TorchAttention.Merge([good], []));
        Assert.Throws<ShapeException>(() => TorchAttention.Merge([good], [zeros(1, 2, 19)]));
    }

    [TorchFact]
    public void Module_refuses_wrong_arguments()
    {
        using var scope = NewDisposeScope();
        Assert.Throws<ArgumentException>(() => new LocalStrideSparseAttention(4, 64, 17, 1, 2));
        Assert.Throws<ArgumentException>(() => new LocalStrideSparseAttention(4, 64, 16, 1, 2, seqDim: 3));
        Assert.Throws<ArgumentException>(() => new LocalStrideSparseAttention(4, 64, 16, 1, 2, numKvHeads: 3));
        Assert.Throws<ArgumentException>(() => new LocalStrideSparseAttention(4, 64, 16, 1, 2, activeHeadRange: 3..6));
        using var module = new LocalStrideSparseAttention(4, 64, 16, 1, 2, numKvHeads: 2);
        Tensor query = zeros(1, 64, 4, 8);
        Assert.Throws<ArgumentException>(() => module.forward(query, query, query));
        Assert.Throws<ArgumentException>(() => module.forward(query, query[0], query));
    }

    [TorchFact]
    public void Failing_gradient_is_an_exception_of_backward()
    {
        using var scope = NewDisposeScope();
        Tensor query = zeros([1, 20, 2, 8], requires_grad: true);

        // libtorch notices that what was saved has changed since.
        var changed = query * 1;
        var (output, _) = TorchAttention.Forward(changed, changed, changed, s_layout);
        changed.add_(1);
        AssertFails("modified by an inplace operation", () => output.sum().backward());

        (output, _) = TorchAttention.Forward(query, query, query, s_layout);
        AssertFails("first derivatives only", () => output.sum().backward(create_graph: true));

        query.grad = null;
        TorchAttention.Forward(query, query, query, s_layout).Output.sum().backward();
        Assert.NotNull(query.grad);
    }

    // libtorch throws, and standard error has the reason.
    private static void AssertFails(string reason, Action backward)
    {
        var (error, written) = (Console.Error, new StringWriter());
        Console.SetError(written);
        try
        {
            Assert.Throws<ExternalException>(backward);
        }
        finally
        {
            Console.SetError(error);
        }
        Assert.Contains(reason, written.ToString(), StringComparison.Ordinal);
    }

    private static void AssertRefused(string reason, Tensor query, Tensor key)
    {
        var error = Assert.ThrowsAny<ArgumentException>(() => TorchAttention.Forward(query, key, key, s_layout));
        Assert.Contains(reason, error.Message, StringComparison.OrdinalIgnoreCase);
    }
}
