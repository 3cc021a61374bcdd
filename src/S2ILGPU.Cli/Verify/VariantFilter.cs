using System.Globalization;

namespace S2ILGPU.Cli.Verify;

/// <summary>The part of a self-check that a text asks for, as in <c>backward bf16</c>, <c>fp32 D40</c> or
/// <c>D128</c>.</summary>
internal static class VariantFilter
{
    private const int MostExamples = 10;

    /// <summary>Chooses implementations, and of each the head dimensions.</summary>
    /// <param name="all">The implementations.</param>
    /// <param name="only">Words D and a number are head dimensions; the rest must occur in pass, types and name, in
    /// this order; an underscore is a space. Null for all but those on request.</param>
    /// <param name="mayBeNone">Whether something else contains the text, so that nothing may be left here.</param>
    /// <exception cref="ArgumentException">Nothing is left.</exception>
    public static IReadOnlyList<EngineVariant> Choose(IReadOnlyList<EngineVariant> all, string? only,
        bool mayBeNone = false)
    {
        string[] words = only?.Replace('_', ' ').Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [];
        int[] headDims = [.. words.Where(IsHeadDim).Select(word => int.Parse(word[1..], CultureInfo.InvariantCulture))];
        string text = string.Join(' ', words.Where(word => !IsHeadDim(word)));
        EngineVariant[] named =
        [
            .. from variant in all
               where Words(variant).Contains(text, StringComparison.OrdinalIgnoreCase)
               let asked = headDims.Length == 0 ? variant.HeadDims : [.. variant.HeadDims.Intersect(headDims)]
               where asked.Count > 0
               select variant with { HeadDims = asked },
        ];
        // Those on request are asked for by a text that nothing else contains.
        EngineVariant[] chosen = [.. named.Where(v => !v.IsOnRequest)];
        return chosen.Length > 0 ? chosen : named.Length > 0 || mayBeNone ? named
            : throw new ArgumentException($"no implementation contains '{only}'; {Examples(all)}");
    }

    private static bool IsHeadDim(string word) =>
        word.Length is > 1 and < 6 && word[0] is 'D' or 'd' && word.AsSpan(1).IndexOfAnyExceptInRange('0', '9') < 0;

    private static string Words(EngineVariant variant) => $"{variant.PassName} {variant.Types} {variant.Name}";

    // Spread over the list, so that they show what kinds of names there are.
    private static string Examples(IReadOnlyList<EngineVariant> all)
    {
        string[] names = [.. all.Select(Words).Distinct()];
        int count = Math.Min(names.Length, MostExamples);
        var shown = Enumerable.Range(0, count).Select(n => names[(long)n * names.Length / count]);
        string headDims = string.Join(", ", all.SelectMany(v => v.HeadDims).Distinct().Order().Select(d => $"D{d}"));
        return $"there are {names.Length}{(count < names.Length ? ", such as" : ":")} {string.Join("; ", shown)}; "
            + $"head dimensions are {headDims}";
    }
}
