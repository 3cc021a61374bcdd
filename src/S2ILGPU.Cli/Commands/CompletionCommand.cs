using System.CommandLine;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 completion</c>: the script that lets a shell complete commands and options. The script asks the tool
/// itself, so that it knows every option.</summary>
internal static class CompletionCommand
{
    private const string Bash = """
        # s2 completion bash >> ~/.bashrc
        _s2_complete() {
            local IFS=$'\n' word="${COMP_WORDS[COMP_CWORD]}" found
            found="$(s2 "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)"
            COMPREPLY=($(compgen -W "$found" -- "$word"))
        }
        complete -o default -F _s2_complete s2
        """;

    private const string Zsh = """
        # s2 completion zsh >> ~/.zshrc
        _s2_complete() {
            local -a found
            found=("${(@f)$(s2 "[suggest:${CURSOR}]" "${BUFFER}" 2>/dev/null)}")
            compadd -a found || _files
        }
        autoload -Uz compinit && compinit
        compdef _s2_complete s2
        """;

    private const string Fish = """
        # s2 completion fish > ~/.config/fish/completions/s2.fish
        function __s2_complete
            set -l line (commandline -cp)
            s2 "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
        end
        complete -c s2 -a '(__s2_complete)'
        """;

    private const string Pwsh = """
        # s2 completion pwsh >> $PROFILE
        Register-ArgumentCompleter -Native -CommandName s2 -ScriptBlock {
            param($word, $line, $cursor)
            s2 "[suggest:$cursor]" "$line" | Where-Object { $_ -like "$word*" } | ForEach-Object {
                [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
            }
        }
        """;

    private static readonly (string Shell, string Script)[] s_scripts =
        [("bash", Bash), ("zsh", Zsh), ("fish", Fish), ("pwsh", Pwsh)];

    public static Command Create()
    {
        var command = new Command("completion", "Print the script that completes commands and options in a shell.");
        foreach (var (shell, script) in s_scripts)
        {
            var inner = new Command(shell, $"Print the script for {shell}; its first line says where it goes.");
            inner.SetAction(parsed => parsed.InvocationConfiguration.Output.WriteLine(script.ReplaceLineEndings("\n")));
            command.Subcommands.Add(inner);
        }
        return command;
    }
}
