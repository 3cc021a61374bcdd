using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

/// <summary>
/// The memory of the reference: an array of doubles, or of integers. New memory is NaN or int.MinValue, so that a read
/// before the first write shows.
/// </summary>
internal sealed class ReferenceBuffer : DeviceBuffer
{
    private readonly ReferenceEngine _owner;

    public ReferenceBuffer(ReferenceEngine owner, long count, ElementType elementType)
        : base(count * elementType.SizeBytes())
    {
        _owner = owner;
        if (elementType == ElementType.Int32)
            Array.Fill(Integers = new int[count], int.MinValue);
        else
            Array.Fill(Reals = new double[count], double.NaN);
    }

    /// <summary>The elements of a float tensor, whatever its float type: rounding happens on writing.</summary>
    public double[] Reals { get; } = [];

    /// <summary>The elements of an Int32 tensor.</summary>
    public int[] Integers { get; } = [];

    protected override void Return() => _owner.Returned(SizeBytes);
}
