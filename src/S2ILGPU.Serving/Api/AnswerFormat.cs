using System.Text;
using System.Text.Json;
using S2ILGPU.Inference;
using S2ILGPU.Scheduling;
using S2ILGPU.Tokenizers;
using S2ILGPU.Tools;

namespace S2ILGPU.Serving.Api;

/// <summary>What completions and chat differ in when an answer is written: whole, or a chunk of a stream.</summary>
internal abstract class AnswerFormat(BytePairTokenizer tokenizer)
{
    public abstract string IdPrefix { get; }

    /// <summary>The field <c>object</c>.</summary>
    /// <param name="isChunk">Whether the answer is streamed.</param>
    public abstract string ObjectName(bool isChunk);

    /// <summary>What a piece of text says, as far as it is certain.</summary>
    /// <param name="choice">The choice.</param>
    /// <param name="text">The piece, or the whole text.</param>
    /// <param name="isLast">Whether nothing follows.</param>
    public virtual AnswerPiece Read(int choice, string text, bool isLast) => new(text, []);

    /// <summary>The word for an end that was no limit.</summary>
    public virtual string StopReason(int choice) => "stop";

    /// <summary>Writes a choice.</summary>
    public abstract void WriteWhole(Utf8JsonWriter writer, AnswerPiece piece);

    /// <summary>Writes a piece of a choice.</summary>
    public abstract void WritePiece(Utf8JsonWriter writer, AnswerPiece piece, bool isFirst);

    /// <summary>Writes the value of <c>logprobs</c>.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="tokens">Tokens with log-probabilities.</param>
    /// <param name="textOffset">Characters of the text before these tokens.</param>
    public abstract void WriteLogProbabilities(Utf8JsonWriter writer, IReadOnlyList<GeneratedToken> tokens,
        int textOffset);

    protected ReadOnlySpan<byte> BytesOf(int token) => tokenizer.TokenBytes(token);

    protected string NameOf(int token) => Encoding.UTF8.GetString(BytesOf(token));

    // JSON has no infinity; OpenAI's API writes -9999 for what is never drawn.
    protected static float Finite(float logProbability) => Math.Max(logProbability, -9999);
}
