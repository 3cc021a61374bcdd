using System.Globalization;

namespace S2ILGPU.Cli.Bench;

/// <summary>What speculation proposed and saved, in words.</summary>
internal static class SpeculationText
{
    /// <summary>Says it.</summary>
    /// <param name="proposals">Proposals.</param>
    /// <param name="proposed">Tokens of these.</param>
    /// <param name="accepted">Tokens of these that were drawn; each saved a step.</param>
    public static string Of(long proposals, long proposed, long accepted) =>
        string.Create(CultureInfo.InvariantCulture, $"{proposed:#,0} tokens proposed in {proposals:#,0} steps, "
        + $"{accepted:#,0} accepted: {accepted:#,0} steps saved");
}
