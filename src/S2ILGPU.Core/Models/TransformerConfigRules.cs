using S2ILGPU.Storage;

namespace S2ILGPU.Models;

/// <summary>What a <c>config.json</c> may say beside the fields that its <see cref="ModelArchitecture"/>
/// reads.
/// Whatever changes the arithmetic in a way that is not computed here is refused by name.</summary>
/// <remarks>
/// <para>Every key falls into one of four groups. Read: it becomes a field of the configuration. Neutral: it is known
/// to change the arithmetic, and has the one value that changes nothing. Harmless: it is known not to concern the
/// arithmetic of a forward pass. Unknown: see below.</para>
/// <para>Of unknown keys <c>null</c>, <c>false</c>, empty lists and objects, and strings are accepted: they say that a
/// feature is off, or carry a name, a version, a licence. Unknown numbers, <c>true</c>, lists and objects are
/// refused: a multiplier, a switch or a table of which nothing is known could change every logit, and the user learns
/// it only here. So are strings and <c>false</c> where the key names a part of the arithmetic, such as
/// <c>use_rms_norm</c> or <c>mlp_type</c>; a bias that is off is none. Whoever knows that the key is harmless removes
/// it from the file.</para>
/// </remarks>
internal static class TransformerConfigRules
{
    // Token ids, training, generation, storage and bookkeeping of other tools. attention_dropout and its like act
    // while training only; pretraining_tp cuts products into parts and adds them up again.
    private static readonly HashSet<string> s_harmless =
    [
        "_attn_implementation", "attention_dropout_prob", "blocksparse_triton_kernel_block_size",
        "embedding_dropout_prob", "ffn_dropout_prob", "gegelu_pad_to_256", "pad_sequence_to_multiple_of_64",
        "reorder_and_upcast_attn",
        "_attn_implementation_autoset", "_commit_hash", "_name_or_path", "_diffusers_version",
        "attention_dropout", "attn_implementation", "attn_pdrop", "auto_map", "bad_words_ids", "begin_suppress_tokens",
        "bos_token_id", "chunk_size_feed_forward", "classifier_dropout", "custom_pipelines",
        "decoder_start_token_id", "diversity_penalty", "do_sample", "dtype", "early_stopping", "embd_pdrop",
        "encoder_no_repeat_ngram_size", "eos_token_id", "exponential_decay_length_penalty", "finetuning_task",
        "forced_bos_token_id", "forced_eos_token_id", "hidden_dropout", "hidden_dropout_prob", "id2label",
        "initializer_range", "is_decoder", "is_llama_config", "keys_to_ignore_at_inference", "label2id",
        "length_penalty", "max_length", "max_new_tokens", "min_length", "no_repeat_ngram_size", "num_beam_groups",
        "num_beams", "num_return_sequences", "output_attentions", "output_hidden_states", "output_scores",
        "pad_token_id", "prefix", "pretraining_tp", "problem_type", "remove_invalid_values", "repetition_penalty",
        "resid_pdrop", "return_dict", "return_dict_in_generate", "sep_token_id", "suppress_tokens",
        "task_specific_params", "temperature", "tf_legacy_loss", "tokenizer_class", "top_k", "top_p", "torch_dtype",
        "torchscript", "transformers.js_config", "transformers_version", "typical_p", "unk_token_id", "unsloth_fixed",
        "unsloth_version", "use_cache", "use_flash_attention", "use_flash_attention_2", "use_bfloat16",
    ];

    // Parts of keys that name a part of the arithmetic.
    private static readonly string[] s_arithmetic =
        ["activation", "_act", "norm", "rope", "rotary", "attention", "attn", "position", "mlp", "ffn", "bias"];

