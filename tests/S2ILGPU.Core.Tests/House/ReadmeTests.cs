using System.Text.RegularExpressions;
using S2ILGPU.Core.Tests.Corpora;
using S2ILGPU.Core.Tests.Tokenizers;
using S2ILGPU.Corpora;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Models;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;
using Xunit;

namespace S2ILGPU.Core.Tests.House;

/// <summary>Every C# snippet of the README is the body of a test here or a part of a sample, which a test runs, and the
/// first screen has the two commands.</summary>
public sealed partial class ReadmeTests
{
    private static readonly string s_readme = File.ReadAllText(Repository.PathOf("README.md"));

    [Fact]
    public void Attention_on_your_own_arrays()
    {
        var random = new Random(1);
        float[] queries = Values(8 * 64), keys = Values(4 * 64), values = Values(4 * 64), gradient = Values(8 * 64);

        var pattern = new LocalStridePattern(queryHeads: 8, keyValueHeads: 4, blockTokens: 64, localBlocks: 4,
            verticalStride: 8);
        var layout = BlockLayout.Create(pattern, tokens: 1000);              // CSR + CSC, reusable, device-independent
        using var engine = Engine.Create("auto");                            // the fastest device that is there
        using var q = engine.FromArray(queries, 1, 1000, 8, 64);             // [B, N, H, D]
        using var k = engine.FromArray(keys, 1, 1000, 4, 64);                // [B, N, Hkv, D]
        using var v = engine.FromArray(values, 1, 1000, 4, 64);
        // result.Output [B, N, H, D], result.LogSumExp [B, H, N]
        using var result = SparseAttention.Forward(engine, q, k, v, layout);
        using var dOutput = engine.FromArray(gradient, 1, 1000, 8, 64);
        using var gradients = SparseAttention.Backward(engine, q, k, v, result, dOutput, layout);
        float[] dq = engine.ToArray(gradients.Query);

        Assert.Equal(queries.Length, dq.Length);
        Assert.All(dq, x => Assert.True(float.IsFinite(x)));
        Assert.Contains(dq, x => x != 0);

        float[] Values(int width) => [.. Enumerable.Range(0, 1000 * width).Select(_ => random.NextSingle() - 0.5f)];
    }

    [Fact]
    public void A_pattern_of_your_own()
    {
        var window = new SlidingWindowPattern(queryHeads: 8, keyValueHeads: 8, windowBlocks: 4, sinkBlocks: 1);
        var stripes = new LocalStridePattern(queryHeads: 8, keyValueHeads: 8, localBlocks: 1, verticalStride: 8);
        var report = PatternReport.Of(window | stripes, tokens: 16384);
        Console.WriteLine(
            $"keeps {report.KeptFraction:P1} of the blocks, at most {report.DenseOverSparse:0.0}x faster, every token "
            + $"read: {report.Coverage.IsComplete}");

        Assert.True(report.Coverage.IsComplete);
        Assert.InRange(report.KeptFraction, 0.1, 0.3);
    }

    [Fact]
    public void Training_a_transformer()
    {
        string folder = Directory.CreateTempSubdirectory("s2-readme-").FullName;
        File.WriteAllText(Path.Combine(folder, "text.txt"),
            string.Concat(Enumerable.Range(0, 3000).Select(i => $"Line {i} of some text to learn from.\n")));
        using var engine = Engine.Create("auto");

        var sparse = new LocalStrideAttention { BlockTokens = 16, LocalBlocks = 4, VerticalStride = 4 };
        var config = new TransformerConfig { VocabularySize = 512, Dim = 64, Layers = 4, QueryHeads = 4,
            KeyValueHeads = 4, HeadDim = 16, FeedForwardDim = 128,
            ContextTokens = 256, Attention = AttentionPlan.EveryDense(layers: 4, n: 2, sparse) };
        var (training, validation) = Corpus.Read([folder]).Split();
        var tokenizer = BytePairTrainer.Train(training, config.VocabularySize);
        using var model = new TransformerModel(engine, config);
        using var trainer = new Trainer(model, TokenDataset.Create(tokenizer, training),
            TokenDataset.Create(tokenizer, validation),
            new TrainingOptions { Steps = 20, ContextTokens = 256, BatchSequences = 2 });
        while (!trainer.IsFinished)
            Console.WriteLine($"step {trainer.CompletedSteps}: loss {trainer.RunStep().Loss:0.000}");

        Assert.True(trainer.Validate() < Math.Log(512) - 1);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Snippets_are_bodies_of_these_tests_or_parts_of_samples()
    {
        string sources =
            Squeezed(string.Concat(Repository.Sources("samples")
            .Concat(Repository.Sources("tests/S2ILGPU.Core.Tests/House")).Select(source => source.Text)));
        string[] snippets = [.. Snippet().Matches(s_readme).Select(m => Squeezed(m.Groups[1].Value))];
        Assert.Equal(4, snippets.Length);
        Assert.All(snippets, snippet => Assert.Contains(snippet, sources));
    }

    [Fact]
    public void The_first_screen_has_the_two_commands()
    {
        string[] commands = [.. s_readme.Split('\n').Take(30)
            .Where(line => line.StartsWith("dotnet ", StringComparison.Ordinal)).Take(2)
            .Select(line => line.Split('#')[0].Trim())];
        Assert.Equal(["dotnet run -c Release --project src/S2ILGPU.Cli -- train", "dotnet test"], commands);
        Assert.Contains("\ndotnet test\n", File.ReadAllText(Repository.PathOf(".ci", "run")));
    }

    [Fact]
    public void Links_lead_somewhere() =>
        Assert.All(Link().Matches(s_readme).Select(m => m.Groups[1].Value).Where(link => !link.Contains("://")), link =>
        Assert.True(Path.Exists(Repository.PathOf(link)), link));

    private static string Squeezed(string text) => Whitespace().Replace(text, " ").Trim();

    [GeneratedRegex(@"```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Snippet();

    [GeneratedRegex(@"\]\(([^)#]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Whitespace();
}
