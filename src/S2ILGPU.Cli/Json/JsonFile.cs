using System.Text.Json;
using S2ILGPU.Storage;

namespace S2ILGPU.Cli.Json;

/// <summary>The JSON file that a long command may leave behind.</summary>
internal static class JsonFile
{
    /// <summary>Writes a file, with one member per line; does nothing without a path.</summary>
    public static void Write(string? path, Action<Utf8JsonWriter> write)
    {
        if (path is null)
            return;
        AtomicFile.Write(path, stream =>
        {
            using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
                write(json);
            stream.WriteByte((byte)'\n');
        });
    }
}
