using System.Collections;

namespace S2ILGPU.Ops;

/// <summary>An immutable list that is compared by its items, for configurations.</summary>
/// <param name="items">The items; copied.</param>
/// <typeparam name="T">A number.</typeparam>
public sealed class ValueList<T>(params IEnumerable<T> items) : IReadOnlyList<T>, IEquatable<ValueList<T>>
    where T : struct, IEquatable<T>
{
    private readonly T[] _items = [.. items];

    /// <summary>Number of items.</summary>
    public int Count => _items.Length;

    /// <summary>An item.</summary>
    /// <param name="index">From 0.</param>
    public T this[int index] => _items[index];

    /// <inheritdoc/>
    public bool Equals(ValueList<T>? other) => other is not null && _items.AsSpan().SequenceEqual(other._items);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ValueList<T>);

    /// <inheritdoc/>
    public override int GetHashCode() => _items.Aggregate(_items.Length, HashCode.Combine);

    /// <inheritdoc/>
    public IEnumerator<T> GetEnumerator() => _items.AsEnumerable().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
