using System.Reflection;
using S2ILGPU.Cpu;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;
using static S2ILGPU.Native.Tests.NativeApi;

namespace S2ILGPU.Native.Tests;

/// <summary>A tensor that is written shares no element with another one of the call, and tensors side by side in one
/// memory count as apart.</summary>
public sealed unsafe class OperandMemoryTests
{
    private const nint Address = 1 << 20;

    [Fact]
    public void Overlaps_are_those_of_the_addresses()
    {
        var random = Seeds.NewRandom();
        int overlaps = 0, sideBySide = 0;
        for (int n = 0; n < 5000; n++)
        {
            var (left, leftBytes) = Draw(random);
            var (right, rightBytes) = Draw(random);
            bool expected = leftBytes.Overlaps(rightBytes);
            Assert.True(left.Overlaps(right) == expected && right.Overlaps(left) == expected,
                $"{left.Name} and {right.Name}: expected {expected}; {Seeds.Text}");
            bool isEmpty = leftBytes.Count == 0 || rightBytes.Count == 0;
            overlaps += expected ? 1 : 0;
            sideBySide += !expected && !isEmpty && leftBytes.Min() <= rightBytes.Max()
                && rightBytes.Min() <= leftBytes.Max() ? 1 : 0;
        }
        Assert.True(overlaps > 100 && sideBySide > 100,
            $"{overlaps} overlaps, {sideBySide} side by side; {Seeds.Text}");
    }

    [Fact]
    public void Results_in_the_memory_of_another_tensor_are_refused()
    {
        using var run = new SmallRun();
        ulong engine = NativeApi.Engine(), layout = NativeApi.Layout(LocalStride(), SmallRun.Tokens);
        int keys = SmallRun.Tokens;
        foreach (object aliased in Aliased(run.ForwardCall, "Output", "LogSumExp"))
        {
            var forward = (NativeForward)aliased;
            CheckFails(Status.Shape, "apart from the memory of", Api.AttentionForward(engine, layout, &forward));
            CheckFails(Status.Shape, "apart from the memory of", Api.AttentionDecode(engine, layout, &forward, &keys));
        }
        foreach (object aliased in Aliased(run.BackwardCall, "QueryGradient", "KeyGradient", "ValueGradient"))
        {
            var backward = (NativeBackward)aliased;
            CheckFails(Status.Shape, "apart from the memory of", Api.AttentionBackward(engine, layout, &backward));
        }
        var merge = new NativeMerge
        {
            Parts = 1,
            Outputs = run.ForwardCall.Query,
            LogSumExps = run.ForwardCall.LogSumExp,
            Output = run.ForwardCall.Output,
            LogSumExp = run.OtherLogSumExp,
        };
        Check(Api.AttentionMerge(engine, &merge));
        foreach (object aliased in Aliased(merge, "Output", "LogSumExp"))
        {
            var call = (NativeMerge)aliased;
            CheckFails(Status.Shape, "apart from the memory of", Api.AttentionMerge(engine, &call));
        }
        var mergeBackward = new NativeMergeBackward
        {
            PartOutput = merge.Outputs,
            PartLogSumExp = merge.LogSumExps,
            Output = merge.Output,
            LogSumExp = merge.LogSumExps,
            OutputGradient = merge.Outputs,
            PartOutputGradient = run.BackwardCall.QueryGradient,
            PartLogSumExpGradient = run.OtherLogSumExp,
        };
        Check(Api.AttentionMergeBackward(engine, &mergeBackward));
        foreach (object aliased in Aliased(mergeBackward, "PartOutputGradient", "PartLogSumExpGradient"))
        {
            var call = (NativeMergeBackward)aliased;
            CheckFails(Status.Shape, "apart from the memory of", Api.AttentionMergeBackward(engine, &call));
        }
        Release(engine, layout);
    }

    // The call with each result in the memory of each other tensor.
    private static IEnumerable<object> Aliased<T>(T call, params string[] results) where T : struct
    {
        var tensors = typeof(T).GetFields().Where(field => field.FieldType == typeof(NativeTensor*)).ToArray();
        foreach (var result in tensors.Where(field => results.Contains(field.Name)))
            foreach (var other in tensors.Where(field => field != result))
            {
                object aliased = call;
                if (!IsGiven(other, aliased))
                    continue;
                result.SetValue(aliased, other.GetValue(aliased));
                yield return aliased;
            }
    }

    private static bool IsGiven(FieldInfo field, object call) => Pointer.Unbox(field.GetValue(call)!) != null;

    // A tensor of a few elements near an address that is never read, and the addresses of its bytes.
    private static (OperandMemory Memory, HashSet<long> Bytes) Draw(Random random)
    {
        var type = random.Pick(ElementType.Float32, ElementType.Float16);
        int rank = random.Next(1, 5), size = type.SizeBytes();
        int[] extents = [.. Enumerable.Range(0, rank).Select(_ => random.Next(0, 20) == 0 ? 0 : random.Next(1, 4))];
        int[] strides = [.. Enumerable.Range(0, rank).Select(_ => random.Pick(0, 1, 2, 3, 4, 6, 12, 24))];
        nint address = Address + random.Next(0, 20) * sizeof(float);
        var shape = new Shape(extents);
        var bytes = new HashSet<long>();
        for (long n = 0; n < shape.Count; n++)
        {
            long rest = n, element = 0;
            for (int d = rank - 1; d >= 0; d--)
                (rest, element) = (rest / extents[d], element + rest % extents[d] * strides[d]);
            for (int b = 0; b < size; b++)
                bytes.Add(address + element * size + b);
        }
        string name = $"{type} {shape} by {new Shape(strides)} at {address - Address}";
        return (new OperandMemory(name, address, CpuEngine.View(address, type, shape, new Shape(strides))), bytes);
    }
}
