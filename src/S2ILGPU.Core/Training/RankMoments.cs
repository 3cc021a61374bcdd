using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Training;

/// <summary>Moments that lie in parts on the ranks, as whole tensors for a checkpoint and back.</summary>
internal static class RankMoments
{
    /// <summary>The whole moments of every parameter; all ranks call it.</summary>
    /// <param name="parallel">The ranks and their parts.</param>
    /// <param name="own">The moments of <see cref="DataParallel.Own"/>.</param>
    /// <param name="counts">Elements of each parameter.</param>
    /// <param name="engine">The engine of this rank.</param>
    /// <returns>Values by parameter.</returns>
    public static float[][] Gather(DataParallel parallel, IReadOnlyList<Tensor> own, IEnumerable<long> counts,
        IEngine engine)
    {
        float[][] whole = [.. counts.Select(count => new float[count])];
        int next = 0;
        foreach (var bucket in parallel.Buckets)
        {
            using Tensor part = engine.Zeros(bucket.PartCount), all = engine.Zeros(bucket.Count);
            foreach (var piece in bucket.OwnPieces)
            {
                using Tensor place = part.Slice(0, piece.Offset, piece.Count),
                    moment = own[next++].Reshape(new Shape(piece.Count));
                engine.Copy(moment, place);
            }
            parallel.Ranks.AllGather(part, all).Wait();
            foreach (var piece in bucket.Pieces)
            {
                using var values = all.Slice(0, piece.Offset, piece.Count);
                engine.Download(values, whole[piece.Parameter].AsSpan(piece.Start, piece.Count));
            }
        }
        return whole;
    }

    /// <summary>Writes the parts of one parameter that belong to this rank.</summary>
    /// <param name="parallel">The parts.</param>
    /// <param name="own">The moments of <see cref="DataParallel.Own"/>; written.</param>
    /// <param name="parameter">Index of the parameter.</param>
    /// <param name="values">Its whole moment.</param>
    /// <param name="engine">The engine of this rank.</param>
    public static void Load(DataParallel parallel, IReadOnlyList<Tensor> own, int parameter, float[] values,
        IEngine engine)
    {
        int index = 0;
        foreach (var piece in parallel.Buckets.SelectMany(bucket => bucket.OwnPieces))
        {
            if (piece.Parameter == parameter)
                engine.Upload(values.AsSpan(piece.Start, piece.Count), own[index]);
            index++;
        }
    }
}
