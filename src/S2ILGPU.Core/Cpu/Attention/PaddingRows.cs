using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Attention;

/// <summary>The token rows of a batch that belong to no sequence, and what is written to them.</summary>
internal sealed unsafe class PaddingRows
{
    private bool[] _isUsed = [];
    private int _batch, _tokens;
    private bool _any;

    /// <summary>Finds the rows that are no queries.</summary>
    public void OfQueries(SequenceBatch sequences, in Shape shape)
    {
        Begin(shape);
        foreach (var s in sequences.Sequences)
            Use(s.Batch, s.QueryStart, s.QueryCount);
        _any = Array.IndexOf(_isUsed, false, 0, _batch * _tokens) >= 0;
    }

    /// <summary>Finds the rows that are no keys.</summary>
    public void OfKeys(SequenceBatch sequences, in Shape shape)
    {
        Begin(shape);
        foreach (var s in sequences.Sequences)
            Use(s.Batch, s.KeyStart, s.KeyCount);
        _any = Array.IndexOf(_isUsed, false, 0, _batch * _tokens) >= 0;
    }

    /// <summary>Sets the padding rows of a tensor [B, N, H, D] to 0.</summary>
    public void Clear(Tensor tensor)
    {
        if (!_any)
            return;
        var rows = HeadTensor.OfActivations(tensor);
        int rowBytes = tensor.Shape[3] * tensor.ElementType.SizeBytes();
        for (int row = 0; row < _batch * _tokens; row++)
            for (int head = 0; head < tensor.Shape[2] && !_isUsed[row]; head++)
                new Span<byte>(rows.Address(row / _tokens, row % _tokens, head), rowBytes).Clear();
    }

    /// <summary>Sets the padding rows of a tensor [B, H, N].</summary>
    public void FillStatistics(Tensor tensor, float value)
    {
        if (!_any)
            return;
        var rows = RowStatistics.Of(tensor);
        for (int row = 0; row < _batch * _tokens; row++)
            for (int head = 0; head < tensor.Shape[1] && !_isUsed[row]; head++)
                *rows.At(row / _tokens, head, row % _tokens) = value;
    }

    private void Begin(in Shape shape)
    {
        (_batch, _tokens) = (shape[0], shape[1]);
        int rows = checked(_batch * _tokens);
        if (_isUsed.Length < rows)
            _isUsed = new bool[rows];
        Array.Clear(_isUsed, 0, rows);
    }

    private void Use(int batch, int start, int count) => _isUsed.AsSpan(batch * _tokens + start, count).Fill(true);
}
