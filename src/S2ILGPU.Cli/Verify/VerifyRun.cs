using System.Diagnostics;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Verify;

/// <summary>Checks implementations on the cases of their passes. A problem and its exact result are computed once and
/// serve all implementations of its types and head dimension.</summary>
/// <param name="seed">Seed of the random inputs.</param>
/// <param name="isEmulated">Whether kernels are executed thread by thread: few small cases then.</param>
/// <param name="isConcurrent">Whether several engines may work at the same time.</param>
internal sealed class VerifyRun(int seed, bool isEmulated, bool isConcurrent = false)
{
    private static readonly ElementType[] s_typeOrder =
        [ElementType.Float32, ElementType.Float16, ElementType.BFloat16, ElementType.Int8];

    /// <summary>Checks all of them.</summary>
    /// <param name="variants">The implementations.</param>
    /// <param name="show">Called with each result as soon as it is known.</param>
    /// <param name="cancellation">Ends the run after the case under way.</param>
    public IReadOnlyList<VariantResult> Run(IReadOnlyList<EngineVariant> variants, Action<VariantResult> show,
        CancellationToken cancellation)
    {
        var tallies = variants.Select(v => new Tally(v)).ToArray();
        var groups = from tally in tallies
                     from headDim in tally.Variant.HeadDims
                     group tally by (Pool: tally.Variant.Cases is null ? CasesOf(tally.Variant) : null,
                         tally.Variant.QueryType, tally.Variant.KeyType, HeadDim: headDim) into g
                     orderby Array.IndexOf(s_typeOrder, g.Key.QueryType), Array.IndexOf(s_typeOrder, g.Key.KeyType),
                         g.Key.HeadDim
                     select g;
        foreach (var group in groups)
        {
            bool areInPages = group.Key.KeyType == ElementType.Int8; // the only place for such keys
            var problems = group.SelectMany(tally => CasesOf(tally.Variant)
                .Where(check => check.IsPaged || !areInPages)
                .Select(check => (Case: check, Tally: tally))).GroupBy(pair => pair.Case, pair => pair.Tally).ToArray();
            // The reference takes most of the time: all problems at once, on all processors.
            var solved = problems.AsParallel().AsOrdered().WithCancellation(cancellation).Select(tallies =>
            {
                // A seed per problem: it is the same one whatever else is checked.
                var random = new Random(HashCode(seed, tallies.Key.Name, group.Key.HeadDim));
                return new SolvedProblem(new AttentionProblem(tallies.Key, group.Key.QueryType, group.Key.KeyType,
                    group.Key.HeadDim, random), tallies.Any(t => t.NeedsGradients));
            }).ToArray();
            var ofEngines = from pair in problems.Zip(solved)
                            from tally in pair.First
                            group (tally, pair.Second) by tally.Variant.Engine;
            Parallel.ForEach(ofEngines,
                new ParallelOptions { CancellationToken = cancellation, MaxDegreeOfParallelism = isConcurrent ? -1
                : 1 }, ofEngine =>
            {
                foreach (var (tally, problem) in ofEngine)
                {
                    cancellation.ThrowIfCancellationRequested();
                    tally.Add(problem, group.Key.HeadDim);
                }
            });
            foreach (var tally in group.Where(t => t.IsComplete(group.Key.HeadDim)))
                show(tally.Result());
        }
        return [.. tallies.Select(t => t.Result())];
    }

    private IReadOnlyList<CheckCase> CasesOf(EngineVariant variant) => variant.Cases ?? variant.Pass switch
    {
        CheckedPass.Decode => isEmulated ? CheckCases.SmallDecode : CheckCases.FullDecode,
        CheckedPass.Merge => CheckCases.Merges,
        _ => isEmulated ? CheckCases.Small : CheckCases.Full,
    };

    // System.HashCode differs from run to run.
    private static int HashCode(int seed, string name, int headDim) =>
        name.Aggregate(seed * 31 + headDim, (hash, letter) => unchecked(hash * 31 + letter));

    // What is known so far of one implementation.
    private sealed class Tally(EngineVariant variant)
    {
        private readonly SortedSet<int> _headDims = [];
        private int _cases, _others;
        private WorstError? _worst;
        private string _worstCase = "";
        private string? _failure;

        public EngineVariant Variant => variant;

        public bool NeedsGradients =>
            variant.Pass is CheckedPass.Backward or CheckedPass.QueryGradient or CheckedPass.KeyValueGradients;

        public void Add(SolvedProblem solved, int headDim)
        {
            _headDims.Add(headDim);
            string name = $"D{headDim} {solved.Problem.Case.Name}";
            try
            {
                if (VariantCheck.Run(variant, solved) is not { } errors)
                {
                    _others++;
                    return;
                }
                foreach (var error in errors)
                    if (_worst is null || error.OfLimit > _worst.OfLimit)
                        (_worst, _worstCase) = (error, name);
                _cases++;
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                _failure ??= $"{name}: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}";
                Debug.WriteLine(e);
            }
        }

        public bool IsComplete(int headDim) => headDim == variant.HeadDims.Max();

        public VariantResult Result() =>
            new(variant, [.. _headDims], _cases, _worst, _worstCase, _failure
            ?? (_cases == 0 ? "never ran: no case made the engine take it" : null), _others);
    }
}
