using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using S2ILGPU.Compiler;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Kernels.Optimizer;
using S2ILGPU.TestSupport;
using S2ILGPU.TestSupport.Ptx;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>One launch twice: the C# on ILGPU's CPU accelerator, and the PTX that ILGPU makes of it on the PTX machine.
/// What both leave in memory must agree.</summary>
internal sealed class PtxReplay : IDisposable
{
    // Fused additions, other exponentials.
    private const double Tolerance = 1e-5;

    private static readonly ConcurrentDictionary<(MethodInfo Kernel, int Threads), PtxProgram> s_programs = [];

    private readonly Context _context = Context.Create(builder => builder.EnableAlgorithms());
    private readonly CPUAccelerator _accelerator;
    private readonly Dictionary<object, Type> _computed = [];

    public PtxReplay() => _accelerator = new CPUDevice(32, 4, 1).CreateCPUAccelerator(_context);

    /// <summary>Memory for one view of a kernel; each view needs its own.</summary>
    public ArrayView<T> View<T>(params T[] values) where T : unmanaged =>
        values.Length == 0 ? ArrayView<T>.Empty : _accelerator.Allocate1D(values).View.BaseView;

    /// <summary>Random numbers N(0, 1).</summary>
    public ArrayView<float> Normal(Random random, int count) => View(Floats(random, count));

    /// <summary>Some given numbers, then random ones N(0, scale^2), as they lie in memory seen as words.</summary>
    public ArrayView<int> Words<TStored>(Random random, int count, double scale = 1, params ReadOnlySpan<float> first)
        where TStored : struct, IStoredElement
    {
        float[] values = [.. first, .. Floats(random, count + 1 - first.Length, scale)];
        if (typeof(TStored) == typeof(StoredSingle))
            return View<int>([.. values.Take(count).Select(BitConverter.SingleToInt32Bits)]);
        ushort[] halves =
            [.. values.Select(x => typeof(TStored) == typeof(StoredBFloat16) ? StoredBFloat16.Round(x)
            : BitConverter.HalfToUInt16Bits((System.Half)x))];
        return View<int>([.. Enumerable.Range(0, (count + 1) / 2)
            .Select(n => halves[2 * n] | halves[2 * n + 1] << 16)]);
    }

    /// <summary>Unwritten memory: all bits are set, which is NaN. Reading it is a fault.</summary>
    public ArrayView<float> Output(int count) => View(AttentionData.Untouched<float>(count));

    /// <summary>Words that hold computed numbers: their last bits may differ, unlike those of copies.</summary>
    public ArrayView<int> Computed<TStored>(ArrayView<int> words) where TStored : struct, IStoredElement
    {
        _computed.Add(words, typeof(TStored));
        return words;
    }

    /// <summary>Launches, and fails where a written element differs, or where nothing was written.</summary>
    public void Run<TArguments>(Action<TArguments> kernel, Index3D groups, int threads, TArguments arguments)
        where TArguments : struct
    {
        string name = $"{kernel.Method.DeclaringType!.Name}.{kernel.Method.Name} of {typeof(TArguments).Name}";
        using var machine = new PtxMachine(s_programs.GetOrAdd((kernel.Method, threads), Compile));
        var bytes = new KernelArguments(machine, typeof(TArguments));
        var memory = new List<(string Path, object View, byte[] Bytes)>();
        Set(machine, bytes, memory, typeof(TArguments), arguments, "");
        byte[][] before = [.. memory.Select(view => view.Bytes.ToArray())];
        machine.Launch(new PtxDim(groups.X, groups.Y, groups.Z), new PtxDim(threads, 1, 1), bytes.ToBytes());
        _accelerator.LoadKernel(kernel)(_accelerator.DefaultStream,
            new KernelConfig(groups, new Index3D(threads, 1, 1)), arguments);
        _accelerator.Synchronize();
        bool isWritten = false;
        for (int n = 0; n < memory.Count; n++)
        {
            byte[] expected = Download(memory[n].View);
            isWritten |= !expected.AsSpan().SequenceEqual(before[n]);
            Compare($"{name}: {memory[n].Path}", memory[n].View, expected, memory[n].Bytes);
        }
        Assert.True(isWritten, $"{name} wrote nothing");
    }

