using System.Diagnostics;
using System.Reflection;
using System.Text;

namespace S2ILGPU.Compiler;

/// <summary>What a driver's compiler says of a kernel that it refuses. ILGPU writes it to <see cref="Trace"/> only and
/// throws an error code.</summary>
internal static class DriverLog
{
    /// <summary>Loads a kernel.</summary>
    /// <param name="kernel">The kernel, for the message.</param>
    /// <param name="load">Compiles and loads it on the calling thread.</param>
    /// <exception cref="InvalidOperationException">The kernel cannot be loaded; the message has what was logged
    /// meanwhile.</exception>
    public static TResult Read<TResult>(MethodInfo kernel, Func<TResult> load)
    {
        using var log = new Listener();
        Trace.Listeners.Add(log);
        try
        {
            return load();
        }
        catch (Exception exception) when (log.Text.Length > 0)
        {
            throw new InvalidOperationException(
                $"{kernel.DeclaringType!.Name}.{kernel.Name}: the driver refuses the kernel: {log.Text}", exception);
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

        public override void Write(string? message)
        {
            if (Environment.CurrentManagedThreadId == _thread)
                _text.Append(message);
        }

        public override void WriteLine(string? message) => Write(message + Environment.NewLine);
    }
}
