using S2ILGPU.Tensors;

namespace S2ILGPU.Native;

/// <summary>The one place where exceptions become statuses: none leaves the library.</summary>
internal static class Boundary
{
    [ThreadStatic]
    private static string? s_message;

    /// <summary>The message of the last failure in this thread; empty before the first.</summary>
    public static string Message => s_message ?? "";

    /// <summary>Runs the body of a function.</summary>
    /// <returns>0, or the status of the exception.</returns>
    public static int Run(Action body)
    {
        try
        {
            body();
            return (int)Status.Ok;
        }
        catch (Exception exception)
        {
            var status = StatusOf(exception);
            s_message = status == Status.Internal ? exception.ToString() : exception.Message;
            return (int)status;
        }
    }

    private static Status StatusOf(Exception exception) => exception switch
    {
        StatusException known => known.Status,
        ShapeException => Status.Shape,
        ArgumentException => Status.Argument,
        NotSupportedException => Status.Unsupported,
        OutOfMemoryException => Status.Memory,
        _ => Status.Internal,
    };
}