    public void Dispose()
    {
        _accelerator.Dispose();
        _context.Dispose();
    }

    private static PtxProgram Compile((MethodInfo Kernel, int Threads) key) => PtxProgram.Parse(
        OfflineCompiler.Ptx(key.Kernel, key.Threads, 75, unroll: false, sourceLines: true));

    private static float[] Floats(Random random, int count, double scale = 1) =>
        [.. random.Normal(count, scale).Select(x => (float)x)];

    private void Compare(string what, object view, byte[] expected, byte[] actual)
    {
        var type = view is ArrayView<float> or ArrayView<CompensatedSum> ? typeof(StoredSingle)
            : _computed.GetValueOrDefault(view);
        if (type is null)
        {
            Assert.True(expected.AsSpan().SequenceEqual(actual), $"{what}: other bits; {Seeds.Text}");
            return;
        }
        // Where the last bit of a sum differs, it may be rounded to the neighbour.
        double tolerance = type == typeof(StoredSingle) ? Tolerance
            : type == typeof(StoredHalf) ? 1.0 / 1024 : 1.0 / 128;
        float[] wanted = Numbers(type, expected), got = Numbers(type, actual);
        for (int n = 0; n < wanted.Length; n++)
        {
            bool agrees = wanted[n].Equals(got[n]) || Math.Abs(wanted[n] - got[n]) <= tolerance
                * Math.Max(1, Math.Abs(wanted[n]));
            Assert.True(agrees, $"{what}[{n}]: C# gives {wanted[n]:r}, PTX {got[n]:r}; {Seeds.Text}");
        }
    }

    private static float[] Numbers(Type type, byte[] bytes) => type == typeof(StoredSingle)
        ? MemoryMarshal.Cast<byte, float>(bytes).ToArray()
        : [.. MemoryMarshal.Cast<byte, ushort>(bytes).ToArray().Select(bits => type == typeof(StoredHalf)
            ? StoredHalf.Widen(bits) : BitConverter.Int32BitsToSingle(bits << 16))];

    // Walks the fields of an argument struct; views become arrays of the PTX machine.
    private static void Set(PtxMachine machine, KernelArguments arguments, List<(string, object, byte[])> memory,
        Type type, object value, string prefix)
    {
        foreach (var field in type.GetFields(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance))
        {
            object content = field.GetValue(value)!;
            string path = prefix + field.Name;
            if (field.FieldType.IsGenericType && field.FieldType.GetGenericTypeDefinition() == typeof(ArrayView<>))
            {
                byte[] bytes = Download(content);
                var access = bytes.AsSpan().IndexOfAnyExcept((byte)0xff) < 0 ? PtxAccess.Output : PtxAccess.InputOutput;
                arguments.View(path, bytes.Length == 0 ? 0 : machine.Map(bytes, path, access), bytes.Length);
                memory.Add((path, content, bytes));
            }
            else if (field.FieldType.IsPrimitive)
                typeof(KernelArguments).GetMethod(nameof(KernelArguments.Value))!.MakeGenericMethod(field.FieldType)
                    .Invoke(arguments, [path, content]);
            else
                Set(machine, arguments, memory, field.FieldType, content, path + ".");
        }
    }

    private static byte[] Download(object view) =>
        (byte[])typeof(PtxReplay).GetMethod(nameof(BytesOf), BindingFlags.Static | BindingFlags.NonPublic)!
        .MakeGenericMethod(view.GetType().GetGenericArguments()[0]).Invoke(null, [view])!;

    private static byte[] BytesOf<T>(ArrayView<T> view) where T : unmanaged
    {
        var bytes = new byte[view.Length * Unsafe.SizeOf<T>()];
        if (view.Length > 0)
            view.CopyToCPU(MemoryMarshal.Cast<byte, T>(bytes.AsSpan()));
        return bytes;
    }
}
