namespace S2ILGPU.KernelLab;

/// <summary>
/// Settings and findings of the launches that follow in this flow of control (this method and what it calls or awaits), until it is disposed. Sessions in other flows, such as tests
/// that run in parallel, do not see each other.
/// </summary>
/// <remarks>Without a session the default one applies: <see cref="Lab.Default"/>, which throws when a launch has findings.</remarks>
public sealed class LabSession : IDisposable
{
    private static readonly AsyncLocal<LabSession?> Ambient = new();
    private readonly LabSession? _outer;
    private readonly List<Finding> _findings = [];
    private readonly Dictionary<(FindingKind, string), Finding> _places = [];

    /// <summary>Opens a session; it collects findings instead of throwing.</summary>
    /// <param name="schedule">The thread order, ascending by default.</param>
    public LabSession(Schedule? schedule = null)
    {
        Schedule = schedule ?? Schedule.Ascending;
        _outer = Ambient.Value;
        Ambient.Value = this;
    }

    internal LabSession(ExecutionMode mode)
    {
        Mode = mode;
        ThrowOnFindings = true;
    }

    /// <summary>The innermost open session of this flow of control, else <see cref="Lab.Default"/>.</summary>
    public static LabSession Current => Ambient.Value ?? Lab.Default;

    /// <summary>One thread at a time, or all of a group at once.</summary>
    public ExecutionMode Mode { get; set; }

    /// <summary>Thread order and poison.</summary>
    public Schedule Schedule { get; set; } = Schedule.Ascending;

    /// <summary>Follows every access, to find races and uninitialised memory. Has no effect in concurrent mode.</summary>
    public bool TrackAccesses { get; set; } = true;

    /// <summary>Compares shared memory at every thread switch, so that writes behind the sanitizer's back (a kept reference, a pointer) are attributed too.</summary>
    public bool TrackRawShared { get; set; } = true;

    /// <summary>For sources that take <c>ref view[0]</c> as a base address without <see cref="Raw"/>: an access to element 0 that writes nothing is not a read.</summary>
    public bool ElementZeroIsAddress { get; set; }

    /// <summary>Throw a <see cref="KernelFaultException"/> at the end of a launch that had findings, instead of leaving them to be looked at.</summary>
    public bool ThrowOnFindings { get; set; }

    /// <summary>A launch in which no thread ends or reaches a barrier for so long is aborted as hanging.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>What was found, one entry per place.</summary>
    public IReadOnlyList<Finding> Findings => _findings;

    /// <summary>What the launch under way was found to do, new or not.</summary>
    internal List<Finding> OfThisLaunch { get; } = [];

    internal bool Tracks => TrackAccesses && Mode == ExecutionMode.OneAtATime;

    /// <summary>Forgets all findings.</summary>
    public void Clear()
    {
        _findings.Clear();
        _places.Clear();
    }

    /// <summary>Closes the session.</summary>
    public void Dispose()
    {
        if (Ambient.Value == this)
            Ambient.Value = _outer;
    }

    /// <summary>Counts a finding; <paramref name="place"/> is the array and the source lines, without element and thread.</summary>
    internal void Report(FindingKind kind, string place, string message)
    {
        lock (_places)
        {
            if (_places.TryGetValue((kind, place), out var finding))
            {
                finding.Occurrences++;
            }
            else
            {
                finding = new Finding(kind, message);
                _places.Add((kind, place), finding);
                _findings.Add(finding);
            }
            if (!OfThisLaunch.Contains(finding))
                OfThisLaunch.Add(finding);
        }
    }
}
