namespace S2ILGPU;

/// <summary>How an <see cref="IlgpuEngine"/> works.</summary>
public sealed record IlgpuOptions
{
    /// <summary>Folder where compiled kernels are kept, so that the next start compiles none: a path, made when it is
    /// needed; empty keeps nothing. Null (default) takes the environment variable <c>S2_KERNEL_CACHE</c>, which is a
    /// path or <c>off</c>, and without it the user's cache folder: <c>s2ilgpu/kernels</c> in <c>$XDG_CACHE_HOME</c> or
    /// <c>~/.cache</c>, or <c>~/Library/Caches</c> on macOS; <c>%LOCALAPPDATA%\S2ILGPU\Kernels</c> on
    /// Windows.</summary>
    /// <remarks>What lies there is code that will run on the device: name no folder that others can write.</remarks>
    public string? KernelCacheFolder { get; init; }

    /// <summary>Whether products of Float32 matrices with more than 64 rows may run on tensor cores, which round their
    /// operands to TF32, 10 bits of fraction instead of 23, and sum in Float32. Default: false, all products of Float32
    /// matrices are computed in Float32.</summary>
    /// <remarks>An element of a product differs from the exact one by at most <c>2^-10 sum_k |a_k b_k|</c> and what
    /// Float32 sums round: about 5e-4 for matrices N(0, 1) and N(0, 1/K). Attention and the optimizer are not touched.
    /// Without tensor cores it does nothing.</remarks>
    public bool AllowTf32 { get; init; }
}
