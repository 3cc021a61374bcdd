namespace S2ILGPU.Distributed.Nccl;

/// <summary>NCCL refused a call, or failed while it worked.</summary>
/// <param name="code">Its number.</param>
/// <param name="message">One line.</param>
internal sealed class NcclException(int code, string message) : Exception(message)
{
    private const int Remote = 6;

    /// <summary>Whether the cause lies with another rank.</summary>
    public bool IsRemote => code == Remote;
}
