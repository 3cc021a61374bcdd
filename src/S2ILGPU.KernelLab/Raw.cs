using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace S2ILGPU.KernelLab;

/// <summary>
/// Memory by reference and byte offset, for the C# bodies of device primitives: what kind of access it is is said here instead of guessed, and bounds, alignment and races are
/// checked. Findings name the line that took the reference.
/// </summary>
[SuppressMessage("Design", "CA1045", Justification = "A reference into a view is how ILGPU passes an address to a device primitive.")]
public static unsafe class Raw
{
    /// <summary>The reference was taken for its address: taking it is neither a read nor a write. All other members say so themselves.</summary>
    /// <typeparam name="T">The view's element type.</typeparam>
    /// <param name="origin">A reference taken from a view.</param>
    public static void Address<T>(ref T origin)
        where T : unmanaged => Origin((byte*)Unsafe.AsPointer(ref origin));

    /// <summary>Reads a value.</summary>
    /// <typeparam name="TOrigin">The view's element type.</typeparam>
    /// <typeparam name="TValue">What is read; it must be aligned to its size, up to 16 bytes.</typeparam>
    /// <param name="origin">A reference taken from a view.</param>
    /// <param name="byteOffset">Bytes from there.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>The value.</returns>
    public static TValue Read<TOrigin, TValue>(ref TOrigin origin, long byteOffset, [CallerLineNumber] int line = 0, [CallerFilePath] string file = "")
        where TOrigin : unmanaged
        where TValue : unmanaged =>
        *(TValue*)At(ref origin, byteOffset, sizeof(TValue), AccessKind.Read, new Site(line, file));

    /// <summary>Where a value is written; the result must be assigned to.</summary>
    /// <typeparam name="TOrigin">The view's element type.</typeparam>
    /// <typeparam name="TValue">What is written; it must be aligned to its size, up to 16 bytes.</typeparam>
    /// <param name="origin">A reference taken from a view.</param>
    /// <param name="byteOffset">Bytes from there.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>The place.</returns>
    public static ref TValue Write<TOrigin, TValue>(ref TOrigin origin, long byteOffset, [CallerLineNumber] int line = 0, [CallerFilePath] string file = "")
        where TOrigin : unmanaged
        where TValue : unmanaged =>
        ref *(TValue*)At(ref origin, byteOffset, sizeof(TValue), AccessKind.Write, new Site(line, file));

    /// <summary>Adds to a float in one indivisible step.</summary>
    /// <typeparam name="TOrigin">The view's element type.</typeparam>
    /// <param name="origin">A reference taken from a view.</param>
    /// <param name="byteOffset">Bytes from there.</param>
    /// <param name="value">What is added.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>The float before.</returns>
    public static float AtomicAdd<TOrigin>(ref TOrigin origin, long byteOffset, float value, [CallerLineNumber] int line = 0, [CallerFilePath] string file = "")
        where TOrigin : unmanaged =>
        AtomicUpdate.Apply(ref *(float*)At(ref origin, byteOffset, sizeof(float), AccessKind.Atomic, new Site(line, file)), value, static (old, v) => old + v);

    /// <summary>Issues an asynchronous copy of one element of 4, 8 or 16 bytes.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="target">A reference taken from a view of shared memory.</param>
    /// <param name="targetOffset">Bytes from there.</param>
    /// <param name="source">A reference taken from a view of global memory.</param>
    /// <param name="sourceOffset">Bytes from there.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    public static void CopyAsync<T>(ref T target, long targetOffset, ref T source, long sourceOffset, [CallerLineNumber] int line = 0, [CallerFilePath] string file = "")
        where T : unmanaged => CopyAsync(ref target, targetOffset, ref source, sourceOffset, sizeof(T), sizeof(T), line, file);

    /// <summary>Issues an asynchronous copy of an element of zeros: a copy of which nothing comes from the source.</summary>
    /// <typeparam name="T">The element type, of 4, 8 or 16 bytes.</typeparam>
    /// <param name="target">A reference taken from a view of shared memory.</param>
    /// <param name="targetOffset">Bytes from there.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    public static void ZeroAsync<T>(ref T target, long targetOffset, [CallerLineNumber] int line = 0, [CallerFilePath] string file = "")
        where T : unmanaged => CopyAsync(ref target, targetOffset, ref target, 0, sizeof(T), 0, line, file);

