using System.Runtime.InteropServices;
using S2ILGPU.Engines;
using S2ILGPU.Storage;
using S2ILGPU.Tensors;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.Models;

/// <summary>The files of a model on disk, in Hugging Face shapes, and how to write and read them.</summary>
public static class ModelFolder
{
    /// <summary>Names of the files.</summary>
    public const string Config = "config.json", Weights = WeightFiles.SingleFile, Tokenizer = "tokenizer.json",
        GenerationConfig = "generation_config.json", Log = "training.jsonl", State = "training-state.safetensors",
        LossCurve = "loss.svg";

    /// <summary>Writes configuration, weights and tokenizer, each file replaced whole.</summary>
    /// <param name="folder">The folder; created when it is not there.</param>
    /// <param name="model">The model; where ranks share its layers all of them call this, and the first one
    /// writes.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="source">The folder that the model came from: the files that go with it (tokenizer, chat template,
    /// <c>generation_config.json</c>) are copied as they are, and its <c>config.json</c> keeps spelling and further
    /// fields. Null for none.</param>
    /// <exception cref="IOException">A file cannot be written; an earlier one of that name is intact.</exception>
    /// <exception cref="InvalidDataException">The configuration of <paramref name="source"/> cannot be
    /// read.</exception>
    public static void Save(string folder, TransformerModel model, BytePairTokenizer tokenizer, string? source = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        if (model.Shard is not { Rank: > 0 })
            SaveDescription(folder, model.Config, tokenizer, source);
        SaveWeights(folder, model);
    }

    /// <summary>Writes what <see cref="Save"/> writes, without the weights.</summary>
    internal static void SaveDescription(string folder, TransformerConfig config, BytePairTokenizer tokenizer,
        string? source)
    {
        FileErrors.CheckPath(folder);
        FileErrors.Explained(folder, "created", () => Directory.CreateDirectory(folder));
        string path = Path.Combine(folder, Config);
        if (source is null)
        {
            AtomicFile.WriteText(path, TransformerConfigFile.Format(config));
            tokenizer.Save(Path.Combine(folder, Tokenizer));
            return;
        }
        AtomicFile.WriteText(path,
            TransformerConfigFile.FormatLike(config, PathOf(source, Config), SafetensorsType.Float32));
        CompanionFiles.Copy(source, folder);
    }

    /// <summary>Writes the weights of <see cref="Save"/>.</summary>
    internal static void SaveWeights(string folder, TransformerModel model)
    {
        var tensors = FileTensors(model);
        if (model.Shard is not { Rank: > 0 })
            SafetensorsFile.Write(Path.Combine(folder, Weights), tensors, WeightFiles.Metadata);
    }

    /// <summary>Reads a model with its tokenizer and checks that they belong together.</summary>
    /// <param name="folder">A folder with configuration, weights and tokenizer.</param>
    /// <param name="engine">The engine that will hold the model.</param>
    /// <param name="matrixType">As for <see cref="LoadModel"/>.</param>
    /// <param name="activationType">As for <see cref="LoadModel"/>.</param>
    /// <param name="attention">As for <see cref="LoadModel"/>.</param>
    /// <param name="progress">As for <see cref="LoadModel"/>.</param>
    /// <param name="cancellation">As for <see cref="LoadModel"/>.</param>
    /// <returns>Both; the caller disposes them.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, the weights do not fit the configuration, or the
    /// tokenizer has more tokens than the model.</exception>
    public static PretrainedModel Load(string folder, IEngine engine, ElementType? matrixType = null,
        ElementType? activationType = null, string? attention = null, IProgress<double>? progress = null,
        CancellationToken cancellation = default)
    {
        var description = ModelDescription.Read(folder);
        return new PretrainedModel(
            LoadModel(folder, engine, matrixType, activationType, attention, progress, cancellation), description);
    }

