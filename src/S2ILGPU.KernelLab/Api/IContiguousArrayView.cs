namespace ILGPU;

/// <summary>A view without gaps.</summary>
public interface IContiguousArrayView : IArrayView
{
    /// <summary>The elements of the buffer before the view.</summary>
    long Index { get; }

    /// <summary>The bytes of the buffer before the view.</summary>
    long IndexInBytes { get; }

    /// <summary>The view's bytes.</summary>
    /// <returns>A view of bytes.</returns>
    ArrayView<byte> AsRawArrayView();
}
