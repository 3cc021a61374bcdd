namespace S2ILGPU.Inference;

/// <summary>Text up to the first of some strings, piece by piece: what may be the beginning of one is held back until
/// it is certain.</summary>
internal sealed class StopText
{
    private readonly IReadOnlyList<string> _stops;
    private string _held = "";

    public StopText(IReadOnlyList<string> stops)
    {
        foreach (string stop in stops)
            if (string.IsNullOrEmpty(stop))
                throw new ArgumentException("a stop string must not be empty");
        _stops = stops;
    }

    /// <summary>Whether one of the strings came; nothing follows then.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>Takes a piece and returns the text that is certain now.</summary>
    public string Append(string piece)
    {
        if (IsStopped)
            return "";
        _held += piece;
        int end = _held.Length;
        foreach (string stop in _stops)
            if (_held.IndexOf(stop, StringComparison.Ordinal) is >= 0 and var at && at < end)
                (end, IsStopped) = (at, true);
        string certain = IsStopped ? _held[..end] : _held[..^Suspect()];
        _held = _held[certain.Length..];
        return certain;
    }

    /// <summary>Ends the text: what was held back, unless it was cut off.</summary>
    public string Finish() => IsStopped ? "" : _held;

    // Characters at the end that may be the beginning of a stop string.
    private int Suspect()
    {
        for (int count = _held.Length; count > 0; count--)
            foreach (string stop in _stops)
                if (count < stop.Length && stop.AsSpan(0, count).SequenceEqual(_held.AsSpan(_held.Length - count)))
                    return count;
        return 0;
    }
}