    /// <summary>Reads a model.</summary>
    /// <param name="folder">A folder with configuration and weights, in one file or in several with an index.</param>
    /// <param name="engine">The engine that will hold it.</param>
    /// <param name="matrixType">How the model stores its matrices. Null for as the files do: each in bfloat16 or half
    /// precision where it is stored so, which is exact and takes half the memory, and otherwise in the engine's float
    /// type. To train the model give that type.</param>
    /// <param name="activationType">Element type of the model's activations; null for the engine's float type.</param>
    /// <param name="attention">Attention to run the model with, as <see cref="AttentionPlan.Parse"/> reads it, or <see
    /// cref="SampleAttentionOptions.Parse"/> for a dense model; null for its own.</param>
    /// <param name="progress">Told the fraction of the weights that is read, 0 to 1, after each tensor.</param>
    /// <param name="cancellation">Ends the reading between two tensors.</param>
    /// <returns>The model; the caller disposes it.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, a weight is not finite, or the weights do not fit the
    /// configuration: one is missing, has another shape, or would not be read.</exception>
    /// <exception cref="ArgumentException">The attention breaks a rule, or the engine does not compute it.</exception>
    /// <exception cref="OperationCanceledException">The reading was cancelled.</exception>
    public static TransformerModel LoadModel(string folder, IEngine engine, ElementType? matrixType = null,
        ElementType? activationType = null, string? attention = null, IProgress<double>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(engine);
        var config = TransformerConfigFile.Read(PathOf(folder, Config));
        var sample = attention is not null && SampleAttentionOptions.Names(attention)
            ? SampleAttentionOptions.Parse(attention) : null;
        if (attention is not null && sample is null)
            config = (config with { Attention = AttentionPlan.Parse(attention, config.Layers) }).Validate();
        using var files = WeightFiles.Open(folder);
        ModelWeights.Check(files, config);
        var model = new TransformerModel(engine, config,
            matrix => matrixType ?? ModelWeights.MatrixType(files, matrix, engine), seed: null, activationType);
        try
        {
            model.SampleAttention = sample;
            long read = 0, all = config.ParameterCount;
            foreach (var stored in model.StoredTensors)
            {
                cancellation.ThrowIfCancellationRequested();
                ModelWeights.Load(files.Of(stored.Name), stored.Name, engine, stored.Tensor, stored.Order);
                progress?.Report((double)(read += stored.Tensor.Count) / all);
            }
            model.RefreshShadows();
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Reads the tokenizer of a model: <c>tokenizer.json</c>, or a <c>.tiktoken</c> file where there is
    /// none.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The file is missing.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, or of a kind that is not supported.</exception>
    public static BytePairTokenizer LoadTokenizer(string folder) =>
        BytePairTokenizer.Load(TokenizerFiles.Find(PathOf(folder, "")));

    /// <summary>The path of a file of a model.</summary>
    /// <param name="folder">The model's folder; must be there.</param>
    /// <param name="file">The file, as in <see cref="Weights"/>.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    public static string PathOf(string folder, string file) => Directory.Exists(folder)
        ? Path.Combine(folder, file)
        : throw new DirectoryNotFoundException($"the model folder {folder} does not exist");

    internal static SafetensorsTensor Stored(IEngine engine, string name, Tensor tensor, RowOrder? order = null) =>
        Stored(name, tensor.Shape, () => ToFile(engine.ToArray(tensor), order));

    private static float[] ToFile(float[] values, RowOrder? order)
    {
        if (order is null)
            return values;
        float[] ordered = new float[values.Length];
        order.ToFile(values, ordered);
        return ordered;
    }

    // Of shared layers all parameters are gathered before the first is written.
    private static IEnumerable<SafetensorsTensor> FileTensors(TransformerModel model)
    {
        if (model.Shard is null)
            return model.StoredTensors.Select(s => Stored(model.Engine, s.Name, s.Tensor, s.Order));
        float[][] wholes = model.WholeParameters();
        return model.Specs.Zip(wholes).SelectMany(pair => Parts(pair.First, pair.Second));
    }

    private static IEnumerable<SafetensorsTensor> Parts(ParameterSpec spec, float[] whole)
    {
        int start = 0, width = (int)(spec.Shape.Count / spec.Shape[0]);
        foreach (var part in spec.Parts)
        {
            int first = start;
            yield return Stored(part.Name, spec.Shape.With(0, part.Rows),
                () => ToFile(whole[first..(first + part.Rows * width)], part.Order));
            start += part.Rows * width;
        }
    }

    /// <summary>A tensor of a file whose values are asked for when its turn comes, so that one at a time is on the
    /// host.</summary>
    internal static SafetensorsTensor Stored(string name, Shape tensorShape, Func<float[]> values)
    {
        long[] shape = new long[tensorShape.Rank];
        for (int d = 0; d < shape.Length; d++)
            shape[d] = tensorShape[d];
        return new SafetensorsTensor(name, SafetensorsType.Float32, shape,
            stream => stream.Write(MemoryMarshal.AsBytes(values().AsSpan())));
    }
}
