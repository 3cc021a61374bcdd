using System.Runtime.InteropServices;
using S2ILGPU.AttentionWorkers;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Tensors;

namespace S2ILGPU.Lending;

/// <summary>The debtor's half: the far blocks of one sequence in pages of other instances, each with some of the KV
/// heads of layers. Nothing is merged between creditors, as each has whole heads of a layer.</summary>
/// <param name="engine">Where queries and outputs are; not disposed.</param>
/// <param name="layers">L, number of layers.</param>
/// <param name="group">G, query heads of a KV head.</param>
/// <param name="loans">The loans, by their first numbers; disposed.</param>
/// <param name="counted">Told what was sent and received.</param>
internal sealed class BorrowedPages(IEngine engine, int layers, int group, IReadOnlyList<IPageLoan> loans,
    BorrowingLedger counted) : IFarPages
{
    private readonly WireTensors _tensors = new(engine);
    private readonly Part[] _parts = [.. loans.Select(loan => new Part(loan, layers))];
    private long _pages;

    public int FirstHead(int layer) => LayerHeads.FirstHead(layers, loans[0].First, layer);

    public bool IsLost { get; private set; }

    public void Put(int layer, int head, int block, Tensor keys, Tensor values)
    {
        var part = _parts.Last(part => part.Heads.First <= head * layers + layer);
        int bytes = Bytes(keys), start = part.Pages.Count;
        part.Places.AddRange([head, block]);
        CollectionsMarshal.SetCount(part.Pages, start + 2 * bytes);
        var pages = CollectionsMarshal.AsSpan(part.Pages)[start..];
        _tensors.Load(keys, pages[..bytes]);
        _tensors.Load(values, pages[bytes..]);
        _pages++;
        counted.Add(pages: 1);
    }

    public void Send(int layer)
    {
        foreach (var part in _parts)
        {
            if (part.Places.Count > 0 && !IsLost)
            {
                part.Written.Add(part.Loan.PutAsync(layer, [.. part.Places], [.. part.Pages]));
                counted.Add(pageBytes: part.Pages.Count);
            }
            part.Places.Clear();
            part.Pages.Clear();
        }
    }

    public void Query(int layer, int position, Tensor query)
    {
        foreach (var part in PartsOf(layer))
        {
            if (!TryWait(Task.WhenAll(part.Written)))
                return;
            part.Written.Clear();
            using var heads = Heads(query, 2, layer, part);
            byte[] bytes = new byte[Bytes(heads)];
            _tensors.Load(heads, bytes);
            part.Answer = part.Loan.AttendAsync(layer, position, query.Shape[1], bytes);
            counted.Add(queryBytes: bytes.Length);
        }
    }

    public void Output(int layer, Tensor output, Tensor logSumExp)
    {
        foreach (var part in PartsOf(layer))
        {
            using Tensor heads = Heads(output, 2, layer, part), sums = Heads(logSumExp, 1, layer, part);
            int bytes = Bytes(heads), all = bytes + Bytes(sums);
            if (TryWait(part.Answer) && part.Answer.Result.Length == all)
            {
                _tensors.Store(part.Answer.Result.AsSpan(0, bytes), heads);
                _tensors.Store(part.Answer.Result.AsSpan(bytes), sums);
                counted.Add(outputBytes: all);
            }
            else
            {
                IsLost = true;
                engine.Fill(heads, 0);
                engine.Fill(sums, float.NegativeInfinity);
            }
        }
    }

    public void Dispose()
    {
        foreach (var loan in loans)
            loan.Dispose();
        counted.Add(pages: -_pages);
    }

    // False when it is lost. What fails is not looked at further: the sequence is computed again, whatever it was.
    private bool TryWait(Task answer)
    {
        if (IsLost)
            return false;
        try
        {
            answer.GetAwaiter().GetResult();
        }
        catch (Exception)
        {
            IsLost = true;
        }
        return !IsLost;
    }

    private IEnumerable<Part> PartsOf(int layer) => _parts.Where(part => part.Heads.Of(layer).Count > 0);

    private Tensor Heads(Tensor rows, int dimension, int layer, Part part)
    {
        var (first, count) = part.Heads.Of(layer);
        return rows.Slice(dimension, (first - FirstHead(layer)) * group, count * group);
    }

    private static int Bytes(Tensor tensor) => checked((int)tensor.Count * tensor.ElementType.SizeBytes());

    // What is on its way to and from a creditor.
    private sealed class Part(IPageLoan loan, int layers)
    {
        public IPageLoan Loan { get; } = loan;

        public LayerHeads Heads { get; } = new(layers, loan.First, loan.Count);

        public List<int> Places { get; } = [];

        public List<byte> Pages { get; } = [];

        public List<Task> Written { get; } = [];

        public Task<byte[]> Answer { get; set; } = Task.FromResult<byte[]>([]);
    }
}

/// <summary>Adds up what sequences borrow. One thread adds; any thread reads.</summary>
internal sealed class BorrowingLedger
{
    private readonly Lock _gate = new();
    private BorrowingCounters _counters;

    public BorrowingCounters Counters
    {
        get
        {
            lock (_gate)
                return _counters;
        }
    }

    public void Add(long pages = 0, long pageBytes = 0, long queryBytes = 0, long outputBytes = 0, int losses = 0)
    {
        lock (_gate)
            _counters = new BorrowingCounters
            {
                Pages = _counters.Pages + pages,
                PageBytesSent = _counters.PageBytesSent + pageBytes,
                QueryBytesSent = _counters.QueryBytesSent + queryBytes,
                OutputBytesReceived = _counters.OutputBytesReceived + outputBytes,
                Losses = _counters.Losses + losses,
            };
    }
}
