using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;

namespace S2ILGPU.Cpu.Attention;

/// <summary>The tensors of a backward pass as float32, each [B, N, H, D].</summary>
internal readonly record struct BackwardTensors(HeadTensor Query, HeadTensor Key, HeadTensor Value, HeadTensor Output,
    HeadTensor OutputGradient, HeadTensor QueryGradient, HeadTensor KeyGradient, HeadTensor ValueGradient);

/// <summary>The tensors of a backward pass as float32: in place, or copies of BFloat16.</summary>
internal sealed class WideBackward<T> : IDisposable
    where T : unmanaged, ISimd<T>
{
    private readonly WideHeads<T> _query = new(), _key = new(), _value = new(), _output = new(),
        _outputGradient = new(), _queryGradient = new(), _keyGradient = new(), _valueGradient = new();

    /// <summary>Reads the inputs, and makes room for the results.</summary>
    public BackwardTensors Open(in AttentionBackwardArguments a, WorkerPool pool) => new(_query.Read(a.Query, pool),
        _key.Read(a.Key, pool), _value.Read(a.Value, pool), _output.Read(a.Output, pool),
        _outputGradient.Read(a.OutputGradient, pool), _queryGradient.Written(a.QueryGradient),
        _keyGradient.Written(a.KeyGradient), _valueGradient.Written(a.ValueGradient));

    /// <summary>Rounds the results to their tensors.</summary>
    public void Round(WorkerPool pool)
    {
        _queryGradient.Round(pool);
        _keyGradient.Round(pool);
        _valueGradient.Round(pool);
    }

    public void Dispose()
    {
        _query.Dispose();
        _key.Dispose();
        _value.Dispose();
        _output.Dispose();
        _outputGradient.Dispose();
        _queryGradient.Dispose();
        _keyGradient.Dispose();
        _valueGradient.Dispose();
    }
}
