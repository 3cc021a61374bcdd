using System.Reflection;
using System.Runtime.CompilerServices;
using S2ILGPU.Peers.Torch;
using TorchSharp;
using Xunit;

namespace S2ILGPU.TorchSharp.Tests;

/// <summary>A test that needs libtorch: skipped with the reason where it cannot be loaded.</summary>
public sealed class TorchFactAttribute : FactAttribute
{
    private static readonly Lazy<string?> s_missing = new(Load);

    /// <summary>A test of tensors.</summary>
    public TorchFactAttribute([CallerFilePath] string? file = null, [CallerLineNumber] int line = -1)
        : base(file, line)
    {
        Skip = s_missing.Value;
    }

    private static string? Load()
    {
        string folder = typeof(TorchFactAttribute).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(data => data.Key == "LibTorchFolder").Value!;
        try
        {
            LibTorch.Load(folder);
            torch.set_num_threads(1); // tests run side by side, and libtorch's threads wait busily
            return null;
        }
        catch (Exception e) when (e is DllNotFoundException or TypeInitializationException or NotSupportedException)
        {
            return $"no libtorch ({e.GetBaseException().Message.Trim().Split('\n')[0]}): "
                + "dotnet restore tests/S2ILGPU.TorchSharp.Tests -p:LibTorch=true";
        }
    }
}
