namespace S2ILGPU.Collectives;

/// <summary>Ranks of a run were set up differently. Every rank throws it with the same message.</summary>
/// <param name="message">Which rank differs, and in what.</param>
public sealed class RanksDifferException(string message) : ArgumentException(message);
