namespace S2ILGPU.Quality;

/// <summary>What the command line asks for.</summary>
/// <param name="IsQuick">Small sizes, for a first look.</param>
/// <param name="IsReport">Whether runs that are missing stay so.</param>
/// <param name="Data">Files and folders of text; empty for the documentation of .NET.</param>
/// <param name="Out">Folder of the runs, the tables and the pictures.</param>
internal sealed record StudyRequest(bool IsQuick, bool IsReport, IReadOnlyList<string> Data, string Out)
{
    /// <summary>How the program is called.</summary>
    public const string Usage =
        "usage: S2ILGPU.Quality [--quick] [--report] [--data PATH]... [--out DIR]\n"
        + "  --quick      small models, in minutes\n"
        + "  --report     tables and pictures of the runs that are there, no more runs\n"
        + "  --data PATH  text to learn from [default: the documentation of .NET in the SDK]\n"
        + "  --out DIR    folder of the runs and of the report; runs that it has are kept [default: runs/quality]";

    /// <summary>The sizes of the study.</summary>
    public StudySettings Settings => IsQuick ? StudySettings.Quick : new StudySettings();

    /// <summary>The command for those who repeat the study.</summary>
    public string Command
    {
        get
        {
            string[] options = [.. IsQuick ? (string[])["--quick"] : [], .. Data.Select(path => $"--data {path}")];
            return string.Join(' ', (string[])["dotnet run -c Release --project bench/S2ILGPU.Quality",
                .. options.Length == 0 ? (string[])[] : ["--"], .. options]);
        }
    }

    /// <summary>Reads a command line; null where it is not understood.</summary>
    public static StudyRequest? Parse(IReadOnlyList<string> args)
    {
        var (isQuick, isReport, data, folder) = (false, false, new List<string>(), (string?)null);
        for (int i = 0; i < args.Count; i++)
            switch (args[i])
            {
                case "--quick":
                    isQuick = true;
                    break;
                case "--report":
                    isReport = true;
                    break;
                case "--data" when i + 1 < args.Count:
                    data.Add(args[++i]);
                    break;
                case "--out" when i + 1 < args.Count:
                    folder = args[++i];
                    break;
                default:
                    return null;
            }
        return new StudyRequest(isQuick, isReport, data, folder ?? (isQuick ? "runs/quality-quick" : "runs/quality"));
    }
}
