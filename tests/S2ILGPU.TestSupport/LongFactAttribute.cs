using System.Runtime.CompilerServices;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>A test that takes long: skipped unless <see cref="TestScale.IsFull"/>.</summary>
public sealed class LongFactAttribute : FactAttribute
{
    internal const string Reason = "takes long: set S2_TESTS=full";

    /// <summary>A test of the full setting.</summary>
    public LongFactAttribute([CallerFilePath] string? file = null, [CallerLineNumber] int line = -1) : base(file, line)
    {
        Skip = TestScale.IsFull ? null : Reason;
    }
}

/// <summary>A theory that takes long: skipped unless <see cref="TestScale.IsFull"/>.</summary>
public sealed class LongTheoryAttribute : TheoryAttribute
{
    /// <summary>A theory of the full setting.</summary>
    public LongTheoryAttribute([CallerFilePath] string? file = null, [CallerLineNumber] int line = -1)
        : base(file, line)
    {
        Skip = TestScale.IsFull ? null : LongFactAttribute.Reason;
    }
}
