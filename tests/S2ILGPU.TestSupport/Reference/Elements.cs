using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

/// <summary>The elements of a float tensor by index, through its offset and strides; a written value is rounded to the
/// tensor's type.</summary>
internal readonly struct Elements
{
    private readonly double[] _values;
    private readonly long _offset;
    private readonly int _s0, _s1, _s2, _s3;
    private readonly ElementType _type;

    public Elements(Tensor tensor)
    {
        if (tensor.ElementType == ElementType.Int32)
            throw new ArgumentException($"expected a float tensor, got {tensor}");
        _values = ReferenceEngine.BufferOf(tensor).Reals;
        _offset = tensor.OffsetElements;
        _type = tensor.ElementType;
        int rank = tensor.Shape.Rank;
        if (rank > 0) _s0 = tensor.Stride(0);
        if (rank > 1) _s1 = tensor.Stride(1);
        if (rank > 2) _s2 = tensor.Stride(2);
        if (rank > 3) _s3 = tensor.Stride(3);
    }

    /// <summary>A view whose elements lie densely, by one index whatever its rank.</summary>
    public static Elements Flat(Tensor tensor) => new(tensor, 1);

    private Elements(Tensor tensor, int stride) : this(tensor) => (_s0, _s1, _s2, _s3) = (stride, 0, 0, 0);

    public double this[int i] { get => Read(_s0 * (long)i); set => Write(_s0 * (long)i, value); }

    public double this[int i, int j] { get => Read(_s0 * (long)i + _s1 * (long)j);
        set => Write(_s0 * (long)i + _s1 * (long)j, value); }

    public double this[int i, int j, int k]
    {
        get => Read(_s0 * (long)i + _s1 * (long)j + _s2 * (long)k);
        set => Write(_s0 * (long)i + _s1 * (long)j + _s2 * (long)k, value);
    }

    public double this[int i, int j, int k, int l]
    {
        get => Read(_s0 * (long)i + _s1 * (long)j + _s2 * (long)k + _s3 * (long)l);
        set => Write(_s0 * (long)i + _s1 * (long)j + _s2 * (long)k + _s3 * (long)l, value);
    }

    private double Read(long index) => _values[_offset + index];

    private void Write(long index, double value) => _values[_offset + index] = ElementRounding.Round(value, _type);
}

/// <summary>Receives a gradient: adds, overwrites, or does nothing when it is not needed.</summary>
internal readonly struct GradientElements(GradientTarget target)
{
    private readonly Elements _elements = target.Tensor is null ? default : new Elements(target.Tensor);

    public bool IsNeeded => target.Tensor is not null;

    public void Give(int i, double value)
    {
        var elements = _elements;
        elements[i] = target.Accumulate ? elements[i] + value : value;
    }

    public void Give(int i, int j, double value)
    {
        var elements = _elements;
        elements[i, j] = target.Accumulate ? elements[i, j] + value : value;
    }

    public void Give(int i, int j, int k, int l, double value)
    {
        var elements = _elements;
        elements[i, j, k, l] = target.Accumulate ? elements[i, j, k, l] + value : value;
    }
}
