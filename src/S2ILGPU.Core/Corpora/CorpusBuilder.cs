using System.Buffers;

namespace S2ILGPU.Corpora;

/// <summary>Collects documents for a <see cref="Corpus"/>; empty ones are left out.</summary>
internal sealed class CorpusBuilder
{
    private readonly ArrayBufferWriter<byte> _bytes = new();
    private readonly List<int> _starts = [0];

    public int SizeBytes => _bytes.WrittenCount;

    public int DocumentCount => _starts.Count - 1;

    public void Add(ReadOnlySpan<byte> document)
    {
        if (document.IsEmpty)
            return;
        _bytes.Write(document);
        _starts.Add(_bytes.WrittenCount);
    }

    public Corpus Build(IReadOnlyList<CorpusSource> sources, IReadOnlyList<SkippedSource> skipped) =>
        new(_bytes.WrittenMemory, [.. _starts], sources, skipped);
}
