using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace S2ILGPU.Cli.Bench;

/// <summary>What PyTorch needed for dense causal attention.</summary>
/// <param name="Version">Its version: older ones have no flash kernel for CPUs.</param>
/// <param name="Seconds">Median seconds by tokens and head size.</param>
internal sealed record PyTorchResult(string Version, IReadOnlyDictionary<(int Tokens, int HeadDim), double> Seconds);

/// <summary>PyTorch, where python3 finds it: the peer of dense attention. Runs bench/peers/attention_cpu.py, which the
/// tool carries in itself.</summary>
internal static class PyTorch
{
    private const string Script = "attention_cpu.py";
    private const int NotInstalled = 3;

    /// <summary>Measures; null where there is no python3 or no PyTorch.</summary>
    /// <param name="threads">Threads.</param>
    /// <param name="heads">H.</param>
    /// <param name="seconds">Patience per size.</param>
    /// <param name="sizes">Tokens and head sizes.</param>
    /// <exception cref="InvalidDataException">The script failed otherwise.</exception>
    public static PyTorchResult? Measure(int threads, int heads, double seconds,
        IReadOnlyList<(int Tokens, int HeadDim)> sizes)
    {
        string[] arguments = ["-", $"{threads}", $"{heads}", seconds.ToString(CultureInfo.InvariantCulture),
            .. sizes.Select(s => $"{s.Tokens}x{s.HeadDim}")];
        var start = new ProcessStartInfo("python3", arguments) { RedirectStandardInput = true,
            RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using var python = Process.Start(start) ?? throw new InvalidDataException("python3 did not start");
            var error = python.StandardError.ReadToEndAsync();
            using (var script = typeof(PyTorch).Assembly.GetManifestResourceStream(Script)!)
                script.CopyTo(python.StandardInput.BaseStream);
            python.StandardInput.Close();
            string output = python.StandardOutput.ReadToEnd();
            python.WaitForExit();
            return python.ExitCode switch
            {
                0 => Parse(output),
                NotInstalled => null,
                _ => throw new InvalidDataException(
                    $"{Script}: exit code {python.ExitCode}: {error.Result.Trim().Split('\n')[^1]}"),
            };
        }
        catch (Win32Exception) // no python3
        {
            return null;
        }
    }

    /// <summary>Reads what the script prints.</summary>
    internal static PyTorchResult Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        var figures = document.RootElement.GetProperty("figures").EnumerateArray();
        return new PyTorchResult(document.RootElement.GetProperty("version").GetString()!,
            figures.ToDictionary(f => (f.GetProperty("tokens").GetInt32(), f.GetProperty("headDim").GetInt32()), f =>
            f.GetProperty("seconds").GetDouble()));
    }
}
