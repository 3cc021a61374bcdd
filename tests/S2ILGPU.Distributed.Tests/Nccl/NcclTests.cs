using System.Runtime.InteropServices;
using S2ILGPU.Collectives;
using S2ILGPU.Cpu;
using S2ILGPU.Distributed.Hosts;
using S2ILGPU.Distributed.Nccl;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Distributed.Tests.Nccl;

/// <summary>Collectives between devices: tensors of the emulated device by the functions of a double of NCCL.</summary>
[Collection(nameof(NcclDouble))] // the double has one state
public sealed class NcclTests
{
    private const string Emulated = "ilgpu-cpu";

    public static TheoryData<int, ElementType> Cases =>
        [.. TestScale.Sample("collectives between devices",
            from ranks in Enumerable.Range(1, 4) from type in MemoryRanksTests.Types select (ranks, type), 4)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Operations_equal_plain_arithmetic(int ranks, ElementType type)
    {
        OnRanks(ranks, (collective, engine) =>
        {
            var checks = new CollectiveChecks(collective, engine, Seeds.Current);
            foreach (int count in (int[])[0, 1, 7, 64, 1001])
                checks.Run(type, count);
            checks.Splits(type, 129);
        });
        Assert.Equal(0, NcclDouble.Get().Live);
    }

    // Numbers of all exponents, zeros of both signs and infinities, but no NaN, whose bits depend on the processor.
    [Theory]
    [InlineData(ElementType.Float32)]
    [InlineData(ElementType.BFloat16)]
    public void Sums_have_the_bits_of_the_host(ElementType type) => OnRanks(3, (collective, engine) =>
    {
        const int Count = 601;
        var host = ((NcclCollective)collective).Host;
        var random = new Random(Seeds.Current + collective.Rank);
        float[] values = [.. Enumerable.Range(0, Count * 3).Select(n => n % 50 == 0 ? -0f
            : n % 53 == 0 ? float.PositiveInfinity
            : BitConverter.Int32BitsToSingle(random.Next() & ~(1 << 30 >> random.Next(8)))
            * (random.Next(2) == 0 ? 1 : -1))];
        using Tensor a = Upload(engine, type, values), b = Upload(engine, type, values),
            partOfA = engine.Allocate(new Shape(Count), type), partOfB = engine.Allocate(new Shape(Count), type);
        collective.ReduceScatter(a, partOfA).Wait();
        host.ReduceScatter(b, partOfB).Wait();
        Assert.Equal(Bits(engine, partOfB), Bits(engine, partOfA));
        collective.AllReduce(a).Wait();
        host.AllReduce(b).Wait();
        Assert.Equal(Bits(engine, b), Bits(engine, a));
    });

    [Fact]
    public void Nothing_is_copied_to_the_host_or_waited_for() => OnRanks(2, (collective, engine) =>
    {
        using Tensor x = engine.Zeros(1001), part = engine.Zeros(7), all = engine.Zeros(14),
            half = engine.Allocate(new Shape(33), ElementType.BFloat16),
            received = engine.Zeros(collective.Rank == 0 ? 8 : 20);
        engine.Fill(half, 1);
        var queue = ((IlgpuEngine)engine).Queue;
        (long waits, long uploads) = (queue.Waits, queue.UploadedBytes);
        Pending[] pending = [collective.AllReduce(x), collective.AllReduce(half), collective.AllGather(part, all),
            collective.ReduceScatter(all, part), collective.Broadcast(x, 1),
            collective.AllToAll(all, [4, 10], received, collective.Rank == 0 ? [4, 4] : [10, 10])];
        foreach (var one in pending)
            one.Wait();
        Assert.Equal((waits, uploads), (queue.Waits, queue.UploadedBytes));
    });

    [Fact]
    public void Wrong_arguments_are_refused_before_anything_is_sent() =>
        OnRanks(1, CollectiveChecks.RefusesWrongArguments);

    [Fact]
    public void A_rank_that_throws_ends_the_others_with_its_number()
    {
        CollectiveChecks.EndOfOneThatThrows(OnRanks);
        Assert.Equal(0, NcclDouble.Get().Live);
    }

    [Fact]
    public void A_rank_without_connection_ends_the_others_with_its_number()
    {
        var nccl = NcclDouble.Get();
        try
        {
            var failure = Assert.Throws<RankFailedException>(() => OnRanks(3, (collective, engine) =>
            {
                using var x = engine.Zeros(10);
                collective.AllReduce(x).Wait();
                if (collective.Rank == 1)
                    nccl.Break(1);
                if (collective.Rank == 1)
                    Assert.Contains("an exchange has failed before: NCCL 2.21.5: communication: a system call failed",
                        Twice(() => collective.AllReduce(x).Wait()));
                collective.AllReduce(x).Wait();
            }));
            Assert.Equal(1, failure.Rank);
            Assert.Contains("NCCL 2.21.5: communication: a system call failed", failure.Message);
            Assert.Equal(0, nccl.Live);
        }
        finally
        {
            nccl.Break(-1);
        }

        string Twice(Action action)
        {
            Assert.Throws<NcclException>(action);
            return Assert.Throws<InvalidOperationException>(action).Message;
        }
    }

    [Fact]
    public void Different_sizes_are_refused()
    {
        var failure = Assert.Throws<RankFailedException>(() => OnRanks(2, (collective, engine) =>
        {
            using var x = engine.Zeros(10 + collective.Rank);
            collective.Broadcast(x, root: 0).Wait();
        }));
        Assert.EndsWith("NCCL 2.21.5: ncclGroupEnd: invalid usage", failure.Message);
    }

    [Fact]
    public void A_device_that_does_not_come_is_named_at_the_deadline() => OnRanks(1, (_, engine) =>
    {
        var memory = new StuckMemory(engine.DeviceMemory!);
        MemoryRanks.Run(1, connection =>
        {
            var library = NcclDouble.Get().Library;
            using var communicator = new NcclCommunicator(library, memory, connection.Messages, library.NewId());
            var pending = communicator.Pending();
            Assert.False(pending.Poll());
            Assert.Equal("rank 0 waited 0.3 s for an exchange between devices",
                Assert.Throws<TimeoutException>(pending.Wait).Message);
            Assert.False(pending.IsComplete);
        }, TimeSpan.FromMilliseconds(300));
    });

    [Fact]
    public void A_library_that_is_missing_or_does_not_fit_is_told_in_one_line()
    {
        Assert.Equal("libnothing.so.2 cannot be loaded: install NCCL, or name the library in S2_NCCL_LIBRARY",
            Message("libnothing.so.2", "libnothing.so"));
        Assert.Equal("S2_NCCL_LIBRARY is off", Message());
        NcclDouble.SkipWithoutCompiler();
        using var folder = new TemporaryFolder();
        Assert.Equal("NCCL 2.4.8 is too old: 2.10 or newer is needed", Message(OfVersion(2408)));
        Assert.Equal("NCCL 2.9.9 is too old: 2.10 or newer is needed", Message(OfVersion(20909)));
        Assert.Equal("the library of NCCL has no ncclGetUniqueId: 2.10 or newer is needed", Message(OfVersion(21000)));

        string OfVersion(int number) => NcclDouble.Compile(folder, folder.Write($"nccl{number}.c",
            $"int ncclGetVersion(int *v) {{ *v = {number}; return 0; }}\n"
            + "const char *ncclGetErrorString(int code) { return code ? \"error\" : \"none\"; }\n"));

        static string Message(params string[] names) =>
            Assert.Throws<NotSupportedException>(() => NcclLibrary.Load(names)).Message;
    }

    [Fact]
    public void Ranks_with_devices_of_their_own_use_the_library()
    {
        NcclDouble.Get();
        Choose(2, _ => Emulated, _ => NcclDouble.Get().Library, (collective, connection) =>
        {
            Assert.IsType<NcclCollective>(collective);
            Assert.Null(connection.Note);
            Assert.Equal("NCCL 2.21.5 between devices, threads of one process", connection.Transport);
        });
    }

    [Fact]
    public void A_rank_without_the_library_sends_all_through_the_host()
    {
        NcclDouble.Get();
        Choose(3, _ => Emulated, rank => rank == 1 ? NcclLibrary.Load(["libnothing.so.2"])
            : NcclDouble.Get().Library, (collective, connection) =>
        {
            Assert.IsType<HostCollective>(collective);
            Assert.Equal("tensors go from rank to rank through the host: " + (connection.Rank == 1
                ? "libnothing.so.2 cannot be loaded: install NCCL, or name the library in S2_NCCL_LIBRARY"
                : "rank 1 has no library of NCCL"), connection.Note);
            Assert.Equal("threads of one process", connection.Transport);
        });
        Assert.Equal(0, NcclDouble.Get().Live);
    }

    [Fact]
    public void A_rank_on_another_device_sends_all_through_the_host()
    {
        NcclDouble.Get();
        Choose(2, rank => rank == 0 ? Emulated : "cpu", _ => NcclDouble.Get().Library, (collective, connection) =>
        {
            Assert.IsType<HostCollective>(collective);
            Assert.Equal("tensors go from rank to rank through the host: rank 1 has no CUDA device", connection.Note);
        });
    }

    [Fact]
    public void Ranks_that_share_a_device_are_named()
    {
        Assert.Equal("ranks 1 and 3 have the same device, which NCCL does not support",
            NcclChoice.Sharing([0, 5, 0, 6, 0, 7, 0, 6], 2));
        Assert.Null(NcclChoice.Sharing([0, 5, 0, 6, 5, 0], 2));
    }

    [Fact]
    public void Ranks_without_devices_have_no_note() => Choose(2, _ => "cpu",
        _ => throw new InvalidOperationException("not asked for"), (collective, connection) =>
    {
        Assert.IsType<HostCollective>(collective);
        Assert.Null(connection.Note);
    });

    [Fact]
    public void A_library_that_fails_alone_is_not_used()
    {
        var nccl = NcclDouble.Get();
        nccl.Refuse(true);
        try
        {
            Choose(2, _ => Emulated, _ => nccl.Library, (collective, connection) =>
            {
                Assert.IsType<HostCollective>(collective);
                Assert.Equal("tensors go from rank to rank through the host: NCCL 2.21.5: ncclCommInitRank: a system "
                    + "call failed", connection.Note);
            });
        }
        finally
        {
            nccl.Refuse(false);
        }
    }

    // What only a GPU shows: NCCL with the context, the memory and the stream that ILGPU has made.
    [Fact]
    public void Works_with_the_context_of_a_CUDA_device()
    {
        var device = Engine.Devices().FirstOrDefault(each => each.Kind == DeviceKind.Cuda);
        Assert.SkipUnless(device is not null, "needs a CUDA device");
        NcclLibrary library;
        try
        {
            library = NcclLibrary.Load(NcclLibrary.Names);
        }
        catch (NotSupportedException exception)
        {
            Assert.Skip(exception.Message);
            throw;
        }
        MemoryRanks.Run(1, connection =>
        {
            using var engine = Engine.Create(device.Id);
            NcclTrial.Run(library, engine, connection.Messages);
            using var collective = new NcclCollective(library, new HostCollective(engine, connection.Messages));
            foreach (var type in MemoryRanksTests.Types)
                new CollectiveChecks(collective, engine, Seeds.Current).Run(type, 1001);
        });
    }

    private static void OnRanks(int ranks, Action<ICollective, IEngine> body)
    {
        var library = NcclDouble.Get().Library;
        MemoryRanks.Run(ranks, connection =>
        {
            using var engine = Engine.Create(Emulated);
            using var collective = new NcclCollective(library, new HostCollective(engine, connection.Messages));
            body(collective, engine);
        });
    }

    private static void Choose(int ranks, Func<int, string> device, Func<int, NcclLibrary> load,
        Action<ICollective, RankConnection> check) => MemoryRanks.Run(ranks, connection =>
    {
        using var engine = Engine.Create(device(connection.Rank));
        using var collective = connection.CreateCollective(engine, DeviceKind.Emulated,
            () => load(connection.Rank));
        check(collective, connection);
        using var x = engine.FromArray([1f + connection.Rank]);
        collective.AllReduce(x).Wait();
        Assert.Equal(ranks * (ranks + 1) / 2f, engine.ToArray(x)[0]);
    });

    private static Tensor Upload(IEngine engine, ElementType type, float[] values)
    {
        var tensor = engine.Allocate(new Shape(values.Length), type);
        engine.Upload((ReadOnlySpan<float>)values, tensor);
        return tensor;
    }

    private static int[] Bits(IEngine engine, Tensor tensor) =>
        MemoryMarshal.Cast<float, int>(engine.ToArray(tensor)).ToArray();

    // A device that never does what is queued.
    private sealed class StuckMemory(IDeviceMemory memory) : IDeviceMemory
    {
        public DeviceKind Kind => memory.Kind;

        public string Device => memory.Device;

        public nint Stream => memory.Stream;

        public nint AddressOf(Tensor tensor) => memory.AddressOf(tensor);

        public void MakeCurrent() => memory.MakeCurrent();

        public long Mark() => 1;

        public bool HasReached(long mark) => mark == 0;
    }
}
