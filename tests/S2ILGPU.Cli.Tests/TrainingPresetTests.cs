using System.Globalization;
using S2ILGPU.Cli.Training;
using S2ILGPU.Cpu;
using S2ILGPU.Layouts;
using S2ILGPU.Models;
using S2ILGPU.Patterns;
using Xunit;

namespace S2ILGPU.Cli.Tests;

public sealed class TrainingPresetTests
{
    public static TheoryData<string> Names => [.. TrainingPreset.All.Select(p => p.Name)];

    /// <summary>Counted from the shapes, layer by layer, not by the configuration's own formula.</summary>
    [Theory]
    [InlineData("10m", 10e6)]
    [InlineData("30m", 30e6)]
    [InlineData("100m", 100e6)]
    [InlineData("300m", 300e6)]
    [InlineData("1b", 1e9)]
    public void A_number_of_parameters_in_a_name_is_true(string name, double parameters)
    {
        var m = TrainingPreset.Find(name).Model;
        long qkv = (long)m.Dim * (m.QueryHeads + 2 * m.KeyValueHeads) * m.HeadDim,
            output = (long)m.QueryHeads * m.HeadDim * m.Dim, feedForward = 3L * m.Dim * m.FeedForwardDim;
        long count = (long)m.VocabularySize * m.Dim * (m.TiedEmbeddings ? 1 : 2) + m.Dim
            + m.Layers * (qkv + output + feedForward + 2 * m.Dim);
        Assert.InRange(count / parameters, 0.9, 1.1);
        Assert.Equal(m.ParameterCount, count);
    }

    [Fact]
    public void The_formula_is_the_number_of_trainable_values()
    {
        var config = TrainingPreset.Find("default").Model;
        using var engine = new CpuEngine();
        using var model = new TransformerModel(engine, config, seed: null);
        Assert.Equal(model.Parameters.Sum(p => p.Value.Count), config.ParameterCount);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Shapes_and_options_are_valid_and_the_heads_read_the_whole_context(string name)
    {
        var preset = TrainingPreset.Find(name);
        preset.Options.Validate();
        Assert.Equal(preset.Model.ContextTokens, preset.Options.ContextTokens);
        foreach (string attention in (string[])["dense", "s2", "hybrid"])
            (preset.Model with { Attention = preset.Attention(attention) }).Validate();
        var pattern = preset.Sparse.CreatePattern(preset.Model.QueryHeads, preset.Model.KeyValueHeads);
        var report = PatternReport.Of(pattern, preset.Model.ContextTokens);
        Assert.True(report.Coverage.IsComplete);
    }

    [Theory]
    [InlineData("10m", 0.65)]
    [InlineData("30m", 0.6)]
    [InlineData("100m", 0.4)]
    [InlineData("300m", 0.4)]
    [InlineData("1b", 0.4)]
    public void The_cache_of_a_large_preset_is_small(string name, double most)
    {
        var preset = TrainingPreset.Find(name);
        var model = preset.Model;
        Assert.InRange(model.ContextTokens, 4096, 32768);
        Assert.Contains(model.HeadDim, (int[])[64, 128]);
        double sum = 0;
        foreach (var attention in preset.Attention("hybrid"))
        {
            var report = PatternReport.Of(attention.CreatePattern(model.QueryHeads, model.KeyValueHeads),
                model.ContextTokens);
            int blocks = model.ContextTokens / attention.BlockTokens;
            sum += report.KeptCacheBlocks.Sum() / (double)(blocks * model.KeyValueHeads);
        }
        double kept = sum / model.Layers;
        TestContext.Current.SendDiagnosticMessage(string.Create(CultureInfo.InvariantCulture, $"{name}: {kept:0.00}"));
        Assert.True(kept <= most, $"{name} keeps {kept} of the cache");
    }
}
