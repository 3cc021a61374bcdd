namespace S2ILGPU.Templates;

/// <summary>A template that cannot be read or rendered.</summary>
/// <param name="message">What is wrong, with the line.</param>
/// <param name="isRaised">Whether the template itself refused its input, by <c>raise_exception</c>.</param>
public sealed class TemplateException(string message, bool isRaised = false) : Exception(message)
{
    /// <summary>Whether the template itself refused its input, by <c>raise_exception</c>: the message is the
    /// template's.</summary>
    public bool IsRaised => isRaised;

    /// <summary>Whether the message names the line.</summary>
    internal bool HasLine { get; private init; }

    internal static TemplateException At(int line, string message) =>
        new($"template line {line}: {message}") { HasLine = true };
}
