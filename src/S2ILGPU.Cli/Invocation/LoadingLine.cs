using System.Globalization;

namespace S2ILGPU.Cli.Invocation;

/// <summary>How much of a model is read: one line on the error stream of a terminal, rewritten in place and gone at the
/// end.</summary>
/// <param name="error">The error stream.</param>
/// <param name="folder">The model's folder.</param>
/// <param name="isShown">Whether a person sees it; null asks the stream.</param>
internal sealed class LoadingLine(TextWriter error, string folder, bool? isShown = null)
    : IProgress<double>, IDisposable
{
    private readonly bool _isShown = isShown ?? StandardStreams.IsTerminal(error);
    private int _percent = -1;

    /// <summary>Shows a fraction, 0 to 1, where its percentage is new.</summary>
    public void Report(double value)
    {
        int percent = (int)(100 * value);
        if (!_isShown || percent == _percent)
            return;
        _percent = percent;
        error.Write(string.Create(CultureInfo.InvariantCulture, $"{ProgressLine.Erase}{percent} % of {folder} read"));
    }

    /// <summary>Takes the line away.</summary>
    public void Dispose()
    {
        if (_percent >= 0)
            error.Write(ProgressLine.Erase);
    }
}