    private static readonly Dictionary<string, Neutral> s_neutral = new()
    {
        ["attention_bias"] = Neutral.False,
        ["mlp_bias"] = Neutral.False,
        ["use_bias"] = Neutral.False,
        ["qkv_bias"] = Neutral.False,
        ["use_qkv_bias"] = Neutral.False,
        ["lm_head_bias"] = Neutral.False,
        ["use_qk_norm"] = Neutral.False,
        ["qk_layernorm"] = Neutral.False,
        ["alibi"] = Neutral.False,
        ["parallel_attn"] = Neutral.False,
        ["use_parallel_residual"] = Neutral.False,
        ["use_sliding_window"] = Neutral.False,
        ["add_cross_attention"] = Neutral.False,
        ["is_encoder_decoder"] = Neutral.False,
        ["tie_encoder_decoder"] = Neutral.False,
        ["rope_interleaved"] = Neutral.False,
        ["use_mrope"] = Neutral.False,
        ["is_causal"] = Neutral.True,
        ["use_rope"] = Neutral.True,
        ["sliding_window"] = Neutral.Null,
        ["attn_logit_softcapping"] = Neutral.Null,
        ["final_logit_softcapping"] = Neutral.Null,
        ["quantization_config"] = Neutral.Null,
        ["embedding_multiplier"] = Neutral.One,
        ["residual_multiplier"] = Neutral.One,
        ["logits_scaling"] = Neutral.One,
        ["logit_scale"] = Neutral.One,
        ["full_attn_mod"] = Neutral.One,
        ["interpolate_factor"] = Neutral.One,
        ["partial_rotary_factor"] = Neutral.One,
        ["rotary_pct"] = Neutral.One,
        ["attention_multiplier"] = Neutral.Number(config => 1 / Math.Sqrt(config.HeadDim)),
        ["query_pre_attn_scalar"] = Neutral.Number(config => config.HeadDim),
        ["rotary_dim"] = Neutral.Number(config => config.HeadDim),
        ["layer_types"] = Neutral.Each("full_attention"),
        ["position_embedding_type"] = Neutral.Each("rope", "rotary"),
        ["norm_type"] = Neutral.Each("rmsnorm", "rms_norm"),
        ["rope_type"] = Neutral.Each("default"),
        ["hidden_activation"] = Neutral.Each("silu", "swish"),
        ["activation_function"] = Neutral.Each("silu", "swish"),
        ["mlp_activation"] = Neutral.Each("silu", "swish"),
    };

    /// <summary>Whether a key is known not to concern the arithmetic.</summary>
    public static bool IsHarmless(string name) => s_harmless.Contains(name);

    /// <summary>Checks every key that the configuration was not read from.</summary>
    /// <param name="fields">The document.</param>
    /// <param name="config">What was read from it.</param>
    /// <exception cref="InvalidDataException">A key changes the arithmetic, or may.</exception>
    public static void Check(ConfigFields fields, TransformerConfig config)
    {
        foreach (var (name, value) in fields.Rest)
        {
            if (s_harmless.Contains(name))
                continue;
            if (name == "architectures")
                CheckArchitectures(fields, value, config);
            else if (s_neutral.TryGetValue(name, out var neutral))
                neutral.Check(value, config);
            else if (MayChangeArithmetic(name, value))
                throw value.Bad($"with the value {value.Quoted} is unknown and may change the arithmetic; "
                    + "remove it if it does not");
        }
    }

    // A class of another name has arithmetic of its own, whatever the model type says.
    private static void CheckArchitectures(ConfigFields fields, JsonValue value, TransformerConfig config)
    {
        string[] names = [.. value.Items().Select(item => item.Text())];
        bool isOurs = fields.Member(TransformerConfigFile.ModelTypeKey).Text() == TransformerConfigFile.SparseModelType;
        if (!isOurs && names.Length > 0 && !names.Contains(config.Architecture))
            throw value.Wrong($"[\"{config.Architecture}\"]");
    }

    private static bool MayChangeArithmetic(string name, JsonValue value)
    {
        if (value.IsNumber || value.IsTrue || (value.IsArray && value.Items().Any())
            || (value.IsObject && value.Members().Any()))
            return true;
        bool isArithmetic = s_arithmetic.Any(part => name.Contains(part, StringComparison.OrdinalIgnoreCase));
        return isArithmetic && (value.IsText || (value.IsFalse && !name.EndsWith("bias", StringComparison.Ordinal)));
    }

    /// <summary>The value of a key that changes nothing.</summary>
    /// <param name="Text">The value, for messages.</param>
    /// <param name="Is">Whether a value is it; null never gets here.</param>
    private sealed record Neutral(Func<TransformerConfig, string> Text, Func<JsonValue, TransformerConfig, bool> Is)
    {
        public static readonly Neutral False = new(_ => "false", (value, _) => !value.Boolean());

        public static readonly Neutral True = new(_ => "true", (value, _) => value.Boolean());

        public static readonly Neutral Null = new(_ => "null", (_, _) => false);

        public static readonly Neutral One = Number(_ => 1);

        public static Neutral Number(Func<TransformerConfig, double> expected) => new(
            config => FormattableString.Invariant($"{expected(config)}"),
            (value, config) => Math.Abs(value.Number() - expected(config)) <= 1e-6 * expected(config));

        public static Neutral Each(params string[] allowed) => new(_ => $"\"{string.Join("\" or \"", allowed)}\"",
            (value, _) => (value.IsArray ? value.Items() : [value]).All(item => allowed.Contains(item.Text())));

        public void Check(JsonValue value, TransformerConfig config)
        {
            if (!Is(value, config))
                throw value.Wrong(Text(config));
        }
    }
}
