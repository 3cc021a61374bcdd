namespace S2ILGPU.Corpora;

/// <summary>A file of a <see cref="Corpus"/>.</summary>
/// <param name="Path">The file.</param>
/// <param name="Documents">Number of documents that came from it.</param>
/// <param name="Bytes">Bytes of text that came from it.</param>
public sealed record CorpusSource(string Path, int Documents, long Bytes);

/// <summary>A file that a <see cref="Corpus"/> left out.</summary>
/// <param name="Path">The file.</param>
/// <param name="Reason">Why.</param>
public sealed record SkippedSource(string Path, string Reason);
