using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace S2ILGPU.Cli.Bench;

/// <summary>OpenBLAS, where it is installed: the peer of the matrix products.</summary>
internal sealed unsafe partial class OpenBlas
{
    private const int RowMajor = 101, AsIs = 111, Transposed = 112;

    private readonly delegate* unmanaged[Cdecl]<int, int, int, int, int, int, float, float*, int, float*, int, float,
        float*, int, void> _sgemm;
    private readonly delegate* unmanaged[Cdecl]<int, void> _setThreads;

    private OpenBlas(nint sgemm, nint setThreads, string name)
    {
        _sgemm = (delegate* unmanaged[Cdecl]<int, int, int, int, int, int, float, float*, int, float*, int, float,
            float*, int, void>)sgemm;
        _setThreads = (delegate* unmanaged[Cdecl]<int, void>)setThreads;
        Name = name;
    }

    /// <summary>Version and the kernels that it chose.</summary>
    public string Name { get; }

    /// <summary>Number of threads of the products that follow.</summary>
    public int Threads
    {
        set => _setThreads(value);
    }

    /// <summary>Loads the library; null where there is none.</summary>
    public static OpenBlas? Load()
    {
        // Versions older than the processor fall back to kernels for half the register width. Read when the library is
        // loaded, from the native environment, which .NET's own setter does not reach.
        if (OperatingSystem.IsLinux() && Vector512.IsHardwareAccelerated
            && RuntimeInformation.ProcessArchitecture == Architecture.X64)
            _ = SetEnvironment("OPENBLAS_CORETYPE", "SkylakeX", overwrite: 1);
        foreach (string file in (string[])["libopenblas.so.0", "libopenblas.dylib", "libopenblas.dll"])
            if (NativeLibrary.TryLoad(file, out nint library)
                && NativeLibrary.TryGetExport(library, "cblas_sgemm", out nint sgemm)
                && NativeLibrary.TryGetExport(library, "openblas_set_num_threads", out nint setThreads))
                return new OpenBlas(sgemm, setThreads, NameOf(library));
        return null;
    }

    /// <summary><c>C = op(A) op(B)</c> on dense row-major matrices.</summary>
    public void Multiply(MatMulShape shape, float* a, float* b, float* c)
    {
        var (operationA, strideA) = shape.TransposeA ? (Transposed, shape.M) : (AsIs, shape.K);
        var (operationB, strideB) = shape.TransposeB ? (Transposed, shape.K) : (AsIs, shape.N);
        _sgemm(RowMajor, operationA, operationB, shape.M, shape.N, shape.K, 1, a, strideA, b, strideB, 0, c, shape.N);
    }

    private static string NameOf(nint library)
    {
        string config = Text("openblas_get_config"), core = Text("openblas_get_corename");
        return $"{string.Join(' ', config.Split(' ').Take(2))} ({core} kernels)";

        string Text(string function) => NativeLibrary.TryGetExport(library, function, out nint address)
            ? Marshal.PtrToStringUTF8((nint)((delegate* unmanaged[Cdecl]<byte*>)address)()) ?? "" : "";
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
