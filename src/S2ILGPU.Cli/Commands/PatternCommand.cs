using System.CommandLine;
using System.Text;
using S2ILGPU.Cli.Drawing;
using S2ILGPU.Layouts;
using S2ILGPU.Storage;
using Spectre.Console;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 pattern</c>: draws a pattern and says what it keeps.</summary>
internal static class PatternCommand
{
    private static readonly string[] s_formats = ["text", "json", "svg", "png"];

    /// <summary>The command, ready to be added to the root.</summary>
    public static Command Create()
    {
        var pattern = new PatternOptions(headsRequired: true);
        var tokens = Options.OptionalNumber<int>("--tokens", "Tokens of the context.");
        tokens.Required = true;
        var format = Options.Choice("--format", s_formats,
            "How to show the pattern (default: by the ending of --out, else text).");
        var file = new Option<string?>("--out") { Description = "Write to a file instead of the standard output.",
            HelpName = "FILE" };

        var command = new Command("pattern", "Draw a sparsity pattern and report what it keeps, covers and frees.");
        pattern.AddTo(command);
        command.Options.Add(tokens);
        command.Options.Add(format);
        command.Options.Add(file);
        command.SetAction(result =>
        {
            int count = result.GetValue(tokens) ?? 0;
            if (count < 1)
                throw new ArgumentException($"--tokens must be at least 1, got {count}");
            string? path = result.GetValue(file);
            var report = PatternReport.Of(pattern.Parse(result), count);
            Show(report, result.GetValue(format) ?? FormatOf(path), path, result.InvocationConfiguration.Output);
            return 0;
        });
        return command;
    }

    private static string FormatOf(string? path) =>
        Array.Find(s_formats, format =>
        string.Equals(Path.GetExtension(path), $".{format}", StringComparison.OrdinalIgnoreCase)) ?? "text";

    private static void Show(PatternReport report, string format, string? path, TextWriter output)
    {
        if (path is not null)
            AtomicFile.Write(path, stream => Write(report, format, stream));
        else if (format == "png")
            WriteToStandardOutput(report, output);
        else if (format == "text" && ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected)
            AnsiConsole.Markup(PatternText.Render(report, Math.Max(Console.WindowWidth - 1, 40)));
        else
        {
            using var buffer = new MemoryStream();
            Write(report, format, buffer);
            output.Write(Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length));
        }
    }

    private static void Write(PatternReport report, string format, Stream stream)
    {
        switch (format)
        {
            case "json":
                PatternJson.Write(report, stream);
                break;
            case "svg":
                var svg = new SvgCanvas();
                PatternPicture.Draw(report, svg);
                svg.WriteTo(stream);
                break;
            case "png":
                var pixels = new PixelCanvas(pixelsPerUnit: 2);
                PatternPicture.Draw(report, pixels);
                Png.Write(stream, pixels.Width, pixels.Height, pixels.Rgb);
                break;
            default:
                stream.Write(Encoding.UTF8.GetBytes(Markup.Remove(PatternText.Render(report, width: 100))));
                break;
        }
    }

    private static void WriteToStandardOutput(PatternReport report, TextWriter output)
    {
        if (!Console.IsOutputRedirected)
            throw new ArgumentException("--format png needs --out FILE when the output is a terminal");
        output.Flush();
        using var stream = Console.OpenStandardOutput();
        Write(report, "png", stream);
    }
}
