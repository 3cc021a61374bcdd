namespace S2ILGPU.Inference;

/// <summary>Some of the KV heads of all layers, numbered head by head: head h of layer l is <c>h L + l</c>. Each layer
/// has consecutive heads of them.</summary>
/// <param name="Layers">L, number of layers.</param>
/// <param name="First">The first number.</param>
/// <param name="Count">How many.</param>
internal readonly record struct LayerHeads(int Layers, int First, int Count)
{
    /// <summary>The KV heads of a layer; none where the count is 0.</summary>
    public (int First, int Count) Of(int layer)
    {
        int first = FirstHead(Layers, First, layer);
        return (first, FirstHead(Layers, First + Count, layer) - first);
    }

    /// <summary>The first KV head of a layer whose number is at least one.</summary>
    public static int FirstHead(int layers, int number, int layer) => (number - layer + layers - 1) / layers;
}
