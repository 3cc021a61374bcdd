using System.Text;
using S2ILGPU.Models;
using S2ILGPU.Ops;
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
        new TransformerConfig { Activation = Activation.Gelu, HeadDim = 40, KeyValueHeads = 1,
            RopeScaling = new LinearScaling(4) },
        new TransformerConfig { Attention = AttentionPlan.FirstDense(8, 3, Phi with { BlockTokens = 32 }) },
        new TransformerConfig { Attention = AttentionPlan.EveryDense(8, 2,
            new SlidingWindowAttention { WindowBlocks = 3, SinkBlocks = 1 }) },
        new TransformerConfig { Attention =
            new AttentionPlan(
            new TwoRangeAttention { Stripes = new StripeOptions { HomogeneousHeads = true, DenseHeads = 2 } }) },
        new TransformerConfig { Attention = new AttentionPlan(new DenseAttention { BlockTokens = 128 }) },
        new TransformerConfig { ContextTokens = 4096, RopeScaling = new DynamicScaling(2, 2048) },
        new TransformerConfig { ContextTokens = 3000, RopeScaling = new DynamicScaling(2, 2048) },
        new TransformerConfig { ContextTokens = 2048, RopeScaling = new DynamicScaling(2, 2048) },
    ];

    [Theory]
    [MemberData(nameof(Configurations))]
    public void Writing_and_reading_gives_the_same(TransformerConfig config) =>
        Assert.Equal(config, Parse(TransformerConfigFile.Format(config)));

    [Fact]
    public void Dynamic_scaling_lengthens_the_context()
    {
        const string Field = "\"max_position_embeddings\": 2048", Plain = "\"rope_theta\": 10000";
        string json = TransformerConfigFile.Format(new TransformerConfig());
        Assert.Contains(Field, json);
        var config = Parse(json.Replace(Plain, "\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2.5}"));
        Assert.Equal((5120, new DynamicScaling(2.5, 2048)), (config.ContextTokens, config.RopeScaling));
        // Other tools read the original context there.
        Assert.Contains(Field, TransformerConfigFile.Format(config));
        config = Parse(json.Replace(Plain, "\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2.5, "
            + "\"original_max_position_embeddings\": 512}"));
        Assert.Equal((2048, new DynamicScaling(2.5, 512)), (config.ContextTokens, config.RopeScaling));
    }

    [Theory]
    [InlineData(0.99)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void A_dynamic_factor_below_1_is_refused(double factor) => Assert.Contains(
        "Factor of rotary scaling \"dynamic\" must be 1 to 1e6, got", Assert.Throws<ArgumentException>(() =>
            new TransformerConfig { RopeScaling = new DynamicScaling(factor, 512) }.Validate()).Message);

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
    [InlineData("\"hidden_size\": 512", "\"vocab_size\": 512",
        "not valid JSON: the name 'vocab_size' stands twice in one object")]
    [InlineData("\"hidden_size\": 512,", "\"hidden_size\": 512;", "not valid JSON: fault at line 4, byte 21")]
    [InlineData("\"num_key_value_heads\": 4", "\"num_key_value_heads\": 3", "must divide QueryHeads, got 3 and 8")]
    [InlineData("\"head_dim\": 64", "\"head_dim\": 60", "multiple of 8 from 8 to 256, got 60")]
    [InlineData("\"rope_theta\": 10000", "\"rope_theta\": -1", "RopeTheta must be 1 to 1e12, got -1")]
    [InlineData("\"rope_theta\": 10000", "\"rope_scaling\": {\"factor\": 2}",
        "rope_scaling.factor must be 1 with rope_type \"default\", got 2")]
    [InlineData("\"rope_theta\": 10000", "\"rope_parameters\": {\"rope_type\": \"yarn\"}",
        "rope_parameters.factor is missing")]
    [InlineData("\"rope_theta\": 10000", "\"rope_scaling\": {\"type\": \"ntk\", \"factor\": 2}",
        "rope_scaling.type must be \"default\" or \"linear\" or \"dynamic\"")]
    [InlineData("\"rope_theta\": 10000", "\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 0.5}",
        "rope_scaling.factor must be 1 to 1e6 with rope_type \"dynamic\", got 0.5")]
    [InlineData("\"rope_theta\": 10000", "\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 9000}",
        "ContextTokens must be 1 to 16777216, got 18432000")]
    [InlineData("\"rope_theta\": 10000", "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8}",
        "rope_scaling.low_freq_factor is missing")]
    [InlineData("\"rope_theta\": 10000", "\"rope_scaling\": {\"type\": \"linear\"}", "rope_scaling.factor is missing")]
    [InlineData("\"rope_theta\": 10000", "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2, \"beta_fast\": 32}",
        "rope_scaling.beta_fast is unknown")]
    [InlineData("\"rope_theta\": 10000", "\"rope_scaling\": {\"type\": \"linear\", \"rope_type\": \"default\"}",
        "rope_scaling.type must be \"default\" like rope_type, got \"linear\"")]
    [InlineData("\"rope_theta\": 10000", "\"rope_theta\": 10000, \"rope_parameters\": {\"rope_theta\": 500}",
        "rope_parameters.rope_theta must be 10000 as elsewhere in the file, got 500")]
    [InlineData("\"rope_theta\": 10000", "\"rope_parameters\": {\"partial_rotary_factor\": 0.5}",
        "rope_parameters.partial_rotary_factor must be 1, got 0.5")]
    [InlineData("\"rope_theta\": 10000", "\"rope_parameters\": {\"full_attention\": {\"rope_theta\": 1}}",
        "rope_parameters.full_attention is unknown")]
    [InlineData("\"rope_theta\": 10000", "\"partial_rotary_factor\": 0.5", "partial_rotary_factor must be 1, got 0.5")]
    [InlineData("\"hidden_act\": \"silu\"", "\"hidden_act\": \"relu\"",
        "hidden_act must be \"silu\" or \"swish\" or \"gelu_pytorch_tanh\", got \"relu\"")]
    [InlineData("\"hidden_act\": \"silu\"", "\"hidden_act\": \"silu\", \"use_bias\": true",
        "use_bias must be false, got true")]
    [InlineData("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": 1",
        "tie_word_embeddings must be true or false, got 1")]
    [InlineData("\"model_type\": \"s2\"", "\"model_type\": \"llama\"", "s2_attention must be absent")]
    [InlineData("\"model_type\": \"s2\"", "\"model_type\": \"gpt2\"",
        "model_type must be \"llama\" or")]
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

    [Theory]
    [InlineData("\"qkv_bias\": true", "qkv_bias must be false, got true")]
    [InlineData("\"sliding_window\": 4096", "sliding_window must be null, got 4096")]
    [InlineData("\"use_qk_norm\": true", "use_qk_norm must be false, got true")]
    [InlineData("\"attn_logit_softcapping\": 50.0", "attn_logit_softcapping must be null, got 50.0")]
    [InlineData("\"final_logit_softcapping\": 30.0", "final_logit_softcapping must be null, got 30.0")]
    [InlineData("\"attention_multiplier\": 0.5", "attention_multiplier must be 0.25, got 0.5")]
    [InlineData("\"query_pre_attn_scalar\": 256", "query_pre_attn_scalar must be 16, got 256")]
    [InlineData("\"embedding_multiplier\": 12", "embedding_multiplier must be 1, got 12")]
    [InlineData("\"residual_multiplier\": 0.22", "residual_multiplier must be 1, got 0.22")]
    [InlineData("\"logits_scaling\": 8", "logits_scaling must be 1, got 8")]
    [InlineData("\"quantization_config\": {\"bits\": 4}", "quantization_config must be null, got {\"bits\": 4}")]
    [InlineData("\"partial_rotary_factor\": 0.5", "partial_rotary_factor must be 1, got 0.5")]
    [InlineData("\"layer_types\": [\"full_attention\", \"sliding_attention\"]",
        "layer_types must be \"full_attention\"")]
    [InlineData("\"layer_norm_eps\": 1e-5",
        "layer_norm_eps with the value 1e-5 is unknown and may change the arithmetic")]
    [InlineData("\"num_experts\": 8", "num_experts with the value 8 is unknown and may change the arithmetic")]
    [InlineData("\"norm_before\": true", "norm_before with the value true is unknown and may change the arithmetic")]
    [InlineData("\"scales\": [1, 2]", "scales with the value [1, 2] is unknown and may change the arithmetic")]
    [InlineData("\"use_rms_norm\": false", "use_rms_norm with the value false is unknown and may change")]
    [InlineData("\"mlp_type\": \"moe\"", "mlp_type with the value \"moe\" is unknown and may change")]
    [InlineData("\"position_embedding\": \"alibi\"", "position_embedding with the value \"alibi\" is unknown")]
    [InlineData("\"rope\": false", "rope with the value false is unknown and may change the arithmetic")]
    [InlineData("\"activation_function\": \"gelu_new\"",
        "activation_function must be \"silu\" or \"swish\", got \"gelu_new\"")]
    [InlineData("\"hidden_act\": \"gelu_pytorch_tanh\"",
        "hidden_act must be \"silu\" or \"swish\", got \"gelu_pytorch_tanh\"")]
    [InlineData("\"architectures\": [\"MistralForCausalLM\"]",
        "architectures must be [\"LlamaForCausalLM\"], got [\"MistralForCausalLM\"]")]
    public void What_changes_the_arithmetic_is_refused_by_name(string field, string message) =>
        Assert.Contains(message, Assert.Throws<InvalidDataException>(() => Parse(Llama(field))).Message);

    [Theory]
    [InlineData("\"attention_multiplier\": 0.25, \"query_pre_attn_scalar\": 16, \"logits_scaling\": 1.0")]
    [InlineData("\"sliding_window\": null, \"quantization_config\": null, \"final_logit_softcapping\": null")]
    [InlineData("\"layer_types\": [\"full_attention\", \"full_attention\"], \"partial_rotary_factor\": 1.0")]
    [InlineData("\"pad_token_id\": -1, \"eos_token_id\": [1, 2], \"attention_dropout\": 0.1, \"use_cache\": true")]
    [InlineData("\"o_proj_bias\": false, \"activation_function\": \"silu\"")]
    [InlineData("\"my_note\": \"trained on a Tuesday\", \"my_switch\": false, \"my_list\": [], \"my_table\": {}")]
    public void What_changes_nothing_is_accepted(string field) =>
        Assert.Equal(Parse(Llama("\"use_cache\": false")), Parse(Llama(field)));

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
    public void Plans_are_read_as_command_lines_spell_them()
    {
        var sparse = new LocalStrideAttention { LocalBlocks = 4, VerticalStride = 6, BlockTokens = 32 };
        Assert.Equal(AttentionPlan.Dense, AttentionPlan.Parse("dense", 4));
        Assert.Equal(AttentionPlan.Sparse, AttentionPlan.Parse("s2", 4));
        Assert.Equal(new AttentionPlan(sparse), AttentionPlan.Parse("s2:local=4,stride=6,block=32", 4));
        Assert.Equal(AttentionPlan.EveryDense(4, 2, sparse),
            AttentionPlan.Parse("dense/2:s2:local=4,stride=6,block=32", 4));
        Assert.Equal(new AttentionPlan(Phi), AttentionPlan.Parse("s2:slide=query,offset=1", 4));
        Assert.Equal(new AttentionPlan(new TokenWindowAttention { WindowTokens = 100 }),
            AttentionPlan.Parse("window:tokens=100", 4));
    }

    [Fact]
    public void Plans_may_name_the_attention_of_each_layer()
    {
        var sparse = new LocalStrideAttention { LocalBlocks = 4, VerticalStride = 6, BlockTokens = 32 };
        const string text = "s2:local=4,stride=6,block=32";
        Assert.Equal(AttentionPlan.FirstDense(4, 1, sparse), AttentionPlan.Parse($"0=dense+1-3={text}", 4));
        Assert.Equal(AttentionPlan.FirstDense(9, 2, sparse), AttentionPlan.Parse($"2-={text}+0-1=dense", 9));
        Assert.Equal(AttentionPlan.EveryDense(4, 2, sparse),
            AttentionPlan.Parse($"0={text}+1=dense+2={text}+3-=dense", 4));
        Assert.Equal(new AttentionPlan(new TokenWindowAttention { WindowTokens = 100, BlockTokens = 16 },
            new DenseAttention { BlockTokens = 128 }, new DenseAttention { BlockTokens = 16 }),
            AttentionPlan.Parse("0=window:tokens=100,block=16+1=dense:block=128+2=dense", 3));
        Assert.Equal(new AttentionPlan(new DenseAttention(), new DenseAttention()), AttentionPlan.Parse("0-=dense", 2));
    }

    // Every list of distinct layers in any order is the plan that it spells, and one that is cut is not.
    [Fact]
    public void Random_plans_per_layer_are_what_they_spell()
    {
        var random = Seeds.NewRandom();
        for (int trial = 0; trial < 300; trial++)
        {
            var (entries, parts) = (new List<AttentionConfig>(), new List<string>());
            for (int count = random.Next(1, 6); count > 0; count--)
            {
                int first = entries.Count, last = first + random.Next(3), tokens = random.Next(1, 500);
                entries.AddRange(Enumerable.Repeat(new TokenWindowAttention { WindowTokens = tokens },
                    last - first + 1));
                string layers = first == last && random.Next(2) == 0 ? $"{first}"
                    : count == 1 && random.Next(2) == 0 ? $"{first}-" : $"{first}-{last}";
                parts.Add($"{layers}=window:tokens={tokens}");
            }
            string[] shuffled = [.. parts.OrderBy(_ => random.Next())];
            string text = string.Join('+', shuffled);
            Assert.True(new AttentionPlan(entries).Equals(AttentionPlan.Parse(text, entries.Count)),
                $"{text}, {Seeds.Text}");
            string cut = string.Join('+', shuffled.Skip(1));
            if (cut.Length > 0)
                Assert.Contains("leaves out",
                    Assert.Throws<ArgumentException>(() => AttentionPlan.Parse(cut, entries.Count)).Message);
        }
    }

    [Theory]
    [InlineData("", "must begin with dense, s2 or window, got ''")]
    [InlineData("sparse", "must begin with dense, s2 or window, got 'sparse'")]
    [InlineData("dense/2", "the attention of the other layers is missing")]
    [InlineData("dense/0:s2", "must be at least 1, got 0")]
    [InlineData("dense/x:s2", "must be a whole number, got 'x'")]
    [InlineData("s2:local", "'local' is not a name with a value")]
    [InlineData("s2:local=4,local=5", "'local=5' is not a name with a value of its own")]
    [InlineData("s2:local=many", "local must be a whole number, got 'many'")]
    [InlineData("s2:vertical=4", "'vertical' is unknown in s2")]
    [InlineData("s2:slide=key", "slide must be query or kv, got 'key'")]
    [InlineData("dense:local=4", "'local' is unknown in dense")]
    [InlineData("0-1=dense+3=s2", "0-1=dense+3=s2 leaves out 1 of 4 layers, the first of them 2")]
    [InlineData("0-2=dense+2-=s2", "layer 2 has its attention twice: '0-2=dense' and '2-=s2'")]
    [InlineData("0-4=dense", "layers are 0 to 3, got 0-4")]
    [InlineData("0-3=dense+4-=s2", "layers are 0 to 3, got 4-")]
    [InlineData("0=dense+3-1=s2", "the first layer of 3-1 comes after the last one")]
    [InlineData("0=dense+x-3=s2", "a layer must be a whole number, got 'x'")]
    [InlineData("0=dense+1-y=s2", "a layer must be a whole number, got 'y'")]
    [InlineData("0=dense+1-3", "'1-3' is not layers with their attention, as in 0-3=dense")]
    [InlineData("0=dense+", "'' is not layers with their attention")]
    [InlineData("0=dense+1-3=sparse", "must begin with dense, s2 or window, got 'sparse'")]
    [InlineData("0=dense+1-3=dense/2", "must begin with dense, s2 or window, got 'dense/2'")]
    [InlineData("0=dense+1-3=sample", "sample is a way to run a dense model")]
    public void Wrong_plans_are_named(string text, string message) =>
        Assert.Contains(message, Assert.Throws<ArgumentException>(() => AttentionPlan.Parse(text, 4)).Message);

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

    private static string Llama(string field) => $$"""
        { "model_type": "llama", "hidden_size": 64, "intermediate_size": 96, "max_position_embeddings": 512,
          "num_attention_heads": 4, "num_hidden_layers": 2, "vocab_size": 100, {{field}} }
        """;
}
