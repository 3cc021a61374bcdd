using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cluster.Hosting;

/// <summary>What decides which text a request gets: configuration, patterns, weights, vocabulary, how the model's
/// authors draw from it, and how the scheduler cuts prompts and stores keys and values. Instances with equal
/// fingerprints may continue each other's texts.</summary>
internal static class ModelFingerprint
{
    // Elements that are copied to the host at a time.
    private const int MaxElements = 1 << 22;

    /// <summary>The fingerprint, 32 hexadecimal digits. Reads all weights; nothing may run on the engine
    /// meanwhile.</summary>
    public static string Of(PretrainedModel pretrained, SchedulerOptions scheduler)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var model = pretrained.Model;
        Append(hash, TransformerConfigFile.Format(model.Config));
        for (int layer = 0; layer < model.Config.Layers; layer++)
            Append(hash, model.Pattern(layer).ToString()!);
        Append(hash, FormattableString.Invariant($"{model.MatrixType} {model.ActivationType} {scheduler.ElementType} ")
            + FormattableString.Invariant($"{scheduler.ChunkTokens} {scheduler.MaxTokens} {model.SampleAttention} ")
            + string.Join(' ', pretrained.EndTokens));
        var drawn = pretrained.Generation;
        Append(hash, FormattableString.Invariant(
            $"{drawn.Temperature} {drawn.TopK} {drawn.TopP} {drawn.MinP} {drawn.RepetitionPenalty}"));
        for (int token = 0; token < pretrained.Tokenizer.VocabularySize; token++)
        {
            var bytes = pretrained.Tokenizer.TokenBytes(token);
            hash.AppendData(BitConverter.GetBytes(bytes.Length));
            hash.AppendData(bytes);
        }
        foreach (var (name, tensor) in model.StoredTensors)
        {
            Append(hash, $"{name} {tensor.Shape} {tensor.ElementType}");
            Append(hash, model, tensor);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
    }

    private static void Append(IncrementalHash hash, string text) =>
        hash.AppendData(Encoding.UTF8.GetBytes(text + '\n'));

    private static void Append(IncrementalHash hash, TransformerModel model, Tensor tensor)
    {
        int rows = tensor.Shape[0], most = (int)Math.Max(1, MaxElements / Math.Max(1, tensor.Count / rows));
        for (int row = 0; row < rows; row += most)
        {
            using var part = tensor.Slice(0, row, Math.Min(most, rows - row));
            float[] values = new float[part.Count];
            model.Engine.Download(part, values);
            hash.AppendData(MemoryMarshal.AsBytes(values.AsSpan()));
        }
    }
}
