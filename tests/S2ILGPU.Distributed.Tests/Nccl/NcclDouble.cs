using System.Runtime.InteropServices;
using S2ILGPU.Distributed.Nccl;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Distributed.Tests.Nccl;

/// <summary>NCCL's functions between threads and on host memory (<c>double.c</c>), compiled where there is
/// gcc.</summary>
internal sealed unsafe class NcclDouble
{
    private static readonly Lazy<NcclDouble> s_present = new(() => new NcclDouble());

    private readonly delegate* unmanaged<int, void> _break, _refuse;
    private readonly delegate* unmanaged<int> _live;

    private NcclDouble()
    {
        using var folder = new TemporaryFolder(); // a loaded library needs its file no more
        string path = Compile(folder, Repository.PathOf("tests", "S2ILGPU.Distributed.Tests", "Nccl", "double.c"));
        nint library = NativeLibrary.Load(path);
        _break = (delegate* unmanaged<int, void>)NativeLibrary.GetExport(library, "double_break");
        _refuse = (delegate* unmanaged<int, void>)NativeLibrary.GetExport(library, "double_refuse");
        _live = (delegate* unmanaged<int>)NativeLibrary.GetExport(library, "double_live");
        Library = NcclLibrary.Load([path]);
    }

    /// <summary>The double; skips the test where it cannot be compiled.</summary>
    public static NcclDouble Get()
    {
        SkipWithoutCompiler();
        return s_present.Value;
    }

    /// <summary>The functions as the package declares them.</summary>
    public NcclLibrary Library { get; }

    /// <summary>Communicators that were neither destroyed nor aborted.</summary>
    public int Live => _live();

    /// <summary>Breaks the connections of a rank at its next exchange; -1 for none.</summary>
    public void Break(int rank) => _break(rank);

    /// <summary>Whether new groups are refused.</summary>
    public void Refuse(bool refuse) => _refuse(refuse ? 1 : 0);

    /// <summary>Compiles a library.</summary>
    /// <returns>Its path.</returns>
    public static string Compile(TemporaryFolder folder, string source)
    {
        string library = folder[$"{Path.GetFileNameWithoutExtension(source)}.so"];
        ChildProcess.RunAsync("gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread",
            source, "-o", library).GetAwaiter().GetResult();
        return library;
    }

    /// <summary>Skips the test where there is no compiler.</summary>
    public static void SkipWithoutCompiler() =>
        Assert.SkipUnless(OperatingSystem.IsLinux() && ChildProcess.IsOnPath("gcc"), "needs Linux and gcc");
}
