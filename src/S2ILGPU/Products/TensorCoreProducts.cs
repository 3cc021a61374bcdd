using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.Attention;
using S2ILGPU.Engines;
using S2ILGPU.Kernels.MatMul.TensorCore;
using S2ILGPU.Memory;
using S2ILGPU.Queue;
using S2ILGPU.Tensors;
using S2ILGPU.Tiles;
using S2ILGPU.Variants;

namespace S2ILGPU.Products;

/// <summary>Matrix products by the tensor-core kernels, on 16-bit operands, and where it was allowed on
/// single-precision ones rounded to TF32.</summary>
/// <param name="queue">The device.</param>
/// <param name="kernels">Whether the device has tensor cores, and how much shared memory.</param>
internal sealed class TensorCoreProducts(DeviceQueue queue, AttentionKernels kernels)
{
    private const string SingleNote = "products of fp32 matrices run on portable kernels: tensor cores take them in "
        + "bf16 (--precision bf16), or rounded to TF32 where that is allowed (--tf32)";

    private readonly OperandMatrices _operands = new(queue);
    private readonly List<string> _notes = [];
    private readonly List<KernelVariant> _forced = [];

    /// <summary>What portable kernels did so far although tensor cores would be faster.</summary>
    public IEnumerable<string> Notes => _notes;

    /// <summary>The variant that served the last product; null when none did.</summary>
    public KernelVariant? Last { get; private set; }

    /// <summary>The variant that added the parts of the last product; null when it had one part.</summary>
    public KernelVariant? LastSum { get; private set; }

    /// <summary>The variants that this device can run. Emulated devices run all of them, though by themselves they
    /// choose only portable kernels.</summary>
    public IReadOnlyList<KernelVariant> Variants => [.. MatMulVariants.All.Where(kernels.RunsOnDevice)];

    /// <summary>Whether products of Float32 matrices may round their operands to TF32; false by itself.</summary>
    public bool AllowTf32 { get; set; }

    /// <summary>Prefers a variant wherever it fits, until the result is disposed. What served products before is
    /// forgotten.</summary>
    public IDisposable Force(KernelVariant variant)
    {
        // it fits no call of attention; there it turns on the tensor cores of emulated devices
        var ofDevice = kernels.Force(variant);
        _forced.Add(variant);
        (Last, LastSum) = (null, null);
        return new Forced(() =>
        {
            _forced.Remove(variant);
            ofDevice.Dispose();
        });
    }

    /// <summary><c>C (+)= op(A) op(B) + bias + residual</c>, if A and B are of one 16-bit type and C of that type or
    /// Float32; if TF32 is allowed also of Float32 matrices with more rows of C than few.</summary>
    /// <param name="a">Operands whose shapes were checked.</param>
    /// <returns>False when a portable kernel has to do it.</returns>
    public bool TryMultiply(in MatMulArguments a)
    {
        (Last, LastSum) = (null, null);
        // single precision is transposed in memory: C = A B^T
        bool isSingle = a.A.ElementType == ElementType.Float32;
        int steps = a.A.Shape[a.TransposeA ? 0 : 1];
        var problem = new ProductProblem(a.A.ElementType, a.C.Shape[0], a.C.Shape[1], steps,
            a.TransposeA && !isSingle, a.TransposeB || isSingle);
        if (!AreForTensorCores(a) || problem.Rows == 0 || problem.Columns == 0 || problem.Steps == 0)
            return false;
        var variant = Choose(problem);
        using var left = a.TransposeA && isSingle ? _operands.Transposed(a.A) : _operands.ToRead(a.A);
        using var right = !a.TransposeB && isSingle ? _operands.Transposed(a.B) : _operands.ToRead(a.B);
        var arguments = new MatrixProductArguments
        {
            A = _operands.MatrixOf(left),
            B = _operands.MatrixOf(right),
            C = _operands.ResultOf(a),
            Steps = isSingle ? checked(2 * steps) : steps,
            Parts = MatMulLaunchTable.Parts(problem),
        };
        if (arguments.Parts == 1)
            Launch(variant, problem, arguments);
        else
            LaunchParts(variant, problem, arguments);
        Last = variant;
        return true;
    }

    private KernelVariant Choose(in ProductProblem problem)
    {
        for (int n = _forced.Count - 1; n >= 0; n--)
            if (MatMulLaunchTable.Fits(_forced[n], problem) && kernels.RunsOnDevice(_forced[n]))
                return _forced[n];
        return MatMulLaunchTable.Choose(problem, kernels.MultiprocessorKilobytes, queue.Multiprocessors);
    }

    private bool AreForTensorCores(in MatMulArguments a)
    {
        var (left, right, result) = (a.A.ElementType, a.B.ElementType, a.C.ElementType);
        if (!kernels.UseTensorCores)
            return false;
        bool areSingle = left == ElementType.Float32 && right == ElementType.Float32 && result != ElementType.Float16;
        if (areSingle && AllowTf32)
            return a.C.Shape[0] > MatMulLaunchTable.MaxFewRows;
        if (Is16Bit(left) && left == right && (result == left || result == ElementType.Float32))
            return true;
        string note = areSingle ? SingleNote
            : $"products of {Name(left)} and {Name(right)} with results of {Name(result)} run on portable "
            + "kernels in single precision: tensor cores take two matrices of bf16, or two of fp16, and give results "
            + "of that type or of fp32";
        if (!_notes.Contains(note))
            _notes.Add(note);
        return false;
    }

    // Sums of each part in memory of their own, then their sum in C.
    private void LaunchParts(KernelVariant variant, in ProductProblem problem, MatrixProductArguments arguments)
    {
        int quads = (problem.Columns + 3) / 4;
        var c = arguments.C;
        using var parts = queue.Allocate(new Shape(arguments.Parts, problem.Rows, quads * 4), ElementType.Float32);
        arguments.C = new ResultMatrix
        {
            Memory = queue.Tensors.Words(parts),
            Stride = quads * 4,
            Rows = problem.Rows,
            Columns = quads * 4,
            IsSingle = 1,
            AreQuadsAligned = 1,
        };
        arguments.PartElements = (long)problem.Rows * quads * 4;
        Launch(variant, problem, arguments);
        var sum = new PartSumArguments
        {
            Sums = queue.Tensors.Words(parts).Cast<F4>(),
            C = c,
            Parts = arguments.Parts,
            RowQuads = quads,
            PartQuads = checked(problem.Rows * quads),
        };
        string name = MatMulVariants.SumOf(problem.ElementType);
        var kernel = MatMulVariants.All.First(v => v.Name == name);
        queue.Launch(kernel.Method, new Index3D((sum.PartQuads + kernel.Threads - 1) / kernel.Threads, 1, 1),
            kernel.Threads, kernel.SharedBytes, sum);
        LastSum = kernel;
    }

    private void Launch(KernelVariant variant, in ProductProblem problem, in MatrixProductArguments arguments)
    {
        int tiles = checked((int)MatMulLaunchTable.Tiles(problem, variant.Rows, variant.Columns));
        queue.Launch(variant.Method, new Index3D(tiles, arguments.Parts, 1), variant.Threads, variant.SharedBytes,
            arguments);
    }

    private static bool Is16Bit(ElementType type) => type is ElementType.BFloat16 or ElementType.Float16;

    private static string Name(ElementType type) => type switch
    {
        ElementType.BFloat16 => "bf16",
        ElementType.Float16 => "fp16",
        ElementType.Float32 => "fp32",
        _ => type.ToString(),
    };

    private sealed class Forced(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
