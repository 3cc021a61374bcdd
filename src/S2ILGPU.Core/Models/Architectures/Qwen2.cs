using System.Text.Json;

namespace S2ILGPU.Models.Architectures;

/// <summary>Qwen 2 and 2.5: Llama with biases of queries, keys and values, and a sliding window in the upper layers
/// where it is switched on.</summary>
internal sealed class Qwen2 : ModelArchitecture
{
    public override string Name => "Qwen2ForCausalLM";

    public override string ModelType => "qwen2";

    public override TransformerConfig Read(ConfigFields fields) =>
        base.Read(fields) with { QueryKeyValueBias = true };

    public override AttentionPlan ReadAttention(ConfigFields fields, TransformerConfig config) =>
        WindowFields.ReadUpper(fields, config);

    public override bool Expresses(TransformerConfig config) =>
        config.Activation == Activation.SwiGlu && WindowFields.Express(config.Attention, isPerLayer: true);

    public override void WriteAttention(Utf8JsonWriter writer, TransformerConfig config) =>
        WindowFields.Write(writer, config, isPerLayer: true);

    public override void Check(TransformerConfig config) =>
        Check(config, new TransformerConfig { QueryKeyValueBias = true });
}
