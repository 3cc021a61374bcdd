using System.Globalization;
using S2ILGPU.Cli.Devices;
using S2ILGPU.Cli.Drawing;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Collectives;
using S2ILGPU.Distributed;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Storage;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Training;

/// <summary>One rank of <c>s2 train</c>, from the corpus to the sample.</summary>
/// <param name="request">What was asked for.</param>
/// <param name="rank">Which rank of the run this is; rank 0 alone writes.</param>
/// <param name="text">The text, read by one of the ranks of this process.</param>
/// <param name="output">What the user reads.</param>
/// <param name="error">Notes.</param>
internal sealed class TrainingRun(TrainingRequest request, RankConnection? rank, TrainingText text, TextWriter output,
    TextWriter error)
{
    private const int SampleTokens = 120;

    private readonly RunFolder _folder = new(request.Folder);

    private bool Leads => rank is null or { Rank: 0 };

    /// <summary>Trains to the end and prints a sample.</summary>
    /// <exception cref="InterruptedException">Cancelled after the first step; everything is saved.</exception>
    /// <exception cref="OperationCanceledException">Cancelled before; nothing was written.</exception>
    public void Run(CancellationToken cancellation)
    {
        using (_folder)
        {
            var grid = RankGrid.Of(request, rank?.Size ?? 1);
            var options = Options(grid);
            using var engine = grid.CreateEngine(request, rank?.Rank ?? 0);
            var (tokenizer, training, validation) =
                Interruptible.Run(() => text.Read(request, options), cancellation);
            using var ranks = rank?.CreateCollective(engine);
            if (rank?.Note is { } note)
                error.WriteLine($"note: {note}");
            using var groups = ranks is null ? null : new RankGroups(ranks, engine, grid.Tensor, grid.Context);
            using var model = Model(engine, options, tokenizer, groups?.TensorGroup, cancellation);
            using var trainer = new Trainer(model, training, validation, options, ranks,
                groups?.ContextGroup is { } context ? new ContextParallel(context, model, request.ContextScheme)
                    : null);
            Prepare(trainer, tokenizer);
            var notes = EngineNotes.Begin(engine, model, cache: null, error);
            Describe(engine, grid, model, trainer);
            Train(trainer, notes, cancellation);
            notes.WriteNew();
            if (!Leads)
                return;
            Summarize(trainer, engine);
            Sample(model, tokenizer, validation);
        }
    }

    private TrainingOptions Options(RankGrid grid)
    {
        if (request.IsResumed)
        {
            if (Leads)
            {
                _folder.CheckResumable();
                _folder.Lock();
            }
            int done = TrainingState.ReadCompletedSteps(_folder.StatePath);
            if (request.Steps < done)
                throw new ArgumentException($"--steps {request.Steps}: the run has done {done} steps already");
            return request.Continued(TrainingState.ReadOptions(_folder.StatePath));
        }
        if (Leads)
        {
            if (Directory.Exists(request.Folder))
                _folder.Lock();
            _folder.CheckUnused();
        }
        return request.NewOptions(grid.Groups);
    }

    private TransformerModel Model(IEngine engine, TrainingOptions options, BytePairTokenizer tokenizer,
        ICollective? tensorRanks, CancellationToken cancellation)
    {
        if (request.Checkpoint is { } checkpoint)
            return checkpoint.Load(engine, options, request.Attention, Leads ? error : TextWriter.Null, cancellation);
        var config = request.IsResumed
            ? TransformerConfigFile.Read(ModelFolder.PathOf(request.Folder, ModelFolder.Config))
            : request.NewModel(options, tokenizer.VocabularySize);
        return new TransformerModel(engine, config, (ulong)options.Seed, activationType: options.ActivationType,
            tensorRanks: tensorRanks);
    }

    private void Prepare(Trainer trainer, BytePairTokenizer tokenizer)
    {
        if (request.IsResumed)
        {
            TrainingState.Restore(_folder.StatePath, trainer);
            return;
        }
        if (!Leads)
        {
            _folder.Contribute(trainer);
            return;
        }
        _folder.Lock();
        _folder.CheckUnused(); // another run may have come first while this one read the text
        _folder.Begin(trainer, tokenizer, request.Checkpoint?.Folder);
    }

    private void Describe(IEngine engine, RankGrid grid, TransformerModel model, Trainer trainer)
    {
        var config = model.Config;
        string precision = model.ActivationType == engine.FloatType ? ""
            : $", {model.ActivationType.ShortName()} activations, {engine.FloatType.ShortName()} master weights";
        output.WriteLine($"device     {engine.Name}{precision}");
        if (grid.Ranks > 1)
            output.WriteLine($"ranks      {grid.Groups} data parallel x {grid.Context} context parallel "
                + $"{(grid.Tensor > 1 ? $"x {grid.Tensor} tensor parallel " : "")}({rank!.Transport}) on "
                + string.Join(", ", request.Devices));
        output.WriteLine($"model      {ModelText.Sizes(config)}");
        foreach (string line in ModelText.Attention(config, trainer.Options.ContextTokens))
            output.WriteLine($"attention  {line}");
        string microBatches = trainer.Options.AccumulationSteps > 1 ? $"{trainer.Options.AccumulationSteps} x " : "";
        string continued = trainer.CompletedSteps > 0 ? $", continuing after step {trainer.CompletedSteps}" : "";
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"training   {trainer.Options.Steps} steps of {microBatches}{trainer.Options.BatchSequences} x "
            + $"{trainer.Options.ContextTokens:#,0} tokens into {request.Folder}, loss in nats/token{continued}"));
    }

    private void Train(Trainer trainer, EngineNotes notes, CancellationToken cancellation)
    {
        int interval = trainer.Options.CheckpointInterval;
        try
        {
            using var log = Leads ? TrainingLog.Open(_folder.LogPath, trainer.CompletedSteps) : null;
            // Outside the display, whose bar would be drawn over what the first step gives to say.
            var first = trainer.IsFinished ? null : trainer.RunStep(cancellation);
            notes.WriteNew();
            new TrainingDisplay(output, trainer.Options, trainer.Data.BitsPerByte).Show(shown =>
            {
                for (var step = first; step is not null;
                    step = trainer.IsFinished ? null : trainer.RunStep(cancellation))
                {
                    log?.Append(step);
                    shown(step);
                    if (interval > 0 && step.Step % interval == 0 && !trainer.IsFinished)
                        Save(trainer);
                }
            });
            Save(trainer);
        }
        catch (OperationCanceledException cancelled)
        {
            Save(trainer);
            throw new InterruptedException(
                $"interrupted after step {trainer.CompletedSteps}; everything is saved, continue with: "
                + $"s2 train --resume --out {request.Folder}", cancelled);
        }
    }

    private void Save(Trainer trainer)
    {
        if (!Leads)
        {
            _folder.Contribute(trainer);
            return;
        }
        _folder.Save(trainer);
        string curve = LossCurve.Render($"{Path.GetFileName(Path.GetFullPath(request.Folder))}: training loss",
            TrainingLog.Read(_folder.LogPath),
            (double)trainer.Data.ByteCount / trainer.Data.TokenCount, trainer.Data.EntropyBitsPerByte);
        AtomicFile.WriteText(_folder.CurvePath, curve);
    }

    private void Summarize(Trainer trainer, IEngine engine)
    {
        var steps = TrainingLog.Read(_folder.LogPath);
        double seconds = steps.Sum(s => s.Seconds);
        // The log may be damaged, or end before this step.
        var last = steps.LastOrDefault(s => s.Step == trainer.CompletedSteps);
        double loss = last?.ValidationLoss ?? trainer.Validate();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"done       {trainer.SeenTokens:#,0} tokens in {seconds:0} s, "
            + $"{steps.Count * trainer.Options.TokensPerStep / Math.Max(seconds, 1e-3):#,0} "
            + $"tokens/s, peak memory of tensors {engine.PeakBytes / 1e6:#,0} MB"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"result     validation loss {trainer.Data.BitsPerByte(loss):0.000} "
            + $"bits/byte; unigram entropy {trainer.Data.EntropyBitsPerByte:0.000} bits/byte"));
        output.WriteLine(
            $"written    {request.Folder}: {string.Join(", ", _folder.FileNames)}");
    }

    private void Sample(TransformerModel model, BytePairTokenizer tokenizer, TokenDataset validation)
    {
        if (model.TensorRanks > 1)
        {
            output.WriteLine($"sample     s2 generate --model {request.Folder}: no rank has whole layers");
            return;
        }
        string prompt = tokenizer.Decode(validation.Tokens[..Math.Min(12, validation.TokenCount)])
            .ReplaceLineEndings(" ");
        var written = ModelDescription.Read(request.Folder);
        using var generator = new TextGenerator(model, tokenizer, endTokens: written.EndTokens);
        var sampling = new SamplingOptions().For(written.Generation);
        int room = Math.Min(SampleTokens, model.Config.ContextTokens / 2);
        string text = string.Concat(generator.Generate(prompt, room, sampling)).Trim();
        output.WriteLine(TerminalText.For(output, $"sample     {prompt}|{text}"));
    }
}
