using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu;

public sealed unsafe class CpuAllocatorTests
{
    [Fact]
    public void A_returned_buffer_is_handed_out_again()
    {
        using var allocator = new CpuAllocator(typeof(CpuEngine));
        var first = allocator.Rent(1000);
        allocator.Return(first);
        Assert.Same(first, allocator.Rent(900)); // the same size class
        Assert.NotSame(first, allocator.Rent(1000));
        Assert.Equal(2, allocator.Pieces);
    }

    [Fact]
    public void Buffers_are_aligned_large_enough_and_not_much_larger()
    {
        using var allocator = new CpuAllocator(typeof(CpuEngine));
        var random = Seeds.NewRandom();
        var some = Enumerable.Range(0, 200).Select(_ => (long)random.Next(1 << random.Next(1, 22)));
        foreach (long size in (long[])[0, 1, 255, 256, 257, 4095, 4096, 4097, 5 << 20, .. some])
        {
            var buffer = allocator.Rent(size);
            Assert.Equal(0, (nint)buffer.Pointer % 64);
            Assert.InRange(buffer.SizeBytes, size, Math.Max(256, size * 5 / 4));
            new Span<byte>(buffer.Pointer, checked((int)buffer.SizeBytes)).Fill(0xCD);
            if (random.Next(2) == 0)
                allocator.Return(buffer);
        }
    }

    [Fact]
    public void Used_bytes_count_what_was_asked_for_and_scratch_not_at_all()
    {
        using var allocator = new CpuAllocator(typeof(CpuEngine));
        var buffer = allocator.Rent(1000);
        using (allocator.Borrow(5000))
            Assert.Equal((1000, 1000), (allocator.UsedBytes, allocator.PeakBytes));
        allocator.Return(buffer);
        Assert.Equal((0, 1000), (allocator.UsedBytes, allocator.PeakBytes));
    }

    [Fact]
    public void Idle_memory_of_other_sizes_does_not_pile_up()
    {
        using var allocator = new CpuAllocator(typeof(CpuEngine));
        for (int n = 1; n <= 300; n++)
            allocator.Return(allocator.Rent(n << 20));
        Assert.InRange(allocator.IdleBytes, 0, allocator.PeakBytes * 2 + (64 << 20));
    }

    [Fact]
    public void A_steady_state_allocates_nothing()
    {
        using var allocator = new CpuAllocator(typeof(CpuEngine));
        Step();
        long pieces = allocator.Pieces, reserved = allocator.ReservedBytes,
            before = GC.GetAllocatedBytesForCurrentThread();
        for (int n = 0; n < 100; n++)
            Step();
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal((pieces, reserved, 0), (allocator.Pieces, allocator.ReservedBytes, allocator.LiveBuffers));

        void Step()
        {
            var (small, large) = (allocator.Rent(1000), allocator.Rent(1 << 20));
            allocator.Borrow(5000).Dispose();
            allocator.Return(small);
            allocator.Return(large);
        }
    }

    [Fact]
    public void Reserved_bytes_are_those_in_use_and_idle()
    {
        using var allocator = new CpuAllocator(typeof(CpuEngine));
        var (small, large) = (allocator.Rent(1000), allocator.Rent(1 << 20));
        allocator.Return(large);
        Assert.Equal((small.SizeBytes + large.SizeBytes, large.SizeBytes, 1),
            (allocator.ReservedBytes, allocator.IdleBytes, allocator.LiveBuffers));
        allocator.Trim();
        Assert.Equal((small.SizeBytes, 0, 1), (allocator.ReservedBytes, allocator.IdleBytes, allocator.Pieces));
    }
}
