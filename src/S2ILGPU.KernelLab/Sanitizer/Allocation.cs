using System.Runtime.InteropServices;

namespace S2ILGPU.KernelLab;

/// <summary>An array in memory: base, bounds, name, and for global and shared memory its shadow: which bytes are initialised and who touched them last.</summary>
internal sealed unsafe class Allocation
{
    /// <summary>Bytes around each array that nobody may write.</summary>
    internal const int Guard = 256;
    private const byte GuardByte = 0xA5;
    private const int PageCells = 1024;

    private byte* _block;
    private Cell[]?[] _pages = [];
    private ulong[] _initialised = [];
    private bool _allInitialised;

    internal Allocation(long bytes, int elementSize, string name)
    {
        Bytes = bytes;
        ElementSize = elementSize;
        Name = name;
    }

    internal byte* Base { get; set; }

    internal long Bytes { get; }

    internal int ElementSize { get; }

    internal string Name { get; set; }

    internal bool IsShared { get; private init; }

    /// <summary>False for local memory, which is checked for bounds only.</summary>
    internal bool IsTracked { get; private init; }

    internal bool IsFreed { get; private set; }

    internal ILGPU.Runtime.MemoryBuffer? Buffer { get; set; }

    internal ILGPU.Runtime.Accelerator? Owner { get; private init; }

    /// <summary>The bytes of a cell: 4, 2 or 1, as fine as accesses were so far.</summary>
    internal int Granule { get; private set; }

    internal static Allocation Global(ILGPU.Runtime.Accelerator owner, long bytes, int elementSize, string name, uint poison)
    {
        var memory = new Allocation(bytes, elementSize, name) { IsTracked = true, Owner = owner };
        memory._block = (byte*)NativeMemory.AlignedAlloc((nuint)(bytes + 2 * Guard), 256);
        memory.Base = memory._block + Guard;
        memory.CreateShadow();
        Fill(memory.Base, bytes, poison);
        memory.RestoreGuards();
        return memory;
    }

    internal static Allocation Shared(int bytes, int elementSize)
    {
        var memory = new Allocation(bytes, elementSize, "") { IsTracked = true, IsShared = true };
        memory.CreateShadow();
        return memory;
    }

    internal static void Fill(byte* at, long bytes, uint pattern)
    {
        long words = bytes / 4;
        for (long done = 0; done < words; done += int.MaxValue)
            new Span<uint>(at + done * 4, (int)Math.Min(words - done, int.MaxValue)).Fill(pattern);
        for (long i = words * 4; i < bytes; i++)
            at[i] = (byte)(pattern >> ((int)(i & 3) * 8));
    }

    internal string Describe(long offset) => $"element {offset / ElementSize} of {Name}";

    internal bool Contains(byte* at) => at >= Base && at < Base + Bytes;

    internal void Free()
    {
        if (IsFreed)
            return;
        IsFreed = true;
        NativeMemory.AlignedFree(_block);
        _block = null;
        (_pages, _initialised) = ([], []);
    }

    internal ref Cell Cell(long index)
    {
        Cell[] page = _pages[index / PageCells] ??= NewPage();
        return ref page[index % PageCells];
    }

    /// <summary>Makes cells fine enough for an access, so that two threads may own two parts of a word.</summary>
    internal void Refine(long offset, int size)
    {
        int granule = Granule;
        while (((offset | (long)size) & (granule - 1)) != 0)
            granule /= 2;
        if (granule == Granule)
            return;
        int ratio = Granule / granule;
        var old = _pages;
        Granule = granule;
        _pages = new Cell[]?[old.Length * ratio];
        for (int p = 0; p < old.Length; p++)
        {
            if (old[p] is not { } page)
                continue;
            for (long i = 0; i < (long)PageCells * ratio; i++)
                Cell((long)p * PageCells * ratio + i) = page[i / ratio];
        }
    }

    internal bool IsInitialised(long offset, int size)
    {
        if (_allInitialised)
            return true;
        for (long i = offset; i < offset + size; i++)
        {
            if ((_initialised[i >> 6] >> (int)(i & 63) & 1) == 0)
                return false;
        }
        return true;
    }

    internal void MarkInitialised(long offset, long bytes)
    {
        if (_allInitialised || bytes == 0)
            return;
        if (offset == 0 && bytes == Bytes && !IsShared)
        {
            _allInitialised = true;
            return;
        }
        for (long i = offset; i < offset + bytes;)
        {
            int bit = (int)(i & 63);
            int count = (int)Math.Min(64 - bit, offset + bytes - i);
            _initialised[i >> 6] |= (count == 64 ? ulong.MaxValue : (1UL << count) - 1) << bit;
            i += count;
        }
    }

    /// <summary>A copy is as initialised as its source.</summary>
    internal void MarkCopied(long offset, Allocation source, long sourceOffset, long bytes)
    {
        if (_allInitialised)
            return;
        if (source._allInitialised)
        {
            MarkInitialised(offset, bytes);
            return;
        }
        for (long i = 0; i < bytes; i++)
        {
            ulong bit = source._initialised[(sourceOffset + i) >> 6] >> (int)((sourceOffset + i) & 63) & 1;
            ref ulong word = ref _initialised[(offset + i) >> 6];
            word = word & ~(1UL << (int)((offset + i) & 63)) | bit << (int)((offset + i) & 63);
        }
    }

    /// <summary>Writes that nobody followed may have happened: nothing counts as uninitialised any more.</summary>
    internal void AssumeInitialised() => _allInitialised = true;

    internal void ForgetInitialised() => Array.Clear(_initialised);

    /// <summary>Whether the bytes around the array are intact; repairs them.</summary>
    internal bool CheckGuards()
    {
        if (new Span<byte>(_block, Guard).IndexOfAnyExcept(GuardByte) < 0 && new Span<byte>(Base + Bytes, Guard).IndexOfAnyExcept(GuardByte) < 0)
            return true;
        RestoreGuards();
        return false;
    }

    private static Cell[] NewPage()
    {
        var page = new Cell[PageCells];
        page.AsSpan().Fill(KernelLab.Cell.Fresh);
        return page;
    }

    private void CreateShadow()
    {
        Granule = ElementSize % 4 == 0 ? 4 : ElementSize % 2 == 0 ? 2 : 1;
        _pages = new Cell[]?[Bytes / Granule / PageCells + 1];
        _initialised = new ulong[Bytes / 64 + 1];
    }

    private void RestoreGuards()
    {
        new Span<byte>(_block, Guard).Fill(GuardByte);
        new Span<byte>(Base + Bytes, Guard).Fill(GuardByte);
    }
}
