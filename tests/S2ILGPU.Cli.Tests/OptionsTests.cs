using System.CommandLine;
using System.CommandLine.Help;
using Xunit;

namespace S2ILGPU.Cli.Tests;

public sealed class OptionsTests
{
    [Fact]
    public void Every_option_with_a_number_says_its_name_the_value_and_what_it_takes()
    {
        var numbers = Options(CommandLine.Root(), "").Where(pair => IsNumber(pair.Option.ValueType)).ToArray();
        Assert.True(numbers.Length > 20, $"{numbers.Length} options");
        foreach (var (path, option) in numbers)
            foreach (string value in (string[])["abc", "1.2.3", "NaN", "99999999999999999999999999999999999999999"])
            {
                var errors = CommandLine.Root()
                    .Parse([.. path.Split(' ', StringSplitOptions.RemoveEmptyEntries), option.Name, value]).Errors;
                string message = Assert.Single(errors, e => e.Message.Contains(option.Name)
                    && e.Message.Contains("got")).Message;
                Assert.Matches(
                    $"^{option.Name} must be a (whole )?number( from [0-9.E+-]+ to [0-9.E+-]+)?, got {value}$",
                    message);
                Assert.Equal(value[0] == '9', message.Contains(" from "));
                Assert.DoesNotContain(errors, e => e.Message.Contains("System."));
            }
    }

    [Theory]
    [InlineData("attend --input a --output b --scale abc", "error: --scale must be a number, got abc\n")]
    [InlineData("train --steps 1.5", "error: --steps must be a whole number, got 1.5\n")]
    [InlineData("train --learning-rate 1e99",
        "error: --learning-rate must be a number from 0 to 10, got 1e99\n")]
    [InlineData("generate --model m --seed -1",
        "error: --seed must be a whole number from 0 to 18446744073709551615, got -1\n")]
    [InlineData("generate --model m --top-k 3000000000",
        "error: --top-k must be a whole number from 0 to 2147483647, got 3000000000\n")]
    [InlineData("generate --model m --cache fp64", "error: --cache must be fp32, fp16, bf16 or int8, got fp64\n")]
    [InlineData("eval --model m --max-bytes", "error: --max-bytes needs a value\n")]
    [InlineData("pattern --heads 2", "error: --tokens is missing: s2 pattern needs it\n")]
    [InlineData("generate --model m --stop", "error: --stop needs a value\n")]
    [InlineData("import", "error: DIR is missing: s2 import needs it\n")]
    [InlineData("bench compare a.json", "error: PEERS.json is missing: s2 bench compare needs it\n")]
    [InlineData("plan --heads 4 --tokens 4096 --ranks 2 --recompute",
        "error: --recompute needs --layers N, the model whose memory is counted\n")]
    [InlineData("plan --heads 4 --tokens 4096 --ranks 2 --batch 1",
        "error: --batch needs --layers N, the model whose memory is counted\n")]
    [InlineData("generate --seed 1 --seed 2", "error: --seed is given 2 times\n")]
    [InlineData("generate --model m --logit-bias 5", "error: --logit-bias must be TOKEN=BIAS,... with each token once, "
        + "got 5\n")]
    [InlineData("generate --model m --json-object --json-schema x",
        "error: --json-object and --json-schema exclude each other\n")]
    [InlineData("kernels --json --print loop", "error: --json and --print exclude each other\n")]
    [InlineData("generate --prompt hello world",
        "error: s2 generate does not take the argument 'world'; a value with spaces needs quotes\n")]
    [InlineData("pattern --heads 2 --tokens 64 --block-size 48",
        "error: --block-size must be 16, 32, 64 or 128, got 48\n")]
    [InlineData("pattern --heads 4 --kv-heads 3 --tokens 64",
        "error: --kv-heads must divide the 4 query heads, got 3\n")]
    [InlineData("pattern --heads 4 --tokens 64 --out=", "error: --out needs a value\n")]
    [InlineData("pattern --heads 4 --dense-heads 9 --tokens 64",
        "error: --dense-heads must be 0 to 4 (the key/value heads), got 9\n")]
    public async Task A_wrong_value_gives_one_line(string arguments, string message)
    {
        var run = await Tool.RunAsync(arguments);
        Assert.Equal((2, message, ""), (run.ExitCode, run.Error, run.Output));
    }

    [Theory]
    [InlineData("frobnicate", "s2 has no command 'frobnicate'; there is devices, pattern, plan, simulate, design")]
    [InlineData("tarin", "s2 has no command 'tarin'; did you mean 'train'?")]
    [InlineData("bench atention", "s2 bench has no command 'atention'; did you mean 'attention'?")]
    [InlineData("import --tpye bf16", "s2 import has no option '--tpye'; did you mean '--type'?")]
    [InlineData("eval --foo", "s2 eval has no option '--foo'; s2 eval --help lists them")]
    [InlineData("train --stepz 5", "s2 train has no option '--stepz'; did you mean '--steps'?")]
    [InlineData("devices frobnicate", "s2 devices does not take the argument 'frobnicate'")]
    [InlineData("devices --frobnicate", "s2 devices has no option '--frobnicate'")]
    [InlineData("--json devices", "--json is an option of s2 devices", "and goes after that name")]
    [InlineData("verify --quick", "'--quick'")]
    public async Task Unknown_words_are_named(string arguments, params string[] parts) =>
        await Tool.RefuseAsync(arguments, parts);

    [Fact]
    public void Help_texts_have_one_style()
    {
        foreach (var (path, option) in Options(CommandLine.Root(), ""))
        {
            Assert.False(string.IsNullOrEmpty(option.Description), $"{path} {option.Name} has no description");
            Assert.True(char.IsUpper(option.Description![0]) || char.IsDigit(option.Description[0])
                || option.Name == "--device", $"{path} {option.Name}: {option.Description}");
            Assert.False(option.Description.EndsWith('.'), $"{path} {option.Name}: {option.Description}");
            Assert.True(option is HelpOption or VersionOption || option.ValueType == typeof(bool)
                || option.HelpName is not null, $"{path} {option.Name} has no name for its value");
        }
    }

    private static bool IsNumber(Type type) =>
        Type.GetTypeCode(Nullable.GetUnderlyingType(type) ?? type) is >= TypeCode.SByte and <= TypeCode.Decimal;

    private static IEnumerable<(string Path, Option Option)> Options(Command command, string path) =>
        command.Options.Select(option => (path, option))
        .Concat(command.Subcommands.SelectMany(c => Options(c, $"{path} {c.Name}")));
}
