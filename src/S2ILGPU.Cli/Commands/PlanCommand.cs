using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Cli.Json;
using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Cli.Training;
using S2ILGPU.Distributed;
using S2ILGPU.Models;
using S2ILGPU.Patterns;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 plan</c>: what sharing a context and layers by ranks sends, computes and holds, counted block by
/// block.</summary>
internal sealed class PlanCommand
{
    private readonly PatternOptions _pattern = new(headsRequired: true);
    private readonly Option<int?> _tokens = Options.OptionalNumber<int>("--tokens", "Tokens of the context", least: 1);
    private readonly Option<int?> _ranks = Options.OptionalNumber<int>("--ranks", "Ranks that share a sequence",
        least: 1);
    private readonly Option<int> _tensor = Options.Number("--tensor-parallel", 1, "Ranks that share each layer",
        least: 1);
    private readonly Option<int?> _dim = Options.OptionalNumber<int>("--dim", "Width of the residual stream", least: 1,
        unset: "heads x head dim");
    private readonly Option<int> _headDim = Options.Number("--head-dim", 128, "Width of a head", least: 1, most: 4096);
    private readonly Option<string?> _precision = Options.Choice("--precision", ["fp32", "bf16"],
        "Elements of keys, values and activations", "bf16");
    private readonly Option<int?> _layers = Options.OptionalNumber<int>("--layers",
        "Layers of a model of this pattern, whose training memory is counted too", least: 1, most: 1024, unset: "none");
    private readonly Option<int?> _feedForward = Options.OptionalNumber<int>("--feed-forward",
        "Width of its feed-forward blocks", least: 1, unset: "8/3 of the dim, to a multiple of 64");
    private readonly Option<int> _vocabulary = Options.Number("--vocabulary", 32768, "Tokens of its vocabulary",
        least: 300);
    private readonly Option<int> _data = Options.Number("--data-parallel", 1,
        "Groups of ranks that share its moments and the forward passes of a step", least: 1, most: 100_000);
    private readonly Option<int> _batch = Options.Number("--batch", 1, "Sequences of a forward pass", least: 1);
    private readonly Option<bool> _recompute = Options.Switch("--recompute",
        "Recompute its activations in the backward pass");
    private readonly Option<bool> _json = Options.Json();

    // What only the memory of a model depends on.
    private Option[] OfLayers => [_feedForward, _vocabulary, _data, _batch, _recompute];

    public static Command Create() => new PlanCommand().CreateCommand();

