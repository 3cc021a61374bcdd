using System.Runtime.InteropServices;

namespace S2ILGPU.Cli.Invocation;

/// <summary>What ends a command early: Ctrl+C, SIGTERM, SIGHUP, or a reader of the output that has gone away. Commands
/// see it as a token; it knows the exit code that follows.</summary>
internal sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly List<PosixSignalRegistration> _registrations = [];
    private int _exitCode = ByInterrupt;

    /// <summary>The exit code after Ctrl+C.</summary>
    public const int ByInterrupt = 130;

    /// <summary>Cancelled by the first signal, or when the output has no reader left.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>128 and the number of the signal; 0 when the output has no reader left.</summary>
    public int ExitCode => _exitCode;

    /// <summary>Whether the end is a matter of course and not worth a message: the reader of the output has what it
    /// wanted.</summary>
    public bool IsQuiet => _exitCode == 0;

    /// <summary>Listens to the signals of this process. The second one ends the process at once.</summary>
    public void Listen()
    {
        foreach (var (signal, number) in new[] { (PosixSignal.SIGINT, 2), (PosixSignal.SIGTERM, 15),
            (PosixSignal.SIGHUP, 1) })
            _registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = Raise(number);
            }));
    }

    /// <summary>What a signal does.</summary>
    /// <returns>Whether it is the first; the next has its usual effect.</returns>
    public bool Raise(int signal) => End(128 + signal);

    /// <summary>Ends the command quietly: its output has no reader left.</summary>
    public void OutputClosed() => End(0);

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
        _source.Dispose();
    }

    private bool End(int exitCode)
    {
        lock (_source)
        {
            if (_source.IsCancellationRequested)
                return false;
            _exitCode = exitCode;
        }
        _source.Cancel();
        return true;
    }
}
