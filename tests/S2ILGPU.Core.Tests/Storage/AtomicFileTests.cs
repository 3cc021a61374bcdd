using System.Diagnostics;
using System.Text;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Storage;

public sealed class AtomicFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Writes_and_replaces()
    {
        AtomicFile.WriteText(_folder["a.txt"], "first, longer");
        AtomicFile.WriteText(_folder["a.txt"], "zweites Ü");
        Assert.Equal("zweites Ü"u8.ToArray(), File.ReadAllBytes(_folder["a.txt"]));
        Assert.Single(Directory.GetFiles(_folder.FullPath));
    }

    [Fact]
    public void Keeps_the_old_file_and_no_temporary_one_when_writing_fails()
    {
        AtomicFile.WriteText(_folder["a.txt"], "old");
        var thrown = Assert.Throws<NotSupportedException>(() => AtomicFile.Write(_folder["a.txt"], stream =>
        {
            stream.Write("half of it"u8);
            stream.Flush();
            Assert.Equal("old", File.ReadAllText(_folder["a.txt"]));
            throw new NotSupportedException("stop");
        }));
        Assert.Equal("stop", thrown.Message);
        Assert.Equal("old", File.ReadAllText(_folder["a.txt"]));
        Assert.Single(Directory.GetFiles(_folder.FullPath));
    }

    [Fact]
    public void Names_the_folder_that_is_missing_or_in_the_way()
    {
        var missing = Assert.Throws<DirectoryNotFoundException>(() =>
            AtomicFile.WriteText(_folder["no/such/a.txt"], ""));
        Assert.Contains(_folder["no/such"], missing.Message);
        var folder = Assert.Throws<IOException>(() => AtomicFile.WriteText(_folder.FullPath, ""));
        Assert.Contains("is a folder", folder.Message);
        Assert.Throws<ArgumentException>(() => AtomicFile.WriteText("", ""));
    }

    [Fact]
    public void Keeps_the_permissions_of_the_file_that_it_replaces()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("no such permissions there");
            return;
        }
        const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupWrite
            | UnixFileMode.OtherExecute;
        AtomicFile.WriteText(_folder["a"], "old");
        File.SetUnixFileMode(_folder["a"], Mode);
        AtomicFile.WriteText(_folder["a"], "new");
        Assert.Equal(("new", Mode), (File.ReadAllText(_folder["a"]), File.GetUnixFileMode(_folder["a"])));
    }

    [Theory]
    [InlineData("target")]
    [InlineData("sub/target")]
    [InlineData("second")]
    public void Replaces_what_a_link_leads_to_and_keeps_the_link(string target)
    {
        SkipWithoutLinks();
        _folder.Write("target", "old");
        _folder.Write("sub/target", "old");
        File.CreateSymbolicLink(_folder["second"], "sub/target");
        File.CreateSymbolicLink(_folder["link"], target);
        AtomicFile.WriteText(_folder["link"], "new");
        Assert.Equal(target, new FileInfo(_folder["link"]).LinkTarget);
        Assert.Equal("new", File.ReadAllText(_folder[target]));
        Assert.Equal(4, Directory.GetFiles(_folder.FullPath, "*", SearchOption.AllDirectories).Length);
    }

    // ".." behind a link to a folder is the parent of the target, not of the link.
    [Fact]
    public void Follows_links_among_folders()
    {
        SkipWithoutLinks();
        _folder.Write("far/away/x", "");
        _folder.Write("far/target", "old");
        Directory.CreateSymbolicLink(_folder["near"], "far/away");
        File.CreateSymbolicLink(_folder["far/away/link"], "../target");
        AtomicFile.WriteText(_folder["near/link"], "new");
        Assert.Equal("new", File.ReadAllText(_folder["far/target"]));
        Assert.False(File.Exists(_folder["target"]));
    }

    [Fact]
    public void Creates_what_a_link_to_nothing_names()
    {
        SkipWithoutLinks();
        File.CreateSymbolicLink(_folder["link"], "target");
        AtomicFile.WriteText(_folder["link"], "new");
        Assert.Equal("target", new FileInfo(_folder["link"]).LinkTarget);
        Assert.Equal("new", File.ReadAllText(_folder["target"]));
    }

    [Theory]
    [InlineData("pipe")]
    [InlineData("link")]
    public async Task Writes_through_a_pipe(string path)
    {
        SkipWithoutLinks();
        using (var make = Process.Start("mkfifo", [_folder["pipe"]]))
            await make.WaitForExitAsync(TestContext.Current.CancellationToken);
        File.CreateSymbolicLink(_folder["link"], "pipe");
        string text = new('x', 300_000);
        var reading = Task.Run(() => File.ReadAllText(_folder["pipe"]), TestContext.Current.CancellationToken);
        AtomicFile.WriteText(_folder[path], text);
        Assert.Equal(text, await reading);
        Assert.Equal(FileKind.Pipe, FileKinds.Of(_folder[path]));
        Assert.Equal(2, Directory.GetFiles(_folder.FullPath).Length);
    }

    [Fact]
    public async Task A_safetensors_file_goes_through_a_pipe()
    {
        SkipWithoutLinks();
        using (var make = Process.Start("mkfifo", [_folder["pipe"]]))
            await make.WaitForExitAsync(TestContext.Current.CancellationToken);
        SafetensorsTensor[] tensors = [new("x", SafetensorsType.Float32, [50_000], new float[50_000])];
        var reading = Task.Run(() => File.ReadAllBytes(_folder["pipe"]), TestContext.Current.CancellationToken);
        SafetensorsFile.Write(_folder["pipe"], tensors);
        SafetensorsFile.Write(_folder["file"], tensors);
        Assert.Equal(File.ReadAllBytes(_folder["file"]), await reading);
    }

    // What /dev/stdout leads to: an open file must get the text, not be replaced by another one.
    [Fact]
    public void Writes_to_what_a_process_has_open()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "no /proc there");
        using var open = new FileStream(_folder["a"], FileMode.Create, FileAccess.ReadWrite, FileShare.ReadWrite);
        AtomicFile.WriteText($"/proc/self/fd/{open.SafeFileHandle.DangerousGetHandle()}", "text");
        Assert.Equal("text", new StreamReader(open).ReadToEnd());
    }

    [Fact]
    public void Knows_devices_from_files()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "no such devices there");
        Assert.Equal([FileKind.CharacterDevice, FileKind.Folder, FileKind.Missing],
            ((string[])["/dev/null", "/dev", "/dev/such/none"]).Select(FileKinds.Of));
    }

    [Fact]
    public void Removes_what_killed_writers_left_behind()
    {
        string left = _folder.Write("a.txt.abcdefgh.ijk.tmp", "half of it"),
            note = _folder.Write("a.txt.notes.tmp", "x"),
            other = _folder.Write("aa.txt.abcdefgh.ijk.tmp", "of another name"),
            used = _folder.Write("a.txt.12345678.123.tmp", "in use");
        using (new FileStream(used, FileMode.Open, FileAccess.Write, FileShare.None))
            AtomicFile.WriteText(_folder["a.txt"], "text");
        Assert.Equal([_folder["a.txt"], used, note, other],
            Directory.GetFiles(_folder.FullPath).Order(StringComparer.Ordinal));
        AtomicFile.WriteText(_folder["a.txt"], "text");
        Assert.False(File.Exists(used) || File.Exists(left));
    }

    [Fact]
    public void Does_not_remove_its_own_unfinished_file()
    {
        AtomicFile.Write(_folder["a"], outer =>
        {
            outer.Write("outer"u8);
            AtomicFile.WriteText(_folder["a"], "inner");
        });
        Assert.Equal("outer", File.ReadAllText(_folder["a"]));
        Assert.Single(Directory.GetFiles(_folder.FullPath));
    }

    [Theory]
    [InlineData('n', 255)]
    [InlineData('n', 240)]
    [InlineData('é', 127)]
    public void Long_names_are_names(char letter, int count)
    {
        string path = _folder[new string(letter, count)];
        AtomicFile.WriteText(path, "first");
        AtomicFile.WriteText(path, "text");
        Assert.Equal("text", File.ReadAllText(path));
        Assert.Single(Directory.GetFiles(_folder.FullPath));
    }

    [Fact]
    public void Says_in_our_words_why_it_cannot_write()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "names may be longer there");
        string path = _folder[new string('n', 256)];
        Assert.Equal($"{path} cannot be written: the name is too long",
            Assert.Throws<IOException>(() => AtomicFile.WriteText(path, "text")).Message);
        Assert.Equal("no space is left on the disk", FileErrors.Reason(new IOException("No space left on device", 28)));
    }

    private static void SkipWithoutLinks() =>
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no pipes, and links need a privilege there");
}
