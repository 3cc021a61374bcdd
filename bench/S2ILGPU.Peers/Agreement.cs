using System.Globalization;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Peers;

/// <summary>Whether two sides computed the same thing.</summary>
internal static class Agreement
{
    /// <summary>Above this, times are not compared.</summary>
    public const double Tolerance = 1e-3;

    /// <summary><c>max |ours - theirs| / max |theirs|</c>.</summary>
    /// <exception cref="DisagreementException">It is above a tolerance, or NaN.</exception>
    public static double Check(string what, ReadOnlySpan<float> ours, ReadOnlySpan<float> theirs,
        double tolerance = Tolerance)
    {
        if (ours.Length != theirs.Length)
            throw new DisagreementException($"{what}: {ours.Length} values of ours, {theirs.Length} of the peer's");
        double worst = 0, largest = 0;
        int at = 0;
        for (int i = 0; i < ours.Length; i++)
        {
            double difference = Math.Abs((double)ours[i] - theirs[i]);
            if (!(difference <= worst) && !double.IsNaN(worst))
                (worst, at) = (difference, i);
            largest = Math.Max(largest, Math.Abs(theirs[i]));
        }
        double error = worst / largest;
        return error <= tolerance ? error : throw new DisagreementException(string.Create(CultureInfo.InvariantCulture,
            $"{what} differs by {error:0.0e+0} of the largest value, at most {tolerance:0.0e+0} is the same thing; ")
            + string.Create(CultureInfo.InvariantCulture, $"at {at}: ours {ours[at]}, the peer's {theirs[at]}"));
    }

    /// <summary>The values of a tensor in row-major order.</summary>
    public static float[] Values(this IEngine engine, Tensor tensor)
    {
        var values = new float[tensor.Count];
        engine.Download(tensor, values);
        return values;
    }
}
