using ILGPU;
using ILGPU.Algorithms;

namespace S2ILGPU.KernelLab.Tests.Kernels;

/// <summary>
/// O = softmax(mask(Q K' / 8)) V, causal, 64 elements a row, bfloat16: the structure of a real tensor-core kernel (asynchronous copies, swizzled tiles, matrix fragments, online softmax).
/// A group owns 64 query rows, a warp 16 of them, and visits blocks of 64 keys.
/// </summary>
public readonly struct AttentionKernel(ArrayView<U4> q, ArrayView<U4> k, ArrayView<U4> v, ArrayView<uint> o)
{
    public const int Threads = 128;
    public const int Block = 64;
    private const int Dim = 64;
    private const int RowBytes = Dim * 2;
    private const int TileBytes = Block * RowBytes;
    private const float Scale = 0.125f;
    private readonly ArrayView<U4> _q = q;
    private readonly ArrayView<U4> _k = k;
    private readonly ArrayView<U4> _v = v;
    private readonly ArrayView<uint> _o = o;

    public static void Run<TMutation>(AttentionKernel p)
        where TMutation : struct, IMutation
    {
        var tiles = TMutation.Stages == 2 ? SharedMemory.GetDynamic<U4>() : SharedMemory.Allocate<U4>(2 * TileBytes / 16);
        var query = LocalMemory.Allocate<uint>(16);
        var scores = LocalMemory.Allocate<float>(32);
        var output = LocalMemory.Allocate<float>(32);
        var softmax = LocalMemory.Allocate<float>(4);
        LoadQuery(p._q, query);
        for (int i = 0; i < 32; i++)
            output[i] = 0f;
        for (int h = 0; h < 2; h++)
            (softmax[h], softmax[2 + h]) = (float.NegativeInfinity, 0f);

        int last = Grid.IdxX;
        Copy(tiles, 0, p._k, 0);
        if (TMutation.Stages == 2)
            Copy(tiles, 2 * TileBytes, p._v, 0);
        Raw.Commit();
        for (int block = 0; block <= last; block++)
        {
            int stage = TMutation.Stages == 2 ? (block & 1) * TileBytes : 0;
            int valueTile = TMutation.Stages * TileBytes + stage;
            int next = Math.Min(block + 1, last);
            if (TMutation.FirstWait)
                Raw.Wait(0);
            if (TMutation.FirstBarrier)
                Group.Barrier();
            if (TMutation.Stages == 2)
                Copy(tiles, stage ^ TileBytes, p._k, next);
            Copy(tiles, TMutation.Stages == 2 ? valueTile ^ TileBytes : valueTile, p._v, TMutation.Stages == 2 ? next : block);
            Raw.Commit();
            Scores(tiles, stage, query, scores);
            if (TMutation.Stages == 1)
            {
                if (TMutation.SecondWait)
                    Raw.Wait(0);
                if (TMutation.SecondBarrier)
                    Group.Barrier();
                Copy(tiles, 0, p._k, next);
                Raw.Commit();
            }
            if (block == last)
                Mask(scores);
            Soften(scores, output, softmax);
            AddValues(tiles, valueTile, scores, output);
        }
        if (TMutation.LastWait)
            Raw.Wait(0);
        Store(p._o, output, softmax);
    }

    /// <summary>Rows of 128 bytes; the 16-byte chunks of a row are permuted so that eight rows of a matrix lie in different banks.</summary>
    private static int At(int row, int chunk) => row * RowBytes + ((chunk ^ (row & 7)) << 4);

    private static void Copy(ArrayView<U4> tiles, int tile, ArrayView<U4> source, int block)
    {
        for (int i = Group.IdxX; i < Block * 8; i += Threads)
            Raw.CopyAsync(ref tiles[0], tile + At(i >> 3, i & 7), ref source[0], (block * Block * 8 + i) * 16L);
    }

    private static void LoadQuery(ArrayView<U4> source, ArrayView<uint> query)
    {
        var words = source.Cast<uint>();
        int row = Grid.IdxX * Block + Warp.WarpIdx * 16 + (Warp.LaneIdx >> 2);
        for (int k = 0; k < 4; k++)
        {
            int at = row * 32 + k * 8 + (Warp.LaneIdx & 3);
            query[k * 4] = words[at];
            query[k * 4 + 1] = words[at + 8 * 32];
            query[k * 4 + 2] = words[at + 4];
            query[k * 4 + 3] = words[at + 8 * 32 + 4];
        }
    }

    private static void Scores(ArrayView<U4> tiles, int tile, ArrayView<uint> query, ArrayView<float> scores)
    {
        int matrix = Warp.LaneIdx >> 3;
        int row = (matrix >> 1) * 8 + (Warp.LaneIdx & 7);
        for (int i = 0; i < 32; i++)
            scores[i] = 0f;
        for (int k = 0; k < 4; k++)
        {
            var a = new U4 { X = query[k * 4], Y = query[k * 4 + 1], Z = query[k * 4 + 2], W = query[k * 4 + 3] };
            for (int n = 0; n < 4; n++)
                Multiply(scores, n, a, TensorOps.LoadMatrices(ref tiles[0], tile + At(n * 16 + row, k * 2 + (matrix & 1)), transposed: false));
        }
    }

    private static void Multiply(ArrayView<float> target, int n, U4 a, U4 b)
    {
        for (int h = 0; h < 2; h++)
        {
            int x = (n * 2 + h) * 4;
            var c = new F4 { X = target[x], Y = target[x + 1], Z = target[x + 2], W = target[x + 3] };
            c = TensorOps.Multiply(c, a, h == 0 ? b.X : b.Z, h == 0 ? b.Y : b.W);
            (target[x], target[x + 1], target[x + 2], target[x + 3]) = (c.X, c.Y, c.Z, c.W);
        }
    }

    private static void Mask(ArrayView<float> scores)
    {
        int row = Warp.WarpIdx * 16 + (Warp.LaneIdx >> 2);
        int column = (Warp.LaneIdx & 3) * 2;
        for (int i = 0; i < 32; i++)
        {
            if (column + (i >> 2) * 8 + (i & 1) > row + (i >> 1 & 1) * 8)
                scores[i] = float.NegativeInfinity;
        }
    }

    /// <summary>Scores become weights; maximum, sum and output of each row are brought up to date.</summary>
    private static void Soften(ArrayView<float> scores, ArrayView<float> output, ArrayView<float> softmax)
    {
        for (int h = 0; h < 2; h++)
        {
            float maximum = softmax[h];
            for (int n = 0; n < 8; n++)
                maximum = IntrinsicMath.Max(maximum, IntrinsicMath.Max(scores[n * 4 + h * 2], scores[n * 4 + h * 2 + 1]));
            maximum = IntrinsicMath.Max(maximum, Warp.ShuffleXor(maximum, 1));
            maximum = IntrinsicMath.Max(maximum, Warp.ShuffleXor(maximum, 2));
            float shrink = XMath.Exp((softmax[h] - maximum) * Scale);
            float sum = softmax[2 + h] * shrink;
            for (int n = 0; n < 8; n++)
            {
                for (int x = n * 4 + h * 2; x < n * 4 + h * 2 + 2; x++)
                {
                    scores[x] = XMath.Exp((scores[x] - maximum) * Scale);
                    sum += scores[x];
                    output[x] *= shrink;
                }
            }
            (softmax[h], softmax[2 + h]) = (maximum, sum);
        }
    }

    private static void AddValues(ArrayView<U4> tiles, int tile, ArrayView<float> weights, ArrayView<float> output)
    {
        int matrix = Warp.LaneIdx >> 3;
        int row = (matrix & 1) * 8 + (Warp.LaneIdx & 7);
        for (int k = 0; k < 4; k++)
        {
            int x = k * 8;
            var a = new U4
            {
                X = TensorOps.Pack(weights[x], weights[x + 1]),
                Y = TensorOps.Pack(weights[x + 2], weights[x + 3]),
                Z = TensorOps.Pack(weights[x + 4], weights[x + 5]),
                W = TensorOps.Pack(weights[x + 6], weights[x + 7]),
            };
            for (int n = 0; n < 4; n++)
                Multiply(output, n, a, TensorOps.LoadMatrices(ref tiles[0], tile + At(k * 16 + row, n * 2 + (matrix >> 1)), transposed: true));
        }
    }

    private static void Store(ArrayView<uint> target, ArrayView<float> output, ArrayView<float> softmax)
    {
        for (int h = 0; h < 2; h++)
        {
            float sum = softmax[2 + h];
            sum += Warp.ShuffleXor(sum, 1);
            sum += Warp.ShuffleXor(sum, 2);
            int row = Grid.IdxX * Block + Warp.WarpIdx * 16 + (Warp.LaneIdx >> 2) + h * 8;
            for (int n = 0; n < 8; n++)
                target[row * 32 + n * 4 + (Warp.LaneIdx & 3)] = TensorOps.Pack(output[n * 4 + h * 2] / sum, output[n * 4 + h * 2 + 1] / sum);
        }
    }
}
