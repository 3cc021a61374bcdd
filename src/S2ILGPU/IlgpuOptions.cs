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
}
