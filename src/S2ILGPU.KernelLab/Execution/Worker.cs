namespace S2ILGPU.KernelLab;

/// <summary>An operating-system thread that waits for the baton.</summary>
internal sealed class Worker
{
    internal const string ThreadName = "KernelLab";
    internal const int StackBytes = 512 * 1024;
    private readonly BatonExecutor _executor;

    internal Worker(BatonExecutor executor)
    {
        _executor = executor;
        new Thread(Loop, StackBytes) { IsBackground = true, Name = ThreadName }.Start();
    }

    internal Signal Signal { get; } = Signal.Create();

    private void Loop()
    {
        PosixSignal.PinToOneCore();
        while (true)
        {
            Signal.Wait();
            _executor.Work(this);
        }
    }
}
