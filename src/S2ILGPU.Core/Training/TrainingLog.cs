using System.Text;
using System.Text.Json;

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

    /// <summary>Opens the log of a run: a new file, or an existing one with the lines after the resumed step cut
    /// off.</summary>
    /// <param name="path">Path of the file.</param>
    /// <param name="afterStep">The last step to keep; 0 begins a new log.</param>
    public static TrainingLog Open(string path, int afterStep)
    {
        IReadOnlyList<TrainingStep> kept = afterStep > 0 && File.Exists(path)
            ? [.. Read(path).Where(s => s.Step <= afterStep)] : [];
        var log = new TrainingLog(new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read));
        foreach (var step in kept)
            log.Append(step);
        return log;
    }

    /// <summary>Appends a step.</summary>
    /// <param name="step">The step.</param>
    public void Append(TrainingStep step)
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
        _stream.Write(buffer.GetBuffer(), 0, (int)buffer.Length);
        _stream.Flush();
    }

    /// <summary>Reads a log.</summary>
    /// <param name="path">Path of the file.</param>
    /// <returns>The steps in file order; a last line that an interruption left half-written is left out.</returns>
    /// <exception cref="InvalidDataException">A line before the last is not a step.</exception>
    public static IReadOnlyList<TrainingStep> Read(string path)
    {
        var steps = new List<TrainingStep>();
        string[] lines = File.ReadAllLines(path, Encoding.UTF8);
        for (int i = 0; i < lines.Length; i++)
        {
            try
            {
                steps.Add(Parse(lines[i]));
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException
                or FormatException)
            {
                if (i < lines.Length - 1)
                    throw new InvalidDataException($"{path}, line {i + 1}: not a training step: {e.Message}");
            }
        }
        return steps;
    }

    private static TrainingStep Parse(string line)
    {
        using var document = JsonDocument.Parse(line);
        var json = document.RootElement;
        return new TrainingStep(json.GetProperty("step").GetInt32(), json.GetProperty("loss").GetDouble(),
            json.GetProperty("tokens").GetInt64(),
            json.GetProperty("learning_rate").GetDouble(), json.GetProperty("gradient_norm").GetDouble(),
                json.GetProperty("seconds").GetDouble(),
            json.TryGetProperty("validation_loss", out var validation) ? validation.GetDouble() : null);
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _stream.Dispose();
}
