using System.CommandLine;

namespace S2ILGPU.Cli.Commands;

/// <summary>The option that every command with work for a device shares.</summary>
internal static class DeviceOption
{
    public static Option<string> Create() => new("--device")
    {
        Description = "auto, cpu, cuda:N, opencl:N or ilgpu-cpu; auto takes the fastest that is there",
        DefaultValueFactory = _ => "auto",
    };
}
