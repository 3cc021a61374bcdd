using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>
/// <c>ldmatrix</c>: 1, 2 or 4 matrices of 8 x 8 16-bit elements. Lane l gives the address of row l % 8 of matrix l / 8
/// and receives elements 2 (l % 4) and the next of row l / 4, or of column l / 4 with <c>.trans</c>.
/// </summary>
internal sealed unsafe class LoadMatrix(int[] d, PtxPointer pointer, bool isTransposed) : Instruction
{
    public override Flow Flow => Flow.WarpCollective;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp warp, uint lanes)
    {
        var shared = warp.Group.Shared;
        bool checkBanks = warp.Group.Options.DetectBankConflicts;
        byte** rows = stackalloc byte*[8];
        for (int m = 0; m < d.Length; m++)
        {
            uint banks = 0;
            for (int row = 0; row < 8; row++)
            {
                int lane = m * 8 + row;
                ulong address = pointer.Of(warp, lane);
                rows[row] = shared.Locate(address, 16);
                shared.Shadow?.ReadRow(warp, (int)(uint)address - SharedMemory.Begin);
                banks |= 1u << (int)(address >> 4 & 7);
            }
            if (banks != 0xff && checkBanks)
                throw new PtxFaultException(PtxFaultKind.BankConflict,
                    $"bank conflict: the rows of matrix {m} lie in only {BitOperations.PopCount(banks)} of 8 groups "
                    + $"of 4 banks");
            Distribute(rows, (uint*)(warp.Registers + d[m]));
        }
    }

    private void Distribute(byte** rows, uint* to)
    {
        if (!isTransposed)
            for (int row = 0; row < 8; row++)
                Unsafe.CopyBlock(to + row * 4, rows[row], 16);
        else
            for (int column = 0; column < 8; column++)
                for (int pair = 0; pair < 4; pair++)
                    to[column * 4 + pair] =
                        ((ushort*)rows[pair * 2])[column] | (uint)((ushort*)rows[pair * 2 + 1])[column] << 16;
    }
}

/// <summary>How the elements of a matrix become fp32.</summary>
internal unsafe interface IMatrixElement
{
    /// <summary>Elements of 16 bytes.</summary>
    static abstract int Count { get; }

    /// <summary>Widens the elements of 16 bytes.</summary>
    static abstract void Widen(byte* elements, float* to);
}

/// <summary>bfloat16.</summary>
internal readonly unsafe struct BFloat16Element : IMatrixElement
{
    public static int Count => 8;

    public static void Widen(byte* elements, float* to)
    {
        var bits = Vector128.Load((ushort*)elements);
        (Vector256.Create(Vector128.WidenLower(bits), Vector128.WidenUpper(bits)) << 16).AsSingle().Store(to);
    }
}

/// <summary>IEEE half.</summary>
internal readonly unsafe struct Float16Element : IMatrixElement
{
    public static int Count => 8;

    public static void Widen(byte* elements, float* to)
    {
        var halves = Vector128.Load((ushort*)elements);
        var bits = Vector256.Create(Vector128.WidenLower(halves), Vector128.WidenUpper(halves));
        var magnitude = (bits & Vector256.Create(0x7fffu)) << 13;
        // times 2^112 moves the exponent, for subnormals too
        var value = (magnitude.AsSingle() * BitConverter.UInt32BitsToSingle(0x77800000u)).AsUInt32();
        var isSpecial = Vector256.GreaterThanOrEqual(magnitude, Vector256.Create(0x7c00u << 13));
        value = Vector256.ConditionalSelect(isSpecial, magnitude | Vector256.Create(0x7f800000u), value);
        (value | (bits & Vector256.Create(0x8000u)) << 16).AsSingle().Store(to);
    }
}

/// <summary>TF32: the upper 19 bits of a float. The others are ignored, which truncates what was not rounded.</summary>
internal readonly unsafe struct Tf32Element : IMatrixElement
{
    public static int Count => 4;

    public static void Widen(byte* elements, float* to) =>
        (Vector128.Load((uint*)elements) & Vector128.Create(0xffffe000u)).AsSingle().Store(to);
}

