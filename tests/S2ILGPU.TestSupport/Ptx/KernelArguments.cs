using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Builds the bytes of a kernel's argument struct for a <see cref="PtxMachine"/>, field by field: views become
/// address and length, as ILGPU passes them.</summary>
/// <remarks>The layout is that of the C# struct with every <c>ArrayView&lt;T&gt;</c> replaced by two 64-bit words. A
/// field that was never set is an error, so that a new field of a kernel does not stay zero unnoticed.</remarks>
public sealed class KernelArguments
{
    private readonly Dictionary<string, (int Offset, Type Type)> _fields = [];
    private readonly HashSet<string> _unset;
    private readonly byte[] _bytes;
    private readonly PtxMachine _machine;

    /// <summary>Arguments of a kernel that takes one struct.</summary>
    public KernelArguments(PtxMachine machine, Type type)
    {
        _machine = machine;
        var (size, _) = Lay(type, 0, "");
        _bytes = new byte[size];
        _unset = [.. _fields.Keys];
    }

    /// <summary>Sets a view to an array of its own.</summary>
    /// <param name="path">Names of the fields, joined by dots, as in <c>Lists.Rows</c>.</param>
    /// <param name="data">The array; elements may be of another type than the view's, the length follows from the
    /// bytes.</param>
    /// <param name="access">What the kernel may do with it.</param>
    public KernelArguments View<T>(string path, T[] data, PtxAccess access = PtxAccess.Input) where T : unmanaged
    {
        // an empty view has no memory at all
        ulong address = data.Length == 0 ? 0 : _machine.Map(data, path, access);
        return View(path, address, (long)data.Length * Unsafe.SizeOf<T>());
    }

    /// <summary>Sets a view to memory that is mapped already.</summary>
    public KernelArguments View(string path, ulong address, long bytes)
    {
        var (offset, type) = Field(path);
        if (!IsView(type))
            throw new ArgumentException($"{path} is no view but {type.Name}");
        long elementBytes = SizeOf(type.GetGenericArguments()[0]);
        if (bytes % elementBytes != 0)
            throw new ArgumentException(
                $"{path}: {bytes} bytes are not a multiple of elements of {elementBytes} bytes");
        MemoryMarshal.Write(_bytes.AsSpan(offset), address);
        MemoryMarshal.Write(_bytes.AsSpan(offset + 8), bytes / elementBytes);
        return this;
    }

    /// <summary>Sets a view to the memory of another view of the same type.</summary>
    public KernelArguments Alias(string path, string other)
    {
        var (from, to) = (Field(other), Field(path));
        if (!IsView(to.Type) || from.Type != to.Type)
            throw new ArgumentException($"{path} is {to.Type.Name}, {other} {from.Type.Name}");
        _bytes.AsSpan(from.Offset, 16).CopyTo(_bytes.AsSpan(to.Offset));
        return this;
    }

    /// <summary>Sets a number, or a struct of numbers.</summary>
    public KernelArguments Value<T>(string path, T value) where T : unmanaged
    {
        var (offset, type) = Field(path);
        if (type != typeof(T))
            throw new ArgumentException($"{path} is {type.Name}, not {typeof(T).Name}");
        MemoryMarshal.Write(_bytes.AsSpan(offset), value);
        return this;
    }

    /// <summary>The bytes.</summary>
    public byte[] ToBytes() => _unset.Count == 0 ? _bytes
        : throw new InvalidOperationException($"fields without a value: {string.Join(", ", _unset)}");

    private (int Offset, Type Type) Field(string path)
    {
        if (!_fields.TryGetValue(path, out var field))
            throw new ArgumentException($"no field {path}; there are {string.Join(", ", _fields.Keys)}");
        _unset.RemoveWhere(name => name == path || name.StartsWith(path + ".", StringComparison.Ordinal));
        for (int dot = path.LastIndexOf('.'); dot >= 0; dot = path.LastIndexOf('.', dot - 1))
            if (!_unset.Any(name => name.StartsWith(path[..(dot + 1)], StringComparison.Ordinal)))
                _unset.Remove(path[..dot]);
        return field;
    }

    // Places the fields of a struct; returns its size and alignment.
    private (int Size, int Alignment) Lay(Type type, int begin, string prefix)
    {
        if (type.IsPrimitive || type.IsEnum)
            return (SizeOf(type), SizeOf(type));
        if (IsView(type))
            return (16, 8);
        int offset = begin, alignment = 1;
        foreach (var field in type.GetFields(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance)
            .OrderBy(f => f.MetadataToken))
        {
            string path = prefix + field.Name;
            int fieldAlignment = AlignmentOf(field.FieldType);
            offset = Align(offset, fieldAlignment);
            _fields[path] = (offset, field.FieldType);
            offset += Lay(field.FieldType, offset, path + ".").Size;
            alignment = Math.Max(alignment, fieldAlignment);
        }
        return (Align(offset - begin, alignment), alignment);
    }

    private static int AlignmentOf(Type type) => type.IsPrimitive || type.IsEnum ? SizeOf(type) : IsView(type) ? 8
        : type.GetFields(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance)
        .Select(f => AlignmentOf(f.FieldType)).DefaultIfEmpty(1).Max();

    private static int Align(int offset, int alignment) => (offset + alignment - 1) / alignment * alignment;

    private static int SizeOf(Type type) =>
        (int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(type).Invoke(null, null)!;

    private static bool IsView(Type type) => type.IsGenericType && type.Name == "ArrayView`1";
}
