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
}
