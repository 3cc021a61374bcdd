using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.KernelLab.Tests.Kernels;

namespace S2ILGPU.KernelLab.Tests;

/// <summary>Launches as such: errors, hangs, determinism, isolation, memory.</summary>
public sealed class LaunchTests : LabFixture
{
    [Theory, InlineData(ExecutionMode.OneAtATime), InlineData(ExecutionMode.Concurrent)]
    public void An_exception_names_thread_group_and_line_and_leaves_the_engine_intact(ExecutionMode mode)
    {
        using var d = Device.Allocate1D(new int[1]);
        var kernel = Device.LoadStreamKernel<ArrayView<int>>(EdgeKernels.Throws);
        using LabSession session = new() { Mode = mode };
        for (int i = 0; i < 2; i++)
        {
            var error = Assert.Throws<KernelFaultException>(() => kernel((3, 64), d.View));
            Assert.StartsWith("EdgeKernels.Throws: DivideByZeroException", error.Message);
            Assert.Contains("thread 5 of group (1, 0, 0)", error.Message);
            Assert.Contains("EdgeKernels.cs:", error.Message);
        }
        d.View.CopyFromCPU([1]);
        kernel((3, 64), d.View);
    }

    [Theory, InlineData(ExecutionMode.OneAtATime), InlineData(ExecutionMode.Concurrent)]
    public void Divergence_is_found_in_both_modes(ExecutionMode mode)
    {
        using var d = Device.Allocate1D(new int[128]);
        var kernel = Device.LoadStreamKernel<ArrayView<int>>(EdgeKernels.EarlyReturn);
        using LabSession session = new() { Mode = mode };
        var error = Assert.Throws<KernelFaultException>(() => kernel((1, 128), d.View));
        Assert.Contains("divergent barrier in group (0, 0, 0)", error.Message);
    }

    [Theory, InlineData(ExecutionMode.OneAtATime), InlineData(ExecutionMode.Concurrent)]
    public void Both_modes_compute_the_same(ExecutionMode mode)
    {
        using LabSession session = new() { Mode = mode };
        var data = Floats(500, 1);
        using var x = Device.Allocate1D(data);
        using var sums = Device.Allocate1D<float>(4);
        var kernel = Device.LoadStreamKernel<SumKernel>(SumKernel.Run<Correct>);
        for (int i = 0; i < 20; i++)
            kernel((4, SumKernel.Threads), new SumKernel(x.View, sums.View, 500));
        for (int g = 0; g < 4; g++)
            Assert.Equal(data.Skip(g * 128).Take(128).Sum(v => (double)v), sums.GetAsArray1D()[g], 1e-5);
        Assert.Empty(session.Findings);
        using var counts = Device.Allocate1D(new int[128]);
        Device.LoadStreamKernel<ArrayView<int>>(EdgeKernels.GroupsAdd)((50, 128), counts.View);
        Assert.Equal(6400, counts.GetAsArray1D()[0]);
        using var half = Device.Allocate1D(new int[128]);
        Device.LoadStreamKernel<ArrayView<int>>(EdgeKernels.HalfWarp)((1, 48), half.View);
        Assert.Equal(47 + 116, half.GetAsArray1D()[47]);
    }

    [Fact]
    public void A_hanging_kernel_is_aborted()
    {
        using var d = Device.Allocate1D(new int[128]);
        var kernel = Device.LoadStreamKernel<ArrayView<int>>(EdgeKernels.SpinsForAnother);
        using LabSession session = new() { Timeout = TimeSpan.FromSeconds(0.2) };
        var error = Assert.Throws<KernelFaultException>(() => kernel((1, 64), d.View));
        Assert.Contains("hangs", error.Message);
        Device.LoadStreamKernel<int>(EdgeKernels.Barriers)((1, 64), 3);
    }

    [Fact]
    public void Equal_seeds_give_equal_bits_even_for_a_racy_kernel()
    {
        using var x = Device.Allocate1D(Floats(500, 1));
        using var sums = Device.Allocate1D<float>(4);
        var kernel = Device.LoadStreamKernel<SumKernel>(SumKernel.Run<RaceFault>);
        HashSet<string> results = [];
        for (int seed = 1; seed <= 3; seed++)
        {
            List<string> runs = [];
            for (int run = 0; run < 2; run++)
            {
                using LabSession session = new(Schedule.Random(seed));
                kernel((4, SumKernel.Threads), new SumKernel(x.View, sums.View, 500));
                runs.Add(string.Join(' ', sums.GetAsArray1D().Select(v => BitConverter.SingleToUInt32Bits(v).ToString("x8"))));
            }
            Assert.Equal(runs[0], runs[1]);
            results.Add(runs[0]);
        }
        Assert.True(results.Count > 1, "all seeds gave the same bits");
    }

