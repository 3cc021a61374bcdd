using System.Diagnostics;
using System.Globalization;
using S2ILGPU.Cli.Devices;
using S2ILGPU.Cli.DotNetDocumentation;
using S2ILGPU.Cli.Drawing;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Corpora;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Layouts;
using S2ILGPU.Models;
using S2ILGPU.Storage;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Training;

/// <summary>One invocation of <c>s2 train</c>, from the corpus to the sample.</summary>
internal sealed class TrainingRun(TrainingRequest request, TextWriter output, TextWriter error)
{
    private const int SampleTokens = 120;

    private readonly RunFolder _folder = new(request.Folder);

    /// <summary>Trains to the end and prints a sample.</summary>
    /// <exception cref="InterruptedException">Cancelled after the first step; everything is saved.</exception>
    /// <exception cref="OperationCanceledException">Cancelled before; nothing was written.</exception>
    public int Run(CancellationToken cancellation)
    {
        using (_folder)
        {
            var options = Options();
            using var engine = Engine.Create(request.Device);
            DeviceChoice.CheckPrecision(engine, options.ActivationType);
            var (tokenizer, training, validation) = Interruptible.Run(() => ReadText(options), cancellation);
            using var model = new TransformerModel(engine, Config(options, tokenizer), (ulong)options.Seed,
                activationType: options.ActivationType);
            using var trainer = new Trainer(model, training, validation, options);
            Prepare(trainer, tokenizer);
            var notes = EngineNotes.Begin(engine, model.Config, cache: null, error);
            Describe(engine, model, trainer);
            Train(trainer, tokenizer, cancellation);
            notes.WriteNew();
            Summarize(trainer, engine);
            Sample(model, tokenizer, validation);
        }
        return 0;
    }

    private TrainingOptions Options()
    {
        if (request.IsResumed)
        {
            _folder.CheckResumable();
            _folder.Lock();
            return request.Continued(TrainingState.ReadOptions(_folder.StatePath));
        }
        if (Directory.Exists(request.Folder))
            _folder.Lock();
        _folder.CheckUnused();
        return request.NewOptions();
    }

    private TransformerConfig Config(TrainingOptions options, BytePairTokenizer tokenizer) => request.IsResumed
        ? TransformerConfigFile.Read(ModelFolder.PathOf(request.Folder, ModelFolder.Config))
        : request.NewModel(options, tokenizer.VocabularySize);

    private void Prepare(Trainer trainer, BytePairTokenizer tokenizer)
    {
        if (request.IsResumed)
        {
            TrainingState.Restore(_folder.StatePath, trainer);
            return;
        }
        _folder.Lock();
        _folder.CheckUnused(); // another run may have come first while this one read the text
        _folder.Begin(trainer, tokenizer);
    }

    private (BytePairTokenizer Tokenizer, TokenDataset Training,
        TokenDataset Validation) ReadText(TrainingOptions options)
    {
        long started = Stopwatch.GetTimestamp();
        var corpus = ReferencePacks.ReadOr(options.Data, options.CorpusBytes);
        output.WriteLine($"corpus     {corpus}");
        var (training, validation) = corpus.Split(options.Seed);
        var tokenizer = request.IsResumed ? ModelFolder.LoadTokenizer(request.Folder)
            : BytePairTrainer.Train(training, request.Preset.Model.VocabularySize);
        var (learned, measured) = (TokenDataset.Create(tokenizer, training),
            TokenDataset.Create(tokenizer, validation));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"tokens     {learned.TokenCount:#,0} to learn from, {measured.TokenCount:#,0} to validate, vocabulary "
            + $"{tokenizer.VocabularySize:#,0}, "
            + $"{(double)learned.ByteCount / learned.TokenCount:0.00} bytes/token "
                + $"({Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s)"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"unigram    {learned.EntropyBitsPerByte:0.000} bits/byte: what a model that ignores all context would "
            + $"reach"));
        return (tokenizer, learned, measured);
    }

    private void Describe(IEngine engine, TransformerModel model, Trainer trainer)
    {
        var config = model.Config;
        string precision = model.ActivationType == engine.FloatType ? ""
            : $", {model.ActivationType.ShortName()} activations, {engine.FloatType.ShortName()} master weights";
        output.WriteLine($"device     {engine.Name}{precision}");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"model      {config.ParameterCount:#,0} parameters: {config.Layers} layers, dim {config.Dim}, "
            + $"{config.QueryHeads} query heads, {config.KeyValueHeads} key/value heads of {config.HeadDim}"));
        for (int first = 0; first < config.Layers;)
        {
            int end = first + 1;
            while (end < config.Layers && config.Attention[end] == config.Attention[first])
                end++;
            string layers = end - first == 1 ? $"layer {first}" : $"layers {first}-{end - 1}";
            var report = PatternReport.Of(model.Pattern(first), trainer.Options.ContextTokens);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"attention  {layers}: {model.Pattern(first)}; keeps {report.KeptFraction:0.0 %} of the causal blocks "
                + $"of {trainer.Options.ContextTokens:#,0} tokens"));
            first = end;
        }
        string continued = trainer.CompletedSteps > 0 ? $", continuing after step {trainer.CompletedSteps}" : "";
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"training   {trainer.Options.Steps} steps of {trainer.Options.BatchSequences} x "
            + $"{trainer.Options.ContextTokens:#,0} tokens into {request.Folder}, loss in nats/token{continued}"));
    }

    private void Train(Trainer trainer, BytePairTokenizer tokenizer, CancellationToken cancellation)
    {
        int interval = trainer.Options.CheckpointInterval;
        try
        {
            using var log = TrainingLog.Open(_folder.LogPath, trainer.CompletedSteps);
            new TrainingDisplay(output, trainer.Options, trainer.Data.BitsPerByte).Show(shown =>
            {
                while (!trainer.IsFinished)
                {
                    var step = trainer.RunStep(cancellation);
                    log.Append(step);
                    shown(step);
                    if (interval > 0 && step.Step % interval == 0 && !trainer.IsFinished)
                        Save(trainer, tokenizer);
                }
            });
            Save(trainer, tokenizer);
        }
        catch (OperationCanceledException)
        {
            Save(trainer, tokenizer);
            throw new InterruptedException(
                $"interrupted after step {trainer.CompletedSteps}; everything is saved, continue with: "
                + $"s2 train --resume --out {request.Folder}");
        }
    }

    private void Save(Trainer trainer, BytePairTokenizer tokenizer)
    {
        _folder.Save(trainer, tokenizer);
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
        string prompt = tokenizer.Decode(validation.Tokens[..Math.Min(12, validation.TokenCount)])
            .ReplaceLineEndings(" ");
        using var generator = new TextGenerator(model, tokenizer);
        int room = Math.Min(SampleTokens, model.Config.ContextTokens / 2);
        string text = string.Concat(generator.Generate(prompt, room, new SamplingOptions())).Trim();
        output.WriteLine(TerminalText.For(output, $"sample     {prompt}|{text}"));
    }
}
