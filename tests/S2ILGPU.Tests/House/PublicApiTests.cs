using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Tests.House;

/// <summary>The public surface of the package is listed.</summary>
public sealed class PublicApiTests
{
    [Fact]
    public void Equals_the_listing() =>
        PublicSurface.Check(typeof(IlgpuEngine).Assembly,
        Repository.PathOf("tests", "S2ILGPU.Tests", "House", "PublicApi.txt"));
}
