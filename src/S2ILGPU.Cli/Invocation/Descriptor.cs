using System.Runtime.InteropServices;

namespace S2ILGPU.Cli.Invocation;

/// <summary>The standard file descriptors as the system sees them; Unix only.</summary>
internal static partial class Descriptor
{
    public const int Input = 0, Output = 1, Error = 2;

    private const int GetFlags = 1, CloseOnExec = 1; // F_GETFD, FD_CLOEXEC

    /// <summary>Whether the process was started with this descriptor open.</summary>
    /// <remarks>A descriptor that was closed at the start is taken by the next file that the runtime opens, and writing
    /// to it would damage that file. The runtime marks its files close-on-exec, which an inherited descriptor never
    /// is.</remarks>
    public static bool IsInherited(int descriptor)
    {
        if (OperatingSystem.IsWindows())
            return true;
        int flags = Control(descriptor, GetFlags);
        return flags >= 0 && (flags & CloseOnExec) == 0;
    }

    /// <summary>Writes some bytes.</summary>
    /// <returns>How many, or -1 with the error in <see cref="Marshal.GetLastPInvokeError"/>.</returns>
    public static nint Write(int descriptor, ReadOnlySpan<byte> bytes) =>
        Write(descriptor, ref MemoryMarshal.GetReference(bytes), bytes.Length);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(int descriptor, int command);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(int descriptor, ref byte bytes, nint count);
}
