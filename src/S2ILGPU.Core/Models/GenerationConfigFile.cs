using S2ILGPU.Storage;

namespace S2ILGPU.Models;

/// <summary><c>generation_config.json</c>: how the authors of a model draw from it, and where a text ends.</summary>
/// <remarks>A value out of its range is refused by name. Of the other fields those with which other tools would draw
/// another text are listed in <see cref="GenerationDefaults.Unused"/>: they are no reason to refuse a model that may be
/// measured or trained, or drawn from with what a request says.</remarks>
internal static class GenerationConfigFile
{
    public const string EndTokenKey = "eos_token_id";

    // 0 keeps the most likely token alone.
    private const float LeastTopP = 1e-6f;

    // Token ids, lengths and numbers of texts, which a request says; how other tools compute and what they return;
    // fields of beams, which have no effect without them.
    private static readonly HashSet<string> s_harmless =
    [
        "_commit_hash", "_from_model_config", "assistant_confidence_threshold", "assistant_early_exit",
        "assistant_lookbehind", "bos_token_id", "cache_config", "cache_implementation", "compile_config",
        "decoder_start_token_id", "disable_compile", "diversity_penalty", "early_stopping",
        "encoder_no_repeat_ngram_size", "generation_kwargs", "is_assistant", "length_penalty", "low_memory",
        "max_length", "max_matching_ngram_size", "max_new_tokens", "max_time", "max_window_size",
        "num_assistant_tokens", "num_assistant_tokens_schedule", "num_return_sequences", "output_attentions",
        "output_hidden_states", "output_logits", "output_scores", "pad_token_id", "prefill_chunk_size",
        "prompt_lookup_num_tokens", "remove_invalid_values", "renormalize_logits", "return_dict_in_generate",
        "return_legacy_cache", "target_lookbehind", "transformers_version", "trust_remote_code", "use_cache",
    ];

    // Fields that change a text, with the value that does not; null where every value does.
    private static readonly Dictionary<string, double?> s_neutral = new()
    {
        ["num_beams"] = 1,
        ["num_beam_groups"] = 1,
        ["typical_p"] = 1,
        ["guidance_scale"] = 1,
        ["encoder_repetition_penalty"] = 1,
        ["no_repeat_ngram_size"] = 0,
        ["epsilon_cutoff"] = 0,
        ["eta_cutoff"] = 0,
        ["penalty_alpha"] = 0,
        ["min_length"] = 0,
        ["min_new_tokens"] = 0,
        ["presence_penalty"] = 0,
        ["frequency_penalty"] = 0,
        ["dola_layers"] = null,
        ["stop_strings"] = null,
    };

    /// <summary>Reads the file of a folder, which may have none.</summary>
    /// <returns>What it says about drawing, and the tokens that end a text.</returns>
    /// <exception cref="InvalidDataException">It is damaged, or a field has a wrong type or value; the message has
    /// file, field and value.</exception>
    public static (GenerationDefaults Defaults, int[] EndTokens) Read(string folder)
    {
        string path = ModelFolder.PathOf(folder, ModelFolder.GenerationConfig);
        return FileKinds.Of(path) is FileKind.Missing ? (GenerationDefaults.None, [])
            : JsonValue.Read(path, "a configuration", TransformerConfigFile.MaxBytes,
                root => (ReadDefaults(new ConfigFields(root)), ReadEndTokens(root)));
    }

    /// <summary>The tokens that end a text, of this file or of <c>config.json</c>.</summary>
    public static int[] ReadEndTokens(JsonValue root) => root.Find(EndTokenKey) switch
    {
        null => [],
        { IsArray: true } list => [.. list.Items().Select(id => id.Integer())],
        { } one => [one.Integer()],
    };

    private static GenerationDefaults ReadDefaults(ConfigFields fields)
    {
        fields.Find(EndTokenKey);
        bool isDrawn = fields.Boolean("do_sample", true);
        float? temperature = Number(fields, "temperature", 0, 100);
        return new GenerationDefaults
        {
            Temperature = isDrawn ? temperature : 0,
            TopK = fields.Find("top_k") is not { } k ? null
                : k.Integer() is >= 0 and var most ? most : throw k.Wrong("at least 0"),
            TopP = Number(fields, "top_p", 0, 1) is { } reached ? Math.Max(reached, LeastTopP) : null,
            MinP = Number(fields, "min_p", 0, 1),
            RepetitionPenalty = Number(fields, "repetition_penalty", 0.01, 100),
            Unused = [.. fields.Rest
                .Where(field => !s_harmless.Contains(field.Name) && !IsNeutral(field.Name, field.Value))
                .Select(field => $"{field.Name} {field.Value.Quoted}")],
        };
    }

    private static float? Number(ConfigFields fields, string name, double least, double most) =>
        fields.Find(name) is not { } value ? null
        : value.Number() is var number && number >= least && number <= most ? (float)number
        : throw value.Wrong(FormattableString.Invariant($"a number from {least} to {most}"));

    // What is off, or has nothing in it; of fields of which nothing is known also a name.
    private static bool IsNeutral(string name, JsonValue value) => value.IsFalse
        || (value.IsArray && value.Count == 0) || (value.IsObject && !value.Members().Any())
        || (s_neutral.TryGetValue(name, out double? neutral) ? value.IsNumber && value.Number() == neutral
            : value.IsText);
}
