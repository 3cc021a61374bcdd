using System.Text.Json;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Storage;

namespace S2ILGPU.Quality;

/// <summary>A result as a file has it.</summary>
/// <param name="Commit">Commit of the working directory that it was computed in; null where unknown.</param>
/// <param name="Date">Day.</param>
/// <param name="Result">The result.</param>
internal sealed record Kept<T>(string? Commit, DateOnly Date, T Result);

/// <summary>The folder of a study: a file for each run, so that a study that was stopped goes on where it
/// was.</summary>
internal sealed class RunFolder
{
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true, NewLine = "\n" };

    private readonly SortedSet<string> _commits = [], _dates = [];
    private readonly string? _commit = BenchMachine.Commit(); // of the beginning: others may follow during a run

    /// <summary>Opens a folder, or makes one.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="settings">Sizes of the study.</param>
    /// <param name="text">What the models of text learn from.</param>
    /// <exception cref="InvalidDataException">It has runs of other sizes or of another text.</exception>
    public RunFolder(string path, StudySettings settings, string text)
    {
        Path = Directory.CreateDirectory(path).FullName;
        string file = In("study.json"), study = JsonSerializer.Serialize(new { text, settings }, s_json);
        if (File.Exists(file) && File.ReadAllText(file) != study)
            throw new InvalidDataException($"{path} has runs of another study (see study.json): name another folder");
        Write(file, study);
    }

    /// <summary>Its path.</summary>
    public string Path { get; }

    /// <summary>Commits and days of all results that were read.</summary>
    public string Origin => $"commit {string.Join(", ", _commits)}, {string.Join(", ", _dates)}";

    /// <summary>The path of a file.</summary>
    public string In(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>A result that is there; null where its run has not ended.</summary>
    public T? Find<T>(string name) where T : class
    {
        string file = In(name + ".json");
        if (!File.Exists(file))
            return null;
        var kept = JsonSerializer.Deserialize<Kept<T>>(File.ReadAllText(file), s_json)
            ?? throw new InvalidDataException($"{file} has no result");
        _commits.Add(kept.Commit ?? "unknown");
        _dates.Add($"{kept.Date:yyyy-MM-dd}");
        return kept.Result;
    }

    /// <summary>Computes a result unless it is there, and keeps it.</summary>
    /// <returns>Whether it was computed.</returns>
    public bool Complete<T>(string name, Func<T> run) where T : class
    {
        if (Find<T>(name) is not null)
            return false;
        var kept = new Kept<T>(_commit, DateOnly.FromDateTime(DateTime.UtcNow), run());
        Write(In(name + ".json"), JsonSerializer.Serialize(kept, s_json));
        return true;
    }

    private static void Write(string file, string text) =>
        AtomicFile.Write(file, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(text)));
}
