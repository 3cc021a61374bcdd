using System.CommandLine;
using System.Text;
using S2ILGPU.Cli.Drawing;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Patterns;
using S2ILGPU.Storage;
using Spectre.Console;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 pattern</c>: draws a pattern and says what it keeps.</summary>
internal static class PatternCommand
{
    private static readonly string[] s_formats = ["text", "json", "svg", "png", "html"];

    /// <summary>The command, ready to be added to the root.</summary>
    public static Command Create()
    {
        var pattern = new PatternOptions(headsRequired: true);
        var tokens = Options.OptionalNumber<int>("--tokens", "Tokens of the context", least: 1);
        tokens.Required = true;
        var format = Options.Choice("--format", s_formats, "How to show the pattern",
            unset: "by the ending of --out, else text");
        var file = Options.Text("--out", "FILE", "File to write", unset: "standard output");
        var command = new Command("pattern", "Draw a sparsity pattern and report what it keeps, covers and frees.");
        pattern.AddTo(command);
        command.Options.Add(tokens);
        command.Options.Add(format);
        command.Options.Add(file);
        command.SetAction(async (result, cancellation) =>
        {
            string? path = result.GetValue(file);
            TargetFile.Check(file.Name, path);
            var (chosen, count) = (pattern.Parse(result), result.GetValue(tokens)!.Value);
            string shown = result.GetValue(format) ?? FormatOf(path);
            var output = result.InvocationConfiguration.Output;
            bool isDrawn = path is null && shown == "text" && StandardStreams.IsTerminal(output);
            if (shown == "png" && path is null && StandardStreams.IsTerminal(output))
                throw new ArgumentException("--format png needs --out FILE when the output is a terminal");
            var report = await Interruptible.RunAsync(() => PatternComparison.Of(chosen, count), cancellation);
            if (isDrawn)
                AnsiConsole.Markup(PatternText.Render(report, Math.Max(Console.WindowWidth - 1, 40)));
            else
                Write(await Interruptible.RunAsync(() => Render(report, shown), cancellation), path, shown, output);
            return 0;
        });
        return command;
    }

    private static string FormatOf(string? path) => Array.Find(s_formats, format =>
        string.Equals(Path.GetExtension(path), $".{format}", StringComparison.OrdinalIgnoreCase)) ?? "text";

    private static byte[] Render(PatternComparison report, string format)
    {
        using var stream = new MemoryStream();
        switch (format)
        {
            case "json":
                PatternJson.Write(report, stream);
                break;
            case "svg":
                var svg = new SvgCanvas();
                PatternPicture.Draw(report.Chosen, svg);
                svg.WriteTo(stream);
                break;
            case "png":
                var pixels = new PixelCanvas(pixelsPerUnit: 2);
                PatternPicture.Draw(report.Chosen, pixels);
                Png.Write(stream, pixels.Width, pixels.Height, pixels.Rgb);
                break;
            case "html":
                PatternPage.Write((LocalStridePattern)report.Chosen.Layout.Pattern, report.Chosen.Layout.Tokens,
                    stream);
                break;
            default:
                stream.Write(Encoding.UTF8.GetBytes(Markup.Remove(PatternText.Render(report, width: 100))));
                break;
        }
        return stream.ToArray();
    }

    private static void Write(byte[] bytes, string? path, string format, TextWriter output)
    {
        if (path is not null)
            AtomicFile.Write(path, stream => stream.Write(bytes));
        else if (format == "png")
            WriteBinary(bytes, output);
        else
            output.Write(Encoding.UTF8.GetString(bytes));
    }

    // A picture is not text: past the writer, onto its stream.
    private static void WriteBinary(byte[] bytes, TextWriter output)
    {
        output.Flush();
        if (!Descriptor.IsInherited(Descriptor.Output))
            return;
        using var stream = Console.OpenStandardOutput();
        stream.Write(bytes);
    }
}
