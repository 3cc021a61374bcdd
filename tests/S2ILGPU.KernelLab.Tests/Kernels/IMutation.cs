namespace S2ILGPU.KernelLab.Tests.Kernels;

/// <summary>What is left out of <see cref="AttentionKernel"/>.</summary>
public interface IMutation
{
    /// <summary>Buffers per operand: with one, copies of V overlap Q K'; with two, whole blocks are fetched ahead.</summary>
    static virtual int Stages => 1;

    /// <summary>The wait before a block is used.</summary>
    static virtual bool FirstWait => true;

    /// <summary>The barrier after it.</summary>
    static virtual bool FirstBarrier => true;

    /// <summary>The wait for V, with one stage.</summary>
    static virtual bool SecondWait => true;

    /// <summary>The barrier between reading K and fetching the next one, with one stage.</summary>
    static virtual bool SecondBarrier => true;

    /// <summary>The wait at the end.</summary>
    static virtual bool LastWait => true;
}

public struct OneStage : IMutation;

public struct TwoStages : IMutation
{
    public static int Stages => 2;
}

public struct NoFirstWait : IMutation
{
    public static bool FirstWait => false;
}

public struct NoFirstBarrier : IMutation
{
    public static bool FirstBarrier => false;
}

public struct NoSecondWait : IMutation
{
    public static bool SecondWait => false;
}

public struct NoSecondBarrier : IMutation
{
    public static bool SecondBarrier => false;
}

public struct NoLastWait : IMutation
{
    public static bool LastWait => false;
}

public struct TwoStagesNoWait : IMutation
{
    public static int Stages => 2;

    public static bool FirstWait => false;
}

public struct TwoStagesNoBarrier : IMutation
{
    public static int Stages => 2;

    public static bool FirstBarrier => false;
}
