using System.Text.Json;

namespace S2ILGPU.Models.Architectures;

/// <summary>Qwen 3: Llama with a norm of every query head and key head, and the windows of Qwen 2.</summary>
internal sealed class Qwen3 : ModelArchitecture
{
    public override string Name => "Qwen3ForCausalLM";

    public override string ModelType => "qwen3";

    protected override int? DefaultHeadDim => 128;

    public override TransformerConfig Read(ConfigFields fields)
    {
        bool hasBias = fields.Boolean("attention_bias", false);
        return base.Read(fields) with { QueryKeyNorm = true, QueryKeyValueBias = hasBias, OutputBias = hasBias };
    }

    public override AttentionPlan ReadAttention(ConfigFields fields, TransformerConfig config) =>
        WindowFields.ReadUpper(fields, config);

    public override void Write(Utf8JsonWriter writer, TransformerConfig config)
    {
        base.Write(writer, config);
        writer.WriteBoolean("attention_bias", config.OutputBias);
    }

    public override bool Expresses(TransformerConfig config) =>
        config.Activation == Activation.SwiGlu && WindowFields.Express(config.Attention, isPerLayer: true);

    public override void WriteAttention(Utf8JsonWriter writer, TransformerConfig config) =>
        WindowFields.Write(writer, config, isPerLayer: true);

    public override void Check(TransformerConfig config) => Check(config, new TransformerConfig
    {
        QueryKeyNorm = true,
        QueryKeyValueBias = config.OutputBias,
        OutputBias = config.OutputBias,
    });
}
