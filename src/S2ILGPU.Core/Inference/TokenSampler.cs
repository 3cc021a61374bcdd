using System.Numerics;
using System.Runtime.InteropServices;
using S2ILGPU.Grammars;
using S2ILGPU.Models;

namespace S2ILGPU.Inference;

/// <summary>Draws the tokens of one text from logits, as <see cref="SamplingOptions"/> say. Allocates nothing per
/// token. Not thread-safe.</summary>
public sealed class TokenSampler
{
    private readonly SamplingOptions _options;
    private readonly RandomSource _random;
    private readonly int[] _ids;
    private readonly float[] _keys;
    private readonly PriorityQueue<int, float> _likely = new();                  // the least likely first
    private readonly TokenPenalties? _penalties;

    /// <summary>Creates a sampler.</summary>
    /// <param name="options">How to draw.</param>
    /// <param name="vocabularySize">V, number of logits.</param>
    /// <exception cref="ArgumentException">An option is out of its range, or there are no logits.</exception>
    public TokenSampler(SamplingOptions options, int vocabularySize)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (vocabularySize < 1)
            throw new ArgumentException($"a sampler draws from at least 1 logit, got {vocabularySize}");
        _options = options.Validate(vocabularySize);
        _random = new RandomSource(options.Seed, "sampling");
        int most = options.Temperature == 0 ? 0 : options.TopK == 0 ? vocabularySize
            : Math.Min(options.TopK, vocabularySize);
        (_ids, _keys) = (new int[most], new float[most]);
        _likely.EnsureCapacity(most < vocabularySize ? most : 0);
        VocabularySize = vocabularySize;
        _penalties = TokenPenalties.Of(options, vocabularySize);
    }

    /// <summary>V, number of logits.</summary>
    public int VocabularySize { get; }

    /// <summary>Names the prompt, whose tokens the repetition penalty counts. Call it before the first draw.</summary>
    /// <param name="prompt">Token ids, 0 to V exclusive.</param>
    public void Begin(ReadOnlySpan<int> prompt) => _penalties?.Begin(prompt);

    /// <summary>Draws the next token.</summary>
    /// <param name="logits">[V]; at least one is finite.</param>
    /// <param name="allowed">The tokens to draw from, at least one: the logits of the others count as -inf. Null for
    /// all.</param>
    /// <returns>The token id.</returns>
    /// <exception cref="ArgumentException">There are not V logits, or no token is allowed.</exception>
    /// <exception cref="InvalidDataException">A logit is NaN: the model is damaged.</exception>
    public int Next(ReadOnlySpan<float> logits, TokenSet? allowed = null)
    {
        if (logits.Length != VocabularySize)
            throw new ArgumentException($"the sampler expects {VocabularySize} logits, got {logits.Length}");
        if (_penalties is not null)
            logits = _penalties.Apply(logits);
        int best = MostLikely(logits, allowed);
        if (best < 0)
            throw new ArgumentException("no token is allowed");
        int token = _options.Temperature == 0 ? best : Draw(logits, allowed, logits[best]);
        _penalties?.Count(token);
        return token;
    }

    // -1 where none is allowed. The first of equal ones.
    private static int MostLikely(ReadOnlySpan<float> logits, TokenSet? allowed)
    {
        if (allowed is null && TryFindLargest(logits, out int largest))
            return largest;
        int best = -1;
        for (int v = 0; v < logits.Length; v++)
        {
            if (float.IsNaN(logits[v]))
                throw new InvalidDataException($"the logit of token {v} is NaN: the model's weights are damaged");
            if ((best < 0 || logits[v] > logits[best]) && allowed?.Contains(v) != false)
                best = v;
        }
        return best;
    }

    // 4,096 logits: a tenth of the time of one by one. False where one is NaN.
    private static bool TryFindLargest(ReadOnlySpan<float> logits, out int index)
    {
        var wide = MemoryMarshal.Cast<float, Vector<float>>(logits);
        int rest = wide.Length * Vector<float>.Count;
        var (largest, numbers) = (new Vector<float>(float.NegativeInfinity), Vector<int>.AllBitsSet);
        foreach (var some in wide)
        {
            largest = Vector.ConditionalSelect(Vector.GreaterThan(some, largest), some, largest);
            numbers &= Vector.Equals(some, some);
        }
        float maximum = float.NegativeInfinity;
        for (int lane = 0; lane < Vector<float>.Count; lane++)
            maximum = Math.Max(maximum, largest[lane]);
        foreach (float logit in logits[rest..])
            maximum = Math.Max(maximum, logit);                                   // NaN where one is
        int at = 0;
        while (at < wide.Length && !Vector.EqualsAny(wide[at], new Vector<float>(maximum)))
            at++;
        index = at * Vector<float>.Count;
        while (index < logits.Length && logits[index] != maximum)
            index++;
        return Vector.EqualsAll(numbers, Vector<int>.AllBitsSet) && index < logits.Length;
    }

    /// <summary>Takes a token that was drawn earlier, with the same options: the next draw is the one that follows
    /// it.</summary>
    internal void Repeat(int token)
    {
        if (_options.Temperature != 0)
            _random.NextUniform();
        _penalties?.Count(token);
    }

    private int Draw(ReadOnlySpan<float> logits, TokenSet? allowed, float maximum)
    {
        int kept = _ids.Length < logits.Length ? TakeLikely(logits, allowed) : SortAll(logits, allowed);
        while (_options.MinP > 0 && kept > 1 && Weight(kept - 1, maximum) < _options.MinP) // the largest weight is 1
            kept--;
        double total = 0;
        for (int i = 0; i < kept; i++)
            total += Weight(i, maximum);
        double reached = 0;
        for (int i = 0; i < kept && _options.TopP < 1; i++)
            if ((reached += Weight(i, maximum)) >= _options.TopP * total)
                (kept, total) = (i + 1, reached);
        double left = _random.NextUniform() * total;
        for (int i = 0; i < kept; i++)
            if ((left -= Weight(i, maximum)) < 0)
                return _ids[i];
        return _ids[kept - 1];
    }

    // The k most likely tokens, the most likely first: no sorting of all. 4,096 logits, k = 50: a tenth of the time.
    private int TakeLikely(ReadOnlySpan<float> logits, TokenSet? allowed)
    {
        float least = float.NegativeInfinity;
        for (int v = 0; v < logits.Length; v++)
        {
            bool isFull = _likely.Count == _ids.Length;
            if ((isFull && !(logits[v] > least)) || allowed?.Contains(v) == false)
                continue;
            if (isFull)
                _likely.EnqueueDequeue(v, logits[v]);
            else
                _likely.Enqueue(v, logits[v]);
            _likely.TryPeek(out _, out least);
        }
        int count = _likely.Count;
        for (int i = count - 1; i >= 0; i--)
        {
            _likely.TryDequeue(out _ids[i], out float logit);
            _keys[i] = -logit;
        }
        return count;
    }

    private int SortAll(ReadOnlySpan<float> logits, TokenSet? allowed)
    {
        int count = 0;
        for (int v = 0; v < logits.Length; v++)
            if (allowed?.Contains(v) != false)
                (_ids[count], _keys[count++]) = (v, -logits[v]); // ascending keys: most likely first
        _keys.AsSpan(0, count).Sort(_ids.AsSpan(0, count));
        return count;
    }

    private double Weight(int rank, float maximum) => Math.Exp((-_keys[rank] - (double)maximum) / _options.Temperature);
}