    /// <summary>
    /// Issues an asynchronous copy (<c>cp.async</c>): it may land at any time up to the wait, so the target may not be touched until then. The accesses count from here on, the bytes
    /// arrive at the wait. Threads may issue the same copy (bytes, source and target) between two barriers: the target may be touched when all have waited and a barrier has followed.
    /// </summary>
    /// <typeparam name="TTarget">The target view's element type.</typeparam>
    /// <typeparam name="TSource">The source view's element type.</typeparam>
    /// <param name="target">A reference taken from a view of shared memory.</param>
    /// <param name="targetOffset">Bytes from there.</param>
    /// <param name="source">A reference taken from a view of global memory.</param>
    /// <param name="sourceOffset">Bytes from there.</param>
    /// <param name="bytes">4, 8 or 16; both addresses must be multiples of it.</param>
    /// <param name="sourceBytes">How many come from the source, 0 to <paramref name="bytes"/>; the rest of the target becomes zero. With 0 the source is not touched.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    public static void CopyAsync<TTarget, TSource>(ref TTarget target, long targetOffset, ref TSource source, long sourceOffset, int bytes, int sourceBytes,
        [CallerLineNumber] int line = 0, [CallerFilePath] string file = "")
        where TTarget : unmanaged
        where TSource : unmanaged
    {
        var site = new Site(line, file);
        if (bytes is not (4 or 8 or 16) || sourceBytes < 0 || sourceBytes > bytes)
            throw new KernelFaultException($"an asynchronous copy of {bytes} bytes, {sourceBytes} of them from the source, at {site}; 4, 8 or 16 are possible");
        Address(ref source);
        byte* from = sourceBytes > 0 ? At(ref source, sourceOffset, sourceBytes, AccessKind.Read, site, alignment: bytes) : null;
        byte* origin = (byte*)Unsafe.AsPointer(ref target);
        byte* to = At(ref target, targetOffset, bytes, AccessKind.CopyIssued, site, source: new CopySource((long)from, sourceBytes));
        Engine.Current.Copies.Add(new PendingCopy(Find(origin), to, from, bytes, sourceBytes, Engine.Current.FindOrigin((nint)origin) ?? site));
    }

    /// <summary>Closes a group of copies (<c>cp.async.commit_group</c>).</summary>
    public static void Commit() => Engine.Current.Copies.Commit();

    /// <summary>Waits (<c>cp.async.wait_group</c>) until at most so many committed groups of this thread are under way.</summary>
    /// <param name="pendingGroups">0 or more.</param>
    public static void Wait(int pendingGroups) => Engine.Current.Copies.Land(pendingGroups);

    /// <summary>Waits for all copies of this thread (<c>cp.async.wait_all</c>), committed or not.</summary>
    public static void WaitAll()
    {
        Commit();
        Wait(0);
    }

    /// <summary>Every lane's value in one meeting of the warp. Like a shuffle it orders no memory.</summary>
    /// <typeparam name="T">At most 64 bytes.</typeparam>
    /// <param name="value">This lane's value.</param>
    /// <param name="all">32 elements; element i becomes lane i's value, or the default where the group has no such thread.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    public static void Gather<T>(T value, Span<T> all, [CallerLineNumber] int line = 0, [CallerFilePath] string file = "")
        where T : unmanaged => Engine.Executor.Gather(value, all, new Site(line, file));

    private static byte* At<T>(ref T origin, long byteOffset, int bytes, AccessKind kind, Site site, int alignment = 0, CopySource source = default)
        where T : unmanaged
    {
        byte* from = (byte*)Unsafe.AsPointer(ref origin);
        byte* at = from + byteOffset;
        site = Origin(from) ?? site;
        if (Find(from) is not { } memory)
            return at;
        if (at < memory.Base || at + bytes > memory.Base + memory.Bytes)
            Fault.OutOfBounds(memory, at - memory.Base, memory.Bytes, typeof(byte), site.Line, site.File);
        alignment = alignment > 0 ? alignment : bytes is 2 or 4 or 8 or 16 ? bytes : 1;
        if ((nint)at % alignment != 0)
            Fault.Misaligned(memory, at - memory.Base, alignment, site);
        if (Engine.Tracks)
            AccessLog.Add(memory, at, bytes, site, kind, source);
        return at;
    }

    /// <summary>The array that the reference points into; null for local memory and variables.</summary>
    private static Allocation? Find(byte* origin) => Engine.Shared.Find(origin) ?? Heap.Find(origin);

    /// <summary>Notes that the latest indexer access to this address only took it, and returns its line.</summary>
    private static Site? Origin(byte* origin)
    {
        if (!Engine.Tracks)
            return null;
        var lane = Engine.Current;
        if (AccessLog.Classify(origin, AccessKind.None) is { } site)
            lane.RememberOrigin((nint)origin, site);
        return lane.FindOrigin((nint)origin);
    }
}
