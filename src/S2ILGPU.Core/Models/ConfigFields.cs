using S2ILGPU.Storage;

namespace S2ILGPU.Models;

/// <summary>The fields of a <c>config.json</c>, which remember which of them were read.</summary>
internal sealed class ConfigFields(JsonValue root)
{
    private readonly HashSet<string> _read = [];

    /// <summary>The fields that were not read and are not null.</summary>
    public IEnumerable<(string Name, JsonValue Value)> Rest =>
        root.Members().Where(member => !_read.Contains(member.Name) && !member.Value.IsNull);

    /// <summary>Whether a field is there, null or not.</summary>
    public bool Has(string name) => root.Members().Any(member => member.Name == name);

    /// <summary>A field; null where it is absent or null.</summary>
    public JsonValue? Find(string name)
    {
        _read.Add(name);
        return root.Find(name);
    }

    /// <summary>A field that must be there and not null.</summary>
    public JsonValue Member(string name)
    {
        _read.Add(name);
        return root.Member(name);
    }

    public int Integer(string name, int? absent = null) => Find(name)?.Integer() ?? absent ?? Member(name).Integer();

    public double Number(string name, double? absent = null) =>
        Find(name)?.Number() ?? absent ?? Member(name).Number();

    public bool Boolean(string name, bool absent) => Find(name)?.Boolean() ?? absent;

    /// <summary>A text that must be one of a few.</summary>
    public string Choice(string name, string? absent, params string[] words)
    {
        _read.Add(name);
        return root.Choice(name, absent, words);
    }
}
