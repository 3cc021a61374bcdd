using S2ILGPU.Models;
using S2ILGPU.Training;
using Xunit;

namespace S2ILGPU.Core.Tests.Training;

public sealed class TrainingLogTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void Steps_come_back_as_they_were_written()
    {
        TrainingStep[] steps = [new(1, 5.25, 100, 1e-3, 0.5, 0.1),
            new(2, 5.125, 200, 2e-3, 0.25, 0.2, ValidationLoss: 5.5)];
        using (var log = TrainingLog.Open(_path, 0))
            foreach (var step in steps)
                log.Append(step);
        Assert.Equal(steps, TrainingLog.Read(_path));
        Assert.All(File.ReadAllLines(_path), line =>
            Assert.Matches("""^\{"step":\d+,"loss":[\d.]+,"tokens":\d+""", line));
    }

    [Fact]
    public void Resuming_cuts_off_what_comes_after_the_resumed_step_and_a_half_written_line()
    {
        using (var log = TrainingLog.Open(_path, 0))
            for (int i = 1; i <= 5; i++)
                log.Append(new TrainingStep(i, i, i, i, i, i));
        File.AppendAllText(_path, "{\"step\":6,\"lo");
        using (var log = TrainingLog.Open(_path, afterStep: 3))
            log.Append(new TrainingStep(4, 40, 40, 40, 40, 40));
        Assert.Equal([1, 2, 3, 40], TrainingLog.Read(_path).Select(s => s.Loss));
    }

    [Fact]
    public void Lines_that_are_not_steps_are_left_out()
    {
        using (var log = TrainingLog.Open(_path, 0))
            for (int i = 1; i <= 2; i++)
                log.Append(new TrainingStep(i, i, i, i, i, i));
        string[] lines = File.ReadAllLines(_path);
        // What two writers, a kill and a full disk leave: torn and empty lines, a step twice, and out of order.
        File.WriteAllLines(_path, [lines[1][..9], lines[1], "", "{}", "[1]", "\0\0", lines[0] + lines[1], lines[0],
            lines[0]]);
        Assert.Equal([1, 2], TrainingLog.Read(_path).Select(s => s.Step));
    }

    [Fact]
    public void A_missing_log_begins_where_the_run_is()
    {
        File.Delete(_path);
        using (var log = TrainingLog.Open(_path, afterStep: 3))
            log.Append(new TrainingStep(4, 4, 4, 4, 4, 4));
        Assert.Equal([4], TrainingLog.Read(_path).Select(s => s.Step));
    }

    [Fact]
    public void The_learning_rate_rises_to_its_peak_and_falls_to_its_end()
    {
        var options = new TrainingOptions { Steps = 100, WarmupSteps = 10, LearningRate = 1,
            FinalLearningRateFraction = 0.1f };
        float[] rates = [.. Enumerable.Range(1, 100).Select(s => LearningRateSchedule.At(options, s))];
        Assert.Equal(0.1f, rates[0], 1e-6f);
        Assert.Equal(1f, rates[9]);
        Assert.Equal(0.55f, rates[54], 1e-2f);
        Assert.Equal(0.1f, rates[99], 1e-6f);
        Assert.All(Enumerable.Range(10, 89), i => Assert.True(rates[i] > rates[i + 1]));
    }
}