/// <summary><c>mma.sync.m16n8k16</c> or, of 32-bit elements, <c>m16n8k8</c>: D[16, 8] = A[16, K] B[K, 8] + C[16, 8],
/// sums in fp32 from the first to the last.</summary>
internal sealed unsafe class MultiplyMatrices<TElement>(int[] d, int[] a, int[] b, int[] c) : Instruction
    where TElement : struct, IMatrixElement
{
    public override Flow Flow => Flow.WarpCollective;

    private static int Inner => 2 * TElement.Count;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp warp, uint lanes)
    {
        byte* r = warp.Registers;
        float* right = stackalloc float[16 * 8], left = stackalloc float[16 * 16];
        Vector256<float>* sums = stackalloc Vector256<float>[16];
        LoadRight(r, right);
        for (int row = 0; row < 8; row++)
        {
            // the four lanes of a row hold the elements of 16 bytes in order
            TElement.Widen(r + a[0] + row * 16, left + row * Inner);
            TElement.Widen(r + a[2] + row * 16, left + row * Inner + TElement.Count);
            TElement.Widen(r + a[1] + row * 16, left + (row + 8) * Inner);
            TElement.Widen(r + a[3] + row * 16, left + (row + 8) * Inner + TElement.Count);
            sums[row] = Interleave((float*)(r + c[0]) + row * 4, (float*)(r + c[1]) + row * 4);
            sums[row + 8] = Interleave((float*)(r + c[2]) + row * 4, (float*)(r + c[3]) + row * 4);
        }
        for (int row = 0; row < 16; row += 4)
        {
            Vector256<float> s0 = sums[row], s1 = sums[row + 1], s2 = sums[row + 2], s3 = sums[row + 3];
            float* x = left + row * Inner;
            for (int k = 0; k < Inner; k++)
            {
                var y = Vector256.Load(right + k * 8);
                s0 = Vector256.FusedMultiplyAdd(Vector256.Create(x[k]), y, s0);
                s1 = Vector256.FusedMultiplyAdd(Vector256.Create(x[k + Inner]), y, s1);
                s2 = Vector256.FusedMultiplyAdd(Vector256.Create(x[k + 2 * Inner]), y, s2);
                s3 = Vector256.FusedMultiplyAdd(Vector256.Create(x[k + 3 * Inner]), y, s3);
            }
            (sums[row], sums[row + 1], sums[row + 2], sums[row + 3]) = (s0, s1, s2, s3);
        }
        for (int row = 0; row < 8; row++)
        {
            Separate(sums[row], (float*)(r + d[0]) + row * 4, (float*)(r + d[1]) + row * 4);
            Separate(sums[row + 8], (float*)(r + d[2]) + row * 4, (float*)(r + d[3]) + row * 4);
        }
    }

    // B[k, n]: the four lanes of column n hold its elements in order.
    private void LoadRight(byte* r, float* right)
    {
        float* column = stackalloc float[16];
        for (int n = 0; n < 8; n++)
        {
            TElement.Widen(r + b[0] + n * 16, column);
            TElement.Widen(r + b[1] + n * 16, column + TElement.Count);
            for (int k = 0; k < Inner; k++)
                right[k * 8 + n] = column[k];
        }
    }

    private static Vector256<float> Interleave(float* even, float* odd)
    {
        var pairs = Vector256.Create(Vector128.Load(even), Vector128.Load(odd));
        return Vector256.Shuffle(pairs, Vector256.Create(0, 4, 1, 5, 2, 6, 3, 7));
    }

    private static void Separate(Vector256<float> row, float* even, float* odd)
    {
        var pairs = Vector256.Shuffle(row, Vector256.Create(0, 2, 4, 6, 1, 3, 5, 7));
        pairs.GetLower().Store(even);
        pairs.GetUpper().Store(odd);
    }
}

/// <summary>How <c>shfl.sync</c> chooses the lane to read.</summary>
internal enum ShuffleMode
{
    Index,
    Up,
    Down,
    Butterfly,
}

/// <summary><c>shfl.sync</c>: d = a of another lane of the segment; the predicate says whether that lane lies in it,
/// otherwise the lane reads itself.</summary>
internal sealed unsafe class Shuffle(int d, int p, int a, int b, int c, int members, ShuffleMode mode) : Instruction
{
    public override Flow Flow => Flow.WarpCollective;

    public override void Execute(Warp warp, uint lanes)
    {
        byte* r = warp.Registers;
        uint* from = stackalloc uint[32];
        Unsafe.CopyBlock(from, r + a, 128);
        uint inside = 0;
        for (int lane = 0; lane < 32; lane++)
        {
            if (Cell<uint>.Get(r + members, lane) != warp.Live)
                throw new PtxFaultException(PtxFaultKind.DivergentWarp,
                    $"shuffle among lanes 0x{Cell<uint>.Get(r + members, lane):x8}, but 0x{warp.Live:x8} are here");
            int amount = Cell<int>.Get(r + b, lane) & 31, clamp = Cell<int>.Get(r + c, lane) & 31,
                segment = Cell<int>.Get(r + c, lane) >> 8 & 31;
            int first = lane & segment, last = first | (clamp & ~segment);
            var (other, isInside) = mode switch
            {
                ShuffleMode.Up => (lane - amount, lane - amount >= last),
                ShuffleMode.Down => (lane + amount, lane + amount <= last),
                ShuffleMode.Butterfly => (lane ^ amount, (lane ^ amount) <= last),
                _ => (first | (amount & ~segment), (first | (amount & ~segment)) <= last),
            };
            Cell<uint>.Set(r + d, lane, from[isInside ? other : lane]);
            inside |= isInside ? 1u << lane : 0;
        }
        if (p >= 0)
            *(uint*)(r + p) = inside;
    }
}
