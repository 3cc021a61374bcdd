using S2ILGPU.Layouts;
using S2ILGPU.Tensors;

namespace S2ILGPU.Engines;

/// <summary>Where a gradient goes.</summary>
/// <param name="Tensor">The tensor that receives it; null when it is not needed and the work can be left out.</param>
/// <param name="Accumulate">Add to what is there (true) or overwrite (false).</param>
public readonly record struct GradientTarget(Tensor? Tensor, bool Accumulate)
{
    /// <summary>This gradient is not needed.</summary>
    public static GradientTarget None => default;

    /// <summary>Overwrites a tensor.</summary>
    /// <param name="tensor">The tensor.</param>
    public static GradientTarget Into(Tensor tensor) => new(tensor, false);

    /// <summary>Adds to a tensor.</summary>
    /// <param name="tensor">The tensor.</param>
    public static GradientTarget AddTo(Tensor tensor) => new(tensor, true);
}

/// <summary><c>C (+)= op(A) op(B) + bias + residual</c>, with op the identity or the transpose. Each of the three
/// matrices has the float type or an activation type (see <see cref="IEngine.SupportsActivations"/>); sums are formed
/// in the float type and rounded once, after the additions.</summary>
/// <param name="A">[M, K], or [K, M] when transposed; rows may be strided, elements of a row are adjacent.</param>
/// <param name="B">[K, N], or [N, K] when transposed (a weight stored [out, in]); rows may be strided. A transposed B
/// may be BFloat16 or Float16 on every engine: weights that take half the memory.</param>
/// <param name="C">[M, N], written; rows may be strided.</param>
/// <param name="TransposeA">Whether A is stored [K, M].</param>
/// <param name="TransposeB">Whether B is stored [N, K].</param>
/// <param name="Accumulate">Add to C instead of overwriting it.</param>
public readonly record struct MatMulArguments(Tensor A, Tensor B, Tensor C, bool TransposeA = false,
    bool TransposeB = false, bool Accumulate = false)
{
    /// <summary>Rows of C, from the first, that the CPU engine computes as it computes a single row, whatever their
    /// number: a token's bits then do not depend on the batch around it. 0 leaves the choice to the engine, which takes
    /// what is fastest for the number of rows. Other engines may ignore it, and so does a transposed A.</summary>
    public int FewRows { get; init; }

    /// <summary>[N], contiguous, of the float type: added to every row of C. Null for none.</summary>
    public Tensor? Bias { get; init; }

    /// <summary>[M, N], of C's type: added to C, whose memory it does not share; rows may be strided. Null for none, as
    /// it must be where <see cref="Accumulate"/> adds to C.</summary>
    public Tensor? Residual { get; init; }

    /// <summary>Throws unless the shapes fit: what an engine checks first.</summary>
    /// <exception cref="ShapeException">A tensor has another shape than the others ask for.</exception>
    /// <exception cref="ArgumentException">The residual is of another type than C, or C is added to as
    /// well.</exception>
    public void ThrowUnlessShapesFit()
    {
        const string Operation = nameof(IEngine.MatMul);
        if (A.Shape.Rank != 2 || B.Shape.Rank != 2 || C.Shape.Rank != 2)
            throw new ShapeException(Operation, "A, B, C", "matrices", $"{A.Shape}, {B.Shape}, {C.Shape}");
        int rows = C.Shape[0], columns = C.Shape[1], steps = A.Shape[TransposeA ? 0 : 1];
        ShapeException.ThrowUnless(Operation, nameof(A), A, TransposeA ? new Shape(steps, rows)
            : new Shape(rows, steps));
        ShapeException.ThrowUnless(Operation, nameof(B), B, TransposeB ? new Shape(columns, steps)
            : new Shape(steps, columns));
        if (Bias is not null)
            ShapeException.ThrowUnless(Operation, nameof(Bias), Bias, new Shape(columns));
        if (Residual is null)
            return;
        ShapeException.ThrowUnless(Operation, nameof(Residual), Residual, C.Shape);
        if (Residual.ElementType != C.ElementType || Accumulate)
            throw new ArgumentException($"{Operation}: a residual is of the type of C, {C.ElementType}, and C is not "
                + $"added to; got {Residual.ElementType}{(Accumulate ? ", and C is" : "")}");
    }
}

/// <summary><c>O = softmax(scale * Q K^T over the kept blocks) V</c> and <c>LSE = ln sum exp(scale * q
/// k)</c>.</summary>
/// <param name="Query">Q [B, Nq, H, D]; any strides, elements of a head adjacent. Read.</param>
/// <param name="Key">K [B, Nk, Hkv, D], or the pages [P, blockTokens, D] when <paramref name="Pages"/> is given, also
/// of Int8. Read.</param>
/// <param name="Value">V, shaped like K. Read.</param>
/// <param name="Output">O [B, Nq, H, D]. Written, padding rows too (0).</param>
/// <param name="LogSumExp">LSE [B, H, Nq], natural logarithm. Written; -inf for rows with nothing kept and for padding.
/// Null when not needed.</param>
/// <param name="Layout">The kept blocks; must cover the rows and keys of every sequence.</param>
/// <param name="Sequences">The sequences of the batch; with pages, sequence s is row s of the page table.</param>
/// <param name="Scale">Factor of the scores, usually 1 / sqrt(D).</param>
/// <param name="Pages">Null for plain key and value tensors; otherwise the page of each block. A kept block without a
/// page is an error.</param>
/// <param name="Layouts">Null when <paramref name="Layout"/> serves all sequences; otherwise one layout per sequence
/// (decoding sequences of different lengths, where only the last rows are built).</param>
public readonly record struct AttentionForwardArguments(Tensor Query, Tensor Key, Tensor Value, Tensor Output,
    Tensor? LogSumExp, BlockLayout Layout, SequenceBatch Sequences,
    float Scale, PageTable? Pages = null, IReadOnlyList<BlockLayout>? Layouts = null);

