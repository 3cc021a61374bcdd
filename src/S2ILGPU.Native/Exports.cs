using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace S2ILGPU.Native;

/// <summary>The one way into the library.</summary>
internal static unsafe class Exports
{
    /// <summary><c>S2_API_VERSION</c>.</summary>
    public const int Version = 1;

    /// <summary><c>s2_get_api</c>: exported by the native library, found by name through hostfxr.</summary>
    [UnmanagedCallersOnly(EntryPoint = "s2_get_api", CallConvs = [typeof(CallConvCdecl)])]
    public static int GetApi(int version, long sizeBytes, ApiTable* api)
    {
        if (version != Version || sizeBytes != sizeof(ApiTable))
            return (int)Status.Version;
        if (api == null)
            return (int)Status.Argument;
        return Boundary.Run(() => *api = ApiTable.Create());
    }
}
