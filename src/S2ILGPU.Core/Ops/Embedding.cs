using S2ILGPU.Autograd;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

public static partial class Operations
{
    /// <summary><c>y_t = table[ids_t]</c>: rows of a table.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="table">[V, C].</param>
    /// <param name="ids">Int32 [T] or [B, N]; values 0 to V exclusive, checked by the caller who has them on the host.
    /// Kept.</param>
    /// <returns>y [T, C], with T = B N.</returns>
    /// <exception cref="ShapeException">The table is not of rank 2, or the ids are not Int32.</exception>
    public static Variable Embedding(this Tape tape, Variable table, Variable ids)
    {
        ShapeRules.Rank(nameof(Embedding), nameof(table), table.Shape, 2);
        ShapeRules.Integers(nameof(Embedding), nameof(ids), ids, ids.Value.Count);
        var flat = tape.Flat(ids);
        var y = tape.New(new Shape(flat.Shape[0], table.Shape[1]));
        tape.Engine.Embedding(table.Shadow ?? table.Value, flat.Value, y.Value);
        if (tape.Needs(table))
            RecordEmbedding(tape, table, flat, y);
        return y;
    }

    private static void RecordEmbedding(Tape tape, Variable table, Variable ids, Variable y) => tape.Record(y, () =>
        tape.Engine.EmbeddingBackward(ids.Value, y.Gradient!, tape.GradientOf(table)));

    private static Variable Flat(this Tape tape, Variable integers) =>
        integers.Shape.Rank == 1 ? integers
        : integers.Value.Count <= int.MaxValue
        ? tape.View(integers, ViewKey.Reshape(new Shape((int)integers.Value.Count)))
        : throw new ShapeException(nameof(Embedding), "ids", $"at most {int.MaxValue} elements",
            integers.Shape.ToString());
}
