using S2ILGPU.AttentionWorkers;
using S2ILGPU.Core.Tests.Scheduling;
using S2ILGPU.Inference;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.Core.Tests.AttentionWorkers;

/// <summary>The two passes of a step take turns.</summary>
public sealed class PassOrderTests
{
    [Fact]
    public void While_the_attention_of_one_pass_is_away_the_other_pass_is_computed()
    {
        using var served = new ServedModel();
        var remote = new CallOrder();
        var options = new KeyValueCacheOptions { Sequences = 4 };
        using var cache = new KeyValueCache(served.Model, options, remote);
        using var step = new PackedStep(served.Model, cache);
        step.Begin();
        for (int s = 0; s < options.Sequences; s++)
            step.Add(s, served.Prompt(1), 1);
        step.Run();
        int layers = served.Model.Config.Layers;
        Assert.True(layers > 1);
        // Both passes are away before the first output is waited for; then one at least, up to the last output.
        string[] expected = ["sent 0 0", "sent 1 0", .. Enumerable.Range(0, layers).SelectMany(layer =>
            Enumerable.Range(0, 2).SelectMany(pass => layer + 1 < layers
                ? (string[])[$"waited {pass} {layer}", $"sent {pass} {layer + 1}"] : [$"waited {pass} {layer}"]))];
        Assert.Equal(expected, remote.Calls);
    }

    // Notes in which order queries and keys of passes are sent and their outputs waited for.
    private sealed class CallOrder : IRemoteCache
    {
        public List<string> Calls { get; } = [];

        public int Workers => 1;

        public void Clear(int sequence) { }

        public void Save(int sequence, int number) { }

        public void Restore(int number, int sequence) { }

        public void Drop(int number) { }

        public void TakeBack(int sequence, int length) { }

        public void Begin(int pass, ReadOnlySpan<StepRows> rows) { }

        public void Query(int pass, int layer, Tensor query) { }

        public void KeyValue(int pass, int layer, Tensor key, Tensor value) => Calls.Add($"sent {pass} {layer}");

        public void Output(int pass, int layer, Tensor output) => Calls.Add($"waited {pass} {layer}");

        public void End(int pass) { }
    }
}
