namespace S2ILGPU.Peers;

/// <summary>Ours and the peer's results differ: their times would not be of the same thing.</summary>
internal sealed class DisagreementException(string message) : Exception(message);
