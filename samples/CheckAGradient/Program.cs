// Compares the gradients of sparse attention with finite differences of its forward pass, for a loss = sum(weights *
// output).

using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Models;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

const int Tokens = 80, Heads = 2, HeadDim = 16, Count = Tokens * Heads * HeadDim, Checks = 50;
const float Step = 0.03f;

using var engine = Engine.Create("auto");
var pattern = new LocalStridePattern(Heads, Heads, blockTokens: 16, localBlocks: 1, verticalStride: 2);
var layout = BlockLayout.Create(pattern, Tokens);
var random = new RandomSource(seed: 1);
string[] names = ["query", "key", "value"];
float[][] inputs = [Normal(), Normal(), Normal()];
float[] weights = Normal();
var analytic = Gradients();

Console.WriteLine($"{engine.Name}: {pattern}");
Console.WriteLine(
    $"{Checks} random elements of each input moved by {Step} and {2 * Step} both ways, the worst of them:");
Console.WriteLine(
    $"{"input",-6} {"element",8} {"differences",12} {"Backward",12} {"error",9} {"of the largest gradient",24}");
double worstOfAll = 0;
for (int input = 0; input < inputs.Length; input++)
{
    double largest = analytic[input].Max(Math.Abs), worst = -1, worstNumeric = 0;
    int worstElement = 0;
    for (int check = 0; check < Checks; check++)
    {
        int element = random.NextInteger(Count);
        double numeric = Difference(inputs[input], element), error = Math.Abs(numeric - analytic[input][element]);
        if (error > worst)
            (worst, worstElement, worstNumeric) = (error, element, numeric);
    }
    Console.WriteLine(
        $"{names[input],-6} {worstElement,8} {worstNumeric,12:0.000000} {analytic[input][worstElement],12:0.000000} "
        + $"{worst,9:0.0e+0} {worst / largest,24:0.0e+0}");
    worstOfAll = Math.Max(worstOfAll, worst / largest);
}
Console.WriteLine(worstOfAll < 1e-3 ? "the gradients agree" : "the gradients DISAGREE");

// Five points, (8 (f(+h) - f(-h)) - (f(+2h) - f(-2h))) / 12h: its own error is of order h^4, so h can be large enough
// for single precision.
double Difference(float[] input, int element)
{
    return (8 * (LossAt(Step) - LossAt(-Step)) - (LossAt(2 * Step) - LossAt(-2 * Step))) / (12 * Step);

    double LossAt(float offset)
    {
        float original = input[element];
        input[element] += offset;
        double loss = Loss();
        input[element] = original;
        return loss;
    }
}

double Loss()
{
    using var q = Upload(inputs[0]);
    using var k = Upload(inputs[1]);
    using var v = Upload(inputs[2]);
    using var result = SparseAttention.Forward(engine, q, k, v, layout);
    return engine.ToArray(result.Output).Zip(weights, (o, w) => (double)o * w).Sum();
}

float[][] Gradients()
{
    using var q = Upload(inputs[0]);
    using var k = Upload(inputs[1]);
    using var v = Upload(inputs[2]);
    using var result = SparseAttention.Forward(engine, q, k, v, layout);
    using var outputGradient = Upload(weights); // d loss / d output
    using var gradients = SparseAttention.Backward(engine, q, k, v, result, outputGradient, layout);
    return [engine.ToArray(gradients.Query), engine.ToArray(gradients.Key), engine.ToArray(gradients.Value)];
}

Tensor Upload(float[] array) => engine.FromArray(array, 1, Tokens, Heads, HeadDim);

float[] Normal()
{
    var array = new float[Count];
    random.FillNormal(array, deviation: 1);
    return array;
}
