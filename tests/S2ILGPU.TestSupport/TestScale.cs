namespace S2ILGPU.TestSupport;

/// <summary>How much the tests do: <c>S2_TESTS=full</c> runs long sweeps and the installation of the packages
/// too.</summary>
public static class TestScale
{
    /// <summary>Whether the long tests run.</summary>
    public static bool IsFull => Environment.GetEnvironmentVariable("S2_TESTS") == "full";
}
