using System.Reflection;
using Xunit;
using static S2ILGPU.Native.Tests.NativeApi;

namespace S2ILGPU.Native.Tests;

/// <summary>What no function accepts gives a status and a message with the value.</summary>
public sealed unsafe class ArgumentTests
{
    private static readonly int s_functions = (sizeof(ApiTable) - 2 * sizeof(int)) / sizeof(nint);

    [Fact]
    public void Another_version_or_size_leaves_the_table_as_it_was()
    {
        ApiTable api;
        new Span<byte>(&api, sizeof(ApiTable)).Fill(0x5A);
        foreach (int version in (int[])[0, 2, -1, int.MaxValue])
            Assert.Equal(Status.Version, (Status)NativeApi.GetApi(version, sizeof(ApiTable), &api));
        foreach (long size in (long[])[0, -1, sizeof(ApiTable) - 8, sizeof(ApiTable) + 8, long.MinValue])
            Assert.Equal(Status.Version, (Status)NativeApi.GetApi(Exports.Version, size, &api));
        Assert.Equal(-1, new ReadOnlySpan<byte>(&api, sizeof(ApiTable)).IndexOfAnyExcept((byte)0x5A));
        Assert.Equal(Status.Argument, (Status)NativeApi.GetApi(Exports.Version, sizeof(ApiTable), null));
    }

    [Fact]
    public void Every_function_refuses_nothing_but_zeros()
    {
        var api = Api;
        var slots = (nint*)((int*)&api + 2);
        for (int n = 0; n < s_functions; n++)
        {
            // more arguments than a function has do no harm in the calling convention of C
            var function = (delegate* unmanaged[Cdecl]<nint, nint, nint, nint, nint, nint, int>)slots[n];
            int status = function(0, 0, 0, 0, 0, 0);
            Assert.True((Status)status is Status.Argument or Status.Handle, $"function {n}: {(Status)status}");
            Assert.NotEmpty(LastError);
        }
    }

    public static TheoryData<string> ForwardPointers => ["Query", "Key", "Value", "Output"];

    [Theory]
    [MemberData(nameof(ForwardPointers))]
    public void Forward_needs_its_tensors(string field)
    {
        using var run = new SmallRun();
        ulong engine = NativeApi.Engine(), layout = NativeApi.Layout(LocalStride(), SmallRun.Tokens);
        object call = run.ForwardCall;
        SetNull(call, field);
        var given = (NativeForward)call;
        CheckFails(Status.Argument, "NULL", Api.AttentionForward(engine, layout, &given));
        Release(engine, layout);
    }

    [Theory]
    [InlineData("Query")]
    [InlineData("Key")]
    [InlineData("Value")]
    [InlineData("Output")]
    [InlineData("LogSumExp")]
    [InlineData("OutputGradient")]
    public void Backward_needs_its_tensors(string field)
    {
        using var run = new SmallRun();
        ulong engine = NativeApi.Engine(), layout = NativeApi.Layout(LocalStride(), SmallRun.Tokens);
        object call = run.BackwardCall;
        SetNull(call, field);
        var given = (NativeBackward)call;
        CheckFails(Status.Argument, "NULL", Api.AttentionBackward(engine, layout, &given));
        Release(engine, layout);
    }

    [Theory]
    [InlineData(0, "rank 0")]
    [InlineData(5, "rank 5")]
    [InlineData(3, "[1, 33, 2]")]
    public void Rank_is_checked(int rank, string part) =>
        CheckQuery(Status.Shape, part, tensor => tensor->Rank = rank);

    [Theory]
    [InlineData(-1L)]
    [InlineData(1L << 31)]
    [InlineData(long.MaxValue)]
    [InlineData(long.MinValue)]
    public void Extents_and_strides_are_checked(long value)
    {
        for (int d = 0; d < 4; d++)
        {
            int dimension = d;
            CheckQuery(Status.Shape, $"extent {value} in dimension {d}", tensor => tensor->Shape[dimension] = value);
        }
        CheckQuery(Status.Shape, $"stride {value} in dimension 1", tensor => tensor->Strides[1] = value);
    }

    [Fact]
    public void Elements_must_be_adjacent_aligned_and_of_a_known_type()
    {
        CheckQuery(Status.Shape, "adjacent", tensor => tensor->Strides[3] = 2);
        CheckQuery(Status.Argument, "multiple of 4", tensor => tensor->Data = (byte*)tensor->Data + 2);
        CheckQuery(Status.Argument, "not 0", tensor => tensor->Data = null);
        CheckQuery(Status.Shape, "type 3", tensor => tensor->Type = 3);
        CheckQuery(Status.Shape, "Float32 like the query", tensor => tensor->Type = 2, of: "Key");
        CheckQuery(Status.Shape, "overlap", tensor => tensor->Strides[1] = 8, of: "Output");
        CheckQuery(Status.Shape, "overlap", tensor => tensor->Strides[2] = 0, of: "Output");
    }

