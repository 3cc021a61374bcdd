using System.Runtime.InteropServices;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.AttentionWorkers;

/// <summary>Tensors of an engine to and from the bytes of their elements, row-major and little-endian.</summary>
/// <param name="engine">The engine.</param>
internal sealed class WireTensors(IEngine engine)
{
    private float[] _wide = [];

    /// <summary>Whether elements of a type travel.</summary>
    public static bool Carries(ElementType type) => type is ElementType.Float32 or ElementType.BFloat16;

    /// <summary>Copies a tensor of any strides to bytes.</summary>
    public void Load(Tensor tensor, Span<byte> bytes)
    {
        if (tensor.ElementType == ElementType.Float32)
        {
            engine.Download(tensor, MemoryMarshal.Cast<byte, float>(bytes));
            return;
        }
        var wide = Wide(tensor);
        engine.Download(tensor, wide);
        var bits = MemoryMarshal.Cast<byte, ushort>(bytes);
        for (int i = 0; i < bits.Length; i++)
            bits[i] = BFloat16Bits.Round(wide[i]); // exact: the values come from 16 bits
    }

    /// <summary>Copies bytes to a tensor of any strides.</summary>
    public void Store(ReadOnlySpan<byte> bytes, Tensor tensor)
    {
        if (tensor.ElementType == ElementType.Float32)
        {
            engine.Upload(MemoryMarshal.Cast<byte, float>(bytes), tensor);
            return;
        }
        var wide = Wide(tensor);
        var bits = MemoryMarshal.Cast<byte, ushort>(bytes);
        for (int i = 0; i < bits.Length; i++)
            wide[i] = BFloat16Bits.Widen(bits[i]);
        engine.Upload(wide, tensor);
    }

    private Span<float> Wide(Tensor tensor)
    {
        if (_wide.Length < tensor.Count)
            _wide = new float[tensor.Count];
        return _wide.AsSpan(0, (int)tensor.Count);
    }
}
