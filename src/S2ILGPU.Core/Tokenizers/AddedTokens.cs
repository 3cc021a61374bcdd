using System.Text;
using S2ILGPU.Tokenizers.Pipeline;

namespace S2ILGPU.Tokenizers;

/// <summary>The added tokens to look for in text. What is between them is normalized and passed on.</summary>
internal sealed class AddedTokens
{
    private readonly TokenizerPipeline _pipeline;
    private readonly AddedTokenFinder _asTheyStand, _normalized;

    public AddedTokens(IEnumerable<AddedToken> tokens, TokenizerPipeline pipeline)
    {
        _pipeline = pipeline;
        // Of tokens whose normalized texts are the same the first one is found, and special ones come first.
        var kinds = tokens.OrderByDescending(token => token.IsSpecial)
            .ToLookup(token => token.IsNormalized, token => (token, Encoding.UTF8.GetBytes(token.Text)));
        _asTheyStand = new AddedTokenFinder(kinds[false]);
        _normalized = new AddedTokenFinder(
            kinds[true].Select(token => (token.token, pipeline.Normalize(token.Item2).ToArray())));
    }

    /// <summary>Takes a text apart: tokens that are not normalized first, in what is between them the others.</summary>
    /// <param name="text">The text.</param>
    /// <param name="between">Receives the normalized text between tokens.</param>
    /// <param name="destination">Receives the ids of the tokens, when what comes before them was passed on.</param>
    public void Split(ReadOnlySpan<byte> text, IPieceReader between, List<int> destination)
    {
        for (int position = 0; position < text.Length;)
        {
            bool found = _asTheyStand.TryFind(text, position, out int start, out int end, out var token);
            SplitNormalized(_pipeline.Normalize(text[position..(found ? start : text.Length)]), position == 0, between,
                destination);
            if (found)
                destination.Add(token!.Id);
            position = found ? end : text.Length;
        }
    }

    private void SplitNormalized(ReadOnlySpan<byte> text, bool isFirst, IPieceReader between, List<int> destination)
    {
        for (int position = 0; position < text.Length;)
        {
            bool found = _normalized.TryFind(text, position, out int start, out int end, out var token);
            var before = text[position..(found ? start : text.Length)];
            if (!before.IsEmpty)
                between.Read(before, isFirst && position == 0);
            if (found)
                destination.Add(token!.Id);
            position = found ? end : text.Length;
        }
    }
}
