using System.Diagnostics;
using System.Globalization;
using S2ILGPU.Cli.DotNetDocumentation;
using S2ILGPU.Cli.Drawing;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Layouts;
using S2ILGPU.Models;
using S2ILGPU.Storage;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Training;

/// <summary>One invocation of <c>s2 train</c>, from the corpus to the sample.</summary>
internal sealed class TrainingRun(TrainingRequest request, TextWriter output)
{
    private const int SampleTokens = 120;

    private readonly string _statePath = Path.Combine(request.Folder, ModelFolder.State),
        _logPath = Path.Combine(request.Folder, ModelFolder.Log);

    /// <summary>Trains; when cancelled, saves and returns.</summary>
    public int Run(CancellationToken cancellation)
    {
        using var engine = Engine.Create(request.Device);
        var options = Options();
        var (tokenizer, training, validation) = ReadText(options);
        using var model = new TransformerModel(engine, Config(options, tokenizer), (ulong)options.Seed);
        using var trainer = new Trainer(model, training, validation, options);
        if (request.IsResumed)
            TrainingState.Restore(_statePath, trainer);
        Describe(engine, model, trainer);

        Directory.CreateDirectory(request.Folder);
        ModelFolder.Save(request.Folder, model, tokenizer);
        bool finished = Train(trainer, tokenizer, cancellation);
        if (!finished)
        {
            output.WriteLine(
                $"stopped after step {trainer.CompletedSteps}; everything is saved. Continue with: s2 train --resume "
                + $"--out {request.Folder}");
            return 0;
        }
        Summarize(trainer, engine);
        Sample(model, tokenizer, validation);
        return 0;
    }

    private TrainingOptions Options()
    {
        if (request.IsResumed)
        {
            var saved = TrainingState.ReadOptions(ModelFolder.PathOf(request.Folder, ModelFolder.State));
            return saved with { Steps = request.Steps ?? saved.Steps };
        }
        if (File.Exists(_statePath) || File.Exists(Path.Combine(request.Folder, ModelFolder.Weights)))
            throw new ArgumentException(
                $"{request.Folder} already holds a model: continue it with --resume, or name another folder with --out");
        return request.NewOptions();
    }

    private TransformerConfig Config(TrainingOptions options, BytePairTokenizer tokenizer) => request.IsResumed
        ? TransformerConfigFile.Read(ModelFolder.PathOf(request.Folder, ModelFolder.Config))
        : request.NewModel(options, tokenizer.VocabularySize);

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
        output.WriteLine($"device     {engine.Name}");
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

    private bool Train(Trainer trainer, BytePairTokenizer tokenizer, CancellationToken cancellation)
    {
        using var log = TrainingLog.Open(_logPath, trainer.CompletedSteps);
        new TrainingDisplay(output, trainer.Options, trainer.Data.BitsPerByte).Show(shown =>
        {
            while (!trainer.IsFinished && !cancellation.IsCancellationRequested)
            {
                var step = trainer.RunStep();
                log.Append(step);
                shown(step);
                if (trainer.Options.CheckpointInterval > 0 && step.Step % trainer.Options.CheckpointInterval == 0
                    && !trainer.IsFinished)
                    Save(trainer, tokenizer);
            }
        });
        Save(trainer, tokenizer);
        return trainer.IsFinished;
    }

    private void Save(Trainer trainer, BytePairTokenizer tokenizer)
    {
        TrainingState.Save(_statePath, trainer);
        ModelFolder.Save(request.Folder, trainer.Model, tokenizer);
        string curve = LossCurve.Render($"{Path.GetFileName(Path.GetFullPath(request.Folder))}: training loss",
            TrainingLog.Read(_logPath),
            (double)trainer.Data.ByteCount / trainer.Data.TokenCount, trainer.Data.EntropyBitsPerByte);
        AtomicFile.WriteText(Path.Combine(request.Folder, ModelFolder.LossCurve), curve);
    }

    private void Summarize(Trainer trainer, IEngine engine)
    {
        var last = TrainingLog.Read(_logPath)[^1];
        double seconds = TrainingLog.Read(_logPath).Sum(s => s.Seconds);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"done       {trainer.SeenTokens:#,0} tokens in {seconds:0} s, {trainer.SeenTokens / seconds:#,0} "
            + $"tokens/s, peak memory of tensors {engine.PeakBytes / 1e6:#,0} MB"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"result     validation loss {trainer.Data.BitsPerByte(last.ValidationLoss ?? last.Loss):0.000} "
            + $"bits/byte; unigram entropy {trainer.Data.EntropyBitsPerByte:0.000} bits/byte"));
        output.WriteLine(
            $"written    {request.Folder}: "
            + $"{string.Join(", ", Directory.GetFiles(request.Folder).Select(Path.GetFileName).Order())}");
    }

    private void Sample(TransformerModel model, BytePairTokenizer tokenizer, TokenDataset validation)
    {
        string prompt = tokenizer.Decode(validation.Tokens[..Math.Min(12, validation.TokenCount)])
            .ReplaceLineEndings(" ");
        using var generator = new TextGenerator(model, tokenizer);
        int room = Math.Min(SampleTokens, model.Config.ContextTokens / 2);
        output.WriteLine(
            $"sample     {prompt}|{string.Concat(generator.Generate(prompt, room, new SamplingOptions())).Trim()}");
    }
}
