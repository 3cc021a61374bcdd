using System.Globalization;
using System.Text;
using S2ILGPU.Models;
using S2ILGPU.Ops;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

/// <summary>The fields that published models have in their <c>config.json</c> are read, and give the number of
/// parameters that these models have.</summary>
/// <remarks>The lists of factors of longrope have the published lengths, with values of our own.</remarks>
public sealed class PublishedConfigTests
{
    private const string Common = """
        "_name_or_path": "model", "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu",
        "initializer_range": 0.02, "torch_dtype": "bfloat16", "transformers_version": "4.45.0", "use_cache": true
        """;

    private static readonly Dictionary<string, (long Parameters, string Fields)> s_published = new()
    {
        ["Llama 2 7B"] = (6_738_415_616, """
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096,
            "intermediate_size": 11008, "max_position_embeddings": 4096, "num_attention_heads": 32,
            "num_hidden_layers": 32, "num_key_value_heads": 32, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
            "rope_scaling": null, "tie_word_embeddings": false, "vocab_size": 32000
            """),
        ["Llama 3.2 1B"] = (1_235_814_400, """
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": false, "head_dim": 64,
            "hidden_size": 2048, "intermediate_size": 8192, "max_position_embeddings": 131072, "mlp_bias": false,
            "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8, "pretraining_tp": 1,
            "rms_norm_eps": 1e-05, "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192, "rope_type": "llama3"}, "rope_theta": 500000.0,
            "tie_word_embeddings": true, "vocab_size": 128256
            """),
        ["Mistral 7B v0.1"] = (7_241_732_096, """
            "architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_size": 4096,
            "intermediate_size": 14336, "max_position_embeddings": 32768, "num_attention_heads": 32,
            "num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
            "sliding_window": 4096, "tie_word_embeddings": false, "vocab_size": 32000
            """),
        ["Qwen2.5 0.5B"] = (494_032_768, """
            "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 896,
            "intermediate_size": 4864, "max_position_embeddings": 32768, "max_window_layers": 24,
            "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-06,
            "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": true, "use_mrope": false,
            "use_sliding_window": false, "vocab_size": 151936
            """),
        ["Qwen3 0.6B"] = (596_049_920, """
            "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "attention_bias": false, "head_dim": 128,
            "hidden_size": 1024, "intermediate_size": 3072, "max_position_embeddings": 40960, "max_window_layers": 28,
            "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8, "rms_norm_eps": 1e-06,
            "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null, "tie_word_embeddings": true,
            "use_sliding_window": false, "vocab_size": 151936
            """),
        ["Phi-3-mini-128k"] = (3_821_079_552, $$"""
            "architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "attention_bias": false, "auto_map":
            {"AutoConfig": "configuration_phi3.Phi3Config"}, "embd_pdrop": 0.0, "hidden_size": 3072,
            "intermediate_size": 8192, "max_position_embeddings": 131072, "num_attention_heads": 32,
            "num_hidden_layers": 32, "num_key_value_heads": 32, "original_max_position_embeddings": 4096,
            "pad_token_id": 32000, "resid_pdrop": 0.0, "rms_norm_eps": 1e-05, "rope_scaling": {"long_factor":
            {{Factors(48, 1.1)}}, "short_factor": {{Factors(48, 1)}}, "type": "longrope"}, "rope_theta": 10000.0,
            "sliding_window": 262144, "tie_word_embeddings": false, "vocab_size": 32064
            """),
        ["Phi-4-mini"] = (3_836_021_760, $$"""
            "architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "attention_bias": false, "auto_map":
            {"AutoConfig": "configuration_phi3.Phi3Config"}, "embd_pdrop": 0.0, "full_attn_mod": 1,
            "hidden_size": 3072, "intermediate_size": 8192, "interpolate_factor": 1, "lm_head_bias": false,
            "max_position_embeddings": 131072, "mlp_bias": false, "num_attention_heads": 24, "num_hidden_layers": 32,
            "num_key_value_heads": 8, "original_max_position_embeddings": 4096, "pad_token_id": 199999,
            "partial_rotary_factor": 0.75, "resid_pdrop": 0.0, "rms_norm_eps": 1e-05, "rope_scaling": {"long_factor":
            {{Factors(48, 1.1)}}, "short_factor": {{Factors(48, 1)}}, "type": "longrope"}, "rope_theta": 10000.0,
            "sliding_window": 262144, "tie_word_embeddings": true, "vocab_size": 200064
            """),
        ["SmolLM2 135M"] = (134_515_008, """
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": false,
            "hidden_size": 576, "intermediate_size": 1536, "is_llama_config": true, "max_position_embeddings": 8192,
            "mlp_bias": false, "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3,
            "pad_token_id": 2, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_interleaved": false,
            "rope_scaling": null, "rope_theta": 100000, "tie_word_embeddings": true,
            "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16"}}, "vocab_size": 49152
            """),
        ["Phi-3-small-128k"] = (7_392_272_384, $$"""
            "architectures": ["Phi3SmallForCausalLM"], "model_type": "phi3small", "attention_bias": false,
            "attention_dropout_prob": 0.0, "auto_map": {"AutoConfig": "configuration_phi3_small.Phi3SmallConfig"},
            "blocksparse_block_size": 64, "blocksparse_homo_head_pattern": false, "blocksparse_num_local_blocks": 16,
            "blocksparse_triton_kernel_block_size": 64, "blocksparse_vert_stride": 8,
            "dense_attention_every_n_layers": 2, "embedding_dropout_prob": 0.1, "ff_dim_multiplier": null,
            "ff_intermediate_size": 14336, "ffn_dropout_prob": 0.1, "gegelu_limit": 20.0, "gegelu_pad_to_256": true,
            "hidden_size": 4096, "layer_norm_epsilon": 1e-05, "max_position_embeddings": 131072,
            "mup_attn_multiplier": 1.0, "mup_embedding_multiplier": 10.0, "mup_use_scaling": true,
            "mup_width_multiplier": 8.0, "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
            "pad_sequence_to_multiple_of_64": true, "reorder_and_upcast_attn": false, "rope_embedding_base": 1000000,
            "rope_position_scale": 1.0, "rope_scaling": {"long_factor": {{Factors(64, 1.05)}}, "long_mscale":
            1.1902380714238083, "original_max_position_embeddings": 8192, "short_factor": {{Factors(64, 1)}},
            "short_mscale": 1.0, "type": "su"}, "vocab_size": 100352
            """),
    };

