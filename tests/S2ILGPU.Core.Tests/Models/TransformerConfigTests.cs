using System.Text;
using S2ILGPU.Models;
using S2ILGPU.Patterns;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

public sealed class TransformerConfigTests
{
    private static readonly LocalStrideAttention Phi =
        new() { Stripes = new StripeOptions { SlideByQueryHead = true, HeadOffset = 1 } };

    private readonly Random _random = Seeds.NewRandom();

    public static TheoryData<TransformerConfig> Configurations =>
    [
        new TransformerConfig(),
        new TransformerConfig { Attention = AttentionPlan.Dense, TiedEmbeddings = false, RopeTheta = 500000.5,
            NormEpsilon = 1e-6f },
        new TransformerConfig { Activation = Activation.Gelu, HeadDim = 40, KeyValueHeads = 1 },
        new TransformerConfig { Attention = AttentionPlan.FirstDense(8, 3, Phi with { BlockTokens = 32 }) },
        new TransformerConfig { Attention = AttentionPlan.EveryDense(8, 2,
            new SlidingWindowAttention { WindowBlocks = 3, SinkBlocks = 1 }) },
        new TransformerConfig { Attention =
            new AttentionPlan(
            new TwoRangeAttention { Stripes = new StripeOptions { HomogeneousHeads = true, DenseHeads = 2 } }) },
        new TransformerConfig { Attention = new AttentionPlan(new DenseAttention { BlockTokens = 128 }) },
    ];

    [Theory]
    [MemberData(nameof(Configurations))]
    public void Writing_and_reading_gives_the_same(TransformerConfig config) =>
        Assert.Equal(config, Parse(TransformerConfigFile.Format(config)));

    [Fact]
    public void Only_dense_models_call_themselves_llama()
    {
        Assert.Contains("\"model_type\": \"llama\"",
            TransformerConfigFile.Format(new TransformerConfig { Attention = AttentionPlan.Dense }));
        Assert.Contains("\"model_type\": \"s2\"", TransformerConfigFile.Format(new TransformerConfig()));
        var gelu = new TransformerConfig { Attention = AttentionPlan.Dense, Activation = Activation.Gelu };
        Assert.Contains("\"model_type\": \"s2\"", TransformerConfigFile.Format(gelu));
    }

    [Fact]
    public void A_file_of_another_tool_is_read()
    {
        var config = Parse("""
            { "architectures": ["LlamaForCausalLM"], "attention_bias": false, "bos_token_id": 1, "hidden_act": "silu", "hidden_size": 64, "intermediate_size": 96,
              "max_position_embeddings": 512, "model_type": "llama", "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": null, "pretraining_tp": 1,
              "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_parameters": { "rope_theta": 5000.0, "rope_type": "default" }, "torch_dtype": "bfloat16", "vocab_size": 100 }
            """);
        Assert.Equal(new TransformerConfig
        {
            VocabularySize = 100,
            Dim = 64,
            Layers = 2,
            QueryHeads = 4,
            KeyValueHeads = 4,
            HeadDim = 16,
            FeedForwardDim = 96,
            ContextTokens = 512,
            RopeTheta = 5000, NormEpsilon = 1e-6f, TiedEmbeddings = false, Attention = AttentionPlan.Dense,
        }, config);
    }

