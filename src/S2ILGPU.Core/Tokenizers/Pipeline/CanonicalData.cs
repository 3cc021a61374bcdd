using System.Collections.Frozen;
using System.Globalization;

namespace S2ILGPU.Tokenizers.Pipeline;

/// <summary>What Unicode says about characters that are written in several ways: decompositions, compositions and
/// combining classes, without Hangul.</summary>
/// <remarks>Read once from CanonicalData.txt. .NET's own normalization is not used, because it leaves text as it is
/// where globalization is invariant, as in containers and in the tool itself.</remarks>
internal sealed class CanonicalData
{
    private static readonly Lazy<CanonicalData> s_instance = new(Read);

    private CanonicalData()
    {
    }

    /// <summary>The data of the Unicode version that the file names.</summary>
    public static CanonicalData Instance => s_instance.Value;

    /// <summary>What a character decomposes into: of one that composes again, a pair whose first may decompose
    /// further.</summary>
    public required FrozenDictionary<int, int[]> Decompositions { get; init; }

    /// <summary>What a pair composes to.</summary>
    public required FrozenDictionary<(int, int), int> Compositions { get; init; }

    /// <summary>Combining classes other than 0.</summary>
    public required FrozenDictionary<int, int> Classes { get; init; }

    /// <summary>Characters before which a text cannot be cut: they may combine with the one before, or are written
    /// otherwise.</summary>
    public required FrozenSet<int> Unstable { get; init; }

    private static CanonicalData Read()
    {
        var (decompositions, compositions, classes) =
            (new Dictionary<int, int[]>(), new Dictionary<(int, int), int>(), new Dictionary<int, int>());
        using var stream = typeof(CanonicalData).Assembly.GetManifestResourceStream("CanonicalData.txt")!;
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
            foreach (string entry in line.StartsWith('#') ? [] : line.Split(' '))
                ReadEntry(entry, decompositions, compositions, classes);
        var unstable = classes.Keys.Concat(compositions.Keys.Select(pair => pair.Item2))
            .Concat(decompositions.Keys.Except(compositions.Values));
        return new CanonicalData
        {
            Decompositions = decompositions.ToFrozenDictionary(),
            Compositions = compositions.ToFrozenDictionary(),
            Classes = classes.ToFrozenDictionary(),
            Unstable = unstable.ToFrozenSet(),
        };
    }

    private static void ReadEntry(string entry, Dictionary<int, int[]> decompositions,
        Dictionary<(int, int), int> compositions, Dictionary<int, int> classes)
    {
        string[] sides = entry.Split('=', '>', ':');
        if (entry.Contains(':'))
        {
            int[] ends = [.. sides[0].Split('-').Select(Number)];
            for (int c = ends[0]; c <= ends[^1]; c++)
                classes.Add(c, int.Parse(sides[1], CultureInfo.InvariantCulture));
            return;
        }
        int[] parts = [.. sides[1].Split('+').Select(Number)];
        decompositions.Add(Number(sides[0]), parts);
        if (entry.Contains('='))
            compositions.Add((parts[0], parts[1]), Number(sides[0]));
    }

    private static int Number(string digits) =>
        int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
