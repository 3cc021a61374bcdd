using S2ILGPU.Storage;

namespace S2ILGPU.Models;

/// <summary>Writes a model folder out of another one, without a model in memory: other element types, other files,
/// another attention. What the folder says beside that stays as it is spelled.</summary>
internal sealed record FolderCopy
{
    /// <summary>The folder to read.</summary>
    public required string Source { get; init; }

    /// <summary>The folder to write: a new one, or an empty one.</summary>
    public required string Target { get; init; }

    /// <summary>The configuration of the copy.</summary>
    public required TransformerConfig Config { get; init; }

    /// <summary>Element type of all weights; null for their own.</summary>
    public SafetensorsType? Type { get; init; }

    /// <summary>The most bytes of weights in a file.</summary>
    public long ShardBytes { get; init; } = long.MaxValue;

    /// <summary>Writes the folder, its configuration last; what is written of one that fails is deleted.</summary>
    /// <param name="progress">Told the fraction of the weights that is written, 0 to 1.</param>
    /// <param name="cancellation">Ends the writing.</param>
    /// <exception cref="ArgumentException">The target holds files, or is one.</exception>
    /// <exception cref="InvalidDataException">A file of the source is damaged.</exception>
    /// <exception cref="OperationCanceledException">The writing was cancelled.</exception>
    public void Write(IProgress<double>? progress, CancellationToken cancellation)
    {
        CheckTarget();
        bool isNew = !Directory.Exists(Target);
        FileErrors.Explained(Target, "created", () => Directory.CreateDirectory(Target));
        try
        {
            using var files = WeightFiles.Open(Source);
            new WeightCopy(files, Type, progress, cancellation).Write(Config, Target, ShardBytes);
            CompanionFiles.Copy(Source, Target);
            AtomicFile.WriteText(Path.Combine(Target, ModelFolder.Config),
                TransformerConfigFile.FormatLike(Config, Path.Combine(Source, ModelFolder.Config), Type));
        }
        catch
        {
            foreach (string file in Directory.GetFiles(Target))
                File.Delete(file);
            if (isNew)
                Directory.Delete(Target);
            throw;
        }
    }

    /// <summary>Refuses a target that holds something.</summary>
    /// <exception cref="ArgumentException">It does.</exception>
    public void CheckTarget()
    {
        FileErrors.CheckPath(Target);
        if (File.Exists(Target))
            throw new ArgumentException($"{Target} is a file, a folder was expected");
        if (Directory.Exists(Target) && Directory.EnumerateFileSystemEntries(Target).Any())
            throw new ArgumentException($"{Target} is not empty: name another folder");
    }
}
