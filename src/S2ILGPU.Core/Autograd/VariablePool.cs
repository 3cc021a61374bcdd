using S2ILGPU.Tensors;

namespace S2ILGPU.Autograd;

/// <summary>Variables that inference has finished with, kept by shape for the next layer and the next token, so that
/// steady decoding creates no objects.</summary>
internal sealed class VariablePool : IDisposable
{
    private readonly Dictionary<(Shape Shape, ElementType ElementType), Bucket> _buckets = [];
    private long _round;

    /// <summary>An unused variable of that shape, or null.</summary>
    public Variable? Take(Shape shape, ElementType elementType)
    {
        if (!_buckets.TryGetValue((shape, elementType), out var bucket))
            return null;
        bucket.Round = _round;
        return bucket.Free.TryPop(out var variable) ? variable : null;
    }

    /// <summary>Takes a variable back.</summary>
    public void Give(Variable variable)
    {
        var key = (variable.Shape, variable.Value.ElementType);
        if (!_buckets.TryGetValue(key, out var bucket))
            _buckets.Add(key, bucket = new Bucket());
        bucket.Round = _round;
        bucket.Free.Push(variable);
    }

    /// <summary>Ends a round: shapes that the round did not use (a prefill's, once decoding runs) give their memory
    /// back.</summary>
    public void NextRound()
    {
        foreach (var (key, bucket) in _buckets)
            if (bucket.Round != _round)
            {
                bucket.Dispose();
                _buckets.Remove(key);
            }
        _round++;
    }

    public void Dispose()
    {
        foreach (var bucket in _buckets.Values)
            bucket.Dispose();
        _buckets.Clear();
    }

    private sealed class Bucket : IDisposable
    {
        public Stack<Variable> Free { get; } = new();

        public long Round { get; set; }

        public void Dispose()
        {
            foreach (var variable in Free)
                variable.Dispose();
            Free.Clear();
        }
    }
}
