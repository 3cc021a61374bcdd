using System.Diagnostics;
using System.Reflection;
using ILGPU.Runtime;
using S2ILGPU.Compiler;
using S2ILGPU.Kernels.Row;
using Xunit;

namespace S2ILGPU.Tests.Compiler;

public sealed class DriverLogTests
{
    private static readonly MethodInfo s_kernel = typeof(RmsNormKernel).GetMethod(nameof(RmsNormKernel.Run))!;

    [Fact]
    public void The_message_has_the_kernel_and_what_the_driver_logged()
    {
        var error = Assert.Throws<InvalidOperationException>(() => DriverLog.Read<int>(s_kernel, () =>
        {
            Trace.WriteLine("ptxas error: line 7: unknown instruction");
            throw new NotSupportedException("code 218");
        }));
        Assert.Contains("RmsNormKernel.Run", error.Message);
        Assert.Contains("line 7: unknown instruction", error.Message);
        Assert.Equal("code 218", error.InnerException!.Message);
    }

    [Fact]
    public void The_zeros_after_the_text_in_the_buffer_of_the_driver_are_left_out()
    {
        var error = Assert.Throws<InvalidOperationException>(() => DriverLog.Read<int>(s_kernel, () =>
        {
            Trace.WriteLine("PTX Kernel loading failed:");
            Trace.WriteLine("ptxas error: line 7\nptxas fatal: aborted\n" + new string('\0', 900));
            throw new Refusal();
        }));
        Assert.DoesNotContain('\0', error.Message);
        Assert.EndsWith("ptxas error: line 7\nptxas fatal: aborted", error.Message);
    }

    [Fact]
    public void An_error_of_the_driver_without_a_log_names_the_kernel()
    {
        var error = Assert.Throws<InvalidOperationException>(() => DriverLog.Read<int>(s_kernel, () =>
            throw new Refusal()));
        Assert.Contains("RmsNormKernel.Run", error.Message);
        Assert.IsType<Refusal>(error.InnerException);
    }

    [Fact]
    public void Other_errors_without_a_log_stay_as_they_are() =>
        Assert.Throws<NotSupportedException>(() =>
            DriverLog.Read<int>(s_kernel, () => throw new NotSupportedException()));

    [Fact]
    public void What_other_threads_log_is_left_out() =>
        Assert.Throws<NotSupportedException>(() => DriverLog.Read<int>(s_kernel, () =>
        {
            var other = new Thread(() => Trace.WriteLine("another engine"));
            other.Start();
            other.Join();
            throw new NotSupportedException();
        }));

    [Fact]
    public void A_kernel_that_loads_is_returned() => Assert.Equal(3, DriverLog.Read(s_kernel, () => 3));

    // What ILGPU throws has its words from the driver, which tests do not have.
    private sealed class Refusal() : AcceleratorException("code 218")
    {
        public override AcceleratorType AcceleratorType => AcceleratorType.Cuda;
    }
}
