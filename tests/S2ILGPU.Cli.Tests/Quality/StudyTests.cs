using System.Xml.Linq;
using S2ILGPU.Cli.Bench.Needle;
using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Quality;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests.Quality;

/// <summary>bench/S2ILGPU.Quality from end to end, at a size that learns nothing.</summary>
public sealed class StudyTests : IDisposable
{
    private static readonly StudySettings s_small = new()
    {
        Seeds = 2,
        VocabularySize = 300,
        Dim = 32,
        Layers = 2,
        LocalBlocks = 2,
        ContextTokens = 128,
        Steps = 2,
        ValidationInterval = 1,
        ValidationWindows = 1,
        FinalWindows = 2,
        TransferSteps = 8,
        Recall = new NeedleSettings
        {
            Dim = 32,
            TrainingTokens = [32, 64],
            CopySteps = 2,
            Steps = 2,
            LastSteps = 0,
            StepTokens = 64,
            Lengths = [128, 192],
            Haystacks = 1,
            LongestHaystacks = 1,
        },
    };

    private readonly TemporaryFolder _folder = new();
    private readonly CpuEngine _engine = new();
    private readonly StudyText _text;

    public StudyTests()
    {
        var random = Seeds.NewRandom();
        string[] words = ["the", "value", "of", "a", "type", "is", "returned", "set", "by", "name"];
        _folder.Write("text.txt", string.Join('\n', Enumerable.Range(0, 800).Select(_ =>
            string.Join(' ', Enumerable.Range(0, 12).Select(_ => words[random.Next(words.Length)])))));
        _text = StudyText.Read([_folder["text.txt"]], s_small);
    }

    public void Dispose()
    {
        _engine.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void A_study_goes_on_where_it_was_and_reports_what_is_there()
    {
        TestScale.SkipUnlessDrawn(2);
        var (study, folder) = Open();
        Assert.Equal(2 * (6 + 6 + 1), study.Missing().Count);
        study.Run(_engine, _ => { });
        Assert.Empty(study.Missing());

        File.Delete(folder.In("text-window-2.json"));
        File.Delete(folder.In("transfer-1.json"));
        Assert.Equal(["transfer-1", "text-window-2"], study.Missing());
        new StudyReport(study, s_small, _text, folder).Write(_engine, "command");
        Assert.Contains("Runs that have not ended: transfer-1, text-window-2.",
            File.ReadAllText(folder.In(StudyReport.Tables)), StringComparison.Ordinal);

        var (again, _) = Open();
        var done = new List<string>();
        again.Run(_engine, done.Add);
        Assert.Equal(["transfer-1", "text-window-2"], done);
        new StudyReport(again, s_small, _text, folder).Write(_engine, "command");
        string tables = File.ReadAllText(folder.In(StudyReport.Tables));
        Assert.DoesNotContain("not ended", tables, StringComparison.Ordinal);
        Assert.DoesNotContain("NaN", tables, StringComparison.Ordinal);
        var rows = tables.Split('\n').Where(line => line.StartsWith('|')).ToArray();
        Assert.Equal(3 * (2 + 6) + 2 + 3, rows.Length);
        Assert.All(study.TextPlans, plan => Assert.Equal(3, rows.Count(row => row.StartsWith($"| {plan.Title} |"))));
        foreach (string picture in (string[])["curves.svg", "positions.svg", "recall.svg"])
            Assert.Equal(6, XDocument.Load(folder.In(picture)).Descendants()
                .Count(element => element.Name.LocalName == "polyline"));
    }

    [Fact]
    public void A_run_repeats_itself()
    {
        var plan = StudyPlan.All(s_small, s_small.Layers, s_small.ContextTokens)[1];
        var once = TextRun.Run(_engine, _text, s_small, plan, seed: 3);
        var again = TextRun.Run(_engine, _text, s_small, plan, seed: 3);
        Assert.Equal(once.PositionLosses, again.PositionLosses);
        Assert.Equal([1, 2], once.Curve.Select(point => point.Step));
        Assert.NotEqual(once.Loss, TextRun.Run(_engine, _text, s_small, plan, seed: 4).Loss);
    }

    [Fact]
    public void Runs_of_another_study_are_refused()
    {
        Open();
        Assert.Throws<InvalidDataException>(() => new RunFolder(_folder["runs"], s_small with { Steps = 3 },
            _text.Description));
        Assert.Throws<InvalidDataException>(() => new RunFolder(_folder["runs"], s_small, "another text"));
    }

    [Fact]
    public void A_head_that_gives_nothing_has_no_norm_and_parameters_stay()
    {
        using var model = new TransformerModel(_engine,
            s_small.Model(StudyPlan.All(s_small, 2, 128)[1].Attention), seed: 5);
        var values = model.StoredTensors.Single(t => t.Name == "model.layers.1.self_attn.v_proj.weight").Tensor;
        float[] rows = _engine.ToArray(values);
        Array.Clear(rows, 2 * 8 * s_small.Dim, 8 * s_small.Dim); // head 2, of width 8
        _engine.Upload(rows, values);
        var before = model.Parameters.Select(parameter => _engine.ToArray(parameter.Value)).ToArray();

        double[][] norms = HeadNorms.Measure(model, _text.Validation, 128, windows: 2);
        Assert.Equal([4, 4], norms.Select(layer => layer.Length));
        Assert.Equal(0, norms[1][2]);
        Assert.All(norms[0].Concat(norms[1]).Where((_, i) => i != 6), norm => Assert.True(norm > 0));
        Assert.Equal(before, model.Parameters.Select(parameter => _engine.ToArray(parameter.Value)));
    }

    [Fact]
    public void Losses_by_position_have_the_mean_of_whole_windows()
    {
        using var model = new TransformerModel(_engine,
            s_small.Model(StudyPlan.All(s_small, 2, 128)[0].Attention), seed: 6);
        int whole = (_text.Validation.TokenCount - 1) / 128;
        double[] losses = PositionLosses.Measure(model, _text.Validation, 128, int.MaxValue);
        double mean = Enumerable.Range(0, whole).Average(w =>
        {
            using var tape = new Autograd.Tape(_engine, recording: false);
            var window = _text.Validation.Window(w, 128);
            return _engine.ToArray(model.Loss(tape, window[..^1], window[1..], 1).Value).Average(loss => (double)loss);
        });
        Assert.Equal(mean, losses.Average(), tolerance: 1e-5);
    }

    private (Study, RunFolder) Open()
    {
        var folder = new RunFolder(_folder["runs"], s_small, _text.Description);
        return (new Study(s_small, _text, folder), folder);
    }
}
