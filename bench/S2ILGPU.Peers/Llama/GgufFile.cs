using System.Runtime.InteropServices;
using System.Text;
using S2ILGPU.Models;

namespace S2ILGPU.Peers.Llama;

/// <summary>Writes a model as a GGUF file of the architecture <c>llama</c>, without a vocabulary.</summary>
/// <seealso href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">GGUF</seealso>
internal static class GgufFile
{
    private const uint Version = 3, TypeUInt32 = 4, TypeFloat32 = 6, TypeString = 8, Float32 = 0, Float16 = 1;
    private const int Alignment = 32;

    /// <summary>Writes a file.</summary>
    /// <param name="path">Where to.</param>
    /// <param name="model">The model; tied embeddings, SwiGLU.</param>
    /// <param name="isHalf">Whether matrices are stored as float16 instead of float32; vectors never are.</param>
    /// <returns>Number of the weights written.</returns>
    public static long Write(string path, TransformerModel model, bool isHalf)
    {
        using var file = new BinaryWriter(File.Create(path));
        var metadata = Metadata(model.Config);
        file.Write("GGUF"u8);
        file.Write(Version);
        file.Write((ulong)model.StoredTensors.Count);
        file.Write((ulong)metadata.Count);
        foreach (var (key, value) in metadata)
            WriteEntry(file, key, value);
        long offset = 0, weights = 0;
        foreach (var stored in model.StoredTensors)
        {
            var shape = stored.Tensor.Shape;
            bool half = isHalf && shape.Rank > 1;
            WriteString(file, NameOf(stored.Name));
            file.Write(shape.Rank);
            for (int d = shape.Rank - 1; d >= 0; d--) // the adjacent dimension first
                file.Write((ulong)shape[d]);
            file.Write(half ? Float16 : Float32);
            file.Write((ulong)offset);
            weights += stored.Tensor.Count;
            offset = Aligned(offset + (long)stored.Tensor.Count * (half ? 2 : 4));
        }
        foreach (var stored in model.StoredTensors)
        {
            Align(file);
            WriteValues(file, model, stored, isHalf);
        }
        return weights;
    }

    private static Dictionary<string, object> Metadata(TransformerConfig config) => new()
    {
        ["general.architecture"] = "llama",
        ["llama.vocab_size"] = (uint)config.VocabularySize,
        ["llama.context_length"] = (uint)config.ContextTokens,
        ["llama.embedding_length"] = (uint)config.Dim,
        ["llama.block_count"] = (uint)config.Layers,
        ["llama.feed_forward_length"] = (uint)config.FeedForwardDim,
        ["llama.attention.head_count"] = (uint)config.QueryHeads,
        ["llama.attention.head_count_kv"] = (uint)config.KeyValueHeads,
        ["llama.attention.layer_norm_rms_epsilon"] = config.NormEpsilon,
        ["llama.rope.dimension_count"] = (uint)config.HeadDim,
        ["llama.rope.freq_base"] = (float)config.RopeTheta,
        ["tokenizer.ggml.model"] = "no_vocab",
    };

    private static string NameOf(string name) => name switch
    {
        "model.embed_tokens.weight" => "token_embd.weight",
        "model.norm.weight" => "output_norm.weight",
        _ => name.Replace("model.layers.", "blk.").Replace("input_layernorm", "attn_norm")
            .Replace("self_attn.q_proj", "attn_q").Replace("self_attn.k_proj", "attn_k")
            .Replace("self_attn.v_proj", "attn_v").Replace("self_attn.o_proj", "attn_output")
            .Replace("post_attention_layernorm", "ffn_norm").Replace("mlp.gate_proj", "ffn_gate")
            .Replace("mlp.up_proj", "ffn_up").Replace("mlp.down_proj", "ffn_down"),
    };

    private static void WriteValues(BinaryWriter file, TransformerModel model, StoredTensor stored, bool isHalf)
    {
        float[] values = model.Engine.Values(stored.Tensor);
        if (stored.Name.EndsWith("q_proj.weight", StringComparison.Ordinal)
            || stored.Name.EndsWith("k_proj.weight", StringComparison.Ordinal))
            values = NeighbouringPairs(values, stored.Tensor.Shape[1], model.Config.HeadDim);
        if (isHalf && stored.Tensor.Shape.Rank > 1)
            file.Write(MemoryMarshal.AsBytes<Half>(Array.ConvertAll(values, value => (Half)value)));
        else
            file.Write(MemoryMarshal.AsBytes<float>(values));
    }

    // Ours rotates rows c and c + D/2 of a head together, this architecture rows 2c and 2c + 1.
    private static float[] NeighbouringPairs(float[] rows, int columns, int headDim)
    {
        var paired = new float[rows.Length];
        for (int row = 0; row < rows.Length / columns; row++)
        {
            int head = row / headDim, at = row % headDim, half = headDim / 2;
            int to = head * headDim + 2 * (at % half) + at / half;
            rows.AsSpan(row * columns, columns).CopyTo(paired.AsSpan(to * columns));
        }
        return paired;
    }

    private static void WriteEntry(BinaryWriter file, string key, object value)
    {
        WriteString(file, key);
        switch (value)
        {
            case uint number:
                file.Write(TypeUInt32);
                file.Write(number);
                break;
            case float number:
                file.Write(TypeFloat32);
                file.Write(number);
                break;
            case string text:
                file.Write(TypeString);
                WriteString(file, text);
                break;
        }
    }

    private static void WriteString(BinaryWriter file, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        file.Write((ulong)bytes.Length);
        file.Write(bytes);
    }

    private static void Align(BinaryWriter file)
    {
        file.Flush();
        long at = file.BaseStream.Position;
        file.Write(new byte[Aligned(at) - at]);
    }

    private static long Aligned(long offset) => (offset + Alignment - 1) / Alignment * Alignment;
}
