namespace S2ILGPU.KernelLab;

/// <summary>
/// What the running thread touched since it got the baton. Indexers hand out references, so accesses are logged with the bytes that they saw and classified when the thread stops
/// running: exactly one thread ran in between, so changed bytes are its writes.
/// </summary>
internal static unsafe class AccessLog
{
    private static Access[] _log = new Access[1024];
    private static int _count;

    /// <summary>Every access through a view comes through here, in every mode.</summary>
    internal static void Touch(Allocation memory, byte* at, int size, int line, string file)
    {
        if (memory.IsFreed)
            Fault.Disposed(memory, new Site(line, file));
        if (Engine.Tracks)
            Add(memory, at, size, new Site(line, file), AccessKind.Infer);
        else if (Engine.Aborts)
            Engine.Abort();
    }

    internal static void Add(Allocation memory, byte* at, int size, Site site, AccessKind kind, CopySource source = default)
    {
        if (Engine.Aborts)
            Engine.Abort();
        for (; size > 16; at += 16, size -= 16)
            AddOne(memory, at, 16, site, kind, source);
        AddOne(memory, at, size, site, kind, source);
    }

    /// <summary>Says what the latest access to this address, whose reference was just taken, really is.</summary>
    /// <returns>The line that took the reference.</returns>
    internal static Site? Classify(byte* at, AccessKind kind)
    {
        for (int i = _count - 1; i >= 0 && i >= _count - 4; i--)
        {
            ref Access access = ref _log[i];
            if (access.At != at || access.Kind != AccessKind.Infer)
                continue;
            access.Kind = kind;
            return access.Site;
        }
        return null;
    }

    internal static void Discard() => _count = 0;

    /// <summary>
    /// The running thread stops: its log becomes shadow state. Undoing it backwards and redoing it forwards shows, access by access, whether the bytes changed before the next access
    /// to them: then it was a write.
    /// </summary>
    internal static void Drain(Lane lane)
    {
        if (!Engine.Tracks)
            return;
        for (int i = _count - 1; i >= 0; i--)
            _log[i].Swap();
        for (int i = 0; i < _count; i++)
        {
            ref Access access = ref _log[i];
            bool changed = access.Swap();
            var kind = access.Kind != AccessKind.Infer ? access.Kind : changed ? AccessKind.Write : AccessKind.Read;
            bool isAddress = kind == AccessKind.Read && access.Kind == AccessKind.Infer && Engine.Session.ElementZeroIsAddress && access.At == access.Memory.Base;
            if (kind != AccessKind.None && !isAddress)
                Shadow.Apply(lane, access.Memory, access.At - access.Memory.Base, access.Size, kind, access.Site, access.Source);
        }
        _count = 0;
        if (Engine.Session.TrackRawShared)
            Engine.Shared.AttributeRawWrites(lane);
    }

    private static void AddOne(Allocation memory, byte* at, int size, Site site, AccessKind kind, CopySource source)
    {
        // copies are counted
        if (_count > 0 && kind is not (AccessKind.CopyIssued or AccessKind.CopyLanded))
        {
            ref Access last = ref _log[_count - 1];
            if (last.At == at && last.Size == size && last.Kind == kind && last.Site.IsSameAs(site))
                return;
        }
        if (_count == _log.Length)
            Array.Resize(ref _log, _count * 2);
        ref Access access = ref _log[_count++];
        access.Memory = memory;
        access.At = at;
        access.Size = size;
        access.Site = site;
        access.Kind = kind;
        access.Source = source;
        UInt128 seen = default;
        Buffer.MemoryCopy(at, &seen, 16, size);
        access.Seen = seen;
    }
}
