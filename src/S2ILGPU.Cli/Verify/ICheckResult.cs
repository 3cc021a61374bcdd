using System.Text.Json;

namespace S2ILGPU.Cli.Verify;

/// <summary>What a check found, as a report shows it.</summary>
internal interface ICheckResult
{
    /// <summary>Whether every element of every result was within its tolerance, and nothing was thrown.</summary>
    bool IsPassed { get; }

    /// <summary>One line.</summary>
    /// <param name="nameWidth">Columns of the name.</param>
    string Line(int nameWidth);

    /// <summary>Writes a JSON object.</summary>
    void Write(Utf8JsonWriter json);
}
