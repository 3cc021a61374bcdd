using System.Text;
using S2ILGPU.Cli.DotNetDocumentation;
using S2ILGPU.Corpora;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Cli.Tests.DotNetDocumentation;

public sealed class ReferencePacksTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Missing_packs_are_said_with_the_folder_and_the_way_out()
    {
        var error = Assert.Throws<FileNotFoundException>(() => ReferencePacks.ReadCorpus(dotnetRoot: _folder["void"]));
        Assert.Contains(_folder["void"], error.Message);
        Assert.Contains("--data", error.Message);
    }

    [Fact]
    public void Reads_reference_packs()
    {
        void Pack(string path, string type, string text) =>
            _folder.Write($"packs/{path}",
            $"<doc><members><member name=\"T:{type}\"><summary>{text}</summary></member></members></doc>");
        Pack("A.Ref/9.0.11/ref/net9.0/a.xml", "A", "old");
        Pack("A.Ref/10.0.2/ref/net10.0/a.xml", "A", "new");
        Pack("A.Ref/10.0.2/ref/net10.0/c.xml", "C", "c");
        Pack("A.Ref/10.0.2-preview.1/ref/net10.0/a.xml", "A", "preview");
        Pack("B.Ref/10.0.2/ref/net10.0/a.xml", "A", "again");
        Pack("B.Ref/10.0.2/ref/net10.0/b.xml", "B", "b");
        Pack("B.Ref/10.0.2/ref/net10.0/de/b.xml", "B", "deutsch");
        Pack("B.Host/10.0.2/ref/net10.0/d.xml", "D", "d");
        var corpus = ReferencePacks.ReadCorpus(dotnetRoot: _folder.FullPath);
        Assert.Equal(["# A\nnew\n", "# C\nc\n", "# B\nb\n"], Texts(corpus));
        Assert.Equal(3, corpus.Sources.Count);
        Assert.Equal(["# A\nnew\n", "# B\nb\n", "# C\nc\n"],
            Texts(ReferencePacks.ReadCorpus(100, _folder.FullPath)).Order());
        Assert.Single(Texts(ReferencePacks.ReadCorpus(10, _folder.FullPath)));
    }

    [Fact]
    public void Reads_the_reference_packs_of_this_machine()
    {
        TestScale.SkipUnlessDrawn(3);
        Corpus corpus;
        try
        {
            corpus = ReferencePacks.ReadCorpus(2_000_000);
        }
        catch (FileNotFoundException e)
        {
            Assert.Skip(e.Message);
            return;
        }
        Assert.InRange(corpus.SizeBytes, 1_500_000, 2_000_000);
        Assert.Empty(corpus.Skipped);
        Assert.True(corpus.Sources.Count > 50,
            $"only {corpus.Sources.Count} files gave text: the sample is not spread");
        var tokenizer = BytePairTrainer.Train(corpus, 2048);
        var data = TokenDataset.Create(tokenizer, corpus);
        Assert.Equal(2048, tokenizer.VocabularySize);
        Assert.True((double)data.ByteCount / data.TokenCount > 3,
            $"{data.ByteCount} bytes in {data.TokenCount} tokens");
        Assert.DoesNotContain("</", Encoding.UTF8.GetString(corpus.Document(0)));
    }

    private static string[] Texts(Corpus corpus) =>
        [.. Enumerable.Range(0, corpus.DocumentCount).Select(d => Encoding.UTF8.GetString(corpus.Document(d)))];
}
