using ILGPU.Runtime;
using S2ILGPU.Engines;

namespace S2ILGPU.Devices;

/// <summary>What is done about a device that has stopped working.</summary>
internal static class LostDevice
{
    /// <summary>Waits for the work of a stream.</summary>
    /// <exception cref="DeviceLostException">The device has stopped working.</exception>
    public static void Synchronize(AcceleratorStream stream)
    {
        try
        {
            stream.Synchronize();
        }
        catch (AcceleratorException exception)
        {
            throw Because(exception, stream);
        }
    }

    /// <summary>Whether an operation failed because the device has stopped working, for exception filters: a device
    /// that is full or refuses a kernel can still be waited for, a lost one cannot.</summary>
    public static bool IsLost(AcceleratorStream stream)
    {
        try
        {
            stream.Synchronize();
            return false;
        }
        catch (AcceleratorException)
        {
            return true;
        }
    }

    /// <summary>What users see of a lost device.</summary>
    /// <param name="exception">What an operation threw.</param>
    /// <param name="stream">A stream of the device.</param>
    public static DeviceLostException Because(Exception exception, AcceleratorStream stream) =>
        new(stream.Accelerator.Name, exception.GetBaseException().Message, exception);

    /// <summary>Frees the parts of a device in turn, each of them whatever the others throw.</summary>
    /// <param name="parts">Each waits for something or frees something.</param>
    /// <remarks>Errors of the driver are dropped: a caller that needed a result has had the error, and an exception
    /// that is on its way must stay the one that the user sees.</remarks>
    public static void Free(params ReadOnlySpan<Action> parts)
    {
        if (parts.IsEmpty)
            return;
        try
        {
            parts[0]();
        }
        catch (AcceleratorException)
        {
        }
        finally
        {
            Free(parts[1..]);
        }
    }
}
