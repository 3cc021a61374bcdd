namespace S2ILGPU.Peers;

/// <summary>The peers by name. A build without one (<c>-p:Torch=false</c>) has its name alone.</summary>
internal static class PeerCatalog
{
    public static readonly string[] Names = ["torch", "onnx", "llama"];

    /// <summary>What measures a peer; null where this build has it not.</summary>
    public static Action<PeerReport>? Find(string name) => name switch
    {
#if TORCH
        "torch" => Torch.TorchPeer.Measure,
#endif
#if ONNX
        "onnx" => Onnx.OnnxPeer.Measure,
#endif
#if LLAMA
        "llama" => Llama.LlamaPeer.Measure,
#endif
        _ => null,
    };
}

/// <summary>A peer's library cannot be used here; the message says why in one line.</summary>
internal sealed class PeerMissingException(string message) : Exception(message)
{
    /// <summary>What does not work, and why in one line.</summary>
    /// <param name="what">What does not work.</param>
    /// <param name="cause">Why; the innermost exception counts.</param>
    /// <param name="reason">A reason that says more than the exception; empty for none.</param>
    public static PeerMissingException Of(string what, Exception cause, string reason = "") =>
        new($"{what}: {FirstLine(reason.Length > 0 ? reason : cause.GetBaseException().Message)}");

    private static string FirstLine(string text) => text.Trim().Split('\n')[0].Trim().TrimEnd(':');
}
