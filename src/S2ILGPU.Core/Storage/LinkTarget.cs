using System.Runtime.InteropServices;

namespace S2ILGPU.Storage;

/// <summary>The file behind a symbolic link.</summary>
internal static partial class LinkTarget
{
    private const int MostLinks = 40;

    /// <summary>The full path of a file with all links resolved; of a link to nothing, the path that it
    /// names.</summary>
    public static string Of(string path)
    {
        string full = Path.GetFullPath(path);
        return RealPath(full) ?? (new FileInfo(full) is { LinkTarget: not null } link
            ? link.ResolveLinkTarget(returnFinalTarget: true)!.FullName : full);
    }

    /// <summary>Whether a path leads through <c>/proc</c>, as <c>/dev/stdout</c> does: such links name what a process
    /// has open, which must be written and not replaced.</summary>
    public static bool IsOfProcess(string path)
    {
        string? next = Path.GetFullPath(path);
        for (int links = 0; next is not null && links < MostLinks; links++)
        {
            if (next.StartsWith("/proc/", StringComparison.Ordinal))
                return true;
            next = new FileInfo(next).LinkTarget is { } target
                ? Path.GetFullPath(Path.Combine(Path.GetDirectoryName(next) ?? "/", target)) : null;
        }
        return false;
    }

    // Links among the folders of a path can only be resolved by the system: ".." of a linked folder is its target's.
    private static string? RealPath(string path)
    {
        if (OperatingSystem.IsWindows())
            return null;
        nint resolved = RealPath(path, 0);
        string? text = Marshal.PtrToStringUTF8(resolved);
        Free(resolved);
        return text;
    }

    [LibraryImport("libc", EntryPoint = "realpath", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint RealPath(string path, nint buffer);

    [LibraryImport("libc", EntryPoint = "free")]
    private static partial void Free(nint memory);
}