    public static TheoryData<string> Names => [.. s_published.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Published_models_are_read_and_written_again(string name)
    {
        var config = Read(name);
        Assert.Equal(s_published[name].Parameters, config.ParameterCount);
        Assert.Equal(config,
            TransformerConfigFile.Parse(Encoding.UTF8.GetBytes(TransformerConfigFile.Format(config)), "written"));
    }

    [Fact]
    public void Phi_3_small_has_its_factors_limits_and_dense_layers()
    {
        var config = Read("Phi-3-small-128k");
        Assert.Equal(91, config.UnusedTokens?.Count);
        Assert.Equal(20f, config.ActivationLimit);
        Assert.Equal((10f, 8f, 1.0 / 128), (config.EmbeddingMultiplier, config.LogitDivisor, config.AttentionScale));
        Assert.Equal(Enumerable.Range(0, 32).Select(layer => layer % 2 == 1),
            config.Attention.Select(attention => attention is DenseAttention));
        var scaling = Assert.IsType<LongRopeScaling>(config.RopeScaling);
        Assert.Equal((8192, 1.1902380714238083), (scaling.OriginalTokens, scaling.LongMagnitude));
    }

    [Theory]
    [InlineData("Phi-4-mini", "\"full_attn_mod\": 1", "\"full_attn_mod\": 2", "full_attn_mod must be 1, got 2")]
    [InlineData("Phi-4-mini", "\"interpolate_factor\": 1", "\"interpolate_factor\": 4",
        "interpolate_factor must be 1, got 4")]
    [InlineData("SmolLM2 135M", "\"rope_interleaved\": false", "\"rope_interleaved\": true",
        "rope_interleaved must be false, got true")]
    public void Other_values_of_their_fields_are_refused(string name, string field, string other, string message) =>
        Assert.Contains(message,
            Assert.Throws<InvalidDataException>(() => Read(name, field, other)).Message);

    private static TransformerConfig Read(string name, string field = "", string other = "")
    {
        string fields = s_published[name].Fields;
        string common = name == "Phi-3-small-128k" ? Common.Replace("silu", "gegelu") : Common;
        string json = $"{{{common}, {(field == "" ? fields : fields.Replace(field, other))}}}";
        return TransformerConfigFile.Parse(Encoding.UTF8.GetBytes(json), name);
    }

    private static string Factors(int count, double ratio) => $"[{string.Join(", ", Enumerable.Range(0, count)
        .Select(i => Math.Pow(ratio, i).ToString(CultureInfo.InvariantCulture)))}]";
}
