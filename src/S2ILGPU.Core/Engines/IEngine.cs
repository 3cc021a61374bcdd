using S2ILGPU.Tensors;

namespace S2ILGPU.Engines;

/// <summary>What a device can do: the contract between the transformer and an engine. Read this file first.</summary>
/// <remarks>
/// <para>Callers are the ops, which check shapes; implementations assert. Work may be asynchronous: only <see
/// cref="Synchronize"/>, <see cref="CountNonFinite"/> and downloads wait. Every operation is deterministic: same
/// inputs, same bits, on the same device, for any number of threads.</para>
/// <para>Tensors are [rows, columns] with adjacent columns and any row stride unless said otherwise. An engine is
/// driven by one thread at a time.</para>
/// </remarks>
public interface IEngine : IDisposable
{
    /// <summary>What a person calls the device, as in <c>CPU (AVX-512, 2 threads)</c>.</summary>
    string Name { get; }

    /// <summary>Element type of parameters and, unless a caller chooses another, of activations: Float32, or Float64
    /// for the reference.</summary>
    ElementType FloatType { get; }

    /// <summary>
    /// Whether activations and their gradients may have an element type: x, y, dx and dy of the elementwise and row
    /// operations, all of one call alike, and A, B and C of products, each on its own. Numbers are computed in <see
    /// cref="FloatType"/> and rounded to nearest even when they are stored. Norm weights, biases, tables of angles,
    /// inverse RMS, logits, losses, log-sum-exps, gradients of parameters, optimizer state and sums have <see
    /// cref="FloatType"/> whatever the activations are. Always true of <see cref="FloatType"/>; attention has <see
    /// cref="SupportsAttention"/>.
    /// </summary>
    bool SupportsActivations(ElementType elementType) => elementType == FloatType;

    /// <summary>Waits until all work so far is done; returns at once where operations run before they
    /// return.</summary>
    void Synchronize();

    // ---- memory ----

    /// <summary>Contiguous uninitialised memory, from a cache where possible; goes back when the last view is
    /// disposed.</summary>
    Tensor Allocate(Shape shape, ElementType elementType);

    /// <summary>Bytes that tensors hold now.</summary>
    long UsedBytes { get; }

    /// <summary>The most bytes that tensors ever held.</summary>
    long PeakBytes { get; }

    /// <summary>Copies host values in row-major order into a tensor of any strides and float type, rounding to nearest
    /// even.</summary>
    void Upload(ReadOnlySpan<float> source, Tensor destination);

    /// <summary>Copies host values in row-major order into an Int32 tensor.</summary>
    void Upload(ReadOnlySpan<int> source, Tensor destination);

    /// <summary>Waits for the work so far and copies a tensor of any strides and float type to the host in row-major
    /// order.</summary>
    void Download(Tensor source, Span<float> destination);

    /// <summary>Waits for the work so far and copies an Int32 tensor to the host in row-major order.</summary>
    void Download(Tensor source, Span<int> destination);

    /// <summary>The device's memory for libraries that work on it themselves; null where there is none, or none for
    /// them.</summary>
    IDeviceMemory? DeviceMemory => null;

    /// <summary>Sets every element.</summary>
    void Fill(Tensor tensor, float value);

    /// <summary>Copies between tensors of the same shape, any strides and float types; and whole pages of
    /// Int8.</summary>
    void Copy(Tensor source, Tensor destination);

    /// <summary>
    /// Writes rows [S, T, Hkv, D] of new keys or values into pages [P, blockTokens, D] at positions <c>KeyCount -
    /// QueryCount + t</c> of each sequence. A block without a page is passed over.
    /// </summary>
    /// <remarks>Int8 pages are <c>[P, blockTokens, D + 4]</c> (<see cref="PageTable.PagesShape"/>). A row becomes
    /// integers and a float32 scale, <c>m = max |x|, q = round(x (127 / m)), scale = min(m / 127, 2^121)</c>, in single
    /// precision, rounding to nearest even, and is read as <c>q scale</c>. A row with NaN or infinity is NaN in all
    /// elements, one with <c>m &lt; 2^-100</c> is 0.</remarks>
    void WritePages(Tensor source, Tensor pages, PageTable table, SequenceBatch sequences);

    // ---- elementwise: same shapes, contiguous unless said otherwise ----

    /// <summary><c>sum = a + b</c>; <paramref name="sum"/> may be <paramref name="a"/>.</summary>
    void Add(Tensor a, Tensor b, Tensor sum);

