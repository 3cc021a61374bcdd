using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;

namespace S2ILGPU.KernelLab;

/// <summary>Where errors of kernels are thrown.</summary>
internal static class Fault
{
    [DoesNotReturn]
    internal static void OutOfBounds(Allocation? memory, long index, long length, Type type, int line, string file) =>
        throw new KernelFaultException($"out of bounds: index {index} of {type.Name}[{length}] in {memory?.Name ?? "an empty view"} at {new Site(line, file)}");

    [DoesNotReturn]
    internal static void Misaligned(Allocation memory, long byteOffset, int bytes, Site site) =>
        throw new KernelFaultException($"misaligned: an access of {bytes} bytes at byte {byteOffset} of {memory.Name} at {site}; it must start at a multiple of {bytes}");

    [DoesNotReturn]
    internal static void Disposed(Allocation memory, Site site) => throw new KernelFaultException($"use after dispose: {memory.Name} at {site}");

    /// <summary>Adds thread and group, and for exceptions of the kernel's own the line that threw.</summary>
    internal static KernelFaultException InThread(Exception error, Lane lane)
    {
        string caller = Frame(error) is { } line ? $" ({line})" : "";
        return error is KernelFaultException
            ? new KernelFaultException($"{error.Message}, {lane}{caller}", error)
            : new KernelFaultException($"{error.GetType().Name}: {error.Message}, {lane}{caller}", error);
    }

    /// <summary>The lines of the kernel and of what it called, innermost first: where it was, if the fault's own site is a method of others.</summary>
    private static string? Frame(Exception error)
    {
        var frames = new StackTrace(error, fNeedFileInfo: true).GetFrames()
            .Where(f => f.GetFileLineNumber() > 0 && f.GetMethod()?.DeclaringType?.Assembly != typeof(Fault).Assembly)
            .Take(4)
            .Select(f => $"{f.GetMethod()!.DeclaringType!.Name}.{f.GetMethod()!.Name}, {Path.GetFileName(f.GetFileName())}:{f.GetFileLineNumber()}");
        string path = string.Join(" < ", frames);
        return path.Length > 0 ? path : null;
    }
}
