using S2ILGPU.TestSupport.Ptx;

namespace S2ILGPU.Tests.Ptx;

/// <summary>
/// Small kernels written by hand, to test the PTX machine itself: <c>%rd1</c> is the address of the output, <c>%rd2</c>
/// of the input, <c>%r1</c> the thread, <c>%rd3</c> and <c>%rd4</c> the thread's word of output and input.
/// </summary>
internal static class TinyKernel
{
    /// <summary>A module with one kernel.</summary>
    public static string Text(string body, string variables = "") => $$"""
        .version 7.8
        .target sm_80
        .address_size 64
        .extern .shared .align 16 .b8 dynamic[];
        {{variables}}
        .visible .entry Tiny(
            .param .u64 output,
            .param .u64 input
        )
        {
            .reg .pred %p<20>;
            .reg .b16 %rs<20>;
            .reg .b32 %r<64>;
            .reg .b64 %rd<40>;
            .reg .f32 %f<64>;
            .reg .f64 %fd<20>;
            .local .align 8 .b8 depot[32];
            ld.param.u64 %rd1, [output];
            ld.param.u64 %rd2, [input];
            mov.u32 %r1, %tid.x;
            mul.wide.u32 %rd3, %r1, 4;
            add.u64 %rd4, %rd2, %rd3;
            add.u64 %rd3, %rd1, %rd3;
            {{body}}
            ret;
        }
        """;

    /// <summary>Runs one group (or a grid) and returns the output.</summary>
    public static TOut[] Run<TIn, TOut>(string body, TIn[] input, int outputCount, int threads = 32, int groups = 1,
        int sharedBytes = 0, PtxOptions? options = null, string variables = "")
        where TIn : unmanaged
        where TOut : unmanaged
    {
        using var machine = new PtxMachine(Text(body, variables), options);
        var output = new TOut[outputCount];
        var arguments = new byte[16];
        BitConverter.TryWriteBytes(arguments, machine.Map(output, "output", PtxAccess.InputOutput));
        BitConverter.TryWriteBytes(arguments.AsSpan(8), machine.Map(input, "input", PtxAccess.Input));
        machine.Launch(groups, threads, arguments, sharedBytes);
        return output;
    }

    /// <summary>Words 0, 1, 2, ...</summary>
    public static uint[] Words(int count) => [.. Enumerable.Range(0, count).Select(n => (uint)n)];
}
