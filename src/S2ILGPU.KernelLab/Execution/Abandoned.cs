namespace S2ILGPU.KernelLab;

/// <summary>Unwinds the other threads after one has failed.</summary>
internal sealed class Abandoned : Exception;
