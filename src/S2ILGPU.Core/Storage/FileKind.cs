using System.Runtime.InteropServices;

namespace S2ILGPU.Storage;

/// <summary>What a path leads to, links followed.</summary>
internal enum FileKind
{
    /// <summary>Nothing; also a link whose target does not exist.</summary>
    Missing,

    /// <summary>A file with a length and places to read from.</summary>
    Regular,

    /// <summary>A folder.</summary>
    Folder,

    /// <summary>A named pipe (FIFO), or a pipe of the process such as <c>/dev/stdin</c>.</summary>
    Pipe,

    /// <summary>A terminal, <c>/dev/null</c> and the like.</summary>
    CharacterDevice,

    /// <summary>A socket or a block device.</summary>
    Other,
}

/// <summary>Finds out what a path leads to without opening it: opening a pipe waits for its other end.</summary>
internal static unsafe partial class FileKinds
{
    private const int CurrentFolder = -100, TypeOnly = 1, StatusBytes = 256, ModeOffset = 28, TypeMask = 0xF000;

    /// <summary>The kind of a path.</summary>
    /// <remarks>.NET has no call for it. Linux is asked through <c>statx</c>, whose layout is the same on every
    /// processor; elsewhere whatever is there and is not a folder counts as a regular file.</remarks>
    public static FileKind Of(string path)
    {
        if (OperatingSystem.IsLinux() && TryMode(path, out int mode))
            return mode switch
            {
                0x8000 => FileKind.Regular,
                0x4000 => FileKind.Folder,
                0x1000 => FileKind.Pipe,
                0x2000 => FileKind.CharacterDevice,
                _ => FileKind.Other,
            };
        return Directory.Exists(path) ? FileKind.Folder : File.Exists(path) ? FileKind.Regular : FileKind.Missing;
    }

    private static bool TryMode(string path, out int mode)
    {
        byte* status = stackalloc byte[StatusBytes];
        mode = 0;
        try
        {
            if (Statx(CurrentFolder, path, 0, TypeOnly, status) != 0)
                return false;
        }
        catch (EntryPointNotFoundException) // a C library older than the call
        {
            return false;
        }
        mode = *(ushort*)(status + ModeOffset) & TypeMask;
        return true;
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int folder, string path, int flags, uint mask, byte* status);
}
