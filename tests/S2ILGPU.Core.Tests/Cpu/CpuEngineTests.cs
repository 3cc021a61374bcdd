using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu;

public sealed class CpuEngineTests
{
    [Fact]
    public void The_number_of_threads_changes_no_bit()
    {
        TestScale.SkipUnlessDrawn(2);
        int seed = Seeds.NewRandom().Next();
        float[] Results(int threads)
        {
            using var engine = new CpuEngine(new CpuOptions(SimdWidth.Auto, threads));
            using var workload = new Workload(engine, rows: 1003, columns: 131, seed);
            workload.Run();
            return workload.Results();
        }

        var expected = Results(1);
        Assert.Contains(expected, x => x != 0);
        Assert.DoesNotContain(expected, float.IsNaN);
        foreach (int threads in (int[])[2, 3, 5])
        {
            var actual = Results(threads);
            for (int n = 0; n < expected.Length; n++)
                Assert.True(BitConverter.SingleToInt32Bits(expected[n]) == BitConverter.SingleToInt32Bits(actual[n]),
                    $"value {n} is {actual[n]:r} with {threads} threads, {expected[n]:r} with one; {Seeds.Text}");
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_steady_state_allocates_no_managed_memory_and_asks_the_system_for_none(int threads)
    {
        using var engine = new CpuEngine(new CpuOptions(SimdWidth.Auto, threads));
        using var workload = new Workload(engine, rows: 300, columns: 70, seed: 1);
        for (int n = 0; n < 3; n++)
            workload.Run();
        long used = engine.UsedBytes;
        Assert.Equal(0, Allocations.OfEveryRun(workload.Run));
        Assert.Equal(used, engine.UsedBytes);
    }

    [Fact]
    public void A_token_does_not_depend_on_the_batch_around_it()
    {
        using var engine = new CpuEngine(new CpuOptions(SimdWidth.Auto, 2));
        var random = Seeds.NewRandom();
        using var tokens = engine.FromArray([.. random.Normal(8 * 203).Select(x => (float)x)], 8, 203);
        using var weight = engine.FromArray([.. random.Normal(91 * 203).Select(x => (float)x)], 91, 203);
        float[] Products(int first, int count)
        {
            using var batch = tokens.Slice(0, first, count);
            using var result = engine.Allocate(new Shape(count, 91), ElementType.Float32);
            engine.MatMul(new MatMulArguments(batch, weight, result, TransposeB: true));
            return engine.ToArray(result);
        }

        var together = Products(0, 8);
        for (int token = 0; token < 8; token++)
            for (int count = 1; count <= 8 - token; count++)
                Assert.Equal(together.AsSpan(token * 91, 91), Products(token, count).AsSpan(0, 91));
    }

    [Fact]
    public void Tensors_of_other_devices_are_refused()
    {
        using var engine = new CpuEngine(new CpuOptions(SimdWidth.Auto, 1));
        using var other = new ReferenceEngine();
        using var foreign = other.Allocate(new Shape(3), ElementType.Float32);
        using var own = engine.Zeros(3);
        Assert.Contains("another device",
            Assert.Throws<ArgumentException>(() => engine.Add(own, own, foreign)).Message);
    }

    [Fact]
    public void An_index_outside_the_table_is_refused()
    {
        using var engine = new CpuEngine(new CpuOptions(SimdWidth.Auto, 1));
        using var table = engine.Zeros(4, 3);
        using var rows = engine.Zeros(2, 3);
        foreach (int wrong in (int[])[-1, 4, int.MaxValue])
        {
            using var ids = engine.FromArray([0, wrong], 2);
            var exception = Assert.Throws<ArgumentOutOfRangeException>(() => engine.Embedding(table, ids, rows));
            Assert.Contains($"ids[1] is {wrong}, outside 0..3", exception.Message);
            Assert.Throws<ArgumentOutOfRangeException>(() =>
                engine.EmbeddingBackward(ids, rows, GradientTarget.AddTo(table)));
        }
    }

    [Fact]
    public void A_tensor_of_a_disposed_engine_says_so()
    {
        var engine = new CpuEngine(new CpuOptions(SimdWidth.Auto, 2));
        var tensor = engine.Zeros(3);
        engine.Dispose();
        engine.Dispose();
        Assert.Throws<ObjectDisposedException>(() => engine.Fill(tensor, 1));
        Assert.Throws<ObjectDisposedException>(() => engine.Allocate(new Shape(1), ElementType.Float32));
        tensor.Dispose();
    }

    [Fact]
    public void Options_are_checked()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new CpuEngine(new CpuOptions(Threads: -1)));
        foreach (var wrong in (CacheSizes[])[new(0, 1, 1), new(1, -5, 1), new(1, 1, 0)])
        {
            var exception = Assert.Throws<ArgumentOutOfRangeException>(() =>
                new CpuEngine(new CpuOptions(Caches: wrong)));
            Assert.Contains($"sizes of caches must be positive: {wrong}", exception.Message);
        }
        using var engine = new CpuEngine(new CpuOptions(SimdWidth.Scalar, 3));
        Assert.Equal("CPU (scalar, 3 threads)", engine.Name);
        Assert.Equal(3, engine.Threads);
        using var all = new CpuEngine();
        Assert.Equal(Environment.ProcessorCount, all.Threads);
        Assert.Equal(SimdWidths.Widest, all.Simd);
    }

    [Fact]
    public void Host_memory_is_a_tensor_without_a_copy()
    {
        using var engine = new CpuEngine();
        float[] memory = [1, 2, 3, 4, 5, 6];
        var x = CpuEngine.View<float>(memory, 2, 3);
        var part = x.Slice(1, 1, 2);
        engine.Fill(part, 7);
        engine.Synchronize();
        Assert.Equal([1, 7, 7, 4, 7, 7], memory);
        x.Dispose();
        engine.Fill(part, 8);                            // the memory stays as long as a view does
        Assert.Equal([1, 8, 8, 4, 8, 8], memory);
        part.Dispose();
        using var bits = CpuEngine.View<ushort>(new ushort[] { 0x3f80, 0x4000 }, 2);
        Assert.Equal([1, 2], engine.ToArray(bits));
        Assert.Contains("7 elements", Assert.Throws<ArgumentException>(() =>
            CpuEngine.View<float>(memory, 7)).Message);
        Assert.Contains("Double", Assert.Throws<ArgumentException>(() =>
            CpuEngine.View<double>(new double[1], 1)).Message);
    }
}
