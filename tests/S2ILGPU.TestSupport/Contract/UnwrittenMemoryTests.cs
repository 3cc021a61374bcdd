using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>The engine under test hands out memory full of NaN, so that a call that reads unwritten memory gives
/// NaN.</summary>
public abstract class UnwrittenMemoryTests(Func<IEngine> create) : EngineTest(create)
{
    [Fact]
    public void Call_that_reads_an_unwritten_tensor_gives_NaN()
    {
        var shape = new Shape(300);
        for (int turn = 0; turn < 2; turn++) // new memory, then memory that held numbers
        {
            using var unwritten = Tested.Allocate(shape, Tested.FloatType);
            using var ones = Tested.Allocate(shape, Tested.FloatType);
            using var sum = Tested.Allocate(shape, Tested.FloatType);
            Tested.Fill(ones, 1);
            Tested.Add(unwritten, ones, sum);
            var values = new float[shape.Count];
            Tested.Download(sum, values);
            Assert.All(values, value => Assert.True(float.IsNaN(value), $"{value} from unwritten memory"));
            Tested.Fill(unwritten, 1);
        }
    }
}
