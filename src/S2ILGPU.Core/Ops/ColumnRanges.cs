using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

/// <summary>Some columns of a matrix, as ranges of neighbours.</summary>
internal sealed class ColumnRanges
{
    private readonly List<(int Start, int Count)> _ranges = [];

    /// <param name="columns">The columns, in any order.</param>
    public ColumnRanges(IEnumerable<int> columns)
    {
        foreach (int column in columns.Distinct().Order())
            if (_ranges.Count > 0 && _ranges[^1] is var (start, count) && start + count == column)
                _ranges[^1] = (start, count + 1);
            else
                _ranges.Add((column, 1));
    }

    /// <summary>Sets the columns.</summary>
    public void Fill(IEngine engine, Tensor matrix, float value)
    {
        foreach (var (start, count) in _ranges)
        {
            using var columns = matrix.Slice(1, start, count);
            engine.Fill(columns, value);
        }
    }
}

public static partial class Operations
{
    /// <summary>Logits of tokens that no text has are -inf, in place.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="logits">[T, V]. Its value is overwritten, so no other gradient may need it.</param>
    /// <param name="unused">The tokens; null for none.</param>
    internal static Variable HideColumns(this Tape tape, Variable logits, ColumnRanges? unused)
    {
        if (unused is null)
            return logits;
        var y = tape.View(logits, ViewKey.Reshape(logits.Shape));
        unused.Fill(tape.Engine, y.Value, float.NegativeInfinity);
        if (tape.Needs(logits))
            RecordHidden(tape, logits, unused, y);
        return y;
    }

    private static void RecordHidden(Tape tape, Variable logits, ColumnRanges unused, Variable y) =>
        tape.Record(y, () =>
        {
            var gradient = tape.OwnGradient(y);
            unused.Fill(tape.Engine, gradient, 0);
            tape.GiveGradient(logits, gradient);
        });
}
