using S2ILGPU.Autograd;
using S2ILGPU.Ops;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Reference;

/// <summary>The autograd check accepts right gradients, through branches and several outputs, and finds wrong
/// ones.</summary>
public sealed class AutogradCheckTests
{
    private readonly Random _random = Seeds.NewRandom();

    [Fact]
    public void Right_gradients_pass() =>
        AutogradCheck.Run("gelu branches", _random, [new(3, 5), new(4, 5), new(2)], (tape, x) =>
    {
        var activated = tape.Gelu(x[0]);
        return [tape.Linear(activated, x[1]), tape.Add(activated, x[0])];
    });

    [Fact]
    public void A_wrong_gradient_is_found() =>
        Assert.ThrowsAny<Exception>(() =>
        AutogradCheck.Run("doubled", _random, [new(3, 5)], (tape, x) => [Doubled(tape, x[0])]));

    // y = x + x, whose recorded gradient forgets one of the two.
    private static Variable Doubled(Tape tape, Variable x)
    {
        var y = tape.New(x.Shape);
        tape.Engine.Add(x.Value, x.Value, y.Value);
        tape.Record(y, () => tape.GiveGradient(x, y.Gradient!));
        return y;
    }
}
