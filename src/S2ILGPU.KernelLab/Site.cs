using System.Runtime.CompilerServices;

namespace S2ILGPU.KernelLab;

/// <summary>A place in the source, as the compiler passes it to a method with caller information.</summary>
internal readonly record struct Site(int Line, string File)
{
    internal static readonly Site Unknown = new(0, "");

    private static readonly Dictionary<Site, int> Numbers = new(new ByReference());
    private static readonly List<Site> Sites = [];

    /// <summary>A small number for this site, so that shadow memory needs no reference per cell.</summary>
    internal int Number()
    {
        if (Numbers.TryGetValue(this, out int number))
            return number;
        Numbers.Add(this, Sites.Count);
        Sites.Add(this);
        return Sites.Count - 1;
    }

    internal static Site Of(int number) => Sites[number];

    internal bool IsSameAs(in Site other) => Line == other.Line && (ReferenceEquals(File, other.File) || File == other.File);

    public override string ToString() => Line == 0 ? "an unknown line" : $"{Path.GetFileName(File)}:{Line}";

    private sealed class ByReference : IEqualityComparer<Site>
    {
        public bool Equals(Site x, Site y) => x.Line == y.Line && ReferenceEquals(x.File, y.File);

        public int GetHashCode(Site site) => HashCode.Combine(site.Line, RuntimeHelpers.GetHashCode(site.File));
    }
}
