using System.Diagnostics;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.Lending;

/// <summary>Lends pages to other instances, and computes attention over them. Thread-safe.</summary>
/// <remarks>The pages of a loan are reserved as a whole when it begins, first come first served. A loan is named by an
/// id that the debtor makes anew each time it borrows: what is still on its way for an earlier loan is refused. One of
/// which nothing was heard for a lease is over: its debtor is gone.</remarks>
public sealed class PageLender : IDisposable
{
    private readonly IEngine _engine;
    private readonly AttentionLayers _attention;
    private readonly KeyValueCacheOptions _options;
    private readonly Func<long, bool> _reserve;
    private readonly Action<long> _giveBack;
    private readonly Lock _gate = new();                                          // of the engine, too
    private readonly Dictionary<Guid, Loan> _loans = [];
    private bool _isClosed;

    internal PageLender(TransformerModel model, KeyValueCacheOptions cache, IEngine engine, Func<long, bool> reserve,
        Action<long> giveBack)
    {
        if (!engine.SupportsAttention(model.ActivationType))
            throw new ArgumentException($"{engine.Name} computes no attention of {model.ActivationType}");
        (_engine, _attention, _reserve, _giveBack) = (engine, new AttentionLayers(model), reserve, giveBack);
        _options = new KeyValueCacheOptions
        {
            MaxTokens = cache.MaxTokens,
            ElementType = cache.ElementType ?? model.ActivationType,
        };
    }

    /// <summary>What is lent now.</summary>
    public LendingCounters Counters
    {
        get
        {
            lock (_gate)
                return new LendingCounters(_loans.Count, _loans.Values.Sum(loan => loan.Pages.Bytes),
                    _loans.Values.Sum(loan => loan.Pages.UsedPages), _loans.Values.Sum(loan => loan.Pages.UsedBytes));
        }
    }

    /// <summary>Begins a loan, unless it exists.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="first">Number of the first KV head of a layer (<see cref="IPageCredit"/>).</param>
    /// <param name="count">How many KV heads of layers.</param>
    /// <param name="bytes">Bytes that its pages may take.</param>
    /// <returns>False when so many are not free.</returns>
    /// <exception cref="ArgumentException">The heads are not some of the model's, or there are fewer than 0
    /// bytes.</exception>
    public bool TryLend(Guid id, int first, int count, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        lock (_gate)
        {
            if (_isClosed)
                return false;
            if (_loans.ContainsKey(id))
                return true;
            var pages = new LentPages(_engine, _attention, new LayerHeads(_attention.Patterns.Count, first, count),
                _options, bytes);
            if (!_reserve(bytes))
            {
                pages.Dispose();
                return false;
            }
            _loans[id] = new Loan(pages);
            return true;
        }
    }

    /// <summary>Writes pages of a loan (<see cref="IPageLoan.PutAsync"/>).</summary>
    /// <exception cref="ArgumentException">There is no such loan any more, or they do not fit it.</exception>
    public void Put(Guid id, int layer, ReadOnlySpan<int> places, ReadOnlySpan<byte> pages)
    {
        lock (_gate)
            Find(id).Put(layer, places, pages);
    }

    /// <summary>Attention over the pages of a loan (<see cref="IPageLoan.AttendAsync"/>).</summary>
    /// <exception cref="ArgumentException">There is no such loan any more, the queries do not fit it, or pages are
    /// missing.</exception>
    public byte[] Attend(Guid id, int layer, int position, int tokens, ReadOnlySpan<byte> query)
    {
        lock (_gate)
            return Find(id).Attend(layer, position, tokens, query);
    }

    /// <summary>Says that the debtor of some loans lives.</summary>
    public void Renew(IEnumerable<Guid> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        lock (_gate)
            foreach (var id in ids)
                if (_loans.TryGetValue(id, out var loan))
                    loan.Heard = Stopwatch.GetTimestamp();
    }

    /// <summary>Ends a loan and frees its pages; does nothing for one that is over.</summary>
    public void Return(Guid id)
    {
        lock (_gate)
            End(id);
    }

    /// <summary>Ends the loans of which nothing was heard for a time.</summary>
    public void EndSilent(TimeSpan lease)
    {
        lock (_gate)
            foreach (var id in _loans.Where(loan => Stopwatch.GetElapsedTime(loan.Value.Heard) > lease)
                .Select(loan => loan.Key).ToArray())
                End(id);
    }

    /// <summary>Ends all loans, and lends no more.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isClosed = true;
            foreach (var id in _loans.Keys.ToArray())
                End(id);
        }
    }

    private LentPages Find(Guid id)
    {
        if (!_loans.TryGetValue(id, out var loan))
            throw new ArgumentException("the loan is over");
        loan.Heard = Stopwatch.GetTimestamp();
        return loan.Pages;
    }

    private void End(Guid id)
    {
        if (!_loans.Remove(id, out var loan))
            return;
        loan.Pages.Dispose();
        _giveBack(loan.Pages.Bytes);
    }

    private sealed class Loan(LentPages pages)
    {
        public LentPages Pages { get; } = pages;

        public long Heard { get; set; } = Stopwatch.GetTimestamp();
    }
}