    [Fact]
    public void Scales_and_sequences_are_checked()
    {
        using var run = new SmallRun();
        ulong engine = NativeApi.Engine(), layout = NativeApi.Layout(LocalStride(), SmallRun.Tokens),
            shorter = NativeApi.Layout(LocalStride(), SmallRun.Tokens - 17);
        float nan = float.NaN;
        var call = run.ForwardCall with { Scale = &nan };
        CheckFails(Status.Argument, "NaN", Api.AttentionForward(engine, layout, &call));
        CheckFails(Status.Argument, "covers 16 tokens", run.Forward(engine, shorter));
        var sequence = new NativeSequence { QueryCount = 5, KeyCount = 4 };
        call = run.ForwardCall with { Sequences = &sequence, SequenceCount = 1 };
        CheckFails(Status.Argument, "queries <= keys", Api.AttentionForward(engine, layout, &call));
        CheckFails(Status.Argument, "in place of sequences", Api.AttentionDecode(engine, layout, &call, null));
        call.SequenceCount = -1;
        CheckFails(Status.Argument, "-1", Api.AttentionForward(engine, layout, &call));
        call.Sequences = null;
        CheckFails(Status.Argument, "sequences is NULL", Api.AttentionForward(engine, layout, &call));
        call.SequenceCount = 0;
        CheckFails(Status.Argument, "key_counts is NULL", Api.AttentionDecode(engine, layout, &call, null));
        int tooMany = SmallRun.Tokens + 1;
        CheckFails(Status.Argument, "leaves the query", Api.AttentionDecode(engine, layout, &call, &tooMany));
        Release(engine, layout, shorter);
    }

    [Fact]
    public void Patterns_layouts_and_engines_are_checked()
    {
        var heads = new NativeHeads { QueryHeads = 4, KeyValueHeads = 3, BlockTokens = 16, IsCausal = 1 };
        ulong made = 0;
        CheckFails(Status.Argument, "3 key/value heads", Api.PatternDense(&heads, &made));
        heads = heads with { KeyValueHeads = 2, BlockTokens = 17 };
        CheckFails(Status.Argument, "17", Api.PatternDense(&heads, &made));
        heads = heads with { BlockTokens = 16, IsCausal = 2 };
        CheckFails(Status.Argument, "got 2", Api.PatternDense(&heads, &made));
        heads.IsCausal = 1;
        CheckFails(Status.Argument, "got 0", Api.PatternLocalStride(&heads, 0, 4, null, &made));
        byte kept = 7;
        CheckFails(Status.Argument, "got 7", Api.PatternTable(&heads, &kept, 2, 1, &made));
        CheckFails(Status.Argument, "2147483647 blocks", Api.PatternTable(&heads, &kept, 2, int.MaxValue, &made));
        ulong pattern = LocalStride();
        CheckFails(Status.Argument, "-5", Api.LayoutCreate(pattern, -5, -1, &made));
        CheckFails(Status.Argument, "3 to 1", Api.PatternSliceHeads(pattern, 3, 1, &made));
        fixed (byte* device = "abacus\0"u8)
            CheckFails(Status.Argument, "abacus", Api.EngineCreate(device, 0, &made));
        fixed (byte* device = "cpu\0"u8)
            CheckFails(Status.Argument, "-3", Api.EngineCreate(device, -3, &made));
        CheckFails(Status.Argument, "for auto", Api.EngineCreate(null, 2, &made));
        Assert.Equal(0ul, made);
        Release(pattern);
    }

    private delegate void Change(NativeTensor* tensor);

    private static void CheckQuery(Status status, string part, Change change, string of = "Query")
    {
        using var run = new SmallRun();
        ulong engine = NativeApi.Engine(), layout = NativeApi.Layout(LocalStride(), SmallRun.Tokens);
        var call = run.ForwardCall;
        var tensor = of switch { "Query" => *call.Query, "Key" => *call.Key, _ => *call.Output };
        change(&tensor);
        if (of == "Query")
            call.Query = &tensor;
        else if (of == "Key")
            call.Key = &tensor;
        else
            call.Output = &tensor;
        CheckFails(status, part, Api.AttentionForward(engine, layout, &call));
        Release(engine, layout);
    }

    private static void SetNull(object structure, string field) =>
        structure.GetType().GetField(field, BindingFlags.Public | BindingFlags.Instance)!
            .SetValue(structure, Pointer.Box(null, typeof(NativeTensor*)));
}
