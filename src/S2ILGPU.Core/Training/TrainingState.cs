using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Storage;
using S2ILGPU.Tensors;

namespace S2ILGPU.Training;

/// <summary>Everything that resuming needs, in one file: parameters, both moments, step and options. One rename
/// replaces it, so an interruption leaves the old or the new state.</summary>
public static class TrainingState
{
    private const string StepKey = "step", OptionsKey = "options", DataKey = "data", FormatKey = "s2_format",
        Format = "training-state 1";

    /// <summary>Writes the state of a trainer.</summary>
    /// <param name="path">The file; replaced whole.</param>
    /// <param name="trainer">The trainer.</param>
    /// <exception cref="IOException">The file cannot be written; an earlier one is intact.</exception>
    public static void Save(string path, Trainer trainer)
    {
        var engine = trainer.Model.Engine;
        var tensors = new List<SafetensorsTensor>();
        foreach (var (name, tensor) in Tensors(trainer))
            tensors.Add(ModelFolder.Stored(engine, name, tensor));
        SafetensorsFile.Write(path, tensors, new Dictionary<string, string>
        {
            [FormatKey] = Format,
            [StepKey] = trainer.CompletedSteps.ToString(CultureInfo.InvariantCulture),
            [OptionsKey] = JsonSerializer.Serialize(trainer.Options, TrainingJson.Default.TrainingOptions),
            [DataKey] = Fingerprint(trainer),
        });
    }

    /// <summary>The options of a saved run.</summary>
    /// <param name="path">A file that <see cref="Save"/> wrote.</param>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="InvalidDataException">The file is not a training state.</exception>
    public static TrainingOptions ReadOptions(string path)
    {
        using var file = SafetensorsFile.Open(path);
        string json = Entry(file, OptionsKey);
        try
        {
            return JsonSerializer.Deserialize(json, TrainingJson.Default.TrainingOptions)?.Validate()
                ?? throw new InvalidDataException($"{path}: the training options are null");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: the training options are damaged at {e.Path ?? "their end"}");
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{path}: {e.Message}");
        }
    }

    /// <summary>The steps that a saved run has done.</summary>
    /// <param name="path">A file that <see cref="Save"/> wrote.</param>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="InvalidDataException">The file is not a training state.</exception>
    public static int ReadCompletedSteps(string path)
    {
        using var file = SafetensorsFile.Open(path);
        return Step(file);
    }

    /// <summary>Restores a trainer to the state of a file.</summary>
    /// <param name="path">A file that <see cref="Save"/> wrote.</param>
    /// <param name="trainer">A trainer of the same model and data; changed only when everything fits.</param>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="InvalidDataException">The file is not a training state, or it belongs to another model or other
    /// data.</exception>
    public static void Restore(string path, Trainer trainer)
    {
        using var file = SafetensorsFile.Open(path);
        int step = Step(file);
        if (Entry(file, DataKey) is var data && data != Fingerprint(trainer))
            throw new InvalidDataException(
                $"{path}: the run saw other data (fingerprint {data}, here {Fingerprint(trainer)}); a run continues "
                + $"on the text and with the tokenizer that it began with");
        var tensors = Tensors(trainer).ToArray();
        foreach (var (name, tensor) in tensors)
        {
            ModelWeights.CheckShape(file, name, tensor.Shape);
            ModelWeights.ReadFinite(file, name);
        }
        foreach (var (name, tensor) in tensors)
            ModelWeights.Load(file, name, trainer.Model.Engine, tensor);
        trainer.Model.RefreshShadows();
        trainer.ContinueAfter(step);
    }

    private static IEnumerable<(string Name, Tensor Tensor)> Tensors(Trainer trainer)
    {
        var parameters = trainer.Model.Parameters;
        for (int i = 0; i < parameters.Count; i++)
        {
            yield return ($"parameter.{parameters[i].Name}", parameters[i].Value);
            yield return ($"first_moment.{parameters[i].Name}", trainer.Optimizer.FirstMoments[i]);
            yield return ($"second_moment.{parameters[i].Name}", trainer.Optimizer.SecondMoments[i]);
        }
    }

    private static int Step(SafetensorsFile file)
    {
        string text = Entry(file, StepKey);
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int step) ? step
            : throw new InvalidDataException($"{file.FilePath}: step '{text}' is not a number");
    }

    private static string Entry(SafetensorsFile file, string key) =>
        file.Metadata.TryGetValue(FormatKey, out string? format) && format == Format
        ? file.Metadata.TryGetValue(key, out string? value) ? value
            : throw new InvalidDataException($"{file.FilePath}: the entry '{key}' is missing")
        : throw new InvalidDataException(
            $"{file.FilePath} is not a training state of this version ('{Format}'), it says '{format ?? "nothing"}'");

    // FNV-1a over the token ids: tells other data from the same data, not more.
    private static string Fingerprint(Trainer trainer)
    {
        ulong hash = 14695981039346656037;
        foreach (int token in trainer.Data.Tokens)
            hash = (hash ^ (uint)token) * 1099511628211;
        foreach (int token in trainer.ValidationData.Tokens)
            hash = (hash ^ (uint)token) * 1099511628211;
        return hash.ToString("x16", CultureInfo.InvariantCulture);
    }
}

/// <summary>Serialization of the options without reflection.</summary>
[JsonSerializable(typeof(TrainingOptions))]
internal sealed partial class TrainingJson : JsonSerializerContext;
