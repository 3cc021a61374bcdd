using System.Text;
using System.Text.Json.Nodes;
using S2ILGPU.Models;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

/// <summary>What Phi-3-small is where its file leaves fields out, as published ones do, or says null.</summary>
public sealed class Phi3SmallFieldTests
{
    private const string Published = "\"vocab_size\": 100352", Other = "\"vocab_size\": 1000";

    // The fields without which a file is refused.
    private const string Least = """
        {"model_type": "phi3small", "hidden_size": 512, "num_hidden_layers": 4, "num_attention_heads": 16,
         "ff_intermediate_size": 1024, "max_position_embeddings": 256
        """;

    private static readonly LocalStrideAttention s_sparse = new()
    {
        BlockTokens = 64,
        LocalBlocks = 16,
        VerticalStride = 8,
        Stripes = new StripeOptions { SlideByQueryHead = true, HeadOffset = 1 },
    };

    [Fact]
    public void Absent_fields_are_those_of_the_class_of_the_authors()
    {
        var config = Parse(Other);
        Assert.Equal(20f, config.ActivationLimit);
        Assert.Equal((10f, 8f), (config.EmbeddingMultiplier, config.LogitDivisor));
        Assert.Equal(1.0 / 32, config.AttentionScale);
        Assert.Equal(8, config.KeyValueHeads);
        Assert.Equal(AttentionPlan.EveryDense(4, 2, s_sparse), config.Attention);
        Assert.Equal((1e6, 1e-5f, true), (config.RopeTheta, config.NormEpsilon, config.TiedEmbeddings));
        Assert.Null(config.RopeScaling);
        Assert.Null(config.UnusedTokens);
    }

    [Fact]
    public void Null_switches_off_what_a_field_is_for()
    {
        var config = Parse(Published, "gegelu_limit", "mup_embedding_multiplier", "mup_width_multiplier",
            "mup_use_scaling", "dense_attention_every_n_layers", "tie_word_embeddings", "dummy_token_indices");
        Assert.Null(config.ActivationLimit);
        Assert.Equal((1f, 1f), (config.EmbeddingMultiplier, config.LogitDivisor));
        Assert.Null(config.AttentionScale);
        Assert.Equal(new AttentionPlan(s_sparse), config.Attention);
        Assert.False(config.TiedEmbeddings);
        Assert.Null(config.UnusedTokens);
        Assert.Equal(16, Parse(Published, "num_key_value_heads").KeyValueHeads);
    }

    [Fact]
    public void The_published_vocabulary_has_tokens_that_no_text_has()
    {
        int[] unused = [.. Parse(Published).UnusedTokens!];
        Assert.Equal(91, unused.Length);
        // What the chat needs: the ends of a text and of a turn, and who speaks.
        Assert.Equal([100257, 100261, 100262, 100263, 100266],
            Enumerable.Range(100256, 100352 - 100256).Except(unused));
        Assert.All(unused, id => Assert.InRange(id, 100256, 100351));
    }

    [Theory]
    [InlineData("[]", new int[0])]
    [InlineData("[3, 5]", new[] { 3, 5 })]
    public void A_list_of_unused_tokens_is_taken_as_it_is(string list, int[] expected) =>
        Assert.Equal(expected, Parse($"{Published}, \"dummy_token_indices\": {list}").UnusedTokens
            ?? new ValueList<int>());

    [Theory]
    [InlineData(1, "dense")]
    [InlineData(2, "local_stride")]
    public void A_single_layer_is_dense_where_every_layer_is(int distance, string kind) =>
        Assert.Equal(kind, Parse($"{Other}, \"dense_attention_every_n_layers\": {distance}", layers: 1)
            .Attention.ToString());

    // An absent field would be read as that of the class.
    [Fact]
    public void Writing_keeps_what_is_switched_off()
    {
        TransformerConfig[] configs =
        [
            Parse(Other), Parse(Published),
            Parse($"{Published}, \"dummy_token_indices\": []", "gegelu_limit", "mup_embedding_multiplier",
                "mup_width_multiplier", "mup_use_scaling", "dense_attention_every_n_layers", "tie_word_embeddings",
                "num_key_value_heads"),
        ];
        Assert.All(configs, config =>
        {
            string json = TransformerConfigFile.Format(config);
            Assert.Equal("phi3small", (string?)JsonNode.Parse(json)!["model_type"]);
            Assert.Equal(config, Read(json));
        });
    }

    private static TransformerConfig Parse(string more, params string[] nulls) => Parse(more, 4, nulls);

    private static TransformerConfig Parse(string more, int layers, params string[] nulls) =>
        Read(Least.Replace("\"num_hidden_layers\": 4", $"\"num_hidden_layers\": {layers}") + $", {more}"
            + string.Concat(nulls.Select(name => $", \"{name}\": null")) + "}");

    private static TransformerConfig Read(string json) =>
        TransformerConfigFile.Parse(Encoding.UTF8.GetBytes(json), "config.json");
}
