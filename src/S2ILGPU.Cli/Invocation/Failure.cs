using System.Text.RegularExpressions;
using S2ILGPU.Collectives;

namespace S2ILGPU.Cli.Invocation;

/// <summary>The one place where an exception becomes a line for the user and an exit code. What .NET says about files
/// and memory is said in the tool's own words here.</summary>
/// <param name="ExitCode">2 for bad input, 1 for a failure.</param>
/// <param name="Message">One line without the leading <c>error: </c>.</param>
internal sealed partial record Failure(int ExitCode, string Message)
{
    public const int Failed = 1, BadInput = 2;

    /// <summary>What to say about an exception.</summary>
    public static Failure Of(Exception exception)
    {
        while (exception is AggregateException or TypeInitializationException && exception.InnerException is { } inner)
            exception = inner;
        if (exception is RankFailedException { InnerException: { } cause } failed)
        {
            var reason = Of(cause);
            return reason with { Message = $"rank {failed.Rank}: {reason.Message}" };
        }
        return new Failure(IsBadInput(exception) ? BadInput : Failed, OneLine(Words(exception)));
    }

    /// <summary>A text as one line that is safe on a terminal.</summary>
    public static string OneLine(string text) => TerminalText.Escape(text.ReplaceLineEndings(" ").Replace('\t', ' '));

    private static bool IsBadInput(Exception e) =>
        e is ArgumentException or InvalidDataException or FileNotFoundException or DirectoryNotFoundException
        or PathTooLongException or FormatException or UnauthorizedAccessException or NotSupportedException
        or OverflowException;

    private static string Words(Exception e) => e switch
    {
        ArgumentException argument => WithoutParameter(argument),
        OverflowException => "the product of the given sizes is too large to count",
        OutOfMemoryException => "not enough memory" + (IsOfRuntime(e.Message) ? "" : $": {e.Message}"),
        FileNotFoundException or DirectoryNotFoundException when Quoted(e.Message) is { } path =>
            $"{path} does not exist",
        UnauthorizedAccessException when Quoted(e.Message) is { } path => Directory.Exists(path)
            ? $"{path} is a folder, a file was expected" : $"{path}: permission denied",
        PathTooLongException when Quoted(e.Message) is { } path => $"{path}: the name is too long",
        IOException when SystemError().Match(e.Message) is { Success: true } match =>
            $"{TemporarySuffix().Replace(match.Groups["path"].Value, "")}: "
            + match.Groups["text"].Value.ToLowerInvariant(),
        DllNotFoundException => $"a native library is missing: {e.Message.Split('\n')[0]}",
        _ => e.Message,
    };

    // "must be 1 to 8 (Parameter 'heads')\nActual value was 9.": the first part is ours.
    private static string WithoutParameter(ArgumentException e)
    {
        string message = e.Message;
        int end = e.ParamName is null ? -1
            : message.LastIndexOf($" (Parameter '{e.ParamName}')", StringComparison.Ordinal);
        return end > 0 ? message[..end] : message;
    }

    private static bool IsOfRuntime(string message) =>
        message.StartsWith("Exception of type", StringComparison.Ordinal)
        || message.StartsWith("Insufficient memory", StringComparison.Ordinal)
        || message.StartsWith("Array dimensions", StringComparison.Ordinal);

    // The path in what .NET says: "Could not find file '/x'." and the like.
    private static string? Quoted(string message) =>
        RuntimeFileMessage().Match(message) is { Success: true } match ? match.Groups["path"].Value : null;

    [GeneratedRegex("^(Could not find (file|a part of the path)|Access to the path|The (file name|path)) "
        + "'(?<path>.*)'")]
    private static partial Regex RuntimeFileMessage();

    // "No space left on device : '/x'"
    [GeneratedRegex("^(?<text>[A-Z][^:]*?) ?: '(?<path>.*)'$")]
    private static partial Regex SystemError();

    // What AtomicFile appends to the name of the file that the user asked for.
    [GeneratedRegex(@"\.[a-z0-9]{8}\.[a-z0-9]{3}\.tmp$")]
    private static partial Regex TemporarySuffix();
}
