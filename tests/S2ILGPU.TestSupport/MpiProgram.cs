using System.Diagnostics;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Programs under an MPI launcher of this machine.</summary>
public static class MpiProgram
{
    // Longer than a rank waits for another one, which is told first.
    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(30);

    /// <summary>Launchers by family, Open MPI first; both may be installed.</summary>
    public static IReadOnlyList<string> Families { get; } = ["openmpi", "mpich"];

    /// <summary>Runs programs as ranks; skips the test where the launcher is not installed.</summary>
    /// <param name="family">Whose launcher.</param>
    /// <param name="arguments">What both launchers understand: <c>-n RANKS PROGRAM ARGUMENTS</c>, and after <c>:</c>
    /// further ranks with a program of their own.</param>
    /// <returns>Exit code of the launcher and all that was written.</returns>
    public static (int ExitCode, string Text) Run(string family, params string[] arguments)
    {
        string? launcher = Launcher(family);
        Assert.SkipWhen(launcher is null, $"no launcher of {family} is installed");
        var start = new ProcessStartInfo(launcher!) { RedirectStandardOutput = true, RedirectStandardError = true };
        string[] options = family == "openmpi" ? ["--oversubscribe", "--bind-to", "none"] : [];
        foreach (string argument in (string[])[.. options, .. arguments])
            start.ArgumentList.Add(argument);
        // Containers run as root; a terminal of the launcher would get colors.
        foreach (string variable in (string[])["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"])
            start.Environment[variable] = "1";
        start.Environment["TERM"] = "dumb";
        start.Environment["S2_SEED"] = $"{Seeds.Current}";
        using var process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync(), output = process.StandardOutput.ReadToEndAsync();
        bool hasEnded = process.WaitForExit(s_longest);
        if (!hasEnded)
            process.Kill(entireProcessTree: true);
        string text = output.Result + error.Result;
        Assert.True(hasEnded, $"the ranks did not end: {text}");
        return (process.ExitCode, text);
    }

    private static string? Launcher(string family)
    {
        string[] names = family == "openmpi" ? ["mpirun.openmpi", "mpirun"] : ["mpiexec.hydra", "mpiexec.mpich"];
        return (from name in names
                from folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
                let path = Path.Combine(folder, name)
                where File.Exists(path) && (name != "mpirun" || IsOpenMpi(path))
                select path).FirstOrDefault();
    }

    private static bool IsOpenMpi(string path)
    {
        var start = new ProcessStartInfo(path, "--version") { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        return process.StandardOutput.ReadToEnd().Contains("Open MPI", StringComparison.Ordinal);
    }
}
