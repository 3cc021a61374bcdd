using System.Globalization;

namespace S2ILGPU.Cli.Invocation;

/// <summary>How far a long command is: one line on the error stream, rewritten in place and gone at the end. Lines of
/// the result go above it.</summary>
/// <param name="error">The error stream.</param>
/// <param name="isShown">Whether a person sees it; otherwise nothing is written.</param>
/// <param name="what">What is counted, as in "kernels".</param>
/// <param name="total">How many there are.</param>
/// <param name="time">The clock; null for the system's.</param>
internal sealed class ProgressLine(TextWriter error, bool isShown, string what, int total, TimeProvider? time = null)
    : IDisposable
{
    internal const string Erase = "\r\e[K";

    private readonly Lock _writing = new();
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly long _started = (time ?? TimeProvider.System).GetTimestamp();
    private int _done;

    /// <summary>Shows 0 of all.</summary>
    public void Start()
    {
        lock (_writing)
            Draw();
    }

    /// <summary>Counts one more. From any thread.</summary>
    public void Advance()
    {
        lock (_writing)
        {
            _done++;
            Draw();
        }
    }

    /// <summary>Writes a part of the result.</summary>
    public void Above(Action write)
    {
        lock (_writing)
        {
            if (isShown)
                error.Write(Erase);
            write();
            if (_done < total)
                Draw();
        }
    }

    /// <summary>Takes the line away.</summary>
    public void Dispose()
    {
        if (isShown)
            error.Write(Erase);
    }

    private void Draw()
    {
        if (!isShown)
            return;
        var passed = _time.GetElapsedTime(_started);
        string left = _done == 0 ? "" : string.Create(CultureInfo.InvariantCulture,
            $", {(passed * (total - _done) / _done).TotalSeconds:0} s left");
        error.Write(string.Create(CultureInfo.InvariantCulture, $"{Erase}{_done}/{total} {what}{left}"));
    }
}
