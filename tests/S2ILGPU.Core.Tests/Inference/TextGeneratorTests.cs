using S2ILGPU.Core.Tests.Corpora;
using S2ILGPU.Core.Tests.Models;
using S2ILGPU.Core.Tests.Tokenizers;
using S2ILGPU.Corpora;
using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Inference;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Core.Tests.Inference;

public sealed class TextGeneratorTests : IDisposable
{
    private static readonly BytePairTokenizer s_bytes = new BytePairTrainer().Build(257); // no merges: a token per byte
    private static readonly SamplingOptions s_greedy = new() { Temperature = 0 };

    private readonly CpuEngine _engine = new();

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void The_cache_has_the_type_and_the_room_of_its_options()
    {
        using var model = TinyModels.Create(_engine,
            TinyModels.Config(TinyModels.Dense, TinyModels.Dense) with { VocabularySize = 257 }, Seeds.NewRandom());
        using TextGenerator full = new(model, s_bytes),
            half = new(model, s_bytes, new KeyValueCacheOptions { ElementType = ElementType.BFloat16, MaxTokens = 40 });
        Assert.Equal((160, 40), (full.Cache.MaxTokens, half.Cache.MaxTokens));
        string prompt = new('x', 40);
        foreach (var generator in (TextGenerator[])[full, half])
            _ = string.Concat(generator.Generate(prompt, 1, s_greedy, TestContext.Current.CancellationToken));
        Assert.Equal(full.Cache.UsedPages, half.Cache.UsedPages);
        Assert.Equal(full.Cache.UsedBytes, 2 * half.Cache.UsedBytes);
        string message = Assert.Throws<ArgumentException>(() =>
            half.Generate(prompt + "y", 1, s_greedy, TestContext.Current.CancellationToken)).Message;
        Assert.Equal("the prompt has 41 tokens, the cache has room for 40", message);
        Assert.Contains("ask for 2",
            Assert.Throws<ArgumentException>(() =>
            new TextGenerator(model, s_bytes, new KeyValueCacheOptions { Sequences = 2 })).Message);
    }

    [Fact]
    public void A_stop_string_ends_the_text_before_it()
    {
        using var model = TinyModels.Create(_engine,
            TinyModels.Config(TinyModels.Dense, TinyModels.Sparse) with { VocabularySize = 257 }, Seeds.NewRandom());
        using var generator = new TextGenerator(model, s_bytes);
        var letters = s_greedy with
        {
            LogitBias = Enumerable.Range(0, 257).Where(token => token is < 'a' or > 'z')
                .ToDictionary(token => token, _ => -100f),
        };
        string Generate(params string[] stop) => string.Concat(generator.Generate("x", 30, letters,
            TestContext.Current.CancellationToken, stop));
        string text = Generate(), stop = text[11..14];
        Assert.Equal(30, text.Length);
        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], Generate("none of this", stop));
    }
}