    [Theory]
    [InlineData("\"hidden_size\": 512", "\"hidden_size\": 0", "Dim must be 1 to")]
    [InlineData("\"hidden_size\": 512", "\"hidden_size\": 1e99", "hidden_size must be an integer, got 1e99")]
    [InlineData("\"hidden_size\": 512", "\"hidden_size\": \"512\"", "hidden_size must be an integer, got \"512\"")]
    [InlineData("\"hidden_size\": 512,", "", "hidden_size is missing")]
    [InlineData("\"hidden_size\": 512", "\"vocab_size\": 512", "not valid JSON")]
    [InlineData("\"num_key_value_heads\": 4", "\"num_key_value_heads\": 3", "must divide QueryHeads, got 3 and 8")]
    [InlineData("\"head_dim\": 64", "\"head_dim\": 60", "multiple of 8 from 8 to 256, got 60")]
    [InlineData("\"rope_theta\": 10000", "\"rope_theta\": -1", "RopeTheta must be 1 to 1e12, got -1")]
    [InlineData("\"rope_theta\": 10000", "\"rope_scaling\": {\"factor\": 2}",
        "rope_scaling must be null, got {\"factor\": 2}")]
    [InlineData("\"rope_theta\": 10000", "\"rope_parameters\": {\"rope_type\": \"yarn\"}",
        "rope_parameters.rope_type must be \"default\", got \"yarn\"")]
    [InlineData("\"rope_theta\": 10000", "\"partial_rotary_factor\": 0.5", "partial_rotary_factor must be 1, got 0.5")]
    [InlineData("\"hidden_act\": \"silu\"", "\"hidden_act\": \"relu\"",
        "hidden_act must be \"silu\" or \"gelu_pytorch_tanh\", got \"relu\"")]
    [InlineData("\"hidden_act\": \"silu\"", "\"mlp_bias\": true", "mlp_bias must be false, got True")]
    [InlineData("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": 1",
        "tie_word_embeddings must be true or false, got 1")]
    [InlineData("\"model_type\": \"s2\"", "\"model_type\": \"llama\"", "s2_attention must be absent")]
    [InlineData("\"model_type\": \"s2\"", "\"model_type\": \"gpt2\"",
        "model_type must be \"llama\" or \"s2\", got \"gpt2\"")]
    [InlineData("\"kind\": \"local_stride\"", "\"kind\": \"random\"", "s2_attention.kind must be \"dense\" or")]
    [InlineData("\"local_blocks\": 16", "\"local_block\": 16", "s2_attention.local_block is unknown")]
    [InlineData("\"block_tokens\": 64", "\"block_tokens\": 48", "block size must be 16, 32, 64 or 128 tokens, got 48")]
    [InlineData("\"slide_by\": \"kv\"", "\"slide_by\": \"q\"",
        "s2_attention.slide_by must be \"query\" or \"kv\", got \"q\"")]
    [InlineData("\"dense_heads\": 0", "\"dense_heads\": 5", "dense heads must be 0 to 4")]
    public void Wrong_fields_are_named_with_their_values(string old, string replacement, string message)
    {
        string json = TransformerConfigFile.Format(new TransformerConfig());
        Assert.Contains(old, json);
        string text = Assert.Throws<InvalidDataException>(() => Parse(json.Replace(old, replacement))).Message;
        Assert.StartsWith("config.json: ", text);
        Assert.Contains(message, text);
    }

    [Fact]
    public void Plans_must_have_one_entry_or_one_per_layer()
    {
        Assert.Contains("3 entries for 8 layers", Assert.Throws<ArgumentException>(() =>
            new TransformerConfig { Attention = new AttentionPlan(new DenseAttention(), new DenseAttention(),
            new DenseAttention()) }.Validate()).Message);
        Assert.Throws<ArgumentException>(() => new AttentionPlan());
        Assert.Equal("dense, local_stride, local_stride", AttentionPlan.FirstDense(3, 1, new LocalStrideAttention())
            .ToString());
        Assert.Equal("local_stride, dense, local_stride, dense",
            AttentionPlan.EveryDense(4, 2, new LocalStrideAttention()).ToString());
    }

    [Fact]
    public void Files_are_limited_and_missing_ones_named()
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        Assert.Contains(path, Assert.Throws<FileNotFoundException>(() => TransformerConfigFile.Read(path)).Message);
        try
        {
            File.WriteAllText(path, TransformerConfigFile.Format(new TransformerConfig()));
            Assert.Equal(new TransformerConfig(), TransformerConfigFile.Read(path));
            File.WriteAllText(path, new string(' ', TransformerConfigFile.MaxBytes + 1));
            Assert.Contains("more than",
                Assert.Throws<InvalidDataException>(() => TransformerConfigFile.Read(path)).Message);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Broken_bytes_give_only_the_documented_exception()
    {
        byte[][] seeds =
            [.. Configurations.Select(row => Encoding.UTF8.GetBytes(TransformerConfigFile.Format(row.Data)))];
        byte[] alphabet = Encoding.UTF8.GetBytes("{}[]\",:0123456789-+.eE\\ud8truefalsn \n\t\u00e9\0");
        for (int round = 0; round < 4000; round++)
        {
            byte[] bytes = [.. seeds[_random.Next(seeds.Length)]];
            if (round % 10 == 0)
                _random.NextBytes(bytes);
            for (int n = _random.Next(1, 6); n > 0; n--)
                bytes[_random.Next(bytes.Length)] = _random.Next(4) == 0 ? (byte)_random.Next(256)
                    : alphabet[_random.Next(alphabet.Length)];
            int start = _random.Next(10) == 0 ? _random.Next(bytes.Length) : 0, end = _random.Next(10) == 0
                ? _random.Next(start, bytes.Length) : bytes.Length;
            try
            {
                TransformerConfigFile.Parse(bytes.AsMemory(start..end), "config.json");
            }
            catch (InvalidDataException e)
            {
                Assert.StartsWith("config.json: ", e.Message);
            }
            catch (Exception e)
            {
                Assert.Fail(
                    $"{e.GetType().Name}: {e.Message} for {Convert.ToBase64String(bytes.AsSpan(start..end))}; "
                    + $"{Seeds.Text}");
            }
        }
    }

    private static TransformerConfig Parse(string json) =>
        TransformerConfigFile.Parse(Encoding.UTF8.GetBytes(json), "config.json");
}
