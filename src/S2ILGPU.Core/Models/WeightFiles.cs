using S2ILGPU.Storage;

namespace S2ILGPU.Models;

/// <summary>The weights of a model folder: one safetensors file, or several with an index that names the file of every
/// tensor.</summary>
/// <remarks>Opening reads headers only. Tensors are read where they lie, a piece at a time, so loading needs little
/// memory beside the model.</remarks>
internal sealed class WeightFiles : IDisposable
{
    public const string SingleFile = "model.safetensors", IndexFile = "model.safetensors.index.json";

    /// <summary>Metadata of every file, which some tools demand: tensors as PyTorch arranges them.</summary>
    public static readonly IReadOnlyDictionary<string, string> Metadata =
        new Dictionary<string, string> { ["format"] = "pt" };

    public const string MapKey = "weight_map";

    private const int MaxIndexBytes = 1 << 26;

    private readonly Dictionary<string, (SafetensorsFile File, SafetensorsEntry Entry)> _byName = [];
    private readonly List<SafetensorsFile> _files = [];

    private WeightFiles(string path) => FilePath = path;

    /// <summary>The one file, or the index: for messages about the whole.</summary>
    public string FilePath { get; }

    /// <summary>All tensors, file by file, each in the order of its data.</summary>
    public IEnumerable<SafetensorsEntry> Entries => _files.SelectMany(file => file.Entries);

    /// <summary>Number of files.</summary>
    public int Count => _files.Count;

    /// <summary>Bytes of all tensors.</summary>
    public long SizeBytes => Entries.Sum(entry => entry.SizeBytes);

    /// <summary>Opens the weights of a folder.</summary>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or it does not hold what the index says.</exception>
    public static WeightFiles Open(string folder)
    {
        string single = ModelFolder.PathOf(folder, SingleFile), index = Path.Combine(folder, IndexFile);
        bool isSharded = !File.Exists(single) && File.Exists(index);
        var files = new WeightFiles(isSharded ? index : single);
        try
        {
            if (isSharded)
                files.OpenShards(folder, index);
            else
                files.Add(SafetensorsFile.Open(single));
            return files;
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <summary>Whether a tensor is there.</summary>
    public bool Contains(string name) => _byName.ContainsKey(name);

    /// <summary>The file that holds a tensor.</summary>
    /// <exception cref="InvalidDataException">None does; the message says which tensors there are.</exception>
    public SafetensorsFile Of(string name)
    {
        if (_byName.TryGetValue(name, out var found))
            return found.File;
        if (_files.Count == 1)
            _files[0].Info(name);
        throw new InvalidDataException($"{FilePath}: no file of the index holds tensor '{name}'");
    }

    public void Dispose()
    {
        foreach (var file in _files)
            file.Dispose();
    }

    private void OpenShards(string folder, string index)
    {
        var map = JsonValue.Read(index, "an index of weights", MaxIndexBytes, root => root.Member(MapKey).Members()
            .Select(member => (member.Name, File: FileName(member.Value))).ToArray());
        foreach (string name in map.Select(entry => entry.File).Distinct().Order(StringComparer.Ordinal))
            Add(SafetensorsFile.Open(Path.Combine(folder, name)));
        foreach (var (name, file) in map)
            if (!_byName.TryGetValue(name, out var found) || Path.GetFileName(found.File.FilePath) != file)
                throw new InvalidDataException(
                    $"{Path.Combine(folder, file)} holds no tensor '{name}', which {IndexFile} expects there");
    }

    // A plain name: an index must not lead out of its folder.
    private static string FileName(JsonValue value) => value.Text() is { Length: > 0 } name
        && name.IndexOfAny(['/', '\\', ':', '\0']) < 0 && name is not ("." or "..") ? name
        : throw value.Wrong("the name of a file in the folder");

    private void Add(SafetensorsFile file)
    {
        _files.Add(file);
        foreach (var entry in file.Entries)
            if (!_byName.TryAdd(entry.Name, (file, entry)))
                throw new InvalidDataException(
                    $"{file.FilePath}: tensor '{entry.Name}' is also in {_byName[entry.Name].File.FilePath}");
    }
}
