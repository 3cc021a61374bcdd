using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using S2ILGPU.Devices;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.Tests.Devices;

public sealed class IlgpuDevicesTests
{
    [Fact]
    public void The_registry_finds_the_package_by_itself()
    {
        var device = Assert.Single(Engine.Devices(), device => device.Id == Emulated.Device);
        Assert.Equal(DeviceKind.Emulated, device.Kind);
        Assert.True(device.MemoryBytes > 0);
        using var engine = Engine.Create(Emulated.Device);
        Assert.IsType<IlgpuEngine>(engine);
        Assert.Equal(device.Name, engine.Name);
    }

    [Fact]
    public void Emulated_devices_are_never_taken_automatically()
    {
        using var engine = Engine.Create();
        Assert.NotEqual(Engine.Devices().Single(device => device.Id == Emulated.Device).Name, engine.Name);
    }

    [Theory]
    [InlineData("cuda:99")]
    [InlineData("opencl:99")]
    [InlineData("ilgpu")]
    [InlineData("")]
    public void An_unknown_device_is_an_error_that_names_those_that_there_are(string device)
    {
        Assert.Contains(Emulated.Device, Assert.Throws<ArgumentException>(() => Engine.Create(device)).Message);
        Assert.Contains(Emulated.Device,
            Assert.Throws<ArgumentException>(() => new IlgpuDevices().Create(device)).Message);
    }

    [Fact]
    public void An_accelerator_with_small_groups_is_refused()
    {
        using var context = Context.Create(builder => builder.EnableAlgorithms());
        using var accelerator = new CPUDevice(4, 4, 1).CreateAccelerator(context);
        Assert.Contains("128 threads",
            Assert.Throws<NotSupportedException>(() => new IlgpuEngine(accelerator)).Message);
    }

    [Fact]
    public void An_accelerator_with_little_shared_memory_is_refused_with_both_sizes()
    {
        var device = new CPUDevice(32, 8, 1);
        // as OpenCL devices may have
        typeof(Device).GetProperty(nameof(Device.MaxSharedMemoryPerGroup))!.SetValue(device, 32 * 1024);
        using var context = Context.Create(builder => builder.EnableAlgorithms());
        using var accelerator = device.CreateAccelerator(context);
        string message = Assert.Throws<NotSupportedException>(() => new IlgpuEngine(accelerator)).Message;
        Assert.Contains("36,096 bytes", message);
        Assert.Contains("32,768", message);
    }

    [Fact]
    public void Devices_that_kernels_do_not_run_on_are_not_listed()
    {
        var (small, enough) = (new CPUDevice(32, 8, 1), new CPUDevice(32, 8, 1));
        typeof(Device).GetProperty(nameof(Device.MaxSharedMemoryPerGroup))!.SetValue(small, 36_095);
        typeof(Device).GetProperty(nameof(Device.MaxSharedMemoryPerGroup))!.SetValue(enough, 36_096);
        var info = new DeviceInfo("opencl:0", "small", DeviceKind.OpenCl, 0, 1, "");
        Assert.Equal(["opencl:1"], IlgpuDevices.Usable([(info, small), (info with { Id = "opencl:1" }, enough)])
            .Select(device => device.Id));
    }

    [Theory]
    [InlineData("cuda:0")]
    [InlineData("OpenCL:1")]
    [InlineData("ilgpu-cpu")]
    public void Without_a_JIT_a_device_says_in_one_line_what_it_needs(string device)
    {
        string reason = IlgpuDevices.ReasonUnavailable(device, hasJit: false)!;
        Assert.Contains("needs the JIT", reason);
        Assert.DoesNotContain('\n', reason);
        Assert.Null(IlgpuDevices.ReasonUnavailable("cpu", hasJit: false));
    }

    [Fact]
    public void A_device_that_is_listed_has_no_reason() =>
        Assert.Null(new IlgpuDevices().ReasonUnavailable(Emulated.Device));

    [Fact]
    public void Memory_of_the_program_becomes_tensors_without_a_copy()
    {
        using var context = Context.Create(builder => builder.EnableAlgorithms().WithTensorCores());
        using var accelerator = new CPUDevice(32, 8, 1).CreateAccelerator(context);
        using var stream = accelerator.CreateStream();
        using var memory = accelerator.Allocate1D<float>(24);
        memory.View.CopyFromCPU(Enumerable.Range(0, 24).Select(n => (float)n).ToArray());
        using var engine = new IlgpuEngine(accelerator, stream);
        using var tensor = engine.View(memory.View.BaseView.SubView(8, 12), 3, 4);
        using var row = tensor.Slice(0, 1, 1);
        engine.Fill(row, -1);
        float[] values = engine.ToArray(tensor);
        Assert.Equal([8, 9, 10, 11, -1, -1, -1, -1, 16, 17, 18, 19], values);
        Assert.Equal(0, engine.UsedBytes);
        Assert.Contains("16 bytes",
            Assert.Throws<ArgumentException>(() => engine.View(memory.View.BaseView.SubView(1, 12), 3, 4)).Message);
        Assert.Contains("needs 100 bytes",
            Assert.Throws<ArgumentException>(() => engine.View(memory.View.BaseView, 25)).Message);
        Assert.Equal(-1, memory.GetAsArray1D()[12]); // still the program's
    }

    [Fact]
    public void Views_of_all_element_types()
    {
        using var engine = IlgpuDevices.CreateEngine(Emulated.Device);
        using var context = Context.Create(builder => builder.EnableAlgorithms());
        using var accelerator = new CPUDevice(32, 8, 1).CreateAccelerator(context);
        using var halves = accelerator.Allocate1D<ILGPU.Half>(8);
        using var brains = accelerator.Allocate1D<ushort>(8);
        using var integers = accelerator.Allocate1D<int>(8);
        using var doubles = accelerator.Allocate1D<double>(8);
        Assert.Equal(ElementType.Float16, engine.View(halves.View.BaseView, 8).ElementType);
        Assert.Equal(ElementType.BFloat16, engine.View(brains.View.BaseView, 8).ElementType);
        Assert.Equal(ElementType.Int32, engine.View(integers.View.BaseView, 8).ElementType);
        Assert.Contains("Double", Assert.Throws<ArgumentException>(() =>
            engine.View(doubles.View.BaseView, 8)).Message);
    }
}
