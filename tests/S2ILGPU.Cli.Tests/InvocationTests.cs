using System.Runtime.InteropServices;
using System.Text.Json;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Storage;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Cli.Tests;

/// <summary>Streams, signals, failures and prompts: what surrounds a command.</summary>
public sealed class InvocationTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("s2-invocation-").FullName;

    private string Model => Path.Combine(_folder, "model");

    private string Text => Path.Combine(_folder, "text.txt");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Schemas_that_are_not_json_are_refused_in_one_line()
    {
        string file = Path.Combine(_folder, "schema.json"), command = $"generate --model m --json-schema {file}";
        await Tool.RefuseAsync(command, $"{file} does not exist");
        foreach (var (text, message) in ((string, string)[])[("", "not valid JSON: fault at line 1, byte 1"),
            ("{\n]", "not valid JSON: fault at line 2, byte 1"),
            ("""{"type":"object","type":"array"}""", "the name 'type' stands twice in one object"),
            ("""{"enum":["\ud800"]}""", "a string holds an escape that is no character")])
        {
            File.WriteAllText(file, text);
            await Tool.RefuseAsync(command, $"{file}: ", message);
        }
        await Tool.RefuseAsync($"generate --prompt a --model {file}",
            $"--model: {file} is a file, a folder was expected");
    }

    [Theory]
    [InlineData("", "train", "generate", "completion")]
    [InlineData("bench", "cpu", "attention", "compare")]
    public async Task A_command_that_groups_others_shows_its_help(string arguments, params string[] parts)
    {
        string help = await Tool.SucceedAsync(arguments);
        Assert.All(parts, part => Assert.Contains(part, help));
        Assert.Equal(help, await Tool.SucceedAsync($"{arguments} --help"));
    }

    [Theory]
    [InlineData("2>&-")]
    [InlineData(">&-")]
    [InlineData("<&-")]
    [InlineData("<&- >&- 2>&-")]
    public async Task Closed_streams_leave_the_exit_code_as_it_is(string redirections)
    {
        TestScale.SkipUnlessDrawn(4);
        Assert.SkipWhen(OperatingSystem.IsWindows(), "redirections of sh");
        Assert.Equal(2, (await ToolProcess.ShellAsync($"$s2 pattern --heads 2 --tokens 0 {redirections}")).ExitCode);
        Assert.Equal(0, (await ToolProcess.ShellAsync($"$s2 pattern --heads 2 --tokens 64 {redirections}")).ExitCode);
    }

    [Fact]
    public async Task A_reader_that_leaves_ends_the_command_quietly()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "a pipe of sh");
        var run = await ToolProcess.ShellAsync(
            "{ $s2 pattern --heads 8 --tokens 4096 --format json; echo exit $? >&2; } | head -c 1");
        Assert.Equal(("{", "exit 0\n"), (run.Output, run.Error));
    }

    [Fact]
    public async Task Default_model_is_the_folder_that_train_writes()
    {
        TestScale.SkipUnlessDrawn(3);
        Assert.SkipWhen(OperatingSystem.IsWindows(), "runs sh");
        File.WriteAllLines(Text, Enumerable.Range(0, 600).Select(i => $"Line {i} of {i * 7 % 100}."));
        var missing = await ToolProcess.ShellAsync("$s2 generate --max-tokens 3 </dev/null", _folder);
        Assert.Equal((2, "error: runs/s2 does not exist: s2 train makes it, --model names another folder\n"),
            (missing.ExitCode, missing.Error));
        var run = await ToolProcess.ShellAsync("$s2 train --preset tiny --steps 2 --data text.txt >&2 && "
            + "echo Line 5 | $s2 generate --max-tokens 3 && $s2 eval text.txt --json", _folder);
        Assert.True(run.ExitCode == 0, run.Error);
        Assert.StartsWith("Line 5", run.Output);
        Assert.Contains("\"bitsPerByte\"", run.Output);
        var again = await ToolProcess.ShellAsync("$s2 train --preset tiny --steps 2 --data text.txt", _folder);
        Assert.Equal(2, again.ExitCode);
        Assert.Contains("runs/s2 already holds a model", again.Error);
    }

    [Fact]
    public async Task Prompts_come_from_the_option_or_from_standard_input()
    {
        await TrainAsync();
        string[] generate = ["generate", "--model", Model, "--max-tokens", "3", "--json"];
        foreach (string prompt in (string[])["@param x", $"@{Text}", "-x", "[a]", "/h", ""])
            await CheckAsync(prompt, null, [.. generate, "--prompt", prompt]);
        await CheckAsync("Line 1", "Line 1\n", generate);
        await CheckAsync("Line 1", "Line 1\r\n", [.. generate, "--prompt", "-"]);
        await CheckAsync("", null, generate);
        var terminal = await Tool.RunAsync([.. generate, "--prompt", "-"]);
        Assert.Equal(2, terminal.ExitCode);
        Assert.Contains("standard input is a terminal", terminal.Error);

        static async Task CheckAsync(string prompt, string? input, string[] arguments) =>
            Assert.Contains($"\"prompt\":\"{prompt}\"", (await Tool.RunAsync(arguments, input)).Output);
    }

    [Fact]
    public async Task Generated_text_follows_the_options()
    {
        await TrainAsync();
        string schema = Path.Combine(_folder, "schema.json");
        await File.WriteAllTextAsync(schema,
            """{"type":"array","items":{"enum":[12,true]},"minItems":2,"maxItems":2}""",
            TestContext.Current.CancellationToken);
        async Task<string> TextAsync(params string[] options) => JsonDocument.Parse((await Tool.RunAsync([
            "generate", "--model", Model, "--prompt", "Line", "--json", "--temperature", "0", .. options])).Output)
            .RootElement.GetProperty("text").GetString()!;
        Assert.Matches(@"^\[\s*(12|true)\s*,\s*(12|true)\s*\]$", await TextAsync("--json-schema", schema));
        Assert.StartsWith("{", await TextAsync("--json-object"));
        string plain = await TextAsync("--max-tokens", "12");
        string stop = plain[4..6];
        Assert.Equal(plain[..plain.IndexOf(stop, StringComparison.Ordinal)],
            await TextAsync("--max-tokens", "12", "--stop", "never there", "--stop", stop));
        int two = BytePairTokenizer.Load(Path.Combine(Model, ModelFolder.Tokenizer)).Encode("2")[0];
        string twos = string.Concat(Enumerable.Repeat("2", 12));
        Assert.Equal(twos, await TextAsync("--max-tokens", "12", "--logit-bias", $"{two}=100"));
        Assert.NotEqual(twos, await TextAsync("--max-tokens", "12", "--logit-bias", $"{two}=20",
            "--frequency-penalty", "2", "--presence-penalty", "2", "--repetition-penalty", "100", "--min-p", "0.1"));
    }

    [Theory]
    [InlineData(2, 130)]
    [InlineData(15, 143)]
    [InlineData(1, 129)]
    public async Task A_signal_ends_a_command_with_its_exit_code(int signal, int exitCode)
    {
        using var interruption = new Interruption();
        Assert.True(interruption.Raise(signal));
        Assert.False(interruption.Raise(signal)); // the second has its usual effect
        string target = Path.Combine(_folder, "pattern.json");
        var run = await Tool.RunAsync($"pattern --heads 8 --tokens 100000 --out {target}", interruption);
        Assert.Equal((exitCode, "error: interrupted\n", ""), (run.ExitCode, run.Error, run.Output));
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Theory]
    [InlineData(float.NaN, 2, "the weights are damaged")]
    [InlineData(3e38f, 1, "the loss is NaN: the weights in")]
    public async Task Damaged_weights_end_eval_with_an_error(float value, int exitCode, string message)
    {
        await TrainAsync();
        string weights = Path.Combine(Model, ModelFolder.Weights);
        byte[] bytes = File.ReadAllBytes(weights);
        MemoryMarshal.Cast<byte, float>(bytes.AsSpan(bytes.Length - 64)).Fill(value); // the last floats
        File.WriteAllBytes(weights, bytes);
        foreach (string json in (string[])["", " --json"])
        {
            var run = await Tool.RunAsync($"eval --model {Model} --data {Text}{json}");
            Assert.Equal((exitCode, ""), (run.ExitCode, run.Output));
            Assert.StartsWith("error: ", run.Error);
            Assert.Contains(message, run.Error);
            Assert.Equal(run.Error.Length - 1, run.Error.IndexOf('\n'));
        }
    }

    [Fact]
    public async Task Output_of_attend_must_not_be_its_input()
    {
        string input = Path.Combine(_folder, "in.safetensors"), link = Path.Combine(_folder, "link.safetensors");
        SafetensorsFile.Write(input, [.. new[] { "q", "k", "v" }.Select(name =>
            new SafetensorsTensor(name, SafetensorsType.Float32, [1, 16, 1, 8], new float[128]))]);
        await Tool.RefuseAsync($"attend --input {input} --output {input}", "--output", input);
        File.CreateSymbolicLink(link, input);
        await Tool.RefuseAsync($"attend --input {input} --output {link}", "--output", input);
        await Tool.RefuseAsync($"attend --input {input} --output {_folder}", "--output", "is a folder");
    }

    [Fact]
    public void Control_characters_are_escaped_for_a_terminal()
    {
        Assert.Equal("a\\x1b[31mb\\x07\\x9b\n\tc\\x0d\\x7f",
            TerminalText.Escape("a\u001b[31mb\u0007\u009b\n\tc\r\u007f"));
        Assert.Equal("ä日本 😀", TerminalText.Escape("ä日本 😀"));
        Assert.Equal("\u001b", TerminalText.For(new StringWriter(), "\u001b"));
    }

    [Fact]
    public void Failures_are_said_in_our_own_words()
    {
        Check(Failure.BadInput, "heads must be 1", () => throw new ArgumentException("heads must be 1", "heads"));
        Check(Failure.BadInput, "N must be 1", () => throw new ArgumentOutOfRangeException("n", 5, "N must be 1"));
        Check(Failure.BadInput, $"{_folder}/a does not exist", () => File.ReadAllText($"{_folder}/a"));
        Check(Failure.BadInput, $"{_folder}/a/b does not exist", () => File.ReadAllText($"{_folder}/a/b"));
        Check(Failure.BadInput, $"{_folder} is a folder, a file was expected", () => File.ReadAllText(_folder));
        Check(Failure.Failed, "not enough memory", () => throw new OutOfMemoryException());
        Check(Failure.Failed, "the device H200 stopped working: unspecified launch failure; start the program again",
            () => throw new DeviceLostException("H200", "unspecified launch failure"));
        Check(Failure.BadInput, "the product of the given sizes is too large to count",
            () => throw new OverflowException());
        Check(Failure.Failed, "b", () => throw new AggregateException("a", new IOException("b")));
        Check(Failure.Failed, "/m/state: no space left on device",
            () => throw new IOException("No space left on device : '/m/state.abcdefgh.ijk.tmp'"));

        static void Check(int exitCode, string message, Action action) =>
            Assert.Equal(new Failure(exitCode, message), Failure.Of(Record.Exception(action)!));
    }

    [Fact]
    public async Task Completion_scripts_ask_the_tool()
    {
        foreach (string shell in (string[])["bash", "zsh", "fish", "pwsh"])
            Assert.Contains("[suggest:", await Tool.SucceedAsync($"completion {shell}"));
        Assert.Equal("train\n", (await Tool.RunAsync(["[suggest:6]", "s2 tra"])).Output);
        Assert.Equal("--slide-by\n", (await Tool.RunAsync(["[suggest:18]", "s2 pattern --slide"])).Output);
        Assert.Contains("hybrid\n", (await Tool.RunAsync(["[suggest:21]", "s2 train --attention "])).Output);
    }

    private async Task TrainAsync()
    {
        File.WriteAllLines(Text, Enumerable.Range(0, 600).Select(i => $"Line {i} of {i * 7 % 100}."));
        await Tool.SucceedAsync($"train --preset tiny --steps 2 --data {Text} --out {Model}");
    }
}
