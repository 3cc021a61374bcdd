using System.CommandLine;
using System.CommandLine.Help;

namespace S2ILGPU.Cli;

/// <summary>How the help looks and when it is shown: <c>--help</c> everywhere, and a command that only groups others
/// shows it when it is called alone.</summary>
internal static class HelpText
{
    public static void Apply(RootCommand root)
    {
        root.Options.Remove(root.Options.First(option => option is HelpOption));
        var help = new HelpOption("--help", "-h") { Description = "Show this help", Recursive = true };
        root.Options.Insert(0, help);
        root.Options.First(option => option is VersionOption).Description = "Show the version";
        ShowAlone(root, help);
    }

    private static void ShowAlone(Command command, HelpOption help)
    {
        if (command.Subcommands.Count == 0)
            return;
        command.SetAction(parsed => ((HelpAction)help.Action!).Invoke(parsed));
        foreach (var inner in command.Subcommands)
            ShowAlone(inner, help);
    }
}
