using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime.Cuda;
using S2ILGPU.Compiler;
using S2ILGPU.Kernels.Row;
using S2ILGPU.TestSupport;
using S2ILGPU.Variants;
using Xunit;

namespace S2ILGPU.Tests.Compiler;

public sealed class KernelStoreTests : IDisposable
{
    private const string Text = ".visible .entry Kernel_Run()\n{ ret; }\n";

    private readonly TemporaryFolder _folder = new();

    private static KernelKey Key { get; } = new("a kernel", "ptx");

    private string Folder => _folder["new/kernels"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_second_start_compiles_nothing()
    {
        var first = new KernelStore(Folder);
        Assert.Equal(Text, first.Get(Key, "Kernel_Run", () => Text));
        var second = new KernelStore(Folder);
        Assert.Equal(Text, second.Get(Key, "Kernel_Run", () => throw new InvalidOperationException("compiled")));
        Assert.Equal((1, 0, 0, 1), (first.Compiled, first.Read, second.Compiled, second.Read));
        Assert.Null(second.Note);
    }

    [Theory]
    [InlineData("cut short")]
    [InlineData("a byte changed")]
    [InlineData("empty")]
    [InlineData("not ours")]
    [InlineData("of another key")]
    [InlineData("without its kernel")]
    public void A_damaged_file_is_compiled_again_and_replaced(string damage)
    {
        new KernelStore(Folder).Get(Key, "Kernel_Run", () => damage == "without its kernel" ? "nothing" : Text);
        string path = Path.Combine(Folder, Key.FileName), content = File.ReadAllText(path);
        File.WriteAllText(path, damage switch
        {
            "cut short" => content[..^3],
            "a byte changed" => content.Replace("ret", "bar", StringComparison.Ordinal),
            "empty" => "",
            "not ours" => Text,
            "of another key" => content.Replace("a kernel", "b kernel", StringComparison.Ordinal),
            _ => content,
        });
        var store = new KernelStore(Folder);
        Assert.Equal(Text, store.Get(Key, "Kernel_Run", () => Text));
        Assert.Equal((1, 0), (store.Compiled, store.Read));
        Assert.Equal(Text, new KernelStore(Folder).Get(Key, "Kernel_Run", () => throw new InvalidOperationException()));
    }

    [Fact]
    public void Every_truncation_is_noticed()
    {
        new KernelStore(Folder).Get(Key, "Kernel_Run", () => Text);
        string path = Path.Combine(Folder, Key.FileName), content = File.ReadAllText(path);
        for (int length = 0; length < content.Length; length++)
        {
            File.WriteAllText(path, content[..length]);
            Assert.Equal("again", new KernelStore(Folder).Get(Key, "Kernel_Run", () => "again"));
        }
    }

    [Fact]
    public async Task Many_writers_and_readers_see_whole_texts_only()
    {
        // Longer than a page, so that half a text is possible.
        string[] texts = [.. Enumerable.Range(0, 4).Select(n => $"Kernel_Run {new string((char)('a' + n), 100_000)}")];
        await Task.WhenAll(Enumerable.Range(0, 8).Select(n => Task.Run(() =>
        {
            for (int turn = 0; turn < 20; turn++)
            {
                Assert.Contains(new KernelStore(Folder).Get(Key, "Kernel_Run", () => texts[n % 4]), texts);
                if (turn % 5 == 0)
                    File.Delete(Path.Combine(Folder, Key.FileName));
            }
        })));
        Assert.Empty(Directory.GetFiles(Folder, "*.tmp"));
    }

    [Fact]
    public void A_folder_that_cannot_be_written_is_noted_and_kernels_are_compiled()
    {
        string file = _folder.Write("file", "");
        var store = new KernelStore(Path.Combine(file, "kernels"));
        Assert.Equal(Text, store.Get(Key, "Kernel_Run", () => Text));
        Assert.Equal(Text, store.Get(Key, "Kernel_Run", () => Text));
        Assert.Equal(2, store.Compiled);
        Assert.Contains("cannot be written", store.Note);
        Assert.Contains("S2_KERNEL_CACHE", store.Note);
        Assert.DoesNotContain('\n', store.Note!);
    }

    [Fact]
    public void A_store_without_a_folder_keeps_nothing()
    {
        var store = new KernelStore(null);
        store.Get(Key, "Kernel_Run", () => Text);
        store.Get(Key, "Kernel_Run", () => Text);
        Assert.Equal((2, 0), (store.Compiled, store.Read));
        Assert.Null(store.Note);
    }

    [Fact]
    public void Kernels_of_builds_that_are_gone_are_deleted()
    {
        new KernelStore(Folder).Get(Key, "Kernel_Run", () => Text);
        string old = Path.Combine(Folder, Key.FileName), foreign = Path.Combine(Folder, "notes.txt");
        File.WriteAllText(foreign, "");
        File.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddDays(-91));
        File.SetLastWriteTimeUtc(foreign, DateTime.UtcNow.AddDays(-91));
        var other = new KernelKey("another kernel", "ptx");
        new KernelStore(Folder).Get(other, "Kernel_Run", () => Text);
        Assert.Equal([other.FileName, "notes.txt"], Directory.GetFiles(Folder).Select(Path.GetFileName)
            .OrderBy(name => name == "notes.txt"));
    }

