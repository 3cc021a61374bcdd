using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace S2ILGPU.Peers.Torch;

/// <summary>libtorch beside ours: attention, linear layers, training steps.</summary>
internal static class TorchPeer
{
    public static void Measure(PeerReport report)
    {
        report.Version = Start(report.Engine.Threads);
        TorchAttention.Measure(report);
        TorchLinear.Measure(report);
        TorchTraining.Measure(report);
    }

    /// <summary>A copy of one of our tensors.</summary>
    public static torch.Tensor ToTorch(this IEngine engine, Tensors.Tensor tensor)
    {
        long[] shape = [.. Enumerable.Range(0, tensor.Shape.Rank).Select(d => (long)tensor.Shape[d])];
        return torch.tensor(engine.Values(tensor), shape);
    }

    /// <summary>The values of a tensor of libtorch in row-major order.</summary>
    public static float[] Values(this torch.Tensor tensor)
    {
        using var contiguous = tensor.detach().contiguous();
        return contiguous.data<float>().ToArray();
    }

    // Name, version and threads.
    private static string Start(int threads)
    {
        try
        {
            LibTorch.Load();
            set_num_threads(threads);
            return $"libtorch {__version__}, {get_num_threads()} threads, TorchSharp "
                + typeof(torch).Assembly.GetName().Version!.ToString(3);
        }
        catch (Exception e) when (e is TypeInitializationException or NotSupportedException or DllNotFoundException)
        {
            throw PeerMissingException.Of("TorchSharp does not start", e);
        }
    }
}
