using System.Text.Json;

namespace S2ILGPU.Models.Architectures;

/// <summary>Mistral: Llama with a sliding window in all layers.</summary>
internal sealed class Mistral : ModelArchitecture
{
    private const int DefaultKeyValueHeads = 8, DefaultWindow = 4096;

    public override string Name => "MistralForCausalLM";

    public override string ModelType => "mistral";

    public override TransformerConfig Read(ConfigFields fields) => base.Read(fields) with
    {
        KeyValueHeads = fields.Integer("num_key_value_heads",
            fields.Has("num_key_value_heads") ? fields.Integer("num_attention_heads") : DefaultKeyValueHeads),
    };

    public override AttentionPlan ReadAttention(ConfigFields fields, TransformerConfig config) =>
        WindowFields.Read(fields, config, DefaultWindow);

    public override bool Expresses(TransformerConfig config) =>
        config.Activation == Activation.SwiGlu && WindowFields.Express(config.Attention, isPerLayer: false);

    public override void WriteAttention(Utf8JsonWriter writer, TransformerConfig config) =>
        WindowFields.Write(writer, config, isPerLayer: false);
}
