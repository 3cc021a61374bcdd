using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace S2ILGPU.Storage;

/// <summary>A safetensors file: named tensors behind a JSON header, as Hugging Face's tools read and write
/// them.</summary>
/// <remarks>Opening reads and checks the header only; <see cref="Read"/> reads a tensor's data from disk, from any
/// thread.</remarks>
/// <seealso href="https://github.com/huggingface/safetensors#format"/>
public sealed class SafetensorsFile : IDisposable
{
    private const int ChunkBytes = 1 << 18;

    private readonly SafeFileHandle _handle;
    private readonly long _dataStart;
    private readonly List<SafetensorsEntry> _entries;
    private readonly Dictionary<string, SafetensorsEntry> _byName;

    private SafetensorsFile(string path, SafeFileHandle handle)
    {
        FilePath = path;
        _handle = handle;
        long fileBytes = RandomAccess.GetLength(handle);
        if (fileBytes < sizeof(ulong))
            throw new InvalidDataException(
                $"{path}: not a safetensors file: {fileBytes} bytes, the header length alone needs 8");
        Span<byte> prefix = stackalloc byte[sizeof(ulong)];
        ReadExactly(prefix, 0, "the header length");
        ulong headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (headerBytes > SafetensorsHeader.MaxHeaderBytes)
            throw new InvalidDataException(
                $"{path}: the header length {headerBytes} is more than the {SafetensorsHeader.MaxHeaderBytes} bytes "
                + "allowed (not a safetensors file?)");
        _dataStart = sizeof(ulong) + (long)headerBytes;
        if (_dataStart > fileBytes)
            throw new InvalidDataException(
                $"{path}: the header length is {headerBytes}, but only {fileBytes - sizeof(ulong)} bytes follow it "
                + "(truncated file?)");
        byte[] json = new byte[headerBytes];
        ReadExactly(json, sizeof(ulong), "the header");
        var header = SafetensorsHeader.Parse(path, json, fileBytes - _dataStart);
        _entries = header.Entries;
        _byName = _entries.ToDictionary(e => e.Name);
        Metadata = header.Metadata;
    }

    /// <summary>The path that the file was opened with.</summary>
    public string FilePath { get; }

    /// <summary>The tensors in the order of their data.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries => _entries;

    /// <summary>The tensors' names in the order of their data.</summary>
    public IEnumerable<string> Names => _entries.Select(e => e.Name);

