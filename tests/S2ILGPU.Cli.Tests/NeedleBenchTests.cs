using System.Text;
using System.Text.Json;
using S2ILGPU.Cli.Bench.Needle;
using S2ILGPU.Cli.Drawing;
using S2ILGPU.Cpu;
using S2ILGPU.Models;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests;

public sealed class NeedleBenchTests
{
    // Seconds of work: too little to learn anything but what stands near.
    private static readonly NeedleSettings s_small = new()
    {
        Dim = 32,
        Heads = 2,
        TrainingTokens = [64],
        CopySteps = 3,
        Steps = 3,
        LastSteps = 2,
        StepTokens = 128,
        Lengths = [128, 192],
        Haystacks = 1,
        LongestHaystacks = 2,
    };

    [Fact]
    public void Questions_have_one_answer_and_it_stands_in_the_text()
    {
        var task = new NeedleTask(Seeds.Current);
        foreach (int length in (int[])[64, 100, 1000])
        {
            int[] tokens = new int[length], targets = new int[length];
            task.Ask(tokens, targets);
            var asked = Enumerable.Range(0, length).Where(i => targets[i] >= 0).ToArray();
            Assert.True(asked.Length >= 2, $"{asked.Length} questions in {length} tokens");
            int body = asked[0] - 1;
            foreach (int i in asked)
            {
                Assert.Equal([tokens[i]], NeedleTask.Question(tokens[i])[1..]);
                Assert.Equal(NeedleTask.Question(tokens[i]), tokens[(i - 1)..(i + 1)]);
                int needle = Assert.Single(Enumerable.Range(1, body - 2), at =>
                    tokens[at - 1] == '=' && tokens[at] == tokens[i]);
                Assert.Equal(tokens[needle + 1], targets[i]);
                Assert.Equal(tokens[i + 1], targets[i]);
            }
            task.Copy(tokens, targets);
            int second = Array.FindIndex(targets, target => target >= 0);
            Assert.InRange(second, length / 2, length - length / 4);
            Assert.All(Enumerable.Range(second, length - 1 - second), i =>
            {
                Assert.Equal(tokens[i - second], tokens[i]);
                Assert.Equal(tokens[i + 1], targets[i]);
            });
        }
    }

    [Fact]
    public void Needles_stand_at_even_depths()
    {
        var (text, needles) = new NeedleTask(Seeds.Current).Haystack(1000, NeedleGrid.Depths);
        Assert.Equal(NeedleGrid.Depths, needles.Select(needle => needle.Key).Distinct().Count());
        for (int depth = 0; depth < needles.Length; depth++)
        {
            int at = Assert.Single(Enumerable.Range(0, text.Length), i =>
                text[i] == needles[depth].Key && text[i - 1] == '=');
            Assert.Equal(needles[depth].Value, text[at + 1]);
            Assert.InRange(at, depth * 99.0 - 3, depth * 99.9 + 3);
        }
    }

    // 11 needles and 16 distractors of 3 tokens leave no letter.
    [Fact]
    public void The_shortest_text_is_full_of_needles_and_a_shorter_one_is_refused()
    {
        var task = new NeedleTask(Seeds.Current);
        Assert.Equal(27, task.Haystack(81, NeedleGrid.Depths).Text.Count(token => token == '='));
        Assert.Throws<ArgumentOutOfRangeException>(() => task.Haystack(80, NeedleGrid.Depths));
    }

    [Theory]
    [InlineData(300, 300, 0.990064)] // 0.05^(1/300)
    [InlineData(0, 10, 0)]
    [InlineData(5, 10, 0.222441)]
    [InlineData(299, 300, 0.984285)]
    public void Lower_bounds_are_exact(int found, int trials, double bound) =>
        Assert.Equal(bound, NeedleGrid.LowerBound(found, trials), tolerance: 2e-6);

