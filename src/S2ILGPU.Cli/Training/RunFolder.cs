using S2ILGPU.Models;
using S2ILGPU.Storage;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Training;

/// <summary>The folder of a training run: who may write it, and in which order its files come.</summary>
/// <remarks>
/// <para>Order: configuration, tokenizer, <c>training-state.safetensors</c>, weights. So a folder with a state can be
/// resumed, and a folder without one, or with a state of step 0, can be begun again. Every file is replaced whole
/// except the log, which resuming does not need.</para>
/// <para>One process at a time: an open file with an exclusive lock, which the system releases when the process ends,
/// also by SIGKILL.</para>
/// </remarks>
internal sealed class RunFolder(string path) : IDisposable
{
    private const string LockFile = ".lock";

    private static readonly string[] s_files = [ModelFolder.Config, ModelFolder.Weights, ModelFolder.Tokenizer,
        ModelFolder.Log, ModelFolder.State, ModelFolder.LossCurve];

    private FileStream? _lock;

    public string Path { get; } = path;

    public string StatePath => In(ModelFolder.State);

    public string LogPath => In(ModelFolder.Log);

    public string CurvePath => In(ModelFolder.LossCurve);

    /// <summary>What the user sees: the files without the lock.</summary>
    public IEnumerable<string> FileNames =>
        Directory.GetFiles(Path).Select(file => System.IO.Path.GetFileName(file)).Where(name => name != LockFile)
            .Order();

    /// <summary>Refuses a folder that a new run would overwrite.</summary>
    /// <exception cref="ArgumentException">It holds a model or a run, or it is a file; the message says what to
    /// do.</exception>
    public void CheckUnused()
    {
        if (File.Exists(Path))
            throw new ArgumentException($"--out: {Path} is a file, a folder was expected");
        if (!Directory.Exists(Path))
            return;
        if (File.Exists(StatePath))
        {
            if (CompletedSteps() is > 0 and int steps)
                throw new ArgumentException(
                    $"{Path} already holds a model, trained for {steps} steps: continue it with --resume, or name "
                    + "another folder with --out");
            return;
        }
        if (Directory.EnumerateFiles(Path, "*.safetensors").Any())
            throw new ArgumentException(
                $"{Path} already holds a model, and no training state to resume: name another folder with --out");
    }

    /// <summary>Refuses a folder without a run to continue.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">There is no run in it.</exception>
    public void CheckResumable()
    {
        if (!Directory.Exists(Path))
            throw new DirectoryNotFoundException($"--resume: the folder {Path} does not exist");
        if (!File.Exists(StatePath))
            throw new FileNotFoundException(
                $"--resume: {Path} holds no checkpoint ({ModelFolder.State}); begin again without --resume");
    }

    /// <summary>Makes the folder when it is not there, and keeps other runs out until this is disposed.</summary>
    /// <exception cref="ArgumentException">Another run has it.</exception>
    public void Lock()
    {
        if (_lock is not null)
            return;
        Directory.CreateDirectory(Path);
        try
        {
            _lock = new FileStream(In(LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e.GetType() == typeof(IOException) && File.Exists(In(LockFile)))
        {
            throw new ArgumentException(
                $"another run is training in {Path}: wait for it, or name another folder with --out");
        }
        foreach (string file in Directory.GetFiles(Path, "*.tmp"))
        {
            string temporary = System.IO.Path.GetFileName(file);
            if (s_files.Any(name => temporary.StartsWith(name, StringComparison.Ordinal)))
                File.Delete(file); // half-written by a run that was killed
        }
    }

    /// <summary>Begins a run: from here on it can be resumed.</summary>
    /// <param name="trainer">The run.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="source">The folder of the checkpoint that the model began with; null for none.</param>
    public void Begin(Trainer trainer, BytePairTokenizer tokenizer, string? source)
    {
        // Of a run without a step, which may differ from the configuration to come. The state goes last: weights
        // without one look like a model of another origin.
        File.Delete(In(ModelFolder.Weights));
        File.Delete(StatePath);
        ModelFolder.SaveDescription(Path, trainer.Model.Config, tokenizer, source);
        Save(trainer);
    }

    /// <summary>Writes a checkpoint, state first.</summary>
    public void Save(Trainer trainer)
    {
        TrainingState.Save(StatePath, trainer);
        ModelFolder.SaveWeights(Path, trainer.Model);
    }

    /// <summary>Adds the part of a rank that does not write to a checkpoint of the one that does.</summary>
    public void Contribute(Trainer trainer)
    {
        TrainingState.Save(StatePath, trainer);
        if (trainer.Parallel!.All.Rank < trainer.Model.TensorRanks)
            ModelFolder.SaveWeights(Path, trainer.Model); // shares its layers with rank 0
    }

    public void Dispose() => _lock?.Dispose();

    private int CompletedSteps()
    {
        try
        {
            return TrainingState.ReadCompletedSteps(StatePath);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{e.Message}; name another folder with --out");
        }
    }

    private string In(string file) => System.IO.Path.Combine(Path, file);
}
