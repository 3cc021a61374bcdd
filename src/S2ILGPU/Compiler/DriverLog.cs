using System.Diagnostics;
using System.Reflection;
using System.Text;
using ILGPU.Runtime;

namespace S2ILGPU.Compiler;

/// <summary>What a driver's compiler says of a kernel that it refuses. ILGPU writes it to <see cref="Trace"/> only and
/// throws an error code.</summary>
internal static class DriverLog
{
    /// <summary>Loads a kernel.</summary>
    /// <param name="kernel">The kernel, for the message.</param>
    /// <param name="load">Loads it on the calling thread.</param>
    /// <exception cref="InvalidOperationException">The driver refuses the kernel; the message has its name, the
    /// driver's error, and the lines that were logged meanwhile.</exception>
    public static TResult Read<TResult>(MethodInfo kernel, Func<TResult> load)
    {
        using var log = new Listener();
        Trace.Listeners.Add(log);
        try
        {
            return load();
        }
        catch (Exception exception) when (log.Text.Length > 0 || exception is AcceleratorException)
        {
            string lines = log.Text.Length > 0 ? Environment.NewLine + log.Text : "";
            throw new InvalidOperationException(
                $"the driver refuses the kernel {KernelRequest.NameOf(kernel)}: {exception.Message}{lines}", exception);
        }
        finally
        {
            Trace.Listeners.Remove(log);
        }
    }

    // Only what the loading thread writes: other engines load kernels at the same time.
    private sealed class Listener : TraceListener
    {
        private readonly int _thread = Environment.CurrentManagedThreadId;
        private readonly StringBuilder _text = new();

        public string Text => _text.ToString().Trim();

        // ILGPU passes on the whole buffer that it lent to the driver: zeros follow the text.
        public override void Write(string? message)
        {
            if (Environment.CurrentManagedThreadId == _thread)
                _text.Append(message?.Replace("\0", ""));
        }

        public override void WriteLine(string? message) => Write(message + Environment.NewLine);
    }
}
