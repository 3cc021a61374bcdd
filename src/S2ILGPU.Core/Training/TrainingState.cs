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
        Format = "training-state 1", Parameter = "parameter.", FirstMoment = "first_moment.",
        SecondMoment = "second_moment.";

    /// <summary>Writes the state of a trainer: the same file for any number of ranks, all of which call this; rank 0
    /// writes.</summary>
    /// <param name="path">The file; replaced whole.</param>
    /// <param name="trainer">The trainer.</param>
    /// <exception cref="IOException">The file cannot be written; an earlier one is intact.</exception>
    public static void Save(string path, Trainer trainer)
    {
        var tensors = StoredTensors(trainer);
        if (trainer.Parallel is { All.Rank: > 0 })
            return;
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

    /// <summary>Restores a trainer to the state of a file, whatever the number of ranks that wrote it; all ranks read
    /// it.</summary>
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
        foreach (var parameter in trainer.Model.Specs)
            foreach (string kind in (string[])[Parameter, FirstMoment, SecondMoment])
            {
                ModelWeights.CheckShape(file, kind + parameter.Name, parameter.Shape);
                ModelWeights.CheckFinite(file, kind + parameter.Name);
            }
        for (int i = 0; i < trainer.Model.Parameters.Count; i++)
            Load(file, trainer, i);
        trainer.Model.RefreshShadows();
        trainer.ContinueAfter(step);
    }

    private static List<SafetensorsTensor> StoredTensors(Trainer trainer)
    {
        var (model, optimizer) = (trainer.Model, trainer.Optimizer);
        var (parameters, specs, engine) = (model.Parameters, model.Specs, model.Engine);
        float[][]? values = model.Shard is null ? null : model.WholeParameters();
        var first = Moments(optimizer.FirstMoments);
        var second = Moments(optimizer.SecondMoments);
        var tensors = new List<SafetensorsTensor>();
        for (int i = 0; i < parameters.Count; i++)
        {
            tensors.Add(values is null ? ModelFolder.Stored(engine, Parameter + specs[i].Name, parameters[i].Value)
                : Stored(i, Parameter, values));
            tensors.Add(first(i, FirstMoment));
            tensors.Add(second(i, SecondMoment));
        }
        return tensors;

        Func<int, string, SafetensorsTensor> Moments(IReadOnlyList<Tensor> own)
        {
            if (trainer.Parallel is not { } parallel)
                return (i, kind) => ModelFolder.Stored(engine, kind + parameters[i].Name, own[i]);
            float[][] parts = RankMoments.Gather(parallel, own, parameters.Select(p => p.Value.Count), engine);
            float[][] wholes = [.. specs.Zip(parts, model.Whole)];
            return (i, kind) => Stored(i, kind, wholes);
        }

        SafetensorsTensor Stored(int i, string kind, float[][] wholes) =>
            ModelFolder.Stored(kind + specs[i].Name, specs[i].Shape, () => wholes[i]);
    }

    private static void Load(SafetensorsFile file, Trainer trainer, int index)
    {
        var (parameter, engine, optimizer) = (trainer.Model.Parameters[index], trainer.Model.Engine,
            trainer.Optimizer);
        var spec = trainer.Model.Specs[index];
        if (spec.Slice is null)
            ModelWeights.Load(file, Parameter + parameter.Name, engine, parameter.Value);
        else
            engine.Upload(Own(Parameter + parameter.Name), parameter.Value);
        Moment(FirstMoment, optimizer.FirstMoments);
        Moment(SecondMoment, optimizer.SecondMoments);

        void Moment(string kind, IReadOnlyList<Tensor> own)
        {
            if (trainer.Parallel is { } parallel)
                RankMoments.Load(parallel, own, index, Own(kind + parameter.Name), engine);
            else
                ModelWeights.Load(file, kind + parameter.Name, engine, own[index]);
        }

        float[] Own(string name)
        {
            float[] values = new float[file.Info(name).Count];
            file.ReadRange(name, 0, values);
            return spec.Slice?.Take(values, spec.Shape) ?? values;
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
    internal static string Fingerprint(Trainer trainer)
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
