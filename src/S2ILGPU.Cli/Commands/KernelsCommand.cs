using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Cli.Json;
using S2ILGPU.Reports;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 kernels</c>: compiles every kernel that GPU engines launch, without a device, and prints what it
/// needs.</summary>
/// <remarks>
/// With <c>--quick</c> one size of blocks, place of keys and combination of element types stands for the others.
/// Tensor-core kernels are compiled for sm_80 and sm_90, portable ones for sm_75, sm_80, sm_90 and to OpenCL C.
/// Registers, memory and machine code come from NVIDIA's ptxas and cuobjdump where they are on the path. A kernel that
/// they refuse, or that does not compile, is named on the error stream; the others are printed all the same, and the
/// exit code is 1.
/// </remarks>
internal static class KernelsCommand
{
    public static Command Create()
    {
        var json = Options.Switch("--json", "Print JSON; null where ptxas or cuobjdump is missing");
        var only = Options.Text("--only", "TEXT", "Only this kernel, or variants whose name contains this");
        var arch = Options.Choice("--arch", [.. ReportedKernel.AllArchitectures], "Only this architecture",
            unset: "all");
        var quick = Options.Switch("--quick", "One size of blocks, place of keys and mix of types for the others: a "
            + "third of the kernels");
        var print = Options.Choice("--print", ["source", "loop"], "What the kernels become, in place of the table: "
            + "PTX or OpenCL C, or the machine instructions of the main loop");
        var command = new Command("kernels", "Compile the GPU kernels and report their resources.") { json, only,
            arch, quick, print };
        command.SetAction((parsed, cancellation) =>
        {
            var (output, error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
            if (parsed.GetValue(json) && parsed.GetValue(print) is not null)
                throw new ArgumentException("--json and --print exclude each other");
            var chosen = Choose(parsed.GetValue(only), parsed.GetValue(arch), parsed.GetValue(quick));
            using var progress = new ProgressLine(error, StandardStreams.IsTerminal(error), "kernels", chosen.Count);
            progress.Start();
            var failures = new List<string>();
            var compiled = Compile(chosen, failures, progress, cancellation);
            if (parsed.GetValue(json))
                WriteJson(output, compiled.SelectMany(reports => reports));
            else if (parsed.GetValue(print) is { } part)
                WriteCode(output, compiled.SelectMany(reports => reports), isLoop: part == "loop");
            else
                WriteTable(output, compiled, progress);
            progress.Above(() =>
            {
                foreach (string failure in failures)
                    error.WriteLine($"error: {failure}");
            });
            return Task.FromResult(failures.Count == 0 ? 0 : Failure.Failed);
        });
        return command;
    }

    private static List<(ReportedKernel Kernel, string[] Architectures)> Choose(string? name, string? architecture,
        bool quick)
    {
        var chosen = ReportedKernel.All.Where(kernel => (!quick || kernel.IsMain)
            && (name is null || kernel.Kernel == name || kernel.Variant.Contains(name, StringComparison.Ordinal)))
            .Select(kernel =>
                (kernel, kernel.Architectures.Where(a => architecture is null || a == architecture).ToArray()))
                .Where(item => item.Item2.Length > 0).ToList();
        return chosen.Count > 0
            ? chosen
            : throw new ArgumentException(
                $"no kernel '{name}' for {architecture ?? "any architecture"}; kernels are "
                + $"{string.Join(", ", ReportedKernel.All.Select(k => k.Kernel).Distinct())}");
    }

    // In the order of the table: compiling and ptxas are busy on one core each. What fails is added to a list.
    private static IEnumerable<IReadOnlyList<KernelReport>> Compile(
        List<(ReportedKernel Kernel, string[] Architectures)> chosen, List<string> failures, ProgressLine progress,
        CancellationToken cancellation) =>
        chosen.AsParallel().AsOrdered().WithCancellation(cancellation)
            .WithMergeOptions(ParallelMergeOptions.NotBuffered)
            .Select(item =>
            {
                var compiled = Compile(item.Kernel, item.Architectures);
                progress.Advance();
                return compiled;
            })
            .AsSequential()
            .Select(compiled =>
            {
                failures.AddRange(compiled.Failures);
                return compiled.Reports;
            });

    // One failure leaves the other architectures and kernels.
    private static (List<KernelReport> Reports, List<string> Failures) Compile(ReportedKernel kernel,
        string[] architectures)
    {
        var (reports, failures) = (new List<KernelReport>(), new List<string>());
        while (reports.Count + failures.Count < architectures.Length)
        {
            int first = reports.Count + failures.Count;
            try
            {
                foreach (var report in KernelReports.Of(kernel, architectures.Skip(first)))
                    reports.Add(report);
            }
            catch (Exception e)
            {
                string architecture = architectures[reports.Count + failures.Count];
                failures.Add($"{kernel.Variant}, {architecture}: {Failure.Of(e).Message}");
            }
        }
        return (reports, failures);
    }

    private static void WriteTable(TextWriter output, IEnumerable<IReadOnlyList<KernelReport>> all,
        ProgressLine progress)
    {
        bool isFirst = true;
        foreach (var reports in all)
            progress.Above(() =>
            {
                if (isFirst)
                    output.WriteLine(Row("variant", "arch", "source", "regs", "spill", "stack", "shared", "loop",
                        "HMMA", "share", "LDSM", "LDGSTS", "EX2"));
                isFirst = false;
                foreach (var report in reports)
                    output.WriteLine(RowOf(report));
            });
        if (!CudaTools.HasDisassembler)
            output.WriteLine(
                $"{(CudaTools.HasAssembler ? "cuobjdump is" : "ptxas is")} not on the path: what it would tell is "
                + $"left out");
    }

    private static void WriteCode(TextWriter output, IEnumerable<KernelReport> reports, bool isLoop)
    {
        if (isLoop && !CudaTools.HasDisassembler)
            throw new InvalidOperationException("--print loop needs ptxas and cuobjdump on the path");
        foreach (var report in reports)
        {
            output.WriteLine($"// {report.Variant}, {report.Architecture}");
            if (!isLoop)
                output.WriteLine(report.Source);
            else if (report.Loop is { } loop)
                foreach (var instruction in loop.Instructions)
                    output.WriteLine(instruction.ToString());
            else
                output.WriteLine("// no loop with products on tensor cores");
        }
    }

    private static string RowOf(KernelReport report) => Row(report.Variant, report.Architecture,
        Text(report.Source.Length), Text(report.Registers), Text(report.SpillBytes), Text(report.StackBytes),
        Text(report.SharedBytes), Text(report.Loop?.Instructions.Count), Text(report.Loop?.Count("HMMA")),
        report.Loop is { } loop ? (100 * loop.TensorShare).ToString("0.0", CultureInfo.InvariantCulture) + " %" : "-",
        Text(report.Loop?.Count("LDSM")), Text(report.Loop?.Count("LDGSTS")), Text(report.Loop?.Count("MUFU.EX2")));

    private static string Row(string variant, params string[] columns) =>
        $"{variant,-58} {columns[0],-6} {string.Join(' ', columns.Skip(1).Select(column => column.PadLeft(7)))}";

    private static string Text(int? number) => number?.ToString(CultureInfo.InvariantCulture) ?? "-";

    private static void WriteJson(TextWriter output, IEnumerable<KernelReport> reports) =>
        JsonText.WriteLine(output, writer =>
    {
        writer.WriteStartArray();
        foreach (var report in reports)
            Write(writer, report);
        writer.WriteEndArray();
    });

    private static void Write(Utf8JsonWriter writer, KernelReport report)
    {
        writer.WriteStartObject();
        writer.WriteString("kernel", report.Kernel);
        writer.WriteString("variant", report.Variant);
        writer.WriteString("arch", report.Architecture);
        writer.WriteBoolean("tensorCore", report.TensorCore);
        WriteNumber(writer, "ptxBytes", report.Source.Length); // of OpenCL C for arch "opencl"
        WriteNumber(writer, "registers", report.Registers);
        WriteNumber(writer, "spillBytes", report.SpillBytes);
        WriteNumber(writer, "stackBytes", report.StackBytes);
        WriteNumber(writer, "sharedBytes", report.SharedBytes);
        WriteNumber(writer, "loopInstructions", report.Loop?.Instructions.Count);
        WriteNumber(writer, "hmma", report.Loop?.Count("HMMA"));
        WriteNumber(writer, "ldsm", report.Loop?.Count("LDSM"));
        WriteNumber(writer, "ldgsts", report.Loop?.Count("LDGSTS"));
        WriteNumber(writer, "ex2", report.Loop?.Count("MUFU.EX2"));
        writer.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter writer, string name, int? value)
    {
        if (value is { } number)
            writer.WriteNumber(name, number);
        else
            writer.WriteNull(name);
    }
}
