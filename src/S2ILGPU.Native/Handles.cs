using System.Collections.Concurrent;

namespace S2ILGPU.Native;

/// <summary>What a handle stands for; the upper byte of its number, which no small number and no address has.</summary>
internal enum HandleKind : byte
{
    Engine = 0xE5,
    Pattern = 0xA5,
    Layout = 0xC5,
}

/// <summary>The objects that callers hold by number. Each number is given once, so that a released one is never another
/// object.</summary>
/// <remarks>Thread-safe.</remarks>
internal static class Handles
{
    private const int KindShift = 56;

    private static readonly ConcurrentDictionary<ulong, object> s_objects = [];
    private static long s_given;

    /// <summary>Number of objects that are held.</summary>
    public static int Count => s_objects.Count;

    /// <summary>Gives an object a number.</summary>
    public static ulong Add(HandleKind kind, object held)
    {
        ulong handle = (ulong)kind << KindShift | (ulong)Interlocked.Increment(ref s_given);
        s_objects[handle] = held;
        return handle;
    }

    /// <summary>The object of a number.</summary>
    /// <exception cref="StatusException">There is none, or it is of another kind.</exception>
    public static T Get<T>(ulong handle) where T : class =>
        s_objects.TryGetValue(handle, out var held) ? held as T ?? throw Wrong(handle, $"not {Name<T>()}")
            : throw Wrong(handle, "released or never given");

    /// <summary>Any object by its number.</summary>
    /// <exception cref="StatusException">There is none.</exception>
    public static object Get(ulong handle) => Get<object>(handle);

    /// <summary>Takes a number back, once.</summary>
    /// <returns>The object, for the caller to dispose.</returns>
    /// <exception cref="StatusException">There is none.</exception>
    public static object Remove(ulong handle) => s_objects.TryRemove(handle, out var held) ? held
        : throw Wrong(handle, "released or never given");

    private static StatusException Wrong(ulong handle, string why)
    {
        string? kind = Enum.GetName((HandleKind)(handle >> KindShift))?.ToLowerInvariant();
        return new StatusException(Status.Handle, $"handle 0x{handle:x}{(kind is null ? "" : $" ({kind})")}: {why}");
    }

    private static string Name<T>() => typeof(T).Name switch
    {
        nameof(EngineSlot) => "an engine",
        nameof(Patterns.AttentionPattern) => "a pattern",
        _ => "a layout",
    };
}