    /// <summary><c>accumulator += factor * x</c>.</summary>
    void AddScaled(Tensor x, float factor, Tensor accumulator);

    /// <summary><c>y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))</c>.</summary>
    void Gelu(Tensor x, Tensor y);

    /// <summary><c>dx (+)= dy * gelu'(x)</c>.</summary>
    void GeluBackward(Tensor x, Tensor dy, GradientTarget dx);

    /// <summary><c>y = gate * sigmoid(gate) * up</c>; rows may be strided, so gate and up may be halves of one
    /// product.</summary>
    void SwiGlu(Tensor gate, Tensor up, Tensor y);

    /// <summary><c>dgate (+)= dy * up * silu'(gate), dup (+)= dy * silu(gate)</c>; rows may be strided.</summary>
    void SwiGluBackward(Tensor gate, Tensor up, Tensor dy, GradientTarget dgate, GradientTarget dup);

    /// <summary><c>y = g sigmoid(1.702 g) (u + 1), g = min(gate, L), u = clamp(up, -L, L)</c>; rows may be strided. An
    /// infinite gate or up gives NaN, so that the limit hides no damage.</summary>
    void Gegelu(Tensor gate, Tensor up, float limit, Tensor y);

    /// <summary><c>dgate (+)= [gate &lt;= L] dy (u + 1) s (1 + 1.702 g (1 - s)), dup (+)= [|up| &lt;= L] dy g s, s =
    /// sigmoid(1.702 g)</c>; rows may be strided.</summary>
    void GegeluBackward(Tensor gate, Tensor up, float limit, Tensor dy, GradientTarget dgate, GradientTarget dup);

    /// <summary>Number of elements that are NaN or infinite; any strides. Waits.</summary>
    long CountNonFinite(Tensor x);

    // ---- row ----

    /// <summary><c>r_i = 1 / sqrt(mean_c x_ic^2 + epsilon), y_ic = x_ic * r_i * w_c</c>. x, y [R, C]; weight [C];
    /// inverseRms [R], written for the backward pass.</summary>
    void RmsNorm(Tensor x, Tensor weight, Tensor y, Tensor inverseRms, float epsilon);

    /// <summary><c>dx_ic (+)= r_i (w_c dy_ic - x_ic r_i^2 mean_k(dy_ik w_k x_ik)), dw_c (+)= sum_i dy_ic x_ic
    /// r_i</c>.</summary>
    void RmsNormBackward(Tensor x, Tensor weight, Tensor inverseRms, Tensor dy, GradientTarget dx,
        GradientTarget dweight);

    /// <summary><c>y_ic += b_c</c>. y [R, C], in place; bias [C], of the float type.</summary>
    void AddBias(Tensor bias, Tensor y);

    /// <summary><c>sum_c (+)= sum_i x_ic</c>: the gradient of a bias. x [R, C]; sum [C], of the float type.</summary>
    void SumRows(Tensor x, GradientTarget sum);

    /// <summary><c>y_ic (+)= x_ic - mean_k x_ik</c>; also its own gradient. x, y [R, C]; overwriting may alias
    /// x.</summary>
    void Center(Tensor x, GradientTarget y);

    /// <summary>Rotates each pair (x_c, x_{c+D/2}) of a head by the angle of its position: <c>y_c = x_c cos - x_{c+D/2}
    /// sin, y_{c+D/2} = x_{c+D/2} cos + x_c sin</c>.</summary>
    /// <param name="x">[B, N, H, D], any strides with adjacent D.</param>
    /// <param name="cosine">[maxPositions, D/2].</param>
    /// <param name="sine">[maxPositions, D/2].</param>
    /// <param name="positions">Int32 [B, N].</param>
    /// <param name="y">Target [B, N, H, D]; overwriting may alias x.</param>
    /// <param name="inverse">Rotate backwards: the gradient of the forward rotation.</param>
    void Rotary(Tensor x, Tensor cosine, Tensor sine, Tensor positions, GradientTarget y, bool inverse);

    /// <summary><c>y_t = table[ids_t]</c>. table [V, C], of the float type, BFloat16 or Float16, whatever y is; ids
    /// Int32 [T], y [T, C].</summary>
    void Embedding(Tensor table, Tensor ids, Tensor y);

    /// <summary><c>dtable[ids_t] (+)= dy_t</c>, added in the order of t; dtable has the float type.</summary>
    void EmbeddingBackward(Tensor ids, Tensor dy, GradientTarget dtable);