    /// <summary>The file's own key-value pairs (<c>__metadata__</c>); empty when there are none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file and checks its header against its length.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The open file; dispose it to close it.</returns>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="InvalidDataException">The file is truncated, a pipe or a device, or its header is not what the
    /// format asks for: the message names the file, the tensor and the values.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SafetensorsFile Open(string path)
    {
        FileErrors.CheckPath(path);
        switch (FileKinds.Of(path))
        {
            case FileKind.Missing:
                throw new FileNotFoundException($"{path} does not exist", path);
            case FileKind.Folder:
                throw new FileNotFoundException($"{path} is a folder, not a safetensors file", path);
            case not FileKind.Regular:
                throw new InvalidDataException(
                    $"{path} is a pipe or a device; a safetensors file must be a regular one, tensors are read from "
                    + "places in it");
        }
        var handle = FileErrors.Explained(path, "read", () => File.OpenHandle(path));
        try
        {
            return new SafetensorsFile(path, handle);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Whether the file holds a tensor of this name.</summary>
    /// <param name="name">The tensor's name.</param>
    public bool Contains(string name) => _byName.ContainsKey(name);

    /// <summary>Type, shape and size of a tensor.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <exception cref="InvalidDataException">The file holds no such tensor.</exception>
    public SafetensorsEntry Info(string name)
    {
        if (_byName.TryGetValue(name, out var entry))
            return entry;
        string held = string.Join(", ", Names.Take(8)) + (_entries.Count > 8 ? $" and {_entries.Count - 8} more" : "");
        throw new InvalidDataException(
            $"{FilePath} holds no tensor '{name}', it holds {(held.Length == 0 ? "none" : held)}");
    }

    /// <summary>Reads a whole tensor as floats; F16, BF16 and F64 are converted.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="destination">Receives the elements, row-major; as long as the tensor.</param>
    /// <exception cref="InvalidDataException">The file holds no such tensor, it holds no floats, or the file became
    /// shorter.</exception>
    /// <exception cref="ArgumentException">The destination has another length.</exception>
    public void Read(string name, Span<float> destination)
    {
        var entry = Floats(name);
        if (destination.Length != entry.Count)
            throw new ArgumentException(
                $"{FilePath}: tensor {entry} has {entry.Count} elements, the destination {destination.Length}");
        ReadRange(name, 0, destination);
    }

    /// <summary>Reads some elements of a tensor as floats, for tensors that are read in parts.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="firstElement">The first element to read.</param>
    /// <param name="destination">Receives the elements, row-major; its length says how many.</param>
    /// <exception cref="InvalidDataException">The file holds no such tensor, it holds no floats, or the file became
    /// shorter.</exception>
    /// <exception cref="ArgumentException">The range is not inside the tensor.</exception>
    public void ReadRange(string name, long firstElement, Span<float> destination)
    {
        var entry = Floats(name);
        if (firstElement < 0 || firstElement > entry.Count - destination.Length)
            throw new ArgumentException(
                $"{FilePath}: tensor {entry} has {entry.Count} elements, asked for {destination.Length} from "
                + $"{firstElement}");
        int elementBytes = entry.Type.SizeBytes();
        long position = _dataStart + entry.Start + firstElement * elementBytes;
        if (entry.Type == SafetensorsType.Float32)
        {
            ReadExactly(MemoryMarshal.AsBytes(destination), position, name);
            return;
        }
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        for (int done = 0; done < destination.Length;)
        {
            var chunk = destination[done..Math.Min(destination.Length, done + ChunkBytes / elementBytes)];
            var bytes = buffer.AsSpan(0, chunk.Length * elementBytes);
            ReadExactly(bytes, position + (long)done * elementBytes, name);
            FloatConversion.ToSingle(entry.Type, bytes, chunk);
            done += chunk.Length;
        }
        ArrayPool<byte>.Shared.Return(buffer);
    }

    /// <summary>Reads a whole tensor as a new array of floats.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <exception cref="InvalidDataException">The file holds no such tensor, it holds no floats or more than an array
    /// can, or the file became shorter.</exception>
    public float[] ReadSingles(string name)
    {
        var entry = Floats(name);
        if (entry.Count > Array.MaxLength)
            throw new InvalidDataException($"{FilePath}: tensor {entry} has more elements than an array can hold");
        var values = new float[entry.Count];
        Read(name, values);
        return values;
    }

    /// <summary>Reads a tensor's bytes as they stand in the file: little-endian, row-major.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="destination">Receives the bytes; as long as the tensor's data.</param>
    /// <exception cref="InvalidDataException">The file holds no such tensor, or it became shorter.</exception>
    /// <exception cref="ArgumentException">The destination has another length.</exception>
    public void ReadBytes(string name, Span<byte> destination)
    {
        var entry = Info(name);
        if (destination.Length != entry.SizeBytes)
            throw new ArgumentException(
                $"{FilePath}: tensor {entry} has {entry.SizeBytes} bytes, the destination {destination.Length}");
        ReadExactly(destination, _dataStart + entry.Start, name);
    }

    /// <summary>Reads some of the bytes of a tensor; the range lies inside.</summary>
    internal void ReadBytes(string name, long start, Span<byte> destination) =>
        ReadExactly(destination, _dataStart + Info(name).Start + start, name);

    /// <summary>Writes a file: to a temporary name first, renamed when it is complete.</summary>
    /// <param name="path">The file to write.</param>
    /// <param name="tensors">The tensors; laid out by element size, widest first, so that each is aligned, otherwise in
    /// the given order.</param>
    /// <param name="metadata">The file's own key-value pairs, or null.</param>
    /// <exception cref="ArgumentException">Two tensors have the same name, or the header gets too long.</exception>
    /// <exception cref="InvalidOperationException">A callback wrote another number of bytes than its tensor
    /// has.</exception>
    /// <exception cref="IOException">The file cannot be written, see <see cref="AtomicFile.Write"/>.</exception>
    public static void Write(string path, IEnumerable<SafetensorsTensor> tensors, IReadOnlyDictionary<string,
        string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        var ordered = tensors.OrderByDescending(t => t.Type.SizeBytes()).ToArray();
        if (ordered.GroupBy(t => t.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new ArgumentException($"{path}: two tensors have the name '{twice.Key}'");
        byte[] header = SafetensorsHeader.Write(ordered, metadata);
        AtomicFile.Write(path, stream =>
        {
            stream.Write(header);
            foreach (var tensor in ordered)
            {
                long start = stream.Position;
                tensor.WriteData(stream);
                long written = stream.Position - start;
                if (written != tensor.SizeBytes)
                    throw new InvalidOperationException(
                        $"{path}: tensor '{tensor.Name}' has {tensor.SizeBytes} bytes, but {written} were written");
            }
        });
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _handle.Dispose();

    private SafetensorsEntry Floats(string name) => Info(name) is var entry && FloatConversion.IsFloat(entry.Type)
        ? entry
        : throw new InvalidDataException($"{FilePath}: tensor {entry} does not hold floats (F32, F16, BF16 or F64)");

    private void ReadExactly(Span<byte> destination, long position, string what)
    {
        while (destination.Length > 0)
        {
            int read = ReadSome(destination, position);
            if (read == 0)
                throw new InvalidDataException($"{FilePath}: the file ends at {position} inside {what}");
            destination = destination[read..];
            position += read;
        }
    }

    private int ReadSome(Span<byte> destination, long position)
    {
        try
        {
            return RandomAccess.Read(_handle, destination, position);
        }
        catch (IOException e)
        {
            throw FileErrors.Explain(FilePath, "read", e);
        }
    }
}