    private Command CreateCommand()
    {
        var command = new Command("plan", "Count what ranks that share a context, and layers, send, compute and hold.");
        _pattern.AddTo(command);
        _tokens.Required = _ranks.Required = true;
        foreach (Option option in (Option[])[_tokens, _ranks, _tensor, _dim, _headDim, _precision, _layers,
            _feedForward, _vocabulary, _data, _batch, _recompute, _json])
            command.Options.Add(option);
        command.SetAction(async (parsed, cancellation) =>
        {
            var pattern = _pattern.Parse(parsed);
            int tokens = parsed.GetValue(_tokens)!.Value, ranks = parsed.GetValue(_ranks)!.Value,
                headDim = parsed.GetValue(_headDim),
                elementBytes = parsed.GetValue(_precision) == "bf16" ? 2 : 4;
            if (parsed.GetValue(_layers) is null
                && OfLayers.FirstOrDefault(o => parsed.GetResult(o) is { Implicit: false }) is { } option)
                throw new ArgumentException($"{option.Name} needs --layers N, the model whose memory is counted");
            var parts = Parts(pattern, parsed.GetValue(_tensor));
            var plan = await Interruptible.RunAsync(() => parts.Select(part =>
                ContextPlan.Of(part, tokens, ranks, headDim, elementBytes)).MaxBy(p => p.BusiestBytes)!, cancellation);
            var layers = TensorPlan.Of(plan.MostTokens, parsed.GetValue(_dim) ?? checked(pattern.QueryHeads * headDim),
                parts.Length, elementBytes);
            var memory = parsed.GetValue(_layers) is null ? null : await Interruptible.RunAsync(() =>
                Memory(Run(parsed, pattern), cancellation), cancellation);
            var output = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(_json))
                JsonText.WriteLine(output, writer => Write(writer, plan, layers, memory));
            else
                output.WriteLine(Text(plan, pattern, tokens, ranks) + Text(layers)
                    + (memory is null ? "" : $"\ntraining takes of a rank at most {MemoryText.Line(memory)}"));
            return 0;
        });
        return command;
    }

    // The training whose memory is counted.
    private TrainingShape Run(ParseResult parsed, LocalStridePattern pattern)
    {
        int context = parsed.GetValue(_ranks)!.Value, tensor = parsed.GetValue(_tensor), data = parsed.GetValue(_data),
            tokens = parsed.GetValue(_tokens)!.Value, headDim = parsed.GetValue(_headDim),
            dim = parsed.GetValue(_dim) ?? checked(pattern.QueryHeads * headDim);
        return new TrainingShape(new TransformerConfig
        {
            VocabularySize = parsed.GetValue(_vocabulary),
            Dim = dim,
            Layers = parsed.GetValue(_layers)!.Value,
            QueryHeads = pattern.QueryHeads,
            KeyValueHeads = pattern.KeyValueHeads,
            HeadDim = headDim,
            FeedForwardDim = parsed.GetValue(_feedForward) ?? checked((int)((8L * dim / 3 + 63) / 64 * 64)),
            ContextTokens = tokens,
            Attention = new AttentionPlan(new LocalStrideAttention
            {
                BlockTokens = pattern.BlockTokens,
                LocalBlocks = pattern.LocalBlocks,
                VerticalStride = pattern.VerticalStride,
                Stripes = pattern.Stripes,
            }),
        }, new TrainingOptions
        {
            Steps = int.MaxValue,
            ValidationInterval = 0,
            ContextTokens = tokens,
            BatchSequences = parsed.GetValue(_batch),
            AccumulationSteps = data,
            Recompute = parsed.GetValue(_recompute),
            ActivationType = DeviceOption.TypeOf(parsed.GetValue(_precision)),
        }, new RankGrid(checked(context * tensor * data), tensor, context));
    }

    private static RankMemory Memory(TrainingShape run, CancellationToken cancellation) =>
        RankTrace.OfGroup(run, cancellation).MaxBy(trace => trace.Memory.Total)!.Memory;

    // The heads of each rank that shares layers.
    private static AttentionPattern[] Parts(AttentionPattern pattern, int ranks)
    {
        if (pattern.KeyValueHeads % ranks != 0)
            throw new ArgumentException(
                $"--tensor-parallel {ranks} does not divide the {pattern.KeyValueHeads} key/value heads");
        int heads = pattern.QueryHeads / ranks;
        return ranks == 1 ? [pattern]
            : [.. Enumerable.Range(0, ranks).Select(rank => pattern.SliceHeads((rank * heads)..((rank + 1) * heads)))];
    }

    private static string Text(TensorPlan plan) => plan.Ranks == 1 ? ""
        : $"\nlayers shared by {plan.Ranks} ranks: the figures are those of one rank's heads, which also sends "
            + $"{Megabytes(plan.LayerBytes)} MB per layer forward, and as much backward";

    private static string Text(ContextPlan plan, AttentionPattern pattern, int tokens, int ranks) =>
        string.Join('\n', [
            $"{pattern}",
            string.Create(CultureInfo.InvariantCulture,
                $"{tokens:#,0} tokens shared by {ranks} ranks; MB per rank and layer, forward"),
            $"{"",-16}{"received, mean",16}{"busiest rank",16}{"keys and values",18}",
            Row("ring", plan.RingBytes, plan.RingBytes, plan.RingMemory),
            Row("all-gather", plan.RingBytes, plan.RingBytes, plan.GatherMemory),
            Row("Ulysses", plan.UlyssesBytes, plan.UlyssesBytes, plan.UlyssesMemory),
            Row("S2 exchange", plan.MeanBytes, plan.BusiestBytes, plan.MostMemory),
            string.Create(CultureInfo.InvariantCulture, $"work: {plan.MostWork / 1e9:#,0.0} GFLOP on the busiest rank, "
                + $"{plan.MostWork / plan.MeanWork:0.000} times the mean"),
        ]);

    private static string Row(string name, double mean, double busiest, double memory) =>
        $"{name,-16}{Megabytes(mean),16}{Megabytes(busiest),16}{Megabytes(memory),18}";

    private static string Megabytes(double bytes) =>
        (bytes / 1e6).ToString(bytes < 1e8 ? "0.0" : "#,0", CultureInfo.InvariantCulture);

    private static void Write(Utf8JsonWriter writer, ContextPlan plan, TensorPlan layers, RankMemory? memory)
    {
        writer.WriteStartObject();
        writer.WriteNumber("ringBytes", plan.RingBytes);
        writer.WriteNumber("ulyssesBytes", plan.UlyssesBytes);
        writer.WriteNumber("meanBytes", plan.MeanBytes);
        writer.WriteNumber("busiestBytes", plan.BusiestBytes);
        writer.WriteNumber("ringMemoryBytes", plan.RingMemory);
        writer.WriteNumber("gatherMemoryBytes", plan.GatherMemory);
        writer.WriteNumber("ulyssesMemoryBytes", plan.UlyssesMemory);
        writer.WriteNumber("mostMemoryBytes", plan.MostMemory);
        writer.WriteNumber("layerBytes", layers.LayerBytes);
        writer.WriteNumber("mostWork", plan.MostWork);
        writer.WriteNumber("meanWork", plan.MeanWork);
        if (memory is not null)
        {
            writer.WriteStartObject("memory");
            MemoryText.Write(writer, memory);
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    }
}
