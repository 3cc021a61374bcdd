namespace ILGPU;

/// <summary>A view without gaps, of known elements.</summary>
/// <typeparam name="T">The element type.</typeparam>
public interface IContiguousArrayView<T> : IContiguousArrayView
    where T : unmanaged
{
}
