using System.Runtime.InteropServices;

namespace S2ILGPU.Distributed.Mpi;

/// <summary>The functions of an MPI library, found at run time: one assembly for Open MPI 4 and 5 and for MPICH and
/// what is binary compatible with it.</summary>
/// <remarks>
/// <para>The two families differ in what a handle is: Open MPI's are addresses of objects that it exports, MPICH's are
/// 32-bit constants. Both travel as <c>nint</c>; MPICH writes the low half of one only, so results begin as 0.</para>
/// <para>Neither a status nor an array of requests is ever passed: their layouts differ too.</para>
/// </remarks>
internal sealed unsafe partial class MpiLibrary
{
    // A thread of the pool drives the ranks, not always the one that initialised: MPI_THREAD_SERIALIZED.
    private const int Serialized = 2;

    private readonly nint _library;
    private readonly MpiWatch _watch;
    private readonly nint _world, _byte, _statusIgnore;
    private readonly delegate* unmanaged<int*, byte***, int, int*, int> _initThread;
    private readonly delegate* unmanaged<int> _finalize;
    private readonly delegate* unmanaged<nint, int, int> _abort;
    private readonly delegate* unmanaged<nint, int*, int> _rank, _size;
    private readonly delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int> _send, _receive;
    private readonly delegate* unmanaged<nint*, int*, nint, int> _test;
    private readonly delegate* unmanaged<nint, int, int, nint*, int> _split;
    private readonly delegate* unmanaged<nint*, int> _free;
    private readonly delegate* unmanaged<nint, nint, int> _setErrorHandler;
    private readonly delegate* unmanaged<int, byte*, int*, int> _errorString;
    private readonly delegate* unmanaged<byte*, int*, int> _version;

    private MpiLibrary(nint library, MpiWatch watch)
    {
        (_library, _watch) = (library, watch);
        nint errorsReturn;
        if (NativeLibrary.TryGetExport(library, "ompi_mpi_comm_world", out _world))
            (_byte, _statusIgnore, errorsReturn) = (Symbol("ompi_mpi_byte"), 0, Symbol("ompi_mpi_errors_return"));
        else
            (_world, _byte, _statusIgnore, errorsReturn) = (0x44000000, 0x4c00010d, 1, 0x54000001);
        _initThread = (delegate* unmanaged<int*, byte***, int, int*, int>)Symbol("MPI_Init_thread");
        _finalize = (delegate* unmanaged<int>)Symbol("MPI_Finalize");
        _abort = (delegate* unmanaged<nint, int, int>)Symbol("MPI_Abort");
        _rank = (delegate* unmanaged<nint, int*, int>)Symbol("MPI_Comm_rank");
        _size = (delegate* unmanaged<nint, int*, int>)Symbol("MPI_Comm_size");
        _send = (delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int>)Symbol("MPI_Isend");
        _receive = (delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int>)Symbol("MPI_Irecv");
        _test = (delegate* unmanaged<nint*, int*, nint, int>)Symbol("MPI_Test");
        _split = (delegate* unmanaged<nint, int, int, nint*, int>)Symbol("MPI_Comm_split");
        _free = (delegate* unmanaged<nint*, int>)Symbol("MPI_Comm_free");
        _setErrorHandler = (delegate* unmanaged<nint, nint, int>)Symbol("MPI_Comm_set_errhandler");
        _errorString = (delegate* unmanaged<int, byte*, int*, int>)Symbol("MPI_Error_string");
        _version = (delegate* unmanaged<byte*, int*, int>)Symbol("MPI_Get_library_version");
        int provided;
        using (_watch.Begin("MPI_Init_thread", _watch.Deadlines.Start))
            Check(_initThread(null, null, Serialized, &provided), "MPI_Init_thread");
        Check(_setErrorHandler(_world, errorsReturn), "MPI_Comm_set_errhandler");
        if (provided < Serialized)
            throw new NotSupportedException($"{Version} was built without support for threads (level {provided})");
    }

    /// <summary>All processes of the run.</summary>
    public nint World => _world;

