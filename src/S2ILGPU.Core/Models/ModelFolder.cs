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
    public const string Config = "config.json", Weights = "model.safetensors", Tokenizer = "tokenizer.json",
        Log = "training.jsonl", State = "training-state.safetensors", LossCurve = "loss.svg";

    /// <summary>Writes configuration, weights and tokenizer, each file replaced whole.</summary>
    /// <param name="folder">The folder; created when it is not there.</param>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <exception cref="IOException">A file cannot be written; an earlier one of that name is intact.</exception>
    public static void Save(string folder, TransformerModel model, BytePairTokenizer tokenizer)
    {
        Directory.CreateDirectory(folder);
        AtomicFile.WriteText(Path.Combine(folder, Config), TransformerConfigFile.Format(model.Config));
        tokenizer.Save(Path.Combine(folder, Tokenizer));
        SafetensorsFile.Write(Path.Combine(folder, Weights),
            model.StoredTensors.Select(s => Stored(model.Engine, s.Name, s.Tensor)),
            new Dictionary<string, string> { ["format"] = "pt" });
    }

    /// <summary>Reads a model.</summary>
    /// <param name="folder">A folder with configuration and weights.</param>
    /// <param name="engine">The engine that will hold it.</param>
    /// <param name="matrixType">How the model stores its matrices, whatever the file does; null for the engine's float
    /// type.</param>
    /// <returns>The model; the caller disposes it.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or the weights do not fit the
    /// configuration.</exception>
    public static TransformerModel LoadModel(string folder, IEngine engine, ElementType? matrixType = null)
    {
        var config = TransformerConfigFile.Read(PathOf(folder, Config));
        using var file = SafetensorsFile.Open(PathOf(folder, Weights));
        var model = new TransformerModel(engine, config, seed: null, matrixType);
        try
        {
            foreach (var (name, tensor) in model.StoredTensors)
                CheckStored(file, name, tensor.Shape);
            foreach (var (name, tensor) in model.StoredTensors)
                engine.Upload(file.ReadSingles(name), tensor);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Reads the tokenizer of a model.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The file is missing.</exception>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public static BytePairTokenizer LoadTokenizer(string folder) => BytePairTokenizer.Load(PathOf(folder, Tokenizer));

    /// <summary>The path of a file of a model.</summary>
    /// <param name="folder">The model's folder; must be there.</param>
    /// <param name="file">The file, as in <see cref="Weights"/>.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    public static string PathOf(string folder, string file) => Directory.Exists(folder)
        ? Path.Combine(folder, file)
        : throw new DirectoryNotFoundException($"the model folder {folder} does not exist");

    internal static SafetensorsTensor Stored(IEngine engine, string name, Tensor tensor)
    {
        long[] shape = new long[tensor.Shape.Rank];
        for (int d = 0; d < shape.Length; d++)
            shape[d] = tensor.Shape[d];
        // Downloaded when its turn comes, so that one tensor at a time is on the host.
        return new SafetensorsTensor(name, SafetensorsType.Float32, shape, stream =>
        {
            float[] values = new float[tensor.Count];
            engine.Download(tensor, values);
            stream.Write(MemoryMarshal.AsBytes(values.AsSpan()));
        });
    }

    internal static void CheckStored(SafetensorsFile file, string name, Shape shape)
    {
        var entry = file.Info(name);
        bool same = entry.Shape.Length == shape.Rank;
        for (int d = 0; same && d < shape.Rank; d++)
            same = entry.Shape[d] == shape[d];
        if (!same)
            throw new InvalidDataException($"{file.FilePath} belongs to another model: {entry}, expected {shape}");
    }
}