    [Fact]
    public void A_grid_counts_what_a_model_answers()
    {
        using var engine = new CpuEngine();
        using var folder = new TemporaryFolder();
        var kind = NeedleModel.All(s_small)[0];
        var told = new List<string>();
        using var model = kind.Create(engine, s_small, folder.FullPath, told.Add, default);
        Assert.Equal(["copies", "questions", "not learned: longer texts are left out"],
            told.Select(line => line.Split(" in ")[0]));
        var grid = NeedleGrid.Measure(model, s_small, told.Add, default);
        Assert.Equal([11, 22], Enumerable.Range(0, 2).Select(length => grid.Of(length).Trials));

        using var kept = kind.Create(engine, s_small, folder.FullPath, _ => Assert.Fail("trained again"), default);
        Assert.Equal(grid.Found, NeedleGrid.Measure(kept, s_small, _ => { }, default).Found);
        Assert.Throws<InvalidDataException>(() => kind.Create(engine, s_small with { Dim = 64 }, folder.FullPath,
            told.Add, default));

        // Each question alone behind its text, without a fork, and without a cache at all.
        var task = new NeedleTask(s_small.Seed + 1);
        int[] found = new int[NeedleGrid.Depths];
        var (text, needles) = task.Haystack(s_small.Lengths[0] - 2, NeedleGrid.Depths);
        for (int depth = 0; depth < found.Length; depth++)
        {
            using var tape = new Autograd.Tape(engine, recording: false);
            int[] tokens = [.. text, .. NeedleTask.Question(needles[depth].Key)];
            float[] logits = new float[tokens.Length * model.Config.VocabularySize];
            engine.Download(model.Forward(tape, tokens, 1).Value, logits);
            float[] last = logits[^model.Config.VocabularySize..];
            found[depth] = Array.IndexOf(last, last.Max()) == needles[depth].Value ? 1 : 0;
        }
        Assert.Equal(found, Enumerable.Range(0, found.Length).Select(depth => grid.Found[0, depth]));
    }

    // Measured: 96 % and 27 %. The window learns what it reaches and gives up beyond it.
    [LongFact]
    public void S2_finds_what_a_window_cannot()
    {
        using var engine = new CpuEngine();
        var settings = NeedleSettings.Quick with { Lengths = [512], LongestHaystacks = 10 };
        double s2 = Found("s2", out var ofS2), window = Found("window", out var ofWindow);
        Assert.True(s2 > 0.75 && window < 0.5, $"S2 finds {s2}, a window {window}");
        Assert.StartsWith("questions with a falling rate in 512 tokens", ofS2[^1], StringComparison.Ordinal);
        Assert.StartsWith("not learned", ofWindow[^1], StringComparison.Ordinal);

        double Found(string name, out List<string> told)
        {
            told = [];
            using var model = NeedleModel.All(settings).Single(kind => kind.Name == name)
                .Create(engine, settings, folder: null, told.Add, default);
            var (found, trials) = NeedleGrid.Measure(model, settings, _ => { }, default).Of(0);
            return found / (double)trials;
        }
    }

    [Fact]
    public void Report_and_map_have_every_cell()
    {
        var grid = new NeedleGrid([512, 1024], new int[2, NeedleGrid.Depths], [10, 30]);
        for (int depth = 0; depth < NeedleGrid.Depths; depth++)
            (grid.Found[0, depth], grid.Found[1, depth]) = (10, 3 * depth);
        var kinds = NeedleModel.All(s_small);
        var canvas = new SvgCanvas();
        NeedleMap.Draw([(kinds[0], grid), (kinds[2], grid)], canvas);
        using var svg = new MemoryStream();
        canvas.WriteTo(svg);
        string text = Encoding.UTF8.GetString(svg.ToArray());
        Assert.Equal(2 * 2 * NeedleGrid.Depths, text.Split("<path").Length - 1);
        Assert.Contains(kinds[2].Title + " (control)", text);

        var figures = NeedleReport.Figures(kinds[0], grid).Figures;
        Assert.Equal([1.0, 165 / 330.0], figures.Select(figure => figure.Value!.Value));
        Assert.Equal([null, 1.0], figures.Select(figure => figure.Target));
        Assert.All(NeedleReport.Figures(kinds[2], grid).Figures, figure => Assert.Null(figure.Target));
        using var json = new MemoryStream();
        using (var writer = new Utf8JsonWriter(json))
            new NeedleReport("cpu", new DateOnly(2026, 1, 2), null, [(kinds[0], grid)]).Write(writer);
        var length = JsonDocument.Parse(json.ToArray()).RootElement.GetProperty("models")[0].GetProperty("lengths")[1];
        Assert.Equal(165, length.GetProperty("found").GetInt32());
        Assert.Equal(1, length.GetProperty("depths")[10].GetDouble());
    }

    [Fact]
    public async Task Bad_input_is_one_line()
    {
        using var folder = new TemporaryFolder();
        string file = folder.Write("file", "");
        await Tool.RefuseAsync($"bench needle --models {file}", $"--models: {file} is a file, a folder was expected");
        await Tool.RefuseAsync($"bench needle --svg {folder.FullPath}", "--svg");
    }
}
