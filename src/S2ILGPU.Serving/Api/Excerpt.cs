namespace S2ILGPU.Serving.Api;

/// <summary>What an error quotes of a bad value, which may be as long as the body.</summary>
internal static class Excerpt
{
    private const int MostCharacters = 100, MostOfReason = 500;

    /// <summary>The value, or its first 100 characters and three dots.</summary>
    public static string Of(string value) => Cut(value, MostCharacters);

    /// <summary>A message of the library, which may quote values and paths of a schema.</summary>
    public static string OfReason(string message) => Cut(message, MostOfReason);

    // Between the halves of a surrogate pair it does not cut.
    private static string Cut(string text, int most) => text.Length <= most ? text
        : string.Concat(text.AsSpan(0, char.IsHighSurrogate(text[most - 1]) ? most - 1 : most), "...");
}
