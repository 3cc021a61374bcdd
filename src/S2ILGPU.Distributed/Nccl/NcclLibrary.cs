using System.Runtime.InteropServices;
using S2ILGPU.Tensors;

namespace S2ILGPU.Distributed.Nccl;

/// <summary>The functions of NCCL, found at run time.</summary>
/// <remarks>Addresses are those of device memory. Calls queue work on a stream of the context that is current, and
/// wait for other ranks only while they connect to them.</remarks>
internal sealed unsafe class NcclLibrary
{
    /// <summary>Names the library instead of the usual names; <see cref="Off"/> for none.</summary>
    public const string LibraryVariable = "S2_NCCL_LIBRARY";

    /// <summary>What <see cref="LibraryVariable"/> has where NCCL is not wanted.</summary>
    public const string Off = "off";

    // 2.10, the first with elements of bfloat16.
    private const int OldestVersion = 21000;

    private const int Success = 0, InProgress = 7;

    private readonly nint _library;
    private readonly delegate* unmanaged<int, byte*> _errorString;
    private readonly delegate* unmanaged<NcclUniqueId*, int> _uniqueId;
    private readonly delegate* unmanaged<nint*, int, NcclUniqueId, int, int> _join;
    private readonly delegate* unmanaged<nint, int> _destroy, _abort;
    private readonly delegate* unmanaged<nint, int*, int> _asyncError;
    private readonly delegate* unmanaged<int> _groupStart, _groupEnd;
    private readonly delegate* unmanaged<nint, nuint, int, int, nint, nint, int> _send, _receive;
    private readonly delegate* unmanaged<nint, nint, nuint, int, nint, nint, int> _allGather;
    private readonly delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int> _broadcast;

    private NcclLibrary(nint library)
    {
        _library = library;
        _errorString = (delegate* unmanaged<int, byte*>)Symbol("ncclGetErrorString");
        Version = $"NCCL {CheckedVersion()}";
        _uniqueId = (delegate* unmanaged<NcclUniqueId*, int>)Symbol("ncclGetUniqueId");
        _join = (delegate* unmanaged<nint*, int, NcclUniqueId, int, int>)Symbol("ncclCommInitRank");
        _destroy = (delegate* unmanaged<nint, int>)Symbol("ncclCommDestroy");
        _abort = (delegate* unmanaged<nint, int>)Symbol("ncclCommAbort");
        _asyncError = (delegate* unmanaged<nint, int*, int>)Symbol("ncclCommGetAsyncError");
        _groupStart = (delegate* unmanaged<int>)Symbol("ncclGroupStart");
        _groupEnd = (delegate* unmanaged<int>)Symbol("ncclGroupEnd");
        _send = (delegate* unmanaged<nint, nuint, int, int, nint, nint, int>)Symbol("ncclSend");
        _receive = (delegate* unmanaged<nint, nuint, int, int, nint, nint, int>)Symbol("ncclRecv");
        _allGather = (delegate* unmanaged<nint, nint, nuint, int, nint, nint, int>)Symbol("ncclAllGather");
        _broadcast = (delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int>)Symbol("ncclBroadcast");
    }

    /// <summary>The libraries to try, in order; none where NCCL is not wanted.</summary>
    public static string[] Names => Environment.GetEnvironmentVariable(LibraryVariable) switch
    {
        null or "" => ["libnccl.so.2", "libnccl.so"],
        Off => [],
        var named => [named],
    };

    /// <summary>Name and version, as in <c>NCCL 2.21.5</c>.</summary>
    public string Version { get; }

    /// <summary>Loads the first of some libraries that is there.</summary>
    /// <exception cref="NotSupportedException">None is there, or it is too old; one line says so.</exception>
    public static NcclLibrary Load(IReadOnlyList<string> names)
    {
        if (names.Count == 0)
            throw new NotSupportedException($"{LibraryVariable} is {Off}");
        foreach (string name in names)
            if (NativeLibrary.TryLoad(name, out nint library))
                return new NcclLibrary(library);
        throw new NotSupportedException(
            $"{names[0]} cannot be loaded: install NCCL, or name the library in {LibraryVariable}");
    }

    /// <summary>A name for a group that does not exist yet; one rank makes it, all of the group get it.</summary>
    public NcclUniqueId NewId()
    {
        NcclUniqueId id;
        Check(_uniqueId(&id), "ncclGetUniqueId");
        return id;
    }

