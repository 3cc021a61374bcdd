using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Training;

/// <summary>One bucket of parameters: which elements it has, and which of them belong to a rank.</summary>
/// <remarks>A bucket travels as one vector, padded with zeros to equal shares of whole parts of <see
/// cref="GradientNorm"/>; share r of it belongs to rank r, which keeps its moments and updates it.</remarks>
internal sealed class RankBucket : IDisposable
{
    private readonly IEngine _engine;
    private readonly IReadOnlyList<Variable> _parameters;
    private readonly BucketPiece[] _pieces;
    private readonly Tensor _partGradient;

    public RankBucket(IEngine engine, IReadOnlyList<Variable> parameters, BucketPiece[] pieces, int rank, int ranks)
    {
        (_engine, _parameters, _pieces) = (engine, parameters, pieces);
        int count = pieces[^1].Offset + pieces[^1].Count;
        PartCount = GradientNorm.PartElements(count, ranks) * GradientNorm.PartsOf(ranks);
        Count = PartCount * ranks;
        _partGradient = engine.Zeros(PartCount);
        int start = rank * PartCount;
        OwnPieces = [.. BucketPiece.Within(pieces, start, start + PartCount)
            .Select(piece => piece with { Offset = piece.Offset - start })];
        Own = [.. OwnPieces.Select(OwnParameter)];
    }

    /// <summary>Elements with the padding.</summary>
    public int Count { get; }

    /// <summary>Elements of a rank's part.</summary>
    public int PartCount { get; }

    /// <summary>The elements that belong to this rank, with their places in its part.</summary>
    public BucketPiece[] OwnPieces { get; }

    /// <summary>The same as parameters of their own, over the memory of the model: values, gradients and
    /// shadows.</summary>
    public Variable[] Own { get; }

    /// <summary>The summed gradient of the own part.</summary>
    public Tensor PartGradient => _partGradient;

    /// <summary>The gradients of one of the parts of <see cref="GradientNorm"/> that this rank has; the caller disposes
    /// the views.</summary>
    /// <param name="part">The part, from 0.</param>
    /// <param name="parts">Parts of a rank.</param>
    /// <param name="counts">Whether a parameter counts, by its index.</param>
    public IEnumerable<Tensor> Gradients(int part, int parts, Func<int, bool> counts)
    {
        int elements = PartCount / parts;
        return BucketPiece.Within(OwnPieces, part * elements, (part + 1) * elements)
            .Where(piece => counts(piece.Parameter))
            .Select(piece => _partGradient.Slice(0, piece.Offset, piece.Count));
    }

    /// <summary>The pieces of the bucket.</summary>
    public IReadOnlyList<BucketPiece> Pieces => _pieces;

    /// <summary>Copies the gradients of all parameters; 0 where one has none.</summary>
    public void CopyGradients(Tensor bucket)
    {
        _engine.Fill(bucket, 0);
        foreach (var piece in _pieces)
            if (_parameters[piece.Parameter].Gradient is { } gradient)
                Copy(gradient, piece, bucket, fromBucket: false);
    }

    /// <summary>Copies the own part of the parameters.</summary>
    public void CopyOwnParameters(Tensor part)
    {
        foreach (var piece in OwnPieces)
            Copy(_parameters[piece.Parameter].Value, piece, part, fromBucket: false);
    }

    /// <summary>Copies a whole bucket to the parameters.</summary>
    public void CopyToParameters(Tensor bucket)
    {
        foreach (var piece in _pieces)
            Copy(_parameters[piece.Parameter].Value, piece, bucket, fromBucket: true);
    }

    /// <summary>Lets go of the views and the gradient.</summary>
    public void Dispose()
    {
        foreach (var own in Own)
            own.Dispose();
        _partGradient.Dispose();
    }

    /// <summary>The elements of a piece in their parameter, or in what is shaped like it, as a vector.</summary>
    public static Tensor Flat(Tensor tensor, in BucketPiece piece)
    {
        using var flat = tensor.Reshape(new Shape((int)tensor.Count));
        return flat.Slice(0, piece.Start, piece.Count);
    }

    private void Copy(Tensor parameter, in BucketPiece piece, Tensor bucket, bool fromBucket)
    {
        using Tensor whole = Flat(parameter, piece), part = bucket.Slice(0, piece.Offset, piece.Count);
        if (fromBucket)
            _engine.Copy(part, whole);
        else
            _engine.Copy(whole, part);
    }

    // A piece of a matrix stays a matrix, of one row: the optimizer decays matrices alone.
    private Variable OwnParameter(BucketPiece piece)
    {
        var parameter = _parameters[piece.Parameter];
        var shape = parameter.Value.Shape.Rank > 1 ? new Shape(1, piece.Count) : new Shape(piece.Count);
        var own = Variable.Parameter(parameter.Name!, Shaped(Flat(parameter.Value, piece)));
        own.SetGradient(Shaped(_partGradient.Slice(0, piece.Offset, piece.Count)));
        if (parameter.Shadow is { } shadow)
            own.Shadow = Shaped(Flat(shadow, piece));
        return own;

        Tensor Shaped(Tensor view)
        {
            using (view)
                return view.Reshape(shape);
        }
    }
}
