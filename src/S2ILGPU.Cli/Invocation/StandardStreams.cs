using System.Text;

namespace S2ILGPU.Cli.Invocation;

/// <summary>The streams that the tool was started with; those that were closed are replaced by empty ones.</summary>
/// <param name="Input">Standard input where it is a file or a pipe; null on a terminal.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Error">Standard error.</param>
internal sealed record StandardStreams(TextReader? Input, TextWriter Output, TextWriter Error)
{
    /// <summary>Opens the streams and makes them the console's, for libraries that write there.</summary>
    /// <param name="outputClosed">Called when standard output has no reader left.</param>
    public static StandardStreams Open(Action outputClosed)
    {
        Console.SetOut(Writer(Descriptor.Output, Console.OpenStandardOutput, outputClosed));
        Console.SetError(Writer(Descriptor.Error, Console.OpenStandardError, () => { }));
        return new StandardStreams(Reader(), Console.Out, Console.Error);
    }

    /// <summary>Whether text written here is read on a terminal by a person.</summary>
    public static bool IsTerminal(TextWriter output) =>
        ReferenceEquals(output, Console.Out) ? !Console.IsOutputRedirected
        : ReferenceEquals(output, Console.Error) && !Console.IsErrorRedirected;

    private static TextReader? Reader() =>
        !Descriptor.IsInherited(Descriptor.Input) ? TextReader.Null : Console.IsInputRedirected ? Console.In : null;

    private static TextWriter Writer(int descriptor, Func<Stream> open, Action readerLeft)
    {
        if (!Descriptor.IsInherited(descriptor))
            return TextWriter.Null;
        var stream = OperatingSystem.IsWindows() ? open() : new DescriptorStream(descriptor, readerLeft);
        return new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true };
    }
}
