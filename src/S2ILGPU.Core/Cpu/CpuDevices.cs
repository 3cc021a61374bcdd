using S2ILGPU.Cpu.Simd;
using S2ILGPU.Engines;

namespace S2ILGPU.Cpu;

/// <summary>The one device <c>cpu</c>: all processors, widest registers.</summary>
internal sealed class CpuDevices : IDeviceProvider
{
    public IReadOnlyList<DeviceInfo> Devices()
    {
        string simd = CpuEngine.SimdName(SimdWidths.Widest);
        int threads = Environment.ProcessorCount;
        return [new DeviceInfo("cpu", CpuEngine.DeviceName(simd, threads), DeviceKind.Cpu,
            GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, threads, simd)];
    }

    public IEngine Create(string id) => new CpuEngine();
}
