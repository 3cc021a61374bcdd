using System.Diagnostics;
using System.Text;
using S2ILGPU.Core.Tests.Tokenizers;
using S2ILGPU.Corpora;
using S2ILGPU.Storage;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Core.Tests.Corpora;

public sealed class CorpusTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Text_in_memory_is_a_corpus()
    {
        var corpus = Corpus.FromText("one", "", "zwei \u00e4");
        Assert.Equal(["one", "zwei \u00e4"], Enumerable.Range(0, corpus.DocumentCount)
            .Select(d => System.Text.Encoding.UTF8.GetString(corpus.Document(d))));
        Assert.Throws<ArgumentException>(() => Corpus.FromText("", ""));
    }

    [Fact]
    public void Reads_files_folders_and_patterns_once_and_in_order()
    {
        string a = _folder.Write("d/a.txt", "a"), b = _folder.Write("d/sub/b.md", "b"),
            c = _folder.Write("d/sub/deep/c.txt", "c");
        _folder.Write("d/.git/config", "hidden");
        _folder.Write("d/.hidden", "hidden");
        Assert.Equal([a, b, c], Paths(_folder["d"]));
        Assert.Equal([c, a, b], Paths(c, _folder["d"]));
        Assert.Equal([a], Paths(_folder["d/*.txt"]));
        Assert.Equal([a, c], Paths(_folder["d/**/*.txt"]));
        Assert.Equal([b], Paths(_folder["d/*/?.md"]));
        Assert.Equal([a, b, c], Paths(_folder["**"]));
        Assert.Equal([c], Paths(_folder["*/sub/deep/c.*"]));
        Assert.Equal(["a", "b", "c"], Texts(Corpus.Read([_folder["d"]])));

        IEnumerable<string> Paths(params string[] paths) => Corpus.Read(paths).Sources.Select(s => s.Path);
    }

    [Fact]
    public void A_link_to_a_folder_above_does_not_go_in_circles()
    {
        string file = _folder.Write("d/a.txt", "a");
        try
        {
            Directory.CreateSymbolicLink(_folder["d/circle"], _folder["d"]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Assert.Skip($"no symbolic links here: {e.Message}");
        }
        Assert.Equal([file], Corpus.Read([_folder["d"]]).Sources.Select(s => s.Path));
    }

    [Fact]
    public void Reads_what_a_link_leads_to()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links need a privilege there");
        string text = string.Concat(Enumerable.Range(0, 10_000).Select(i => $"{i}\n"));
        _folder.Write("target/big.txt", text);
        Directory.CreateDirectory(_folder["d"]);
        File.CreateSymbolicLink(_folder["d/link.txt"], "../target/big.txt");
        File.CreateSymbolicLink(_folder["d/link of a link.txt"], "link.txt");
        File.CreateSymbolicLink(_folder["d/nothing.txt"], "nowhere");
        Assert.Equal([text], Texts(Corpus.Read([_folder["d/link.txt"]])));
        var corpus = Corpus.Read([_folder["d"]]);
        Assert.Equal([text, text], Texts(corpus));
        Assert.Equal([new SkippedSource(_folder["d/nothing.txt"], "it does not exist")], corpus.Skipped);
    }

    [Fact]
    public async Task Reads_a_pipe_that_is_named_to_its_end_and_passes_over_others()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no pipes among files there");
        string text = string.Concat(Enumerable.Range(0, 30_000).Select(i => $"{i}\n"));
        string a = _folder.Write("d/a.txt", "a");
        using (var make = Process.Start("mkfifo", [_folder["d/pipe"]]))
            await make.WaitForExitAsync(TestContext.Current.CancellationToken);
        var writing = Task.Run(() => File.WriteAllText(_folder["d/pipe"], text), TestContext.Current.CancellationToken);
        Assert.Equal([text, "a"], Texts(Corpus.Read([_folder["d/pipe"], _folder["d"]])));
        await writing;
        Assert.Equal([a], Corpus.Read([_folder["d"]]).Sources.Select(s => s.Path));
    }

    [Fact]
    public void Reads_files_that_say_to_be_empty()
    {
        Assert.SkipUnless(File.Exists("/proc/self/status"), "no /proc here");
        Assert.StartsWith("Name:", Texts(Corpus.Read(["/proc/self/status"]))[0]);
        Assert.Equal("Name:"u8, Corpus.Read(["/proc/self/status"], maxBytes: 5).Document(0));
    }

    [Fact]
    public void Tells_its_progress_and_stops_when_asked()
    {
        for (int i = 0; i < 4; i++)
            _folder.Write($"{i}", "text");
        var told = new List<long>();
        using var stop = new CancellationTokenSource();
        Corpus.Read([_folder.FullPath], progress: new Told(told.Add), cancellation: stop.Token);
        Assert.Equal([4, 8, 12, 16], told);
        Assert.Throws<OperationCanceledException>(() => Corpus.Read([_folder.FullPath],
            progress: new Told(_ => stop.Cancel()), cancellation: stop.Token));
    }

    [Fact]
    public void Skips_and_reports_what_is_no_text()
    {
        string text = _folder.Write("a.txt", "\uFEFFtext"), binary = _folder.Write("b.bin", [1, 0, 2]),
            empty = _folder.Write("c.txt", "");
        var corpus = Corpus.Read([_folder.FullPath]);
        Assert.Equal([new CorpusSource(text, 1, 4)], corpus.Sources);
        Assert.Equal([new SkippedSource(binary, "binary"), new SkippedSource(empty, "empty")], corpus.Skipped);
        Assert.Equal("text"u8, corpus.Document(0));
        Assert.Equal("0.0 KB of text in 1 document from 1 file, 2 skipped", corpus.ToString());
        Assert.Contains($"{binary}: binary", Assert.Throws<InvalidDataException>(() => Corpus.Read([binary])).Message);
        Assert.Contains($"no text in {empty}", Assert.Throws<InvalidDataException>(() => Corpus.Read([empty])).Message);
    }

    [Fact]
    public void Names_what_does_not_exist()
    {
        Directory.CreateDirectory(_folder["void"]);
        Assert.Equal($"{_folder["none"]} does not exist",
            Assert.Throws<FileNotFoundException>(() => Corpus.Read([_folder["none"]])).Message);
        Assert.Equal($"no file matches {_folder["*.txt"]}",
            Assert.Throws<FileNotFoundException>(() => Corpus.Read([_folder["*.txt"]])).Message);
        Assert.Equal($"no file matches {_folder["none/*.txt"]}",
            Assert.Throws<FileNotFoundException>(() => Corpus.Read([_folder["none/*.txt"]])).Message);
        Assert.Equal($"there are no files in {_folder["void"]}",
            Assert.Throws<FileNotFoundException>(() => Corpus.Read([_folder["void"]])).Message);
        Assert.Contains("got 0", Assert.Throws<ArgumentException>(() =>
            Corpus.Read([_folder["void"]], 0)).Message);
        Assert.Equal("the path of a file is empty", Assert.Throws<ArgumentException>(() => Corpus.Read([""])).Message);
    }

    [Fact]
    public void Of_too_much_text_every_large_file_gives_its_part()
    {
        string line = new string('x', 99) + "\n";
        for (int f = 0; f < 4; f++)
            _folder.Write($"{f}.txt", string.Concat(Enumerable.Repeat(line, 3000)));
        _folder.Write("small.txt", "small");
        var corpus = Corpus.Read([_folder.FullPath], 400_000);
        Assert.InRange(corpus.SizeBytes, 399_000, 400_000);
        Assert.Equal(5, corpus.DocumentCount);
        Assert.Equal(5, corpus.Sources[4].Bytes);
        for (int d = 0; d < 4; d++)
        {
            Assert.InRange(corpus.Document(d).Length, 99_000, 100_000);
            Assert.Equal((byte)'\n', corpus.Document(d)[^1]);
        }
    }

    [Fact]
    public void Parts_are_the_whole_where_it_fits_and_the_cap_where_it_does_not()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        for (int trial = 0; trial < 500; trial++)
        {
            long[] lengths = [.. Enumerable.Range(0, 1 + random.Next(40))
                .Select(_ => (long)Math.Pow(10, random.NextDouble() * 7))];
            long cap = (long)Math.Pow(10, 1 + random.NextDouble() * 7);
            long[] parts = TextFiles.ChooseParts(lengths, cap);
            // The level is rounded down, so a byte per file may stay unused.
            Assert.True(Math.Abs(parts.Sum() - Math.Min(cap, lengths.Sum())) <= lengths.Length,
                $"seed {seed}, trial {trial}: {parts.Sum()} of {lengths.Sum()} with a cap of {cap}");
            Assert.True(parts.Sum() <= cap && parts.Zip(lengths).All(p => p.First >= 0 && p.First <= p.Second),
                $"seed {seed}, trial {trial}");
            Assert.True(parts.SequenceEqual(TextFiles.ChooseParts(lengths, cap)), $"seed {seed}, trial {trial}");
        }
    }

    [Fact]
    public void Of_many_small_files_some_come_whole()
    {
        long[] parts = TextFiles.ChooseParts([.. Enumerable.Repeat(10_000L, 100)], 205_000);
        Assert.Equal([(0L, 79), (5_000L, 1), (10_000L, 20)],
            parts.GroupBy(p => p).Select(g => (g.Key, g.Count())).Order());
        Assert.True(Array.FindLastIndex(parts, p => p > 0) > 50, "only the first files were taken");
    }

    [Theory]
    [InlineData("aé", 2, 1)]
    [InlineData("a😀b", 4, 1)]
    [InlineData("a😀b", 5, 5)]
    [InlineData("abcdefgh\nij", 10, 9)]
    [InlineData("a\nbcdefghij", 10, 10)]
    [InlineData("abc", 3, 3)]
    public void Cuts_after_a_line_or_between_characters(string text, int length, int cut) =>
        Assert.Equal(cut, TextFiles.CutLength(Encoding.UTF8.GetBytes(text), length));

    [Fact]
    public void Splits_many_documents_one_of_twenty()
    {
        for (int i = 0; i < 205; i++)
            _folder.Write($"{i:000}", $"document {i}");
        var corpus = Corpus.Read([_folder.FullPath]);
        var (training, validation) = corpus.Split(seed: 5);
        Assert.InRange(validation.DocumentCount, 10, 11);
        Assert.Equal(205, training.DocumentCount + validation.DocumentCount);
        Assert.Equal(Texts(corpus).Order(), Texts(training).Concat(Texts(validation)).Order());
        Assert.Equal(Texts(validation), Texts(corpus.Split(seed: 5).Validation));
        Assert.NotEqual(Texts(validation), Texts(corpus.Split(seed: 6).Validation));
    }

    [Fact]
    public void Splits_few_documents_at_their_ends()
    {
        string text = string.Concat(Enumerable.Range(0, 1000).Select(i => $"line {i}\n"));
        _folder.Write("a", text);
        _folder.Write("b", "é");
        var (training, validation) = Corpus.Read([_folder.FullPath]).Split();
        Assert.Equal(text, Texts(training)[0] + Texts(validation)[0]);
        Assert.InRange(validation.Document(0).Length, text.Length / 25, text.Length / 18);
        Assert.EndsWith("\n", Texts(training)[0]);
        Assert.Equal("é", Texts(training)[1]);
    }

    private static string[] Texts(Corpus corpus) =>
        [.. Enumerable.Range(0, corpus.DocumentCount).Select(d => Encoding.UTF8.GetString(corpus.Document(d)))];

    private sealed class Told(Action<long> tell) : IProgress<long>
    {
        public void Report(long value) => tell(value);
    }
}
