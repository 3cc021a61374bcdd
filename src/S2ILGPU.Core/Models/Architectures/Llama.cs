using System.Text.Json;

namespace S2ILGPU.Models.Architectures;

/// <summary>Llama 1 to 3: biases in attention and in the feed-forward block are fields.</summary>
internal sealed class Llama : ModelArchitecture
{
    public override string Name => Default;

    public override string ModelType => "llama";

    public override TransformerConfig Read(ConfigFields fields)
    {
        bool hasBias = fields.Boolean("attention_bias", false);
        return base.Read(fields) with
        {
            QueryKeyValueBias = hasBias,
            OutputBias = hasBias,
            FeedForwardBias = fields.Boolean("mlp_bias", false),
        };
    }

    public override void Write(Utf8JsonWriter writer, TransformerConfig config)
    {
        base.Write(writer, config);
        writer.WriteBoolean("attention_bias", config.OutputBias);
        writer.WriteBoolean("mlp_bias", config.FeedForwardBias);
    }

    public override void Check(TransformerConfig config) => Check(config, new TransformerConfig
    {
        QueryKeyValueBias = config.OutputBias,
        OutputBias = config.OutputBias,
        FeedForwardBias = config.FeedForwardBias,
    });
}