    [Fact]
    public void Program_then_environment_then_system_name_the_folder()
    {
        Assert.Equal(Path.GetFullPath("/k"), KernelStore.FolderOf("/k", Values("/elsewhere", "/x")));
        Assert.Null(KernelStore.FolderOf("", Values("/elsewhere", "/x")));
        Assert.Equal(Path.GetFullPath("/elsewhere"), KernelStore.FolderOf(null, Values("/elsewhere", "/x")));
        Assert.Null(KernelStore.FolderOf(null, Values("off", "/x")));
        Assert.Null(KernelStore.FolderOf(null, Values("", "/x")));
        if (!OperatingSystem.IsWindows())
            Assert.Equal("/x/s2ilgpu/kernels", KernelStore.FolderOf(null, Values(null, "/x")));
        // a relative path is to be ignored, says the specification
        if (OperatingSystem.IsLinux())
            Assert.EndsWith(".cache/s2ilgpu/kernels", KernelStore.FolderOf(null, Values(null, "x")));
    }

    [Fact]
    public void Keys_tell_kernels_targets_and_options_apart()
    {
        var forward = KernelVariants.All.Single(v => v.Name == "forward-bf16-d64-rows64-buffers2-from100-block64");
        var half = KernelVariants.All.Single(v => v.Name == "forward-fp16-d64-rows64-buffers2-from100-block64");
        var norm = typeof(RmsNormKernel).GetMethod(nameof(RmsNormKernel.Run))!;
        var sm80 = new CudaArchitecture(8, 0);
        using var plain = Context.Create(builder => builder.EnableAlgorithms());
        using var fast = Context.Create(builder => builder.EnableAlgorithms().Math(MathMode.Fast32BitOnly));
        using var unoptimized = Context.Create(builder => builder.EnableAlgorithms().Optimize(OptimizationLevel.O0));
        KernelKey[] keys =
        [
            Of(plain, new KernelRequest(forward.Method, 64, 1024, true)),
            Of(plain, new KernelRequest(half.Method, 64, 1024, true)),
            Of(plain, new KernelRequest(forward.Method, 128, 1024, true)),
            Of(plain, new KernelRequest(forward.Method, 64, 0, true)),
            Of(plain, new KernelRequest(forward.Method, 64, 1024, false)),
            Of(plain, new KernelRequest(norm)),
            Of(fast, new KernelRequest(norm)),
            Of(unoptimized, new KernelRequest(norm)),
            KernelKey.Ptx(plain, new KernelRequest(norm), new CudaArchitecture(9, 0), CudaInstructionSet.ISA_78),
            KernelKey.Ptx(plain, new KernelRequest(norm), sm80, CudaInstructionSet.ISA_80),
        ];
        Assert.Equal(keys.Length, keys.Select(key => key.FileName).Distinct().Count());
        Assert.All(keys, key => Assert.DoesNotContain('\n', key.Text));
        string mvid = typeof(IlgpuEngine).Module.ModuleVersionId.ToString("N");
        Assert.All(keys, key => Assert.Contains(mvid, key.Text));
        Assert.All(keys, key => Assert.Contains($"ILGPU.dll {typeof(Context).Assembly.GetName().Version}", key.Text));
        Assert.Equal(keys[5], Of(plain, new KernelRequest(norm)));

        KernelKey Of(Context context, KernelRequest request) =>
            KernelKey.Ptx(context, request, sm80, CudaInstructionSet.ISA_78);
    }

    [Fact]
    public void Every_kernel_of_the_launch_table_has_a_key_of_its_own()
    {
        using var context = Context.Create(builder => builder.EnableAlgorithms());
        // Rows for several devices may share a kernel.
        var kernels = KernelVariants.All.Select(v => (v.Method, v.Threads)).Distinct().ToList();
        var keys = kernels.Select(kernel => KernelKey.Ptx(context, new KernelRequest(kernel.Method, kernel.Threads, 16,
            Unroll: true), new CudaArchitecture(8, 0), CudaInstructionSet.ISA_78).FileName);
        Assert.Equal(kernels.Count, keys.Distinct().Count());
        Assert.True(kernels.Count > 200, $"{kernels.Count} kernels");
    }

    private static Func<string, string?> Values(string? ours, string? xdg) => name => name switch
    {
        KernelStore.Variable => ours,
        "XDG_CACHE_HOME" => xdg,
        _ => null,
    };
}
