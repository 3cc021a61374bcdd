using S2ILGPU.Tensors;

namespace S2ILGPU.Inference;

/// <summary>Pages elsewhere of one sequence: the blocks before the window of the last KV heads of its layers (stripes).
/// Keys and values go there once; queries follow, and outputs come back. Dispose it to give the pages back.</summary>
/// <remarks>What fails makes it lost, and does not disturb a step: outputs are 0 from then on, and the sequence must be
/// computed again.</remarks>
internal interface IFarPages : IDisposable
{
    /// <summary>The first KV head of a layer whose far blocks are there; those of all later heads are, too. The number
    /// of KV heads where the whole layer is here.</summary>
    int FirstHead(int layer);

    /// <summary>Whether pages are gone.</summary>
    bool IsLost { get; }

    /// <summary>Takes a block, which is complete and does not change any more.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="head">The KV head.</param>
    /// <param name="block">The block; blocks of a head come in ascending order.</param>
    /// <param name="keys">[1, B, D].</param>
    /// <param name="values">[1, B, D].</param>
    void Put(int layer, int head, int block, Tensor keys, Tensor values);

    /// <summary>Sends what was put.</summary>
    void Send(int layer);

    /// <summary>Sends the queries [1, T, Hfar, D] of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="position">Position of the first.</param>
    /// <param name="query">Queries of the heads from the first on.</param>
    void Query(int layer, int position, Tensor query);

    /// <summary>Waits for the outputs [1, T, Hfar, D] and log-sum-exps [1, Hfar, T] of these queries over the far
    /// blocks.</summary>
    void Output(int layer, Tensor output, Tensor logSumExp);
}
