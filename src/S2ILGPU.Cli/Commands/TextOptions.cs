using System.CommandLine;
using System.Globalization;
using S2ILGPU.Grammars;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Storage;

namespace S2ILGPU.Cli.Commands;

/// <summary>How a text is drawn, where it ends and what it must be, by the names of the API with - for _.</summary>
internal sealed class TextOptions
{
    private const int MaxSchemaBytes = 10_000_000;

    private static readonly SamplingOptions s_defaults = new();

    private readonly Option<float?> _temperature = Options.OptionalNumber<float>("--temperature",
        "0 always takes the most likely token", least: 0, most: 100, unset: OfModel(s_defaults.Temperature));

    private readonly Option<int?> _topK = Options.OptionalNumber<int>("--top-k",
        "Draw from the N most likely tokens; 0 for all", least: 0, unset: OfModel(s_defaults.TopK));

    private readonly Option<float?> _topP = Options.OptionalNumber<float>("--top-p",
        "Draw from the most likely tokens that reach this probability", least: 0, most: 1,
        unset: OfModel(s_defaults.TopP));

    private readonly Option<float?> _minP = Options.OptionalNumber<float>("--min-p",
        "Draw from tokens of at least this part of the largest probability", least: 0, most: 1,
        unset: OfModel(s_defaults.MinP));

    private readonly Option<float?> _repetition = Options.OptionalNumber<float>("--repetition-penalty",
        "Makes tokens of the prompt and the text less likely; 1 changes nothing", least: 0.01f, most: 100,
        unset: OfModel(s_defaults.RepetitionPenalty));

    private readonly Option<float> _presence = Options.Number("--presence-penalty", s_defaults.PresencePenalty,
        "Subtracted from the logits of generated tokens, once", least: -2, most: 2);

    private readonly Option<float> _frequency = Options.Number("--frequency-penalty", s_defaults.FrequencyPenalty,
        "Subtracted from the logits of generated tokens, as often as they came", least: -2, most: 2);

    private readonly Option<string?> _bias = Options.Text("--logit-bias", "TOKEN=BIAS,...",
        "Added to the logits of tokens, -100 to 100", unset: "none");

    private readonly Option<ulong> _seed = Options.Number("--seed", s_defaults.Seed, "Seed of the draws");

    private readonly Option<string[]> _stop = new("--stop")
    {
        Description = "Text that ends the answer before it; may be given several times [default: none]",
        HelpName = "TEXT",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<bool> _jsonObject = Options.Switch("--json-object", "Write a JSON object and nothing else");

    private readonly Option<string?> _jsonSchema = Options.Text("--json-schema", "FILE",
        "Write JSON that meets the schema in FILE", unset: "any text");

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_temperature, _topK, _topP, _minP, _repetition, _presence, _frequency,
            _bias, _seed, _stop, _jsonObject, _jsonSchema])
            command.Add(option);
    }

    /// <summary>How to draw, given what holds for options that are left out.</summary>
    /// <exception cref="ArgumentException">A value is out of its range, whatever the model.</exception>
    public Func<GenerationDefaults, SamplingOptions> Sampling(ParseResult parsed)
    {
        Of(GenerationDefaults.None);
        return Of;

        SamplingOptions Of(GenerationDefaults model)
        {
            var defaults = s_defaults.For(model);
            return new SamplingOptions
            {
                Temperature = parsed.GetValue(_temperature) ?? defaults.Temperature,
                TopK = parsed.GetValue(_topK) ?? defaults.TopK,
                TopP = parsed.GetValue(_topP) ?? defaults.TopP,
                MinP = parsed.GetValue(_minP) ?? defaults.MinP,
                RepetitionPenalty = parsed.GetValue(_repetition) ?? defaults.RepetitionPenalty,
                PresencePenalty = parsed.GetValue(_presence),
                FrequencyPenalty = parsed.GetValue(_frequency),
                LogitBias = Biases(parsed.GetValue(_bias)),
                Seed = parsed.GetValue(_seed),
            }.Validate();
        }
    }

    /// <summary>Where the text ends.</summary>
    public IReadOnlyList<string> Stop(ParseResult parsed) => parsed.GetValue(_stop) ?? [];

    /// <summary>What the text must be; null for any text.</summary>
    /// <exception cref="ArgumentException">Both options are given, or the schema uses what grammars do not
    /// know.</exception>
    /// <exception cref="InvalidDataException">The file is not JSON.</exception>
    public Grammar? Grammar(ParseResult parsed)
    {
        bool isObject = parsed.GetValue(_jsonObject);
        if (parsed.GetValue(_jsonSchema) is not { } path)
            return isObject ? Grammars.Grammar.JsonObject : null;
        if (isObject)
            throw new ArgumentException($"{_jsonObject.Name} and {_jsonSchema.Name} exclude each other");
        return JsonValue.Read(path, "a JSON schema", MaxSchemaBytes,
            schema => Grammars.Grammar.FromJsonSchema(schema.Element));
    }

    private static string OfModel(double otherwise) =>
        string.Create(CultureInfo.InvariantCulture, $"the model's, else {otherwise:0.##}");

    private Dictionary<int, float>? Biases(string? text)
    {
        if (text is null)
            return null;
        var biases = new Dictionary<int, float>();
        foreach (string part in text.Split(','))
            if (part.Split('=') is not [var token, var bias]
                || !int.TryParse(token, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                || !float.TryParse(bias, NumberStyles.Float, CultureInfo.InvariantCulture, out float value)
                || !biases.TryAdd(id, value))
                throw new ArgumentException($"{_bias.Name} must be TOKEN=BIAS,... with each token once, got {text}");
        return biases;
    }
}
