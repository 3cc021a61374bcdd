using System.Globalization;
using S2ILGPU.Cli.Training;
using S2ILGPU.Layouts;
using S2ILGPU.Models;

namespace S2ILGPU.Cli.Bench.Report;

/// <summary>The lengths that a machine reaches in the time of a report, by an estimate from its own peak.</summary>
internal sealed class ReportPlan
{
    // Of peak: about what attention and training reach.
    private const double Efficiency = 0.7;

    private const double UsableMemory = 0.8;

    private readonly ReportSettings _settings;
    private readonly double _flopsPerSecond, _memoryBytes, _seconds;
    private readonly List<string> _leftOut = [];

    /// <summary>Chooses lengths.</summary>
    /// <param name="settings">All lengths.</param>
    /// <param name="peakFlops">Multiplications and additions that all threads do in a second at most.</param>
    /// <param name="memoryBytes">Memory of the machine.</param>
    /// <param name="minutes">Time that is left.</param>
    public ReportPlan(ReportSettings settings, double peakFlops, double memoryBytes, double minutes)
    {
        (_settings, _flopsPerSecond, _memoryBytes) = (settings, Efficiency * peakFlops, memoryBytes);
        _seconds = 60 * minutes;
        TransformerConfig training = TrainingPreset.Find(settings.TrainingPreset).Model,
            generation = TrainingPreset.Find(settings.GenerationPreset).Model;
        int calls = settings.Rounds.Least + 1;
        // Shares of the time, 1 together. The first D is that of the headlines.
        Forward = [.. settings.HeadDims.Select((headDim, i) => Take($"attention forward D{headDim}", settings.Tokens,
            i == 0 ? 0.3 : 0.08, tokens => calls * AttentionFlops(headDim, tokens)))];
        Backward = [.. settings.HeadDims.Select((headDim, i) => Take($"attention backward D{headDim}", settings.Tokens,
            i == 0 ? 0.06 : 0.1, tokens => 2.5 * calls * AttentionFlops(headDim, tokens)))];
        Training = Take("training step", settings.TrainingTokens, 0.38, tokens => calls * StepFlops(training, tokens),
            tokens => StepBytes(training, tokens));
        Generation = Take("generation", settings.GenerationTokens, 0.08, tokens => StepFlops(generation, tokens) / 3.2,
            tokens => CacheBytes(generation, tokens));
    }

    /// <summary>Lengths of the forward pass, by D in the order of the settings.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Forward { get; }

    /// <summary>Lengths of the backward pass, by D in the order of the settings.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Backward { get; }

    /// <summary>Lengths of the training steps.</summary>
    public IReadOnlyList<int> Training { get; }

    /// <summary>Positions in the cache while generating.</summary>
    public IReadOnlyList<int> Generation { get; }

    /// <summary>What is left out, and why; one line each.</summary>
    public IReadOnlyList<string> LeftOut => _leftOut;

    /// <summary>How long the chosen lengths take.</summary>
    public double EstimatedMinutes { get; private set; }

    private List<int> Take(string what, IReadOnlyList<int> lengths, double share, Func<int, double> flops,
        Func<int, double>? bytes = null)
    {
        var taken = new List<int>();
        double sum = 0;
        foreach (int tokens in lengths)
        {
            double seconds = Math.Max(flops(tokens) / _flopsPerSecond, _settings.Rounds.Seconds);
            if (bytes?.Invoke(tokens) is { } needed && needed > UsableMemory * _memoryBytes)
                _leftOut.Add(string.Create(CultureInfo.InvariantCulture,
                    $"{what}, {tokens:#,0} tokens: needs about {needed / 1e9:0.0} GB of {_memoryBytes / 1e9:0.0} GB"));
            else if (sum + seconds > share * _seconds)
                _leftOut.Add(string.Create(CultureInfo.InvariantCulture,
                    $"{what}, {tokens:#,0} tokens: would take about {seconds / 60:0.0} minutes, "
                    + $"{Math.Max(0, share * _seconds - sum) / 60:0.0} are left for it"));
            else
            {
                taken.Add(tokens);
                sum += seconds;
            }
        }
        EstimatedMinutes += sum / 60;
        return taken;
    }

    // A forward pass of every pattern.
    private double AttentionFlops(int headDim, int tokens) => _settings.Patterns.Sum(pattern =>
    {
        var layout = BlockLayout.Create(pattern.Create(_settings.Heads, _settings.KeyValueHeads), tokens);
        double scores = (double)layout.KeptBlocks * layout.Pattern.BlockTokens * layout.Pattern.BlockTokens;
        return 4 * scores * headDim * (_settings.Heads / _settings.KeyValueHeads);
    });

    // Training steps of a dense, an S2 and a hybrid model: together about half as much again as the attention of the
    // dense one, and its products three times. Reading a text is a third of it, less than that without the head.
    private static double StepFlops(TransformerConfig model, int tokens) =>
        1.5 * 14 * model.Layers * model.QueryHeads * model.HeadDim * ((double)tokens * tokens / 2)
        + 3 * 6 * (double)model.ParameterCount * tokens;

    // What a layer keeps of a token for its gradients is about 22 times the width, in each of the three models.
    private static double StepBytes(TransformerConfig model, int tokens) =>
        3.0 * sizeof(float) * (22.0 * model.Dim * model.Layers * tokens + 4 * model.ParameterCount);

    // Keys, values and weights of the three models.
    private static double CacheBytes(TransformerConfig model, int tokens) => 3.0 * sizeof(float)
        * (2.0 * model.KeyValueHeads * model.HeadDim * model.Layers * tokens + model.ParameterCount);
}
