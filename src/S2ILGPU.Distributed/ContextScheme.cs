namespace S2ILGPU.Distributed;

/// <summary>Which keys and values travel between ranks that share a sequence. The results have the same bits.</summary>
public enum ContextScheme
{
    /// <summary>The blocks that a pattern keeps: fewer, the sparser it is.</summary>
    KeptBlocks,

    /// <summary>All of every rank to every other one, as where the pattern is not looked at; to compare with.</summary>
    AllGather,
}
