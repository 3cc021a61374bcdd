using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Distributed.Hosts;

/// <summary>Tensors of an engine to and from the memory that messages use, as the bytes of their elements.</summary>
/// <param name="engine">The engine.</param>
/// <param name="pool">Memory for conversions.</param>
internal sealed class HostTensors(IEngine engine, HostMemoryPool pool)
{
    /// <summary>Copies a tensor to the host, once the work so far is done.</summary>
    public void Load(Tensor tensor, HostMemory memory, long offsetBytes = 0)
    {
        if (tensor.Count == 0)
            return;
        if (tensor.ElementType == ElementType.Int32)
        {
            engine.Download(tensor, memory.Span<int>(offsetBytes, tensor.Count));
            return;
        }
        if (tensor.ElementType == ElementType.Float32)
        {
            engine.Download(tensor, memory.Span<float>(offsetBytes, tensor.Count));
            return;
        }
        var wide = pool.Take(tensor.Count * sizeof(float));
        var values = wide.Span<float>(0, tensor.Count);
        engine.Download(tensor, values);
        var bits = memory.Span<ushort>(offsetBytes, tensor.Count);
        for (int i = 0; i < bits.Length; i++)
            bits[i] = BFloat16Bits.Round(values[i]); // exact: the values come from 16 bits
        pool.Give(wide);
    }

    /// <summary>Copies from the host into a tensor.</summary>
    public void Store(HostMemory memory, Tensor tensor, long offsetBytes = 0)
    {
        if (tensor.Count == 0)
            return;
        if (tensor.ElementType == ElementType.Int32)
        {
            engine.Upload((ReadOnlySpan<int>)memory.Span<int>(offsetBytes, tensor.Count), tensor);
            return;
        }
        if (tensor.ElementType == ElementType.Float32)
        {
            engine.Upload((ReadOnlySpan<float>)memory.Span<float>(offsetBytes, tensor.Count), tensor);
            return;
        }
        var wide = pool.Take(tensor.Count * sizeof(float));
        var values = wide.Span<float>(0, tensor.Count);
        var bits = memory.Span<ushort>(offsetBytes, tensor.Count);
        for (int i = 0; i < bits.Length; i++)
            values[i] = BFloat16Bits.Widen(bits[i]);
        engine.Upload((ReadOnlySpan<float>)values, tensor);
        pool.Give(wide);
    }
}
