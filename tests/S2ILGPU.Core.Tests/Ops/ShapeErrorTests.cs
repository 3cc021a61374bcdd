using S2ILGPU.Autograd;
using S2ILGPU.Ops;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Ops;

/// <summary>Every operation refuses shapes that do not fit, with both sides in the message.</summary>
public sealed class ShapeErrorTests : IDisposable
{
    private readonly ReferenceEngine _engine = new();
    private readonly Tape _tape;

    public ShapeErrorTests() => _tape = new Tape(_engine);

    public void Dispose() => _tape.Dispose();

    [Fact]
    public void Elementwise()
    {
        Refused("[2, 3]", "[3, 2]", () => _tape.Add(New(2, 3), New(3, 2)));
        Refused("[2, 3]", "[2, 3, 1]", () => _tape.AddInto(New(2, 3), New(2, 3, 1)));
        Refused("[2, 4]", "[2, 3]", () => _tape.SwiGlu(New(2, 4), New(2, 3)));
        Refused("of rank 2", "[2, 2, 4]", () => _tape.SwiGlu(New(2, 2, 4), New(2, 2, 4)));
        Refused("even last dimension", "[2, 3]", () => _tape.Halves(New(2, 3)));
        Refused("6 elements", "[2, 4]", () => _tape.Reshape(New(2, 4), new Shape(6)));
    }

    [Fact]
    public void Products()
    {
        Refused("[..., 4]", "[2, 3]", () => _tape.Linear(New(2, 3), New(5, 4)));
        Refused("of rank 2", "[4]", () => _tape.Linear(New(2, 4), New(4)));
        Refused("[5]", "[4]", () => _tape.Linear(New(2, 4), New(5, 4), New(4)));
        Refused("[2, 3, 5]", "[6, 5]", () => _tape.Linear(New(2, 3, 4), New(5, 4), residual: New(6, 5)));
        Refused("[T, C] or [B, N, C]", "[4]", () => _tape.Linear(New(4), New(4, 4)));
    }

    [Fact]
    public void Rows()
    {
        Refused("[3]", "[4]", () => _tape.RmsNorm(New(2, 3), New(4), 1e-5f));
        Refused("[T, C] or [B, N, C]", "[3]", () => _tape.RmsNorm(New(3), New(3), 1e-5f));
        Refused("of rank 2", "[3]", () => _tape.Embedding(New(3), Integers(1)));
        Refused("Int32 with 2 elements", "Float64 [2]", () => _tape.Embedding(New(3, 2), New(2)));
        Refused("Int32 with 3 elements", "Int32 [2]", () => _tape.SoftmaxCrossEntropy(New(3, 4), Integers(2)));
        Refused("of rank 2", "[3]", () => _tape.SoftmaxCrossEntropy(New(3), Integers(3)));
        Refused("[T, 5] for a weight [7, 5]", "[3, 4]", () =>
            _tape.LinearCrossEntropy(New(3, 4), New(7, 5), Integers(3)));
        Refused("Int32 with 3 elements", "Int32 [2]", () =>
            _tape.LinearCrossEntropy(New(3, 4), New(7, 4), Integers(2)));
    }

    [Fact]
    public void Heads()
    {
        using var table = new RotaryTable(_engine, 4, 8, 100);
        Refused("[1, 2, 8, 8]", "[1, 2, 7, 8]", () => _tape.SplitHeads(New(1, 2, 7, 8), 4, 2));
        Refused("of rank 4", "[2, 7, 8]", () => _tape.SplitHeads(New(2, 7, 8), 4, 2));
        Refused("D of 8 or more", "[1, 2, 3, 4]", () => _tape.RotaryInPlace(New(1, 2, 3, 4), 1, table, Integers(1, 2)));
        Refused("0 to 3", "4", () => _tape.RotaryInPlace(New(1, 2, 3, 8), 4, table, Integers(1, 2)));
        Refused("Int32 with 2 elements", "Int32 [1, 3]", () =>
            _tape.RotaryInPlace(New(1, 2, 3, 8), 1, table, Integers(1, 3)));
        Refused("[1, 2]", "[2, 1]", () => _tape.RotaryInPlace(New(1, 2, 3, 8), 1, table, Integers(2, 1)));
        Assert.Throws<ArgumentException>(() => new RotaryTable(_engine, 4, 7, 100));
        Assert.Throws<ArgumentException>(() => new RotaryTable(_engine, 4, 8, double.NaN));
    }

    private static void Refused(string expected, string actual, Action action)
    {
        string message = Assert.Throws<ShapeException>(action).Message;
        Assert.Contains(expected, message);
        Assert.Contains(actual, message);
    }

    private Variable New(params ReadOnlySpan<int> extents) => _tape.New(new Shape(extents));

    private Variable Integers(params ReadOnlySpan<int> extents) => _tape.New(new Shape(extents), ElementType.Int32);
}
