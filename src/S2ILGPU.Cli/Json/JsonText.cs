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

    /// <summary>Writes a number, or null when it is infinite or NaN, which JSON cannot say.</summary>
    public static void WriteNumber(Utf8JsonWriter writer, string name, double value)
    {
        if (double.IsFinite(value))
            writer.WriteNumber(name, value);
        else
            writer.WriteNull(name);
    }
}
