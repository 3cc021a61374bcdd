namespace S2ILGPU.Cli.Bench.Needle;

/// <summary>Sizes of <c>s2 bench needle</c>.</summary>
internal sealed record NeedleSettings
{
    /// <summary>Width of the models' residual stream.</summary>
    public int Dim { get; init; } = 128;

    /// <summary>Query heads, key/value heads and stride: all the same number, so that the heads together read
    /// everything.</summary>
    public int Heads { get; init; } = 4;

    /// <summary>L, blocks of the local window.</summary>
    public int LocalBlocks { get; init; } = 4;

    /// <summary>Tokens of the contexts to learn with, one after the other.</summary>
    public IReadOnlyList<int> TrainingTokens { get; init; } = [64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768];

    /// <summary>The most steps with one context.</summary>
    public int Steps { get; init; } = 600;

    /// <summary>Steps with the longest context at the end, in which the learning rate falls to 0.</summary>
    public int LastSteps { get; init; } = 100;

    /// <summary>The most steps of the exercise before questions: to repeat the beginning of the text; 0 for
    /// none.</summary>
    public int CopySteps { get; init; } = 3000;

    /// <summary>Tokens of a step.</summary>
    public int StepTokens { get; init; } = 4096;

    /// <summary>Lengths to measure at, ascending.</summary>
    public IReadOnlyList<int> Lengths { get; init; } = [4096, 8192, 16384, 32768];

    /// <summary>Texts per length; each hides a needle at each of <see cref="NeedleGrid.Depths"/> depths.</summary>
    public int Haystacks { get; init; } = 10;

    /// <summary>Texts of the longest length.</summary>
    public int LongestHaystacks { get; init; } = 28;

    /// <summary>Seed of the weights and of the texts.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Sizes of a short run.</summary>
    public static NeedleSettings Quick { get; } = new()
    {
        Dim = 64,
        TrainingTokens = [64, 128, 256, 512],
        StepTokens = 2048,
        Lengths = [512, 1024, 2048],
        Haystacks = 5,
        LongestHaystacks = 5,
    };
}