/// <summary>
/// <c>delta = rowsum(O dO) - dLSE, P = exp(scale * Q K^T - LSE), dS = P (dO V^T - delta) scale, dQ = dS K, dK = dS^T Q,
/// dV = P^T dO</c>.
/// </summary>
/// <param name="Query">Q [B, Nq, H, D]. Read.</param>
/// <param name="Key">K [B, Nk, Hkv, D]. Read.</param>
/// <param name="Value">V [B, Nk, Hkv, D]. Read.</param>
/// <param name="Output">O [B, Nq, H, D] of the forward pass. Read.</param>
/// <param name="LogSumExp">LSE [B, H, Nq] of the forward pass. Read.</param>
/// <param name="OutputGradient">dO [B, Nq, H, D]. Read.</param>
/// <param name="LogSumExpGradient">dLSE [B, H, Nq], or null for zero. Read.</param>
/// <param name="QueryGradient">dQ [B, Nq, H, D]. Overwritten, padding rows too (0).</param>
/// <param name="KeyGradient">dK [B, Nk, Hkv, D]. Overwritten, padding rows too (0).</param>
/// <param name="ValueGradient">dV [B, Nk, Hkv, D]. Overwritten, padding rows too (0).</param>
/// <param name="Layout">The kept blocks of the forward pass; must have a row for every query block.</param>
/// <param name="Sequences">The sequences of the batch.</param>
/// <param name="Scale">Factor of the scores.</param>
public readonly record struct AttentionBackwardArguments(Tensor Query, Tensor Key, Tensor Value, Tensor Output,
    Tensor LogSumExp, Tensor OutputGradient, Tensor? LogSumExpGradient,
    Tensor QueryGradient, Tensor KeyGradient, Tensor ValueGradient, BlockLayout Layout, SequenceBatch Sequences,
        float Scale);

/// <summary>The gradient of a merge for one of its parts: <c>w = exp(LSE_i - LSE), dO_i = w dO, dLSE_i = w (rowsum(dO
/// (O_i - O)) + dLSE)</c>.</summary>
/// <param name="PartOutput">O_i [B, N, H, D]. Read.</param>
/// <param name="PartLogSumExp">LSE_i [B, H, N]. Read.</param>
/// <param name="Output">O of the merge. Read.</param>
/// <param name="LogSumExp">LSE of the merge. Read.</param>
/// <param name="OutputGradient">dO. Read.</param>
/// <param name="LogSumExpGradient">dLSE, or null for zero. Read.</param>
/// <param name="PartOutputGradient">dO_i. Overwritten.</param>
/// <param name="PartLogSumExpGradient">dLSE_i. Overwritten.</param>
public readonly record struct MergeBackwardArguments(Tensor PartOutput, Tensor PartLogSumExp, Tensor Output,
    Tensor LogSumExp, Tensor OutputGradient, Tensor? LogSumExpGradient,
    Tensor PartOutputGradient, Tensor PartLogSumExpGradient);

/// <summary>What AdamW keeps of one parameter. Contiguous tensors of one shape.</summary>
/// <param name="Value">p, updated in place.</param>
/// <param name="Gradient">g. Read.</param>
/// <param name="FirstMoment">m, updated in place.</param>
/// <param name="SecondMoment">v, updated in place.</param>
/// <param name="WeightDecay">Decoupled decay: the parameter shrinks by learning rate * decay.</param>
/// <param name="Shadow">BFloat16, shaped like the parameter: receives the updated parameter, rounded. Null for
/// none.</param>
public readonly record struct AdamWParameter(Tensor Value, Tensor Gradient, Tensor FirstMoment, Tensor SecondMoment,
    float WeightDecay, Tensor? Shadow = null)
{
    /// <summary>Throws unless all tensors have the parameter's shape: what an engine checks first.</summary>
    /// <exception cref="ShapeException">A tensor has another shape.</exception>
    public void ThrowUnlessOneShape()
    {
        ShapeException.ThrowUnless(nameof(IEngine.AdamW), nameof(Gradient), Gradient, Value.Shape);
        ShapeException.ThrowUnless(nameof(IEngine.AdamW), nameof(FirstMoment), FirstMoment, Value.Shape);
        ShapeException.ThrowUnless(nameof(IEngine.AdamW), nameof(SecondMoment), SecondMoment, Value.Shape);
        if (Shadow is not null)
            ShapeException.ThrowUnless(nameof(IEngine.AdamW), nameof(Shadow), Shadow, Value.Shape);
    }
}

/// <summary>One step of AdamW with decoupled weight decay on a list of parameters: as few launches as the device's
/// kernels can take parameters, and the same bits however a list is cut.</summary>
/// <param name="Parameters">The parameters, no tensor in two of them.</param>
/// <param name="LearningRate">Learning rate of this step.</param>
/// <param name="Beta1">Decay of m.</param>
/// <param name="Beta2">Decay of v.</param>
/// <param name="Epsilon">Added to the root of v.</param>
/// <param name="Step">Number of this step, from 1, for the bias correction.</param>
/// <param name="GradientScale">Factor on the gradients, from clipping and accumulation.</param>
public readonly record struct AdamWArguments(IReadOnlyList<AdamWParameter> Parameters, float LearningRate, float Beta1,
    float Beta2, float Epsilon, int Step, float GradientScale);
