using S2ILGPU.Backends;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu;

/// <summary>The one device <c>cpu</c>: all processors, widest registers.</summary>
internal sealed class CpuDevices : IDeviceProvider
{
    public IReadOnlyList<DeviceInfo> Devices()
    {
        string simd = CpuBackend.SimdName(SimdWidths.Widest);
        int threads = Environment.ProcessorCount;
        return [new DeviceInfo("cpu", CpuBackend.DeviceName(simd, threads), DeviceKind.Cpu, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, threads, simd)];
    }

    public IBackend Create(string id) => new CpuBackend();
}
