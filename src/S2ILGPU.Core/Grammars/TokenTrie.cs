using S2ILGPU.Tokenizers;

namespace S2ILGPU.Grammars;

/// <summary>The tokens of a vocabulary by their bytes, so that common beginnings are followed once.</summary>
/// <remarks>Made once per tokenizer; immutable, thread-safe.</remarks>
public sealed class TokenTrie
{
    private readonly BytePairTokenizer _tokenizer;

    // Nodes in the order of their texts: what follows a node's text lies behind it, up to its end.
    private readonly List<Node> _nodes = [];
    private readonly int[] _tokens;

    /// <summary>Makes the trie of a tokenizer; special tokens are not part of it.</summary>
    public TokenTrie(BytePairTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        _tokenizer = tokenizer;
        _tokens = [.. Enumerable.Range(0, VocabularySize)
            .Where(id => !tokenizer.IsSpecial(id) && !tokenizer.TokenBytes(id).IsEmpty)];
        Array.Sort(_tokens, (a, b) => tokenizer.TokenBytes(a).SequenceCompareTo(tokenizer.TokenBytes(b)));
        var path = new List<int>(); // nodes from the first byte to the last added one
        for (int t = 0; t < _tokens.Length; t++)
        {
            var bytes = tokenizer.TokenBytes(_tokens[t]);
            int common = t == 0 ? 0 : bytes.CommonPrefixLength(tokenizer.TokenBytes(_tokens[t - 1]));
            Close(path, common);
            for (int depth = common; depth < bytes.Length; depth++)
            {
                path.Add(_nodes.Count);
                _nodes.Add(new Node(bytes[depth], depth, 0, t, t));
            }
            _nodes[path[^1]] = _nodes[path[^1]] with { EndToken = t + 1 };
            Depth = Math.Max(Depth, bytes.Length);
        }
        Close(path, 0);
    }

    /// <summary>Number of token ids.</summary>
    public int VocabularySize => _tokenizer.VocabularySize;

    /// <summary>Bytes of the longest token.</summary>
    internal int Depth { get; }

    internal ReadOnlySpan<Node> Nodes => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_nodes);

    /// <summary>The tokens that end at a node.</summary>
    internal ReadOnlySpan<int> Tokens(in Node node) => _tokens.AsSpan(node.FirstToken, node.EndToken - node.FirstToken);

    /// <summary>The first byte of UTF-8 that no token is, apart from some tokens; null where there is none.</summary>
    internal int? MissingByte(ReadOnlySpan<int> without)
    {
        Span<bool> isToken = stackalloc bool[256];
        for (int n = 0; n < _nodes.Count; n = _nodes[n].End) // first bytes
            foreach (int token in Tokens(_nodes[n]))
                isToken[_nodes[n].Value] |= !without.Contains(token);
        for (int value = 0; value < 0xF5; value++)
            if (!isToken[value] && value is not (0xC0 or 0xC1))
                return value;
        return null;
    }

    internal ReadOnlySpan<byte> BytesOf(int token) => _tokenizer.TokenBytes(token);

    private void Close(List<int> path, int length)
    {
        for (; path.Count > length; path.RemoveAt(path.Count - 1))
            _nodes[path[^1]] = _nodes[path[^1]] with { End = _nodes.Count };
    }

    /// <summary>A byte of tokens.</summary>
    /// <param name="Value">The byte.</param>
    /// <param name="Depth">Bytes before it.</param>
    /// <param name="End">The first node whose text does not begin with this one's.</param>
    /// <param name="FirstToken">The first of the tokens that end here.</param>
    /// <param name="EndToken">The end of these.</param>
    internal readonly record struct Node(byte Value, int Depth, int End, int FirstToken, int EndToken);
}