    [Fact]
    public void Nothing_is_lost()
    {
        using var x = Device.Allocate1D(Floats(500, 1));
        using var sums = Device.Allocate1D<float>(4);
        var kernel = Device.LoadStreamKernel<SumKernel>(SumKernel.Run<RaceFault>);
        Action launch = () => kernel((4, SumKernel.Threads), new SumKernel(x.View, sums.View, 500));
        for (int i = 0; i < 2; i++)
            Assert.Contains("race: element", Assert.Throws<KernelFaultException>(launch).Message);
        using LabSession outer = new();
        launch();
        using (LabSession inner = new())
            launch();
        Assert.True(outer.Findings[0].Occurrences > 1);
        int before = outer.Findings.Sum(f => f.Occurrences);
        launch();
        Assert.Equal(2 * before, outer.Findings.Sum(f => f.Occurrences));
    }

    [Fact]
    public async Task Sessions_of_other_flows_are_apart()
    {
        using LabSession session = new();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(i => Task.Run(() => Racy(i % 2 == 0))));
        Assert.Empty(session.Findings);

        void Racy(bool racy)
        {
            using LabSession mine = new();
            using var d = Device.Allocate1D(new int[128]);
            Device.LoadStreamKernel<ArrayView<int>>(racy ? EdgeKernels.WarpUnsynchronised : EdgeKernels.WarpSynchronised)((1, 128), d.View);
            Assert.Equal(racy, mine.Findings.Count > 0);
        }
    }

    [Fact]
    public void Buffers_are_counted()
    {
        Assert.Equal(0, Lab.LiveBuffers(Device));
        using (var a = Device.Allocate1D<double>(10))
        {
            var b = Device.AllocateRaw(5, 4);
            Assert.Equal((2, 100L), (Lab.LiveBuffers(Device), Lab.LiveBytes(Device)));
            b.Dispose();
            b.Dispose();
            Assert.Equal(1, Lab.LiveBuffers(Device));
        }
        Assert.Equal(0, Lab.LiveBuffers(Device));
    }

    [Fact]
    public void Memory_ends()
    {
        var error = Assert.ThrowsAny<AcceleratorException>(() => Device.Allocate1D<double>(Lab.DeviceMemoryBytes / 8 + 1));
        Assert.Contains("out of device memory", error.Message);
        Assert.Equal(0, Lab.LiveBuffers(Device));
    }

    [Fact]
    public void Misuse()
    {
        var kernel = Device.LoadStreamKernel<ArrayView<int>>(EdgeKernels.GroupsAdd, new KernelSpecialization(64, null));
        var d = Device.Allocate1D(new int[128]);
        var view = d.View;
        Assert.Contains("1 to 64 are possible", Assert.Throws<KernelFaultException>(() => kernel((1, 128), view)).Message);
        Assert.Throws<KernelFaultException>(() => kernel((0, 64), view));
        Assert.Throws<ArgumentOutOfRangeException>(() => view.CopyToCPU(new int[127]));
        Assert.Contains("misaligned", Assert.Throws<KernelFaultException>(() => view.BaseView.SubView(1, 4).Cast<long>()).Message);
        Assert.Throws<KernelFaultException>(() => view.SubView(100, 29));
        d.Dispose();
        Assert.Throws<ObjectDisposedException>(() => view.CopyToCPU(new int[128]));
        Assert.Contains("use after dispose", Assert.Throws<KernelFaultException>(() => kernel((1, 64), view)).Message);
        using var other = CreateDevice();
        using var stream = other.CreateStream();
        var onStream = Device.LoadKernel<ArrayView<int>>(EdgeKernels.GroupsAdd);
        Assert.Contains("another accelerator", Assert.Throws<KernelFaultException>(() => onStream(stream, (1, 64), view)).Message);
    }

    [Fact]
    public void Auto_grouped_kernels_get_every_index_once()
    {
        const int count = 100_001;
        float[] p = Floats(count, 1), q = Floats(count, 2);
        using var x = Device.Allocate1D(p);
        using var y = Device.Allocate1D(q);
        Device.LoadAutoGroupedStreamKernel<Index1D, ArrayView<float>, ArrayView<float>>(EdgeKernels.Saxpy)(count, x.View, y.View);
        Assert.Equal(p.Zip(q, (a, b) => 2f * a + b), y.GetAsArray1D());
    }
}
