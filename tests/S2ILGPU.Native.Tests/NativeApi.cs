using System.Text;
using Xunit;

namespace S2ILGPU.Native.Tests;

/// <summary>The table of functions, called as a C program calls it.</summary>
internal static unsafe class NativeApi
{
    /// <summary>The table.</summary>
    public static readonly ApiTable Api = Load();

    /// <summary>The message of the last failure in this thread.</summary>
    public static string LastError
    {
        get
        {
            long length;
            Check(Api.LastError(null, 0, &length));
            var text = new byte[length + 1];
            fixed (byte* buffer = text)
                Check(Api.LastError(buffer, text.Length, &length));
            return Encoding.UTF8.GetString(text.AsSpan(0, (int)length));
        }
    }

    /// <summary>Fails unless a call succeeded.</summary>
    public static void Check(int status)
    {
        if (status != 0)
            Assert.Fail($"status {(Status)status}: {LastError}");
    }

    /// <summary>Fails unless a call failed with a status and a message that has a part.</summary>
    public static void CheckFails(Status expected, string part, int status)
    {
        Assert.Equal(expected, (Status)status);
        Assert.Contains(part, LastError);
    }

    /// <summary>A CPU engine.</summary>
    public static ulong Engine(int threads = 1)
    {
        ulong engine;
        fixed (byte* name = "cpu\0"u8)
            Check(Api.EngineCreate(name, threads, &engine));
        return engine;
    }

    /// <summary>A local-stride pattern in blocks of 16.</summary>
    public static ulong LocalStride(int queryHeads = 2, int keyValueHeads = 1, int localBlocks = 1, int stride = 2)
    {
        var heads = new NativeHeads
        {
            QueryHeads = queryHeads,
            KeyValueHeads = keyValueHeads,
            BlockTokens = 16,
            IsCausal = 1,
        };
        ulong pattern;
        Check(Api.PatternLocalStride(&heads, localBlocks, stride, null, &pattern));
        return pattern;
    }

    /// <summary>A layout; releases the pattern, which the layout keeps.</summary>
    public static ulong Layout(ulong pattern, int tokens)
    {
        ulong layout;
        Check(Api.LayoutCreate(pattern, tokens, -1, &layout));
        Check(Api.Release(pattern));
        return layout;
    }

    /// <summary>Releases handles.</summary>
    public static void Release(params ReadOnlySpan<ulong> handles)
    {
        foreach (ulong handle in handles)
            Check(Api.Release(handle));
    }

    /// <summary>Calls the entry point.</summary>
    public static int GetApi(int version, long size, ApiTable* api)
    {
        delegate* unmanaged[Cdecl]<int, long, ApiTable*, int> get = &Exports.GetApi;
        return get(version, size, api);
    }

    private static ApiTable Load()
    {
        ApiTable api;
        Assert.Equal(0, GetApi(Exports.Version, sizeof(ApiTable), &api));
        return api;
    }
}
