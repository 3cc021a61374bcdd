using System.Globalization;
using System.Text;
using S2ILGPU.Cli.Bench.Needle;
using static System.FormattableString;

namespace S2ILGPU.Quality;

/// <summary>The results as Markdown tables: mean ± sample standard deviation over seeds. Differences are taken between
/// runs of one seed first.</summary>
/// <param name="study">The study; runs that have not ended are left out.</param>
/// <param name="settings">Its sizes.</param>
internal sealed class StudyTables(Study study, StudySettings settings)
{
    /// <summary>Equal parts of a context in the table of positions.</summary>
    public const int Parts = 8;

    /// <summary>Loss, steps to dense's loss, heads and costs of every plan.</summary>
    public string Losses()
    {
        var denseCost = Cost(study.TextPlans[0]);
        return Table(["plan", "seeds", "validation loss", "minus dense", "steps to dense's loss", "head imbalance",
            "attention, MFLOP", "products, MFLOP", "cache, KiB"], [.. study.TextPlans.Select(plan =>
        {
            var (runs, cost) = (study.TextOf(plan), Cost(plan));
            return (string[])[plan.Title, Invariant($"{runs.Count}"), Mean(runs, result => result.Loss).Text(4),
                plan.Name == StudyPlan.Dense ? "" : Difference(runs, result => result.Loss).Text(4, isDifference: true),
                StepsToDense(runs), Mean(runs, result => result.HeadImbalance).Text(2),
                Share(cost.AttentionFlops / 1e6, denseCost.AttentionFlops / 1e6, "0.0"),
                Invariant($"{cost.ProductFlops / 1e6:0.0}"),
                Share(cost.CacheBytes / 1024.0, denseCost.CacheBytes / 1024.0, "0")];
        })]);
    }

    /// <summary>Loss by position: dense's, and the differences to it.</summary>
    public string Positions()
    {
        int length = settings.ContextTokens / Parts;
        var rows = study.TextPlans.Select(plan => (string[])[plan.Title, .. Enumerable.Range(0, Parts).Select(part =>
        {
            var runs = study.TextOf(plan);
            return plan.Name == StudyPlan.Dense ? Mean(runs, result => Part(result, part)).Text(3)
                : Difference(runs, result => Part(result, part)).Text(3, isDifference: true);
        })]);
        return Table(["plan", .. Enumerable.Range(0, Parts).Select(part =>
            Invariant($"{part * length}-{(part + 1) * length - 1}"))], [.. rows]);

        static double Part(TextResult result, int part) =>
            PositionLosses.ByPart(result.PositionLosses, Parts)[part];
    }

    /// <summary>What the models found inside the widest window and beyond it.</summary>
    public string Recall()
    {
        var header = new List<string> { "plan", "seeds", "steps" };
        var lengths = settings.Recall.Lengths;
        int window = settings.BlockTokens * StudyPlan.EqualWindow(settings, lengths[^1]);
        foreach (int tokens in lengths)
            header.AddRange([Invariant($"{tokens} tokens: within {window}"), Invariant($"{tokens}: beyond")]);
        var rows = study.RecallPlans.Select(plan =>
        {
            var runs = study.RecallOf(plan);
            return (string[])[plan.Title, Invariant($"{runs.Count}"),
                Mean(runs, result => result.Steps).Text(0),
                .. lengths.SelectMany((tokens, length) =>
                {
                    int far = FarDepths(tokens, window);
                    return (string[])[Found(length, far..), Found(length, ..far)];
                })];

            string Found(int length, Range depths) => depths.GetOffsetAndLength(NeedleGrid.Depths).Length == 0 ? ""
                : Mean(runs, result => 100 * result.Fraction(length, depths)).Text(0) + " %";
        });
        return Table(header, [.. rows]);
    }

    /// <summary>Losses of tuning a dense model to S2, and of the control.</summary>
    public string Transfer()
    {
        var runs = study.Transfers();
        if (runs.Count == 0)
            return "";
        return Table(["", .. runs[0].Result.Dense.Select(point => Invariant($"{point.Step} steps"))],
        [
            ["dense, tuned as dense", .. Row((_, dense) => dense)],
            ["dense, tuned as S2 in all layers", .. Row((sparse, _) => sparse)],
            ["difference", .. Row((sparse, dense) => sparse - dense, isDifference: true)],
        ]);

        IEnumerable<string> Row(Func<double, double, double> loss, bool isDifference = false) =>
            runs[0].Result.Dense.Select((_, at) => Mean(runs, result =>
                loss(result.Sparse[at].Loss, result.Dense[at].Loss)).Text(4, isDifference));
    }

    /// <summary>How many depths, from the beginning, are further from the end of a text than a window.</summary>
    /// <param name="tokens">Tokens of the text.</param>
    /// <param name="window">Tokens of the window.</param>
    public static int FarDepths(int tokens, int window) => Enumerable.Range(0, NeedleGrid.Depths).Count(depth =>
        tokens - (long)tokens * depth / (NeedleGrid.Depths - 1) > window);

    private Dictionary<int, TextResult> Dense() =>
        study.TextOf(study.TextPlans[0]).ToDictionary(run => run.Seed, run => run.Result);

    private Sample Difference(IReadOnlyList<(int Seed, TextResult Result)> runs, Func<TextResult, double> loss)
    {
        var dense = Dense();
        return Sample.Of([.. runs.Where(run => dense.ContainsKey(run.Seed))
            .Select(run => loss(run.Result) - loss(dense[run.Seed]))]);
    }

    private string StepsToDense(IReadOnlyList<(int Seed, TextResult Result)> runs)
    {
        var dense = Dense();
        int?[] steps = [.. runs.Where(run => dense.ContainsKey(run.Seed)).Select(run =>
            CurvePoint.StepsTo(run.Result.Curve, dense[run.Seed].Curve[^1].Loss + settings.Margin))];
        double[] reached = [.. steps.OfType<int>().Select(step => (double)step)];
        return Sample.Of(reached).Text(0)
            + (reached.Length < steps.Length ? Invariant($" ({reached.Length} of {steps.Length})") : "");
    }

    private PlanCost Cost(StudyPlan plan) =>
        PlanCost.Of(settings.Model(plan.Attention), settings.ContextTokens);

    private static Sample Mean<T>(IReadOnlyList<(int Seed, T Result)> runs, Func<T, double> value) =>
        Sample.Of([.. runs.Select(run => value(run.Result))]);

    private static string Share(double value, double whole, string format) =>
        $"{value.ToString(format, CultureInfo.InvariantCulture)} {Invariant($"({100 * value / whole:0} %)")}";

    private static string Table(IReadOnlyList<string> header, IReadOnlyList<string[]> rows)
    {
        var text = new StringBuilder();
        foreach (var row in (IEnumerable<IReadOnlyList<string>>)[header,
            [.. header.Select((_, column) => column == 0 ? "---" : "---:")], .. rows])
            text.Append("| ").AppendJoin(" | ", row).Append(" |\n");
        return text.ToString();
    }
}