    /// <summary>
    /// <c>lse_t = ln sum_v exp(logits_tv), losses_t = lse_t - logits[t, targets_t]</c>; 0 where the target is -1
    /// (ignored). logits [T, V], targets Int32 [T], losses and logSumExp [T].
    /// </summary>
    void SoftmaxCrossEntropy(Tensor logits, Tensor targets, Tensor losses, Tensor logSumExp);

    /// <summary><c>dlogits_tv (+)= dlosses_t (exp(logits_tv - lse_t) - [v = targets_t])</c>, 0 where ignored;
    /// overwriting may alias logits.</summary>
    void SoftmaxCrossEntropyBackward(Tensor logits, Tensor targets, Tensor logSumExp, Tensor dlosses,
        GradientTarget dlogits);

    // ---- matmul ----

    /// <summary><c>C (+)= op(A) op(B) + bias + residual</c>, where either is given.</summary>
    void MatMul(in MatMulArguments arguments);

    // ---- attention ----

    /// <summary>
    /// Whether queries, keys, values, outputs and their gradients may all have an element type; log-sum-exps and their
    /// gradients are Float32 then. Always true of <see cref="FloatType"/>.
    /// </summary>
    bool SupportsAttention(ElementType elementType) => elementType == FloatType;

    /// <summary>Whether attention has windows that are counted in tokens (<see
    /// cref="Patterns.AttentionPattern.WindowTokens"/>).</summary>
    bool SupportsTokenWindows => false;

    /// <summary>Sparse attention over the kept blocks; also decoding, when there are few queries.</summary>
    /// <remarks>
    /// <para>NaN policy. A row is a function of its query and of the keys and values that it sees, and of nothing else:
    /// what a mask hides, what lies past the last key and what no sequence owns never reaches it, NaN and infinity
    /// included.</para>
    /// <para>What it sees counts as in a float64 softmax: a score that is NaN or +inf gives NaN in the whole row and in
    /// its log-sum-exp; a score of -inf has weight 0, and 0 * NaN is NaN where its value is NaN; a row whose scores are
    /// all -inf is 0 / 0, NaN in both. Only a row that keeps no key gives 0 and -inf.</para>
    /// </remarks>
    void AttentionForward(in AttentionForwardArguments arguments);

    /// <summary>Gradients of sparse attention.</summary>
    /// <remarks>NaN policy: dQ of a row, and what the row adds to dK and dV, is a function of its query, output,
    /// log-sum-exp and their gradients and of the keys and values that it sees; dK and dV of a key of the rows that see
    /// it. A row with a log-sum-exp of -inf keeps nothing and adds 0; one of NaN makes the gradients of all that it
    /// sees NaN.</remarks>
    void AttentionBackward(in AttentionBackwardArguments arguments);

    /// <summary>
    /// Merges attention over disjoint parts of the keys: <c>LSE = ln sum_i exp(LSE_i), O = sum_i exp(LSE_i - LSE)
    /// O_i</c>. Outputs [B, N, H, D] and log-sum-exps [B, H, N], one per part; a part with -inf counts nothing.
    /// </summary>
    /// <remarks>A part with a log-sum-exp of NaN makes the row NaN. A row without a part that counts is 0 and
    /// -inf.</remarks>
    void MergePartitions(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> logSumExps, Tensor output,
        Tensor logSumExp);

    /// <summary>
    /// The gradient of <see cref="MergePartitions"/> for one part: <c>w = exp(LSE_i - LSE), dO_i = w dO, dLSE_i = w
    /// (rowsum(dO (O_i - O)) + dLSE)</c>; 0 for a part with -inf, whatever its output is.
    /// </summary>
    void MergePartitionBackward(in MergeBackwardArguments arguments);

    // ---- optimizer ----

    /// <summary><c>results[i] = sum x^2</c> over all elements of the tensors of list i, in their order, accumulated in
    /// double precision. results: one element for each list, 0 where it has no tensors.</summary>
    void SumOfSquares(IReadOnlyList<IReadOnlyList<Tensor>> lists, Tensor results);

    /// <summary><c>m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2, p -= lr (m^ / (sqrt(v^) + eps) + decay p)</c> with
    /// bias-corrected m^, v^, for each parameter p of a list. Writes a shadow of p in the same pass where one is given;
    /// all shadows of a call have one type.</summary>
    void AdamW(in AdamWArguments arguments);
}
