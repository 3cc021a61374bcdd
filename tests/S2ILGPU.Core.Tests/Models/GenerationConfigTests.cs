using S2ILGPU.Cpu;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

/// <summary><c>generation_config.json</c>: what it says holds where a user says nothing.</summary>
public sealed class GenerationConfigTests
{
    // As Llama 3, Qwen2.5 and Phi-3 have it.
    [Theory]
    [InlineData("""
        {"bos_token_id": 128000, "do_sample": true, "eos_token_id": [1, 2], "temperature": 0.6, "top_p": 0.9,
         "transformers_version": "4.45.0.dev0", "max_length": 4096, "pad_token_id": 0, "_from_model_config": true}
        """, 0.6f, 50, 0.9f, 0f, 1f)]
    [InlineData("""
        {"do_sample": true, "repetition_penalty": 1.05, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "min_p": 0.1}
        """, 0.7f, 20, 0.8f, 0.1f, 1.05f)]
    [InlineData("""{"do_sample": false, "temperature": 0.7, "top_k": 20}""", 0f, 20, 0.95f, 0f, 1f)]
    [InlineData("""{"temperature": 0, "top_p": 0, "top_k": 0, "min_p": null}""", 0f, 0, 1e-6f, 0f, 1f)]
    [InlineData("{}", 0.8f, 50, 0.95f, 0f, 1f)]
    public void Fields_take_the_place_of_defaults(string json, float temperature, int topK, float topP, float minP,
        float repetitionPenalty)
    {
        var defaults = Read(json);
        Assert.Empty(defaults.Unused);
        Assert.Equal(new SamplingOptions
        {
            Temperature = temperature,
            TopK = topK,
            TopP = topP,
            MinP = minP,
            RepetitionPenalty = repetitionPenalty,
            PresencePenalty = 0.5f,
            Seed = 9,
        }, new SamplingOptions { PresencePenalty = 0.5f, Seed = 9 }.For(defaults).Validate());
    }

    [Theory]
    [InlineData("""{"temperature": "x"}""", "temperature must be a finite number, got \"x\"")]
    [InlineData("""{"temperature": -0.5}""", "temperature must be a number from 0 to 100, got -0.5")]
    [InlineData("""{"temperature": 1e999}""", "temperature must be a finite number, got 1e999")]
    [InlineData("""{"top_k": -1}""", "top_k must be at least 0, got -1")]
    [InlineData("""{"top_k": 1.5}""", "top_k must be an integer, got 1.5")]
    [InlineData("""{"top_p": 1.01}""", "top_p must be a number from 0 to 1, got 1.01")]
    [InlineData("""{"min_p": -1}""", "min_p must be a number from 0 to 1, got -1")]
    [InlineData("""{"repetition_penalty": 0}""", "repetition_penalty must be a number from 0.01 to 100, got 0")]
    [InlineData("""{"do_sample": 1}""", "do_sample must be true or false, got 1")]
    [InlineData("[]", "the document must be an object")]
    public void Wrong_values_are_refused_by_file_and_field(string json, string message)
    {
        using var folder = new TinyLlama();
        folder.Write(ModelFolder.GenerationConfig, json);
        using var engine = new CpuEngine();
        Assert.Contains($"{folder[ModelFolder.GenerationConfig]}: {message}",
            Assert.Throws<InvalidDataException>(() => ModelFolder.Load(folder.Path, engine)).Message);
    }

    [Fact]
    public void Fields_that_would_change_a_text_are_listed()
    {
        Assert.Equal(["num_beams 4", "no_repeat_ngram_size 3", "bad_words_ids [[5]]", "stop_strings \"END\"",
            "invented 0.5", "switch true"], Read("""
            {"num_beams": 4, "no_repeat_ngram_size": 3, "bad_words_ids": [[5]], "stop_strings": "END",
             "invented": 0.5, "switch": true, "temperature": 0.5}
            """).Unused);
        Assert.Empty(Read("""
            {"num_beams": 1, "no_repeat_ngram_size": 0, "bad_words_ids": null, "suppress_tokens": [], "typical_p": 1.0,
             "token_healing": false, "chat_format": "chatml", "max_new_tokens": 512, "use_cache": true, "min_length": 0}
            """).Unused);
    }

    [Fact]
    public void A_model_without_the_file_says_nothing()
    {
        using TinyLlama folder = new();
        using var engine = new CpuEngine();
        using var loaded = ModelFolder.Load(folder.Path, engine);
        Assert.Equal(GenerationDefaults.None, loaded.Generation);
        Assert.Equal(new SamplingOptions(), new SamplingOptions().For(loaded.Generation));
    }

    private static GenerationDefaults Read(string json)
    {
        using var folder = new TinyLlama();
        folder.Write(ModelFolder.GenerationConfig, json);
        using var engine = new CpuEngine();
        using var loaded = ModelFolder.Load(folder.Path, engine);
        return loaded.Generation;
    }
}