    /// <summary>Name and version, as in <c>Open MPI v4.1.4</c>.</summary>
    public string Version
    {
        get
        {
            byte* text = stackalloc byte[8192];
            int length;
            _version(text, &length);
            string all = Marshal.PtrToStringUTF8((nint)text, length).TrimEnd('\0');
            string first = all.Split('\n', ',')[0].Replace("Version:", " ", StringComparison.Ordinal);
            return string.Join(' ', first.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        }
    }

    /// <summary>Loads the first of some libraries that is there, and initialises it.</summary>
    /// <param name="names">The libraries.</param>
    /// <param name="watch">Ends the process where a call waits for too long.</param>
    /// <exception cref="DllNotFoundException">None is there.</exception>
    public static MpiLibrary Load(IReadOnlyList<string> names, MpiWatch watch)
    {
        LeaveSignalsToTheRuntime();
        foreach (string name in names)
            if (NativeLibrary.TryLoad(name, out nint library))
                return new MpiLibrary(library, watch);
        throw new DllNotFoundException($"none of {string.Join(", ", names)} can be loaded: install Open MPI or MPICH, "
            + $"or name the library in {MpiLauncher.LibraryVariable}");
    }

    /// <summary>Number of this process in a communicator.</summary>
    public int Rank(nint communicator)
    {
        int rank;
        Check(_rank(communicator, &rank), "MPI_Comm_rank");
        return rank;
    }

    /// <summary>Processes of a communicator.</summary>
    public int Size(nint communicator)
    {
        int size;
        Check(_size(communicator, &size), "MPI_Comm_size");
        return size;
    }

    /// <summary>Starts to send bytes.</summary>
    public nint Send(nint communicator, nint data, int bytes, int to, int tag)
    {
        nint request = 0;
        Check(_send((void*)data, bytes, _byte, to, tag, communicator, &request), "MPI_Isend");
        return request;
    }

    /// <summary>Starts to receive bytes.</summary>
    public nint Receive(nint communicator, nint data, int bytes, int from, int tag)
    {
        nint request = 0;
        Check(_receive((void*)data, bytes, _byte, from, tag, communicator, &request), "MPI_Irecv");
        return request;
    }

    /// <summary>Whether a message is done; moves all of them on.</summary>
    public bool Test(ref nint request)
    {
        nint value = request;
        int flag;
        Check(_test(&value, &flag, _statusIgnore), "MPI_Test");
        request = value;
        return flag != 0;
    }

    /// <summary>Groups of the processes that name one color.</summary>
    public nint Split(nint communicator, int color, int key)
    {
        nint result = 0;
        using var watched = _watch.Begin("MPI_Comm_split", _watch.Deadlines.Message);
        Check(_split(communicator, color, key, &result), "MPI_Comm_split");
        return result;
    }

    /// <summary>Frees a communicator.</summary>
    public void Free(nint communicator) => Check(_free(&communicator), "MPI_Comm_free");

    /// <summary>Ends all processes of the run.</summary>
    public void Abort(int exitCode) => _abort(_world, exitCode);

    /// <summary>Ends the use of MPI by this process.</summary>
    public void Finish()
    {
        using var watched = _watch.Begin("MPI_Finalize", _watch.Deadlines.End);
        Check(_finalize(), "MPI_Finalize");
    }

    // UCX, below MPICH and often below Open MPI, ends the process at a fault of memory; .NET makes such a fault a
    // NullReferenceException, which may well be caught. UCX reads its switch when it is loaded, from libc, which
    // Environment.SetEnvironmentVariable does not reach. What the user has set stays.
    private static void LeaveSignalsToTheRuntime()
    {
        if (!OperatingSystem.IsWindows())
            _ = SetEnvironment("UCX_ERROR_SIGNALS", "", 0);
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);

    private nint Symbol(string name) => NativeLibrary.GetExport(_library, name);

    private void Check(int code, string call)
    {
        if (code == 0)
            return;
        byte* text = stackalloc byte[8192];
        int length = 0;
        _errorString(code, text, &length);
        throw new InvalidOperationException($"{call}: {Marshal.PtrToStringUTF8((nint)text, length).TrimEnd('\0')}");
    }
}
