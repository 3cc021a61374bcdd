namespace S2ILGPU.Inference;

/// <summary>Proposes how one text goes on: as many tokens as pay at the share of guesses that was right so far.
/// </summary>
/// <remarks>
/// <para>The unit of work is a sequence's part of a step in which each has one token. With k proposed tokens it costs
/// <c>1 + k RowCost</c> and gives <c>1 + a + ... + a^k</c> tokens on average, where a is the probability that a guess
/// is right after right ones. The proposal has the k of the most tokens per work. Work is counted, not timed, so steps
/// depend on texts alone.</para>
/// <para>The first guess is compared with the token that is drawn also where nothing is proposed, which costs no row:
/// so a text whose guesses are wrong proposes nothing, and one that begins to repeat itself is noticed.</para>
/// <para>For every text, work exceeds 1 for each token by at most <c>MostCredit + steps CreditPerStep</c>: proposals
/// are paid from a credit, which accepted tokens fill again.</para>
/// </remarks>
internal sealed class Speculation
{
    /// <summary>Work that proposals may lose at once, and what every step adds to it.</summary>
    internal const double MostCredit = 5, CreditPerStep = 1.0 / 64;

    private const double Rate = 1.0 / 8;                                          // of the moving mean

    private double _acceptance = RowCost(1), _credit = MostCredit;                // a proposal does not pay yet
    private double _rowCost;                                                      // of the last proposal
    private int[] _tokens = [];                                                   // the last token and guesses
    private int _guesses, _proposed;                                              // of which the first are proposed

    /// <summary>Work of a further row, 0.2 alone and 0.6 beside many: matrices are read once for all rows of a step,
    /// pages once for those of a sequence, and its tokens are drawn one by one. <c>s2 bench serve</c> prints what it is
    /// on the machine and with the model at hand.</summary>
    /// <param name="sequences">Sequences of the step.</param>
    internal static double RowCost(int sequences) => 0.6 * sequences / (sequences + 2);

    /// <summary>Proposals that were computed.</summary>
    public int Proposals { get; private set; }

    /// <summary>Tokens of these.</summary>
    public int ProposedTokens { get; private set; }

    /// <summary>Tokens of these that were drawn; each saved a step.</summary>
    public int AcceptedTokens { get; private set; }

    /// <summary>Proposes tokens beyond the next one.</summary>
    /// <param name="tokens">Prompt and text so far.</param>
    /// <param name="most">How many; none where it is not positive.</param>
    /// <param name="sequences">Sequences of the step.</param>
    /// <returns>The last token and the proposal, until the next call.</returns>
    public ReadOnlySpan<int> Propose(ReadOnlySpan<int> tokens, int most, int sequences = 1)
    {
        _rowCost = RowCost(sequences);
        int length = BestLength(most), guesses = Math.Max(1, length);
        if (_tokens.Length <= guesses)
            _tokens = new int[1 + guesses];
        _tokens[0] = tokens[^1];
        bool isFound = PromptLookup.TryPropose(tokens, _tokens.AsSpan(1, guesses));
        (_guesses, _proposed) = isFound ? (guesses, length) : (0, 0);
        return _tokens.AsSpan(0, 1 + _proposed);
    }

    /// <summary>Forgets the guesses: the step computes nothing of them.</summary>
    public void ProposeNothing() => (_guesses, _proposed) = (0, 0);

    /// <summary>Compares a guess with the token that was drawn.</summary>
    /// <param name="guess">From 0; those before it were right.</param>
    /// <param name="drawn">The token.</param>
    /// <returns>Whether it was proposed and is right, so that the next token can be drawn.</returns>
    public bool Accepts(int guess, int drawn)
    {
        if (guess == 0)
            Charge();
        if (guess >= _guesses)
            return false;
        bool isRight = _tokens[1 + guess] == drawn;
        _acceptance += Rate * ((isRight ? 1 : 0) - _acceptance);
        if (!isRight || guess >= _proposed)
            return false;
        _credit = Math.Min(MostCredit, _credit + 1);
        AcceptedTokens++;
        return true;
    }

    // The credit pays for what the step computed.
    private void Charge()
    {
        _credit = Math.Min(MostCredit, _credit + CreditPerStep) - _proposed * _rowCost;
        Proposals += _proposed > 0 ? 1 : 0;
        ProposedTokens += _proposed;
    }

    // A token more pays while it raises the mean of tokens per work.
    private int BestLength(int most)
    {
        int length = 0;
        double tokens = 1, work = 1, next = _acceptance;
        while (length < most && (length + 1) * _rowCost <= _credit && next * work > _rowCost * tokens)
        {
            length++;
            (tokens, work, next) = (tokens + next, work + _rowCost, next * _acceptance);
        }
        return length;
    }
}
