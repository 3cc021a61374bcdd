using System.Text;
using System.Xml;
using S2ILGPU.Corpora;

namespace S2ILGPU.Cli.DotNetDocumentation;

/// <summary>Reads XML documentation files into a corpus: a document per type with its members, in the order of the
/// files.</summary>
internal static class XmlDocumentation
{
    private static readonly XmlReaderSettings Settings = new()
    {
        DtdProcessing = DtdProcessing.Prohibit,
        IgnoreComments = true,
        IgnoreProcessingInstructions = true,
    };

    private sealed record TypeText(int File, string Type, byte[] Text);

    /// <summary>Reads all files; of too many bytes a sample, chosen by a hash of the types' names.</summary>
    /// <remarks>A file that is not well-formed, or that cannot be read, is skipped and reported.</remarks>
    public static Corpus Read(IReadOnlyList<string> files, int maxBytes)
    {
        var types = new List<TypeText>();
        var skipped = new List<SkippedSource>();
        for (int f = 0; f < files.Count; f++)
            try
            {
                foreach (var (type, text) in ReadFile(files[f]))
                    types.Add(new TypeText(f, type, Encoding.UTF8.GetBytes(text)));
            }
            catch (Exception e) when (e is XmlException or IOException or UnauthorizedAccessException)
            {
                skipped.Add(new SkippedSource(files[f], e.Message));
            }
        return Build(files, Sample(types, maxBytes), skipped);
    }

    /// <summary>The text of every type in a file, types in the order in which they first appear.</summary>
    /// <exception cref="XmlException">The file is not well-formed XML.</exception>
    internal static List<(string Type, string Text)> ReadFile(string file)
    {
        var types = new Dictionary<string, StringBuilder>();
        var order = new List<string>();
        var member = new MemberText();
        using var reader = XmlReader.Create(file, Settings);
        while (reader.Read())
        {
            if (reader.NodeType != XmlNodeType.Element || reader.LocalName != "member"
                || reader.GetAttribute("name") is not { Length: > 2 } id)
                continue;
            string text = member.Read(reader, id), type = MemberName.DeclaringType(id);
            if (text.Length == 0)
                continue;
            if (!types.TryGetValue(type, out var whole))
            {
                types.Add(type, whole = new StringBuilder());
                order.Add(type);
            }
            whole.Append(whole.Length > 0 ? "\n" : "").Append(text);
        }
        return [.. order.Select(type => (type, types[type].ToString()))];
    }

    private static List<TypeText> Sample(List<TypeText> types, int maxBytes)
    {
        if (types.Sum(t => (long)t.Text.Length) <= maxBytes)
            return types;
        long left = maxBytes;
        var kept = new HashSet<TypeText>(ReferenceEqualityComparer.Instance);
        foreach (var type in types.OrderBy(t => StableHash.Mix(StableHash.OfBytes(Encoding.UTF8.GetBytes(t.Type)))))
            if (type.Text.Length <= left)
            {
                kept.Add(type);
                left -= type.Text.Length;
            }
        return types.FindAll(kept.Contains);
    }

    private static Corpus Build(IReadOnlyList<string> files, List<TypeText> types, List<SkippedSource> skipped)
    {
        var builder = new CorpusBuilder();
        foreach (var type in types)
            builder.Add(type.Text);
        var sources = types.GroupBy(t => t.File)
            .Select(g => new CorpusSource(files[g.Key], g.Count(), g.Sum(t => (long)t.Text.Length)));
        return builder.Build([.. sources], skipped);
    }
}
