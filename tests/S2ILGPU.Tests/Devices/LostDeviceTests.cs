using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using S2ILGPU.Devices;
using S2ILGPU.Engines;
using S2ILGPU.Kernels.Elementwise;
using S2ILGPU.Memory;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.Tests.Devices;

/// <summary>A device that stops working is said to have done so, and all that belongs to it is freed.</summary>
public sealed class LostDeviceTests : IDisposable
{
    private readonly Context _context = Context.Create(builder => builder.EnableAlgorithms());
    private readonly Accelerator _accelerator;
    private readonly FailingStream _stream;

    public LostDeviceTests()
    {
        _accelerator = new CPUDevice(32, 4, 1).CreateAccelerator(_context);
        _stream = new FailingStream(_accelerator);
    }

    public static TheoryData<string, Action<IlgpuEngine>> Uses => new()
    {
        { "synchronize", engine => engine.Synchronize() },
        { "download", engine =>
            {
                using var tensor = engine.Allocate(new Shape(4), ElementType.Float32);
                engine.Download(tensor, new float[4]);
            }
        },
        { "launch", LaunchWhatIsRefused },
        { "allocate", AllocateTooMuch },
        { "trim", engine => engine.Trim() },
    };

    [Theory]
    [MemberData(nameof(Uses))]
    public void Use_of_a_lost_device_says_what_to_do(string name, Action<IlgpuEngine> use)
    {
        using var engine = Engine();
        _stream.IsLost = true;
        var lost = Assert.Throws<DeviceLostException>(() => use(engine));
        Assert.StartsWith($"the device {_accelerator.Name} stopped working: ", lost.Message);
        Assert.EndsWith("; start the program again", lost.Message);
        Assert.Equal(_accelerator.Name, lost.Device);
        if (name != "launch")   // whose own exception comes first
            Assert.Equal($"failure {((Loss)lost.InnerException!).Number}", lost.InnerException.Message);
    }

    [Fact]
    public void A_device_that_can_be_waited_for_is_not_lost()
    {
        using var engine = Engine();
        Assert.Throws<InsufficientMemoryException>(() => AllocateTooMuch(engine));
        Assert.IsNotType<DeviceLostException>(Assert.ThrowsAny<Exception>(() => LaunchWhatIsRefused(engine)));
    }

    [Fact]
    public void Disposing_frees_everything_and_keeps_the_first_exception()
    {
        var context = new Part(fails: false);
        var accelerator = new Part(fails: true);
        ArrayView<int> words = default;
        Tensor? tensor = null;
        var lost = Assert.Throws<DeviceLostException>(() =>
        {
            using var engine = Engine(new IlgpuDevices.OwnedAccelerator(context, accelerator));
            tensor = engine.Allocate(new Shape(4), ElementType.Float32);
            words = ((IlgpuBuffer)tensor.Buffer).Words;
            _stream.IsLost = true;
            engine.Synchronize();
        });
        Assert.Contains("failure 1", lost.Message);
        Assert.Equal(2, _stream.Failures);
        Assert.True(((IArrayView)words).Buffer.IsDisposed);
        Assert.Equal((1, 1), (accelerator.Disposals, context.Disposals));
        tensor!.Dispose();
    }

    [Fact]
    public void All_parts_are_freed_whatever_one_throws()
    {
        int freed = 0;
        Assert.Throws<InvalidOperationException>(() => LostDevice.Free(() => freed++, () => throw new Loss(1),
            () => freed++, () => throw new InvalidOperationException(), () => throw new Loss(2), () => freed++));
        Assert.Equal(3, freed);
    }

    [Fact]
    public void All_buffers_are_freed_whatever_one_throws()
    {
        var memory = new FailingMemory();
        for (int n = 0; n < 3; n++)
            memory.Rent(1000);
        Assert.Equal("failure 1", Assert.Throws<Loss>(memory.Dispose).Message);
        Assert.Equal((3, 0), (memory.Frees, memory.Pieces));
    }

    [Fact]
    public void Counts_are_those_of_the_buffers_that_are_left_after_a_trim_that_fails()
    {
        var memory = new FailingMemory();
        foreach (var piece in (Piece[])[memory.Rent(1024), memory.Rent(1024)])
            memory.Return(piece);
        Assert.Throws<Loss>(memory.Trim);
        Assert.Equal((1, 1024, 1024), (memory.Pieces, memory.IdleBytes, memory.ReservedBytes));
    }

    public void Dispose()
    {
        _stream.Dispose();
        _accelerator.Dispose();
        _context.Dispose();
    }

    private IlgpuEngine Engine(IDisposable? owned = null) =>
        new(_accelerator, _stream, mayUseTensorCores: false, owned, memoryLimitBytes: long.MaxValue);

    // More than a process can address.
    private static void AllocateTooMuch(IlgpuEngine engine) => engine.Queue.Memory.Rent(1L << 52);

    // Kernels are static methods.
    private static void LaunchWhatIsRefused(IlgpuEngine engine) =>
        engine.Queue.Launch<AddOperation>(_ => engine.Synchronize(), new Index3D(1, 1, 1), 4, default);

    private sealed class Loss(int number) : AcceleratorException($"failure {number}")
    {
        public int Number => number;

        public override AcceleratorType AcceleratorType => AcceleratorType.CPU;
    }

    private sealed class FailingStream(Accelerator accelerator) : AcceleratorStream(accelerator)
    {
        public bool IsLost { get; set; }

        public int Failures { get; private set; }

        public override void Synchronize()
        {
            if (IsLost)
                throw new Loss(++Failures);
        }

        protected override ProfilingMarker AddProfilingMarkerInternal() => throw new NotSupportedException();

        protected override void DisposeAcceleratorObject(bool disposing)
        {
        }
    }

    private sealed class Part(bool fails) : IDisposable
    {
        public int Disposals { get; private set; }

        public void Dispose()
        {
            Disposals++;
            if (fails)
                throw new Loss(0);
        }
    }

    private sealed class FailingMemory() : CachingAllocator<Piece>(typeof(FailingMemory), classesPerDoubling: 1)
    {
        public int Frees { get; private set; }

        protected override Piece Allocate(long sizeBytes, long classBytes) => new(this, classBytes);

        protected override void Free(Piece buffer) => throw new Loss(++Frees);
    }

    private sealed class Piece(FailingMemory owner, long sizeBytes) : DeviceBuffer(sizeBytes)
    {
        protected override void Return() => owner.Return(this);
    }
}
