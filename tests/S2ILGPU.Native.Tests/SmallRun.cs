using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Native.Tests;

/// <summary>A forward and a backward call over 33 tokens, 2 heads on 1, head dim 16, in fp32.</summary>
internal sealed unsafe class SmallRun : IDisposable
{
    public const int Tokens = 33, QueryHeads = 2, HeadDim = 16;

    private readonly ForeignTensor _query, _key, _output, _logSumExp, _otherLogSumExp, _queryGradient,
        _keyGradient;

    public SmallRun()
    {
        var random = Seeds.NewRandom();
        _query = new(random, ElementType.Float32, false, 1, Tokens, QueryHeads, HeadDim);
        _key = new(random, ElementType.Float32, false, 1, Tokens, 1, HeadDim);
        _output = new(random, ElementType.Float32, false, 1, Tokens, QueryHeads, HeadDim);
        _logSumExp = new(random, ElementType.Float32, false, 1, QueryHeads, Tokens);
        _otherLogSumExp = new(random, ElementType.Float32, false, 1, QueryHeads, Tokens);
        _queryGradient = new(random, ElementType.Float32, false, 1, Tokens, QueryHeads, HeadDim);
        _keyGradient = new(random, ElementType.Float32, false, 1, Tokens, 1, HeadDim);
    }

    /// <summary>What forward wrote.</summary>
    public float[] Output => _output.Values;

    /// <summary>A second log-sum-exp, in memory of its own.</summary>
    public NativeTensor* OtherLogSumExp => _otherLogSumExp.Pointer;

    /// <summary>The arguments of forward.</summary>
    public NativeForward ForwardCall => new()
    {
        Query = _query.Pointer,
        Key = _key.Pointer,
        Value = _key.Pointer,
        Output = _output.Pointer,
        LogSumExp = _logSumExp.Pointer,
    };

    /// <summary>The arguments of backward.</summary>
    public NativeBackward BackwardCall => new()
    {
        Query = _query.Pointer,
        Key = _key.Pointer,
        Value = _key.Pointer,
        Output = _output.Pointer,
        LogSumExp = _logSumExp.Pointer,
        OutputGradient = _query.Pointer,
        QueryGradient = _queryGradient.Pointer,
        KeyGradient = _keyGradient.Pointer,
    };

    public int Forward(ulong engine, ulong layout)
    {
        var call = ForwardCall;
        return NativeApi.Api.AttentionForward(engine, layout, &call);
    }

    public int Backward(ulong engine, ulong layout)
    {
        var call = BackwardCall;
        return NativeApi.Api.AttentionBackward(engine, layout, &call);
    }

    public void Dispose()
    {
        ForeignTensor[] all =
            [_query, _key, _output, _logSumExp, _otherLogSumExp, _queryGradient, _keyGradient];
        foreach (var tensor in all)
            tensor.Dispose();
    }
}
