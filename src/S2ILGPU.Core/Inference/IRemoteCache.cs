using S2ILGPU.Tensors;

namespace S2ILGPU.Inference;

/// <summary>Pages and attention on other devices. The cache here counts pages; there they are held, by caches that are
/// told the same changes in the same order and so give and free the same pages.</summary>
/// <remarks>Only <see cref="Query"/>, <see cref="KeyValue"/> and <see cref="Output"/> may fail.</remarks>
internal interface IRemoteCache
{
    /// <summary>Number of devices; each has as many KV heads, in their order.</summary>
    int Workers { get; }

    /// <summary>Forgets a sequence.</summary>
    void Clear(int sequence);

    /// <summary>Shares the pages of a sequence under a number.</summary>
    void Save(int sequence, int number);

    /// <summary>Lets an empty sequence continue from saved pages.</summary>
    void Restore(int number, int sequence);

    /// <summary>Gives saved pages back.</summary>
    void Drop(int number);

    /// <summary>Takes the last tokens of a sequence back.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="length">Tokens that stay.</param>
    void TakeBack(int sequence, int length);

    /// <summary>Begins a pass, one of those that run side by side.</summary>
    void Begin(int pass, ReadOnlySpan<StepRows> rows);

    /// <summary>Sends the queries [1, T, H, D] of a layer, whose attention over earlier tokens may begin.</summary>
    /// <exception cref="AttentionLostException">A device does not answer any more.</exception>
    void Query(int pass, int layer, Tensor query);

    /// <summary>Sends the keys and values [1, T, Hkv, D] of a layer.</summary>
    /// <exception cref="AttentionLostException">A device does not answer any more.</exception>
    void KeyValue(int pass, int layer, Tensor key, Tensor value);

    /// <summary>Waits for the outputs [1, T, H, D] of a layer. Layers of all passes are waited for in the order in
    /// which their keys were sent.</summary>
    /// <exception cref="AttentionLostException">A device does not answer any more.</exception>
    /// <exception cref="InvalidOperationException">A device says that it failed.</exception>
    void Output(int pass, int layer, Tensor output);

    /// <summary>Ends a pass: its tokens are part of their sequences.</summary>
    void End(int pass);
}

/// <summary>A device that held pages does not answer any more: what it held must be computed again.</summary>
internal sealed class AttentionLostException(string message, Exception? cause = null) : Exception(message, cause);
