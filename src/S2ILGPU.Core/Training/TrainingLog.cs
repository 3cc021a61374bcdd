using System.Text;
using System.Text.Json;
using S2ILGPU.Storage;

namespace S2ILGPU.Training;

/// <summary>What one optimizer step did: a line of <c>training.jsonl</c>.</summary>
/// <param name="Step">Step, from 1.</param>
/// <param name="Loss">Mean cross-entropy of the step's tokens, in nats per token.</param>
/// <param name="Tokens">Tokens seen since the beginning of the run.</param>
/// <param name="LearningRate">Learning rate of the step.</param>
/// <param name="GradientNorm">L2 norm of the gradient before clipping.</param>
/// <param name="Seconds">Duration of the step in seconds.</param>
/// <param name="ValidationLoss">Mean cross-entropy of the validation tokens in nats per token, when the step
/// validated.</param>
public sealed record TrainingStep(int Step, double Loss, long Tokens, double LearningRate, double GradientNorm,
    double Seconds, double? ValidationLoss = null);

/// <summary>Appends <see cref="TrainingStep"/>s to a JSON-lines file, one object per line, flushed line by
/// line.</summary>
public sealed class TrainingLog : IDisposable
{
    private readonly FileStream _stream;

    private TrainingLog(FileStream stream) => _stream = stream;

    /// <summary>Opens the log of a run: a new file, or an existing one cut after the resumed step.</summary>
    /// <param name="path">Path of the file; it may be missing or damaged, see <see cref="Read"/>.</param>
    /// <param name="afterStep">The last step to keep; 0 begins a new log.</param>
    /// <exception cref="IOException">The file cannot be written; an earlier one is intact.</exception>
    public static TrainingLog Open(string path, int afterStep)
    {
        IReadOnlyList<TrainingStep> kept = afterStep > 0 && File.Exists(path)
            ? [.. Read(path).Where(s => s.Step <= afterStep)] : [];
        AtomicFile.Write(path, stream =>
        {
            foreach (var step in kept)
                Write(stream, step);
        });
        return new TrainingLog(new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite));
    }

    /// <summary>Appends a step.</summary>
    /// <param name="step">The step.</param>
    public void Append(TrainingStep step)
    {
        Write(_stream, step);
        _stream.Flush();
    }

    /// <summary>Reads a log.</summary>
    /// <param name="path">Path of the file.</param>
    /// <returns>The steps in ascending order. Left out are lines that do not hold a step, as an interruption or a full
    /// disk leaves them, and all but the last line of a step.</returns>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    public static IReadOnlyList<TrainingStep> Read(string path)
    {
        var steps = new SortedDictionary<int, TrainingStep>();
        foreach (string line in File.ReadLines(path, Encoding.UTF8))
            if (Parse(line) is { } step)
                steps[step.Step] = step;
        return [.. steps.Values];
    }

    private static void Write(Stream stream, TrainingStep step)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteNumber("step", step.Step);
            writer.WriteNumber("loss", step.Loss);
            writer.WriteNumber("tokens", step.Tokens);
            writer.WriteNumber("learning_rate", step.LearningRate);
            writer.WriteNumber("gradient_norm", step.GradientNorm);
            writer.WriteNumber("seconds", step.Seconds);
            if (step.ValidationLoss is { } validation)
                writer.WriteNumber("validation_loss", validation);
            writer.WriteEndObject();
        }
        buffer.WriteByte((byte)'\n');
        stream.Write(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    private static TrainingStep? Parse(string line)
    {
        try
        {
            return JsonValue.Parse(Encoding.UTF8.GetBytes(line), "a training step", json => new TrainingStep(
                json.Integer("step"), json.Number("loss"), json.Long("tokens"), json.Number("learning_rate"),
                json.Number("gradient_norm"), json.Number("seconds"), json.Find("validation_loss")?.Number()));
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _stream.Dispose();
}
