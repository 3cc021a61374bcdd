using System.Text;
using System.Text.Json;

namespace S2ILGPU.Cli.Json;

/// <summary>JSON for programs that read a command's output.</summary>
internal static class JsonText
{
    /// <summary>Writes one JSON value and a line end.</summary>
    public static void WriteLine(TextWriter output, Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
            write(writer);
        output.WriteLine(Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length));
    }
}
