using S2ILGPU.Kernels;
using S2ILGPU.Tiles;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.TestSupport.Ptx;
using Xunit;
namespace S2ILGPU.Tests.Ptx;
public sealed class ScratchTests(ITestOutputHelper log)
{
    static InterpretedKernel F<TE, TS>() where TE : struct, IElement where TS : struct, IForwardShape => new(typeof(Forward).GetMethod("Kernel")!.MakeGenericMethod(typeof(TE), typeof(TS)), TS.Warps * 32, Forward.SharedBytes<TS>());
    static InterpretedKernel B<TE, TS>() where TE : struct, IElement where TS : struct, IBackwardShape => new(typeof(Backward).GetMethod("Kernel")!.MakeGenericMethod(typeof(TE), typeof(TS)), 128, BackwardMemory<TS>.Bytes);
    public static TheoryData<CopyTiming> T => [CopyTiming.Late, CopyTiming.Early];
    static AttentionCase Case(int d, int block, string p = "L1 s3 by query head") => new() { Pattern = p, QueryHeads = 4, KeyValueHeads = 2, HeadDim = d, BlockTokens = block, QueryCounts = [150, 20, 0], KeyCounts = [200, 133, 7], Batching = Batching.Packed, PaddingRows = 3 };
    void Time(string n, Action a) { var w = System.Diagnostics.Stopwatch.StartNew(); a(); log.WriteLine($"{n}: {w.ElapsedMilliseconds} ms"); }
    [Theory, MemberData(nameof(T))]
    public void Fwd(CopyTiming t)
    {
        foreach (int block in new[] { 64, 128 }) foreach (var pattern in new[] { "L1 s3 by query head", "random mostly empty", "window non-causal" })
        {
            var data = new AttentionData(Case(64, block, pattern), ElementType.BFloat16, Seeds.NewRandom());
            Time("reference", () => _ = data.Output);
            var k = F<S2ILGPU.Tiles.BFloat16Element, ForwardShape<N64, N2, N2, N64, N2, N64, InBlocks>>();
            Time("compile", () => _ = k.Text); Time("run " + block + pattern, () => AttentionRuns.Forward(k, 64, data, t));
            k = F<S2ILGPU.Tiles.BFloat16Element, ForwardShape<N64, N4, N2, N64, N2, N64, InBlocks>>();
            Time("compile", () => _ = k.Text); Time("run 128" + block + pattern, () => AttentionRuns.Forward(k, 128, data, t));
            k = F<S2ILGPU.Tiles.BFloat16Element, ForwardShape<N64, N4, N2, N64, N1, N64, InBlocks>>();
            Time("compile", () => _ = k.Text); Time("run 128" + block + pattern, () => AttentionRuns.Forward(k, 128, data, t));
        }
    }
    [Theory, MemberData(nameof(T))]
    public void Bwd(CopyTiming t)
    {
        foreach (int block in new[] { 64, 128 }) foreach (var pattern in new[] { "L1 s3 by query head", "random mostly empty", "window non-causal" })
        {
            var data = new AttentionData(Case(64, block, pattern), ElementType.BFloat16, Seeds.NewRandom());
            Time("reference", () => _ = data.Exact("dQ"));
            var delta = new InterpretedKernel(typeof(Delta).GetMethod("Kernel")!.MakeGenericMethod(typeof(EightHalves<S2ILGPU.Tiles.BFloat16Element>), typeof(EightHalves<S2ILGPU.Tiles.BFloat16Element>), typeof(N64)), Delta.Threads);
            var lines = AttentionRuns.Delta(delta, data, t, data.Lists().OfKeys());
            var k = B<S2ILGPU.Tiles.BFloat16Element, BackwardShape<QueryGradient, N64, N64, RowsInRegisters, N2, N64>>();
            Time("compile", () => _ = k.Text); Time("dQ " + block + pattern, () => AttentionRuns.Backward(k, false, true, false, data, lines, t));
            k = B<S2ILGPU.Tiles.BFloat16Element, BackwardShape<KeyAndValueGradients, N64, N64, RowsInRegisters, N2, N64>>();
            Time("compile", () => _ = k.Text); Time("dKdV " + block + pattern, () => AttentionRuns.Backward(k, true, true, true, data, lines, t));
        }
    }

    [Fact]
    public void Mut()
    {
        var data = new AttentionData(Case(64, 64, "L1 s3 by query head") with { QueryCounts = [150, 20], KeyCounts = [200, 33] }, ElementType.BFloat16, Seeds.NewRandom());
        var delta = new InterpretedKernel(typeof(Delta).GetMethod("Kernel")!.MakeGenericMethod(typeof(EightHalves<S2ILGPU.Tiles.BFloat16Element>), typeof(EightHalves<S2ILGPU.Tiles.BFloat16Element>), typeof(N64)), Delta.Threads);
        var lines = AttentionRuns.Delta(delta, data, CopyTiming.Late, data.Lists().OfKeys());
        Go("delta", delta, (k, t, x) => { var l = AttentionRuns.Delta(k, data, t, data.Lists().OfKeys(), x); Assert.Equal(lines.Select(BitConverter.SingleToInt32Bits), l.Select(BitConverter.SingleToInt32Bits)); });
        Go("fwd2", F<S2ILGPU.Tiles.BFloat16Element, ForwardShape<N64, N2, N2, N64, N2, N64, InBlocks>>(), (k, t, x) => AttentionRuns.Forward(k, 64, data, t, x));
        Go("fwd1", F<S2ILGPU.Tiles.BFloat16Element, ForwardShape<N64, N4, N2, N64, N1, N64, InBlocks>>(), (k, t, x) => AttentionRuns.Forward(k, 128, data, t, x));
        Go("dq", B<S2ILGPU.Tiles.BFloat16Element, BackwardShape<QueryGradient, N64, N64, RowsInRegisters, N2, N64>>(), (k, t, x) => AttentionRuns.Backward(k, false, true, false, data, lines, t, x));
        Go("dkv", B<S2ILGPU.Tiles.BFloat16Element, BackwardShape<KeyAndValueGradients, N64, N64, RowsInRegisters, N2, N64>>(), (k, t, x) => AttentionRuns.Backward(k, true, true, true, data, lines, t, x));
        Go("dkv1", B<S2ILGPU.Tiles.BFloat16Element, BackwardShape<KeyAndValueGradients, N64, N64, RowsInShared, N1, N64>>(), (k, t, x) => AttentionRuns.Backward(k, true, true, true, data, lines, t, x));
    }
    void Go(string name, InterpretedKernel k, Action<InterpretedKernel, CopyTiming, string?> run)
    {
        run(k, CopyTiming.Late, null); run(k, CopyTiming.Early, null);
        var w = System.Diagnostics.Stopwatch.StartNew(); int n = 0, caught = 0;
        foreach (var m in PtxMutants.Plant(k.Text, Seeds.NewRandom(), 3))
        {
            n++; string result = "";
            foreach (var t in new[] { CopyTiming.Late, CopyTiming.Early })
                try { run(k, t, m.Text); result += " -"; } catch (Exception e) { result += " " + (e is Xunit.Sdk.XunitException ? "NUMBERS" : e.Message[..Math.Min(60, e.Message.Length)]); }
            if (result != " - -") caught++;
            log.WriteLine($"{name} {m}: {result}");
        }
        log.WriteLine($"{name}: {caught} of {n} in {w.ElapsedMilliseconds} ms");
    }
}
