using System.ComponentModel;
using System.Diagnostics;

namespace S2ILGPU.Reports;

/// <summary>NVIDIA's offline assembler and disassembler, where they are on the path.</summary>
internal static class CudaTools
{
    private static readonly TimeSpan s_timeout = TimeSpan.FromMinutes(2);

    private static readonly Lazy<string?> s_ptxas = new(() => Find("ptxas")),
        s_cuobjdump = new(() => Find("cuobjdump"));

    /// <summary>Whether kernels can be assembled.</summary>
    public static bool HasAssembler => s_ptxas.Value is not null;

    /// <summary>Whether machine code can be listed too.</summary>
    public static bool HasDisassembler => HasAssembler && s_cuobjdump.Value is not null;

    /// <summary>Assembles a kernel for an architecture.</summary>
    /// <param name="ptx">A module with one kernel.</param>
    /// <param name="architecture">As in <c>sm_80</c>.</param>
    /// <returns>What the tools say; null for each tool that is missing.</returns>
    /// <exception cref="InvalidOperationException">A tool refuses the kernel, or does not end.</exception>
    public static (PtxasReport? Report, SassListing? Listing) Assemble(string ptx, string architecture)
    {
        if (s_ptxas.Value is not { } ptxas)
            return (null, null);
        var folder = Directory.CreateTempSubdirectory("s2-kernels-");
        try
        {
            string source = Path.Combine(folder.FullName, "kernel.ptx"),
                binary = Path.Combine(folder.FullName, "kernel.cubin");
            File.WriteAllText(source, ptx);
            var report = PtxasReport.Parse(Run(ptxas, $"-arch={architecture}", "-v", source, "-o", binary));
            var listing = s_cuobjdump.Value is { } cuobjdump
                ? SassListing.Parse(Run(cuobjdump, "-sass", binary)) : null;
            return (report, listing);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string? Find(string tool) => (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Select(folder => Path.Combine(folder, OperatingSystem.IsWindows() ? tool + ".exe" : tool))
            .FirstOrDefault(File.Exists);

    // Standard output and standard error of a tool.
    private static string Run(string tool, params string[] arguments)
    {
        var start = new ProcessStartInfo(tool, arguments) { RedirectStandardOutput = true,
            RedirectStandardError = true };
        using var process = Start(start);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_timeout))
        {
            process.Kill(entireProcessTree: true);
            throw new InvalidOperationException(
                $"{Path.GetFileName(tool)} did not end within {s_timeout.TotalSeconds:0} s");
        }
        string text = output.Result + error.Result;
        return process.ExitCode == 0 ? text
            : throw new InvalidOperationException($"{Path.GetFileName(tool)} failed with exit code "
                + $"{process.ExitCode}: {text.Trim().ReplaceLineEndings(" ")}");
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new InvalidOperationException($"{start.FileName} does not start: {e.Message}", e);
        }
    }
}