    /// <summary>Makes this rank one of a group, with the device that is current; waits for all of the group.</summary>
    public nint Join(NcclUniqueId id, int size, int rank)
    {
        nint communicator;
        Check(_join(&communicator, size, id, rank), "ncclCommInitRank");
        return communicator;
    }

    /// <summary>Begins calls that are queued together, so that none of them waits for another.</summary>
    public void GroupStart() => Check(_groupStart(), "ncclGroupStart");

    /// <summary>Queues the calls since <see cref="GroupStart"/>.</summary>
    public void GroupEnd() => Check(_groupEnd(), "ncclGroupEnd");

    /// <summary>Ends a group of calls one of which was refused.</summary>
    public void GroupDrop() => _ = _groupEnd();

    /// <summary>Elements for a rank, which receives as many.</summary>
    public void Send(nint communicator, nint stream, nint from, long count, ElementType type, int to) =>
        Check(_send(from, checked((nuint)count), Number(type), to, communicator, stream), "ncclSend");

    /// <summary>Elements from a rank.</summary>
    public void Receive(nint communicator, nint stream, nint into, long count, ElementType type, int from) =>
        Check(_receive(into, checked((nuint)count), Number(type), from, communicator, stream), "ncclRecv");

    /// <summary>As many elements of each rank, one rank after the other, on all ranks.</summary>
    public void AllGather(nint communicator, nint stream, nint from, nint into, long count, ElementType type) =>
        Check(_allGather(from, into, checked((nuint)count), Number(type), communicator, stream), "ncclAllGather");

    /// <summary>The elements of one rank on all.</summary>
    public void Broadcast(nint communicator, nint stream, nint at, long count, ElementType type, int root) =>
        Check(_broadcast(at, at, checked((nuint)count), Number(type), root, communicator, stream), "ncclBroadcast");

    /// <summary>What went wrong after calls had returned; null for nothing.</summary>
    public NcclException? AsyncError(nint communicator)
    {
        int error;
        Check(_asyncError(communicator, &error), "ncclCommGetAsyncError");
        return error is Success or InProgress ? null : Failure(error, "communication");
    }

    /// <summary>Frees a communicator whose work is done.</summary>
    public void Destroy(nint communicator) => _ = _destroy(communicator);

    /// <summary>Ends the work of a communicator where it is, and frees it.</summary>
    public void Abort(nint communicator) => _ = _abort(communicator);

    private string CheckedVersion()
    {
        int number;
        Check(((delegate* unmanaged<int*, int>)Symbol("ncclGetVersion"))(&number), "ncclGetVersion");
        // 2.9 was the first with two digits for the minor version
        string text = number < 10000 ? $"{number / 1000}.{number / 100 % 10}.{number % 100}"
            : $"{number / 10000}.{number / 100 % 100}.{number % 100}";
        return number >= OldestVersion ? text
            : throw new NotSupportedException($"NCCL {text} is too old: 2.10 or newer is needed");
    }

    private static int Number(ElementType type) => type switch
    {
        ElementType.Int32 => 2,
        ElementType.Float32 => 7,
        ElementType.BFloat16 => 9,
        _ => throw new ArgumentException($"collectives take Float32, BFloat16 and Int32, not {type}"),
    };

    private nint Symbol(string name) => NativeLibrary.TryGetExport(_library, name, out nint symbol) ? symbol
        : throw new NotSupportedException($"the library of NCCL has no {name}: 2.10 or newer is needed");

    private void Check(int code, string call)
    {
        if (code is not (Success or InProgress))
            throw Failure(code, call);
    }

    private NcclException Failure(int code, string call) => new(code,
        $"{Version ?? "NCCL"}: {call}: {Marshal.PtrToStringUTF8((nint)_errorString(code))}");
}

/// <summary>The name of a group.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NcclUniqueId
{
    /// <summary>Its size in words of 32 bits.</summary>
    public const int Words = 32;

    private fixed int _words[Words];

    /// <summary>The name as numbers that an Int32 tensor carries.</summary>
    public int[] ToArray()
    {
        fixed (int* words = _words)
            return new ReadOnlySpan<int>(words, Words).ToArray();
    }

    /// <summary>The name from its numbers.</summary>
    public static NcclUniqueId Of(ReadOnlySpan<int> values)
    {
        NcclUniqueId id;
        values[..Words].CopyTo(new Span<int>(id._words, Words));
        return id;
    }
}
