using S2ILGPU.Queue;
using S2ILGPU.Tensors;

namespace S2ILGPU.Attention;

/// <summary>O and LSE of the parts that lists are cut into, in single precision, until they are merged.</summary>
internal sealed class Parts : IDisposable
{
    /// <summary>Memory for parts.</summary>
    /// <param name="queue">The device.</param>
    /// <param name="lines">Rows of all row tiles and heads.</param>
    /// <param name="splits">Parts of each list.</param>
    /// <param name="headDim">D.</param>
    public Parts(DeviceQueue queue, int lines, int splits, int headDim)
    {
        Outputs = queue.Allocate(new Shape(lines, splits, headDim), ElementType.Float32);
        try
        {
            LogSumExps = queue.Allocate(new Shape(lines, splits), ElementType.Float32);
        }
        catch
        {
            Outputs.Dispose();
            throw;
        }
    }

    /// <summary>O, [lines, splits, D].</summary>
    public Tensor Outputs { get; }

    /// <summary>LSE, [lines, splits].</summary>
    public Tensor LogSumExps { get; }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        Outputs.Dispose();
        LogSumExps.Dispose();
    }
}
