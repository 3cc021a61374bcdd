using System.CommandLine;
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
        "error: --learning-rate must be a number from -3.4028235E+38 to 3.4028235E+38, got 1e99\n")]
    [InlineData("generate --model m --seed -1",
        "error: --seed must be a whole number from 0 to 18446744073709551615, got -1\n")]
    [InlineData("generate --model m --top-k 3000000000",
        "error: --top-k must be a whole number from -2147483648 to 2147483647, got 3000000000\n")]
    [InlineData("generate --model m --cache fp64", "error: --cache must be fp32, fp16 or bf16, got fp64\n")]
    [InlineData("eval --model m --max-bytes", "error: Required argument missing for option: '--max-bytes'.\n")]
    public async Task A_wrong_value_gives_one_line(string arguments, string message)
    {
        var run = await Tool.RunAsync(arguments);
        Assert.Equal((2, message, ""), (run.ExitCode, run.Error, run.Output));
    }

    [Theory]
    [InlineData("", "s2 needs a command: devices, pattern, attend, train")]
    [InlineData("frobnicate", "s2 has no command 'frobnicate'; there is devices, pattern, attend, train")]
    [InlineData("devices frobnicate", "'frobnicate'")]
    [InlineData("devices --frobnicate", "'--frobnicate'")]
    [InlineData("--json devices", "--json is an option of s2 devices, and stands behind that name")]
    [InlineData("verify --quick", "'--quick'")]
    public async Task What_is_not_known_is_named(string arguments, string message) =>
        await Tool.RefuseAsync(arguments, message);

    private static bool IsNumber(Type type) =>
        Type.GetTypeCode(Nullable.GetUnderlyingType(type) ?? type) is >= TypeCode.SByte and <= TypeCode.Decimal;

    private static IEnumerable<(string Path, Option Option)> Options(Command command, string path) =>
        command.Options.Select(option => (path, option))
        .Concat(command.Subcommands.SelectMany(c => Options(c, $"{path} {c.Name}")));
}
