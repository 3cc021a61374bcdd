using System.Runtime.InteropServices;
using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Native.Tests;

/// <summary>A tensor in unmanaged memory, as a C program has it, with gaps and in any order of its dimensions; what is
/// no element of it stays as it was, which <see cref="Dispose"/> checks.</summary>
internal sealed unsafe class ForeignTensor : IDisposable
{
    private const byte Gap = 0xAB;

    private readonly NativeTensor* _structure;
    private readonly byte* _memory;
    private readonly long _bytes;

    /// <summary>A tensor of random values N(0, 1), rounded to its type.</summary>
    /// <param name="random">The source of values, and of strides where they are drawn.</param>
    /// <param name="elementType">The element type.</param>
    /// <param name="isStrided">Dimensions but the last in a drawn order, with gaps; otherwise dense.</param>
    /// <param name="extents">The extents.</param>
    public ForeignTensor(Random random, ElementType elementType, bool isStrided, params int[] extents)
    {
        (Shape, ElementType) = (new Shape(extents), elementType);
        var strides = new long[extents.Length];
        int[] order = [.. Enumerable.Range(0, extents.Length - 1)];
        if (isStrided)
            random.Shuffle(order);
        else
            Array.Reverse(order);
        strides[^1] = 1;
        long span = extents[^1] + (isStrided ? random.Next(3) : 0);
        foreach (int d in order)
        {
            strides[d] = span;
            span = span * extents[d] + (isStrided ? random.Next(3) : 0);
        }
        _bytes = Math.Max(1, span) * elementType.SizeBytes();
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)_bytes, 64);
        NativeMemory.Fill(_memory, (nuint)_bytes, Gap);
        _structure = (NativeTensor*)NativeMemory.AllocZeroed((nuint)sizeof(NativeTensor));
        _structure->Data = _memory;
        _structure->Type = elementType switch { ElementType.Float32 => 0, ElementType.Float16 => 1, _ => 2 };
        _structure->Rank = extents.Length;
        for (int d = 0; d < extents.Length; d++)
            (_structure->Shape[d], _structure->Strides[d]) = (extents[d], strides[d]);
        Values = [.. random.Normal(Shape.Count).Select(value => (float)value)];
    }

    public Shape Shape { get; }

    public ElementType ElementType { get; }

    /// <summary>What C passes.</summary>
    public NativeTensor* Pointer => _structure;

    /// <summary>The elements, row-major, widened.</summary>
    public float[] Values
    {
        get
        {
            using var engine = new CpuEngine(new CpuOptions { Threads = 1 });
            using var view = View();
            return engine.ToArray(view);
        }
        private init
        {
            using var engine = new CpuEngine(new CpuOptions { Threads = 1 });
            using var view = View();
            engine.Upload(value, view);
        }
    }

    /// <summary>A copy on an engine, of the type in which it computes.</summary>
    public Tensor On(IEngine engine)
    {
        var tensor = engine.Allocate(Shape,
            engine.SupportsAttention(ElementType) ? ElementType : ElementType.Float32);
        engine.Upload(Values, tensor);
        return tensor;
    }

    /// <summary>Fails unless the elements are those of a tensor, rounded to the type of this one, bit by
    /// bit.</summary>
    public void CheckEquals(string name, IEngine engine, Tensor expected)
    {
        float[] values = engine.ToArray(expected);
        if (ElementType == ElementType.Float16 && expected.ElementType != ElementType.Float16)
            values = [.. values.Select(value => (float)(Half)value)];
        float[] actual = Values;
        for (int n = 0; n < values.Length; n++)
            if (BitConverter.SingleToInt32Bits(values[n]) != BitConverter.SingleToInt32Bits(actual[n]))
                Assert.Fail($"{name} {MaximumError.IndexText(Shape, n)} of {ElementType} {Shape}: expected "
                    + $"{values[n]:r}, got {actual[n]:r}; {Seeds.Text}");
    }

    /// <summary>Checks the gaps and frees the memory.</summary>
    public void Dispose()
    {
        using (var engine = new CpuEngine(new CpuOptions { Threads = 1 }))
        using (var view = View())
            engine.Fill(view, GapValue);
        bool isWhole = new ReadOnlySpan<byte>(_memory, checked((int)_bytes)).IndexOfAnyExcept(Gap) < 0;
        NativeMemory.AlignedFree(_memory);
        NativeMemory.Free(_structure);
        Assert.True(isWhole, $"a gap of {ElementType} {Shape} was written; {Seeds.Text}");
    }

    // The number whose bytes are those of the gaps.
    private float GapValue => ElementType switch
    {
        ElementType.Float32 => BitConverter.UInt32BitsToSingle(0x1010101u * Gap),
        ElementType.Float16 => (float)BitConverter.UInt16BitsToHalf(0x101 * Gap),
        _ => BitConverter.UInt32BitsToSingle(0x1010000u * Gap),
    };

    private Tensor View()
    {
        Span<int> strides = stackalloc int[Shape.Rank];
        for (int d = 0; d < strides.Length; d++)
            strides[d] = (int)_structure->Strides[d];
        return CpuEngine.View((nint)_memory, ElementType, Shape, new Shape(strides));
    }
}
