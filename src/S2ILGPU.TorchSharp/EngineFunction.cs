using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace S2ILGPU.TorchSharp;

/// <summary>Puts calls of the engine into libtorch's graph.</summary>
/// <remarks>
/// <para>TorchSharp keeps every node of the graph reachable until libtorch deletes it, and what a node's context refers
/// to with it. So nothing here refers to the results: they are computed before the node is made, and saved outside of
/// the graph. A call that fails makes no node.</para>
/// <para>Handles are released at once instead of by the garbage collector, which does not see how much memory is behind
/// them.</para>
/// </remarks>
internal sealed class EngineFunction : autograd.MultiTensorFunction<EngineFunction>
{
    private const string CallKey = "call";

    // libtorch takes shares of returned gradients after backward is left, so they are released in the thread's next
    // call.
    [ThreadStatic]
    private static Tensor[]? t_returned;

    /// <inheritdoc/>
    public override string Name => nameof(EngineFunction);

    /// <summary>Runs a call and records it where gradients are wanted.</summary>
    /// <param name="call">The call; this disposes it.</param>
    public static (Tensor Output, Tensor LogSumExp) Run(EngineCall call)
    {
        ReleaseReturned();
        using (call)
        {
            call.Forward();
            if (!is_grad_enabled() || !call.Inputs.Any(input => input.requires_grad))
                return call.TakeResults();
            var results = apply([call, .. call.Inputs]);
            return (results[0], results[1]);
        }
    }

    /// <summary>Records a call that has run.</summary>
    /// <param name="context">What the node keeps.</param>
    /// <param name="arguments">The call, then its inputs.</param>
    public override List<Tensor> forward(autograd.AutogradContext context, params object[] arguments)
    {
        var call = (EngineCall)arguments[0];
        context.save_data(CallKey, call);
        context.save_for_backward([.. call.Saved]);
        context.set_materialize_grads(false);
        return [.. call.Results];
    }

    /// <summary>The gradients of the arguments of <see cref="forward"/>.</summary>
    public override List<Tensor> backward(autograd.AutogradContext context, List<Tensor> gradients)
    {
        ReleaseReturned();
        var call = (EngineCall)context.get_data(CallKey);
        List<Tensor> saved = [];
        try
        {
            if (is_grad_enabled())
                throw new NotSupportedException("sparse attention has first derivatives only, not create_graph: true");
            saved = context.get_saved_variables();
            t_returned = call.Backward(saved, Defined(gradients[0]), Defined(gradients[1]));
        }
        // An exception ends the process when it leaves for libtorch's frames. libtorch refuses a gradient of another
        // shape in an exception of its own, which reaches the caller of backward.
        catch (Exception error)
        {
            string reason = error.Message.Split('\n')[0]; // libtorch appends its stack
            Console.Error.WriteLine($"S2ILGPU.TorchSharp: the gradient of attention failed: {reason}");
            t_returned = [.. call.IsNeeded.Select(isNeeded => isNeeded ? empty(0) : null!)];
        }
        finally
        {
            foreach (var tensor in saved.Concat(gradients))
                tensor.Dispose();
        }
        // None for the call itself, the first argument.
        return [null!, .. t_returned!];
    }

    private static Tensor? Defined(Tensor gradient) => gradient.IsInvalid ? null : gradient;

    private static void ReleaseReturned()
    {
        foreach (var tensor in t_returned ?? [])
            tensor?.Dispose(); // null where none was wanted
        t_returned = null;
    }
}
