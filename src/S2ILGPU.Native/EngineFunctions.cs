using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using static S2ILGPU.Native.PatternFunctions;

namespace S2ILGPU.Native;

/// <summary>Messages, devices, engines, and what all handles have.</summary>
internal static unsafe class EngineFunctions
{
    private const string Cpu = "cpu";

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int LastError(byte* buffer, long capacity, long* length)
    {
        string message = Boundary.Message; // before a failure of this call
        return Boundary.Run(() => Texts.Write(message, buffer, capacity, length));
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Devices(byte* buffer, long capacity, long* length) => Boundary.Run(() =>
        Texts.Write(string.Join('\n', Engine.Devices().Select(device => device.Id)), buffer, capacity, length));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Create(byte* device, int threads, ulong* engine) => Boundary.Run(() =>
    {
        NotNull(engine, nameof(engine));
        string name = Texts.Read(device) ?? Engine.Auto;
        if (threads != 0 && name != Cpu)
            throw new ArgumentException($"threads are a choice of the device {Cpu}, got {threads} for {name}");
        *engine = Handles.Add(HandleKind.Engine, new EngineSlot(threads == 0 ? Engine.Create(name)
            : new CpuEngine(new CpuOptions { Threads = threads })));
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Release(ulong handle) => Boundary.Run(() => (Handles.Remove(handle) as IDisposable)?.Dispose());

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Describe(ulong handle, byte* buffer, long capacity, long* length) => Boundary.Run(() =>
        Texts.Write(Handles.Get(handle) switch
        {
            EngineSlot engine => engine.Name,
            BlockLayout layout => $"{layout.Tokens} tokens, {layout.KeptBlocks} kept blocks: {layout.Pattern}",
            var pattern => pattern.ToString()!,
        }, buffer, capacity, length));
}
