using System.Text;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cpu;
using S2ILGPU.Storage;
using static System.FormattableString;

namespace S2ILGPU.Quality;

/// <summary>Writes tables and pictures of what a study has so far.</summary>
/// <param name="study">The study.</param>
/// <param name="settings">Its sizes.</param>
/// <param name="text">What the models of text learned from.</param>
/// <param name="folder">Where the runs are and the report goes.</param>
internal sealed class StudyReport(Study study, StudySettings settings, StudyText text, RunFolder folder)
{
    /// <summary>The file of the tables.</summary>
    public const string Tables = "tables.md";

    /// <summary>Writes all files.</summary>
    /// <param name="engine">The engine that ran.</param>
    /// <param name="command">The command line, for those who repeat it.</param>
    public void Write(CpuEngine engine, string command)
    {
        var plots = new StudyPlots(study, settings);
        Save("curves.svg", plots.Curves().Render());
        Save("positions.svg", plots.Positions().Render());
        Save("recall.svg", plots.Recall().Render());
        Save(Tables, Document(MachineFacts.Of(engine), command));
    }

    private string Document(MachineFacts machine, string command)
    {
        var tables = new StudyTables(study, settings);
        string body = string.Join('\n', Section("Loss", LossText(), tables.Losses()),
            Section("Loss by position", "Dense: nats per token. The others: minus dense.", tables.Positions()),
            Section("Recall", RecallText(), tables.Recall()),
            Section("From dense to S2", TransferText(), tables.Transfer()));
        var missing = study.Missing();
        string left = missing.Count == 0 ? "" : $"\nRuns that have not ended: {string.Join(", ", missing)}.\n";
        return $"""
            # Quality by attention plan: tables

            Written by `{command}`, {folder.Origin}.
            Machine: {machine}.

            Every figure is mean ± sample standard deviation over seeds; "minus dense" subtracts the dense run of the same
            seed first.
            {left}
            {body}
            """.ReplaceLineEndings("\n");
    }

    private static string Section(string title, string text, string table) => $"## {title}\n\n{text}\n\n{table}";

    private string LossText() => Invariant($"""
        Models of {settings.Model(study.TextPlans[0].Attention).ParameterCount:#,0} parameters ({settings.Layers} layers, {settings.Heads} heads, width {settings.Dim}), {settings.Steps} steps of {settings.BatchSequences * settings.ContextTokens}
        tokens in contexts of {settings.ContextTokens}; {text.Description}, {settings.VocabularySize} tokens in the vocabulary.
        S2: {StudyPlan.S2(settings).CreatePattern(settings.Heads, settings.Heads)}.
        Loss in nats per token at the end. Steps to dense's loss: the first validation from which the loss stays within
        {settings.Margin} nats of dense's last one, in brackets how many seeds reached it where not all did. Head imbalance: the
        largest output norm over the mean of a layer's heads, the mean over layers. FLOPs are those of a forward pass over
        one context, cache is float32 at its end.
        """);

    private string RecallText() => Invariant($"""
        Models of {RecallRun.Layers} layers answer `? key` with the value that stands behind `= key` somewhere before. Texts of
        {settings.Recall.TrainingTokens[0]} tokens come first, once per seed; then each plan learns texts of {string.Join(" and ", settings.Recall.TrainingTokens.Skip(1))} tokens, at most
        {settings.Recall.Steps} steps of {settings.Recall.StepTokens} tokens each (fewer where it had learned). Needles found, inside the widest window and
        beyond it; guessing finds 2 %.
        """);

    private string TransferText() => Invariant($"""
        The trained dense models, tuned for {settings.TransferSteps} steps with another order of the data, with the pattern and without;
        step 0 is the pattern without tuning. Nats per token.
        """);

    private void Save(string name, string content) => AtomicFile.Write(folder.In(name),
        stream => stream.Write(Encoding.UTF8.GetBytes(content)));
}
