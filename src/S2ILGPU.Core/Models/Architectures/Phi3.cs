using System.Text.Json;

namespace S2ILGPU.Models.Architectures;

/// <summary>Phi 3 mini and medium, Phi 3.5 and Phi 4: Llama with one tensor for queries, keys and values, one for gate
/// and up, and a part of each head that turns.</summary>
internal sealed class Phi3 : ModelArchitecture
{
    public override string Name => "Phi3ForCausalLM";

    public override string ModelType => "phi3";

    protected override double DefaultNormEpsilon => 1e-5;

    protected override bool HasPartialRotary => true;

    public override IReadOnlyList<FilePart> QueryKeyValue(TransformerConfig config, string layer) =>
        [new($"{layer}self_attn.qkv_proj", (config.QueryHeads + 2 * config.KeyValueHeads) * config.HeadDim)];

    public override IReadOnlyList<FilePart> FeedForwardIn(TransformerConfig config, string layer) =>
        [new($"{layer}mlp.gate_up_proj", 2 * config.FeedForwardDim)];

    public override AttentionPlan ReadAttention(ConfigFields fields, TransformerConfig config) =>
        WindowFields.Read(fields, config, absent: null);

    public override bool Expresses(TransformerConfig config) =>
        WindowFields.Express(config.Attention, isPerLayer: false);

    public override void WriteAttention(Utf8JsonWriter writer, TransformerConfig config) =>
        WindowFields.Write(writer, config, isPerLayer: false);

    public override void Check(TransformerConfig config) => Check(config, new TransformerConfig
    {
        RotaryFraction = config.RotaryFraction,
    });
}
