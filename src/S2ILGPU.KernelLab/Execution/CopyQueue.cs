namespace S2ILGPU.KernelLab;

/// <summary>A thread's asynchronous copies that it has not waited for, oldest first, in groups.</summary>
internal sealed unsafe class CopyQueue
{
    private readonly Queue<PendingCopy> _copies = [];
    private readonly Queue<int> _groups = [];
    private int _open;

    /// <summary>Copies that have not landed.</summary>
    internal int Count => _copies.Count;

    /// <summary>Where the oldest was issued.</summary>
    internal Site Oldest => _copies.Peek().Site;

    internal void Clear()
    {
        _copies.Clear();
        _groups.Clear();
        _open = 0;
    }

    internal void Add(PendingCopy copy)
    {
        _copies.Enqueue(copy);
        _open++;
    }

    internal void Commit()
    {
        _groups.Enqueue(_open);
        _open = 0;
    }

    /// <summary>The bytes of all but the latest groups arrive.</summary>
    internal void Land(int pendingGroups)
    {
        while (_groups.Count > pendingGroups)
        {
            for (int i = _groups.Dequeue(); i > 0; i--)
                Land(_copies.Dequeue());
        }
    }

    private static void Land(PendingCopy copy)
    {
        if (Engine.Tracks && copy.Memory is { } memory)
            AccessLog.Add(memory, copy.To, copy.Bytes, copy.Site, AccessKind.CopyLanded, new CopySource((long)copy.From, copy.SourceBytes));
        Buffer.MemoryCopy(copy.From, copy.To, copy.SourceBytes, copy.SourceBytes);
        new Span<byte>(copy.To + copy.SourceBytes, copy.Bytes - copy.SourceBytes).Clear();
    }
}
