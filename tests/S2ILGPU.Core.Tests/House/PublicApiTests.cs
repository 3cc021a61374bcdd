using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.House;

/// <summary>The public surface of Core is listed.</summary>
public sealed class PublicApiTests
{
    [Fact]
    public void Equals_the_listing() =>
        PublicSurface.Check(typeof(S2ILGPU.Patterns.AttentionPattern).Assembly,
        Repository.PathOf("tests", "S2ILGPU.Core.Tests", "House", "PublicApi.txt"));
}
