namespace S2ILGPU.Quality;

/// <summary>A validation during training.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Loss">Nats per token.</param>
internal readonly record struct CurvePoint(int Step, double Loss)
{
    /// <summary>Steps of the first validation from which a curve stays at or below a loss; null where its end is
    /// above.</summary>
    /// <param name="curve">The validations, by step.</param>
    /// <param name="loss">Nats per token.</param>
    public static int? StepsTo(IReadOnlyList<CurvePoint> curve, double loss)
    {
        int first = curve.Count;
        while (first > 0 && curve[first - 1].Loss <= loss)
            first--;
        return first == curve.Count ? null : curve[first].Step;
    }
}
