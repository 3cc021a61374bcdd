namespace S2ILGPU.Cli.Bench.Device;

/// <summary>What a device refuses or has no memory for is a note beside what was measured.</summary>
internal static class Refusals
{
    /// <summary>Measures something.</summary>
    /// <param name="what">What, for the note.</param>
    /// <param name="measure">Measures it.</param>
    /// <returns>Why it failed; nothing where it did not.</returns>
    public static IReadOnlyList<string> Catch(string what, Action measure)
    {
        try
        {
            measure();
            return [];
        }
        catch (Exception e) when (e is not (OperationCanceledException or ArgumentException))
        {
            return [$"{what}: failed, {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}"];
        }
    }
}
