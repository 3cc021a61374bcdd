using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Base of the tests that every engine inherits: the same call on the engine under test and on the reference,
/// compared by the maximum error.</summary>
/// <remarks>
/// An engine variant is one line: <c>public sealed class CpuScalarMatMulTests() : MatMulTests(() => new
/// CpuEngine(...));</c>. Where a device may be missing, the factory calls Assert.Skip.
/// </remarks>
public abstract class EngineTest : IDisposable
{
    private readonly List<TestTensor> _owned = [], _views = [];
    private readonly ReferenceEngine _reference = new();
    private readonly Lazy<IEngine> _tested;

    /// <summary>
    /// Called before the first (0) and the second (1) run of every call: a test project may change there what must not
    /// matter, such as the order in which an emulated device runs its threads.
    /// </summary>
    public static Action<int>? RunStarts { get; set; }

    private readonly ElementType? _activations;

    /// <summary>Creates the engine under test when it is first needed. Its memory is full of NaN when it is handed out,
    /// so that a call that reads unwritten memory shows; factories of other engines than the CPU's see to that
    /// themselves.</summary>
    /// <param name="create">Creates the engine.</param>
    /// <param name="activations">Element type of activations and their gradients; null for the engine's own.</param>
    protected EngineTest(Func<IEngine> create, ElementType? activations = null)
    {
        _activations = activations;
        _tested = new Lazy<IEngine>(() =>
        {
            var engine = create();
            if (engine is CpuEngine cpu)
                cpu.PoisonsMemory = true;
            return engine;
        });
    }

    /// <summary>The engine under test.</summary>
    protected IEngine Tested => _tested.Value;

    /// <summary>Random inputs, from the seed of the run.</summary>
    protected Random Random { get; } = Seeds.NewRandom();

    /// <summary>How many random combinations a test tries.</summary>
    protected virtual int RandomCases => 12;

    /// <summary>Element type of activations and their gradients.</summary>
    protected ElementType Activations => _activations ?? Tested.FloatType;

    /// <summary>The engine's own float type: of weights, statistics and sums, whatever the activations are.</summary>
    protected ElementType FloatType => Tested.FloatType;

    private bool IsShort => Activations != FloatType;

    /// <summary>Tolerance of outputs: of their stored type, relative where rounding the exact value alone can cost
    /// more.</summary>
    protected Tolerance Forward => Tolerance.Forward(Activations) with { IsRelative = IsShort };

    /// <summary>Tolerance of gradients of activations.</summary>
    protected Tolerance Backward => Tolerance.Backward(Activations);

    /// <summary>An operand with given values; of the activations' type unless another is given.</summary>
    protected TestTensor With(string name, Shape shape, ReadOnlySpan<double> values, ElementType? type = null)
    {
        var operand = new TestTensor(name, Tested.Allocate(shape, type ?? Activations),
            _reference.Allocate(shape, ElementType.Float64));
        _owned.Add(operand);
        operand.Values = values.ToArray();
        return operand;
    }

    /// <summary>An operand N(0, scale^2).</summary>
    protected TestTensor Normal(string name, Shape shape, double scale = 1, ElementType? type = null) =>
        With(name, shape, Random.Normal(shape.Count, scale), type);

    /// <summary>An operand that the call overwrites: full of NaN before, so that a read or an element left out
    /// shows.</summary>
    protected TestTensor Output(string name, Shape shape, ElementType? type = null) =>
        Constant(name, shape, double.NaN, type);

    /// <summary>An operand of one value.</summary>
    protected TestTensor Constant(string name, Shape shape, double value, ElementType? type = null)
    {
        var values = new double[shape.Count];
        Array.Fill(values, value);
        return With(name, shape, values, type);
    }

    /// <summary>An Int32 operand.</summary>
    protected TestTensor Integers(string name, Shape shape, ReadOnlySpan<int> values)
    {
        var operand = new TestTensor(name, Tested.Allocate(shape, ElementType.Int32),
            _reference.Allocate(shape, ElementType.Int32));
        _owned.Add(operand);
        _reference.Upload(values, operand.Reference);
        return operand;
    }

    /// <summary>A view of an operand; its elements are compared as part of the whole, so writing outside the view
    /// shows.</summary>
    protected TestTensor View(TestTensor operand, Func<Tensor, Tensor> view)
    {
        var result = new TestTensor(operand.Name, view(operand.Tested), view(operand.Reference));
        _views.Add(result);
        return result;
    }

    /// <summary>Rows [rows, columns] inside a wider operand: NaN left and right of what is read, random values around
    /// what is written.</summary>
    protected TestTensor StridedRows(string name, int rows, int columns, int left, int right, bool isWritten,
        ElementType? type = null)
    {
        var whole = isWritten ? Normal(name, new Shape(rows, left + columns + right), type: type)
            : Output(name, new Shape(rows, left + columns + right), type);
        var view = View(whole, t => t.Slice(1, left, columns));
        view.Values = Random.Normal(view.Shape.Count);
        return view;
    }

    /// <summary>
    /// Runs a call on the reference and twice on the engine under test. Fails unless every operand is within the
    /// tolerance, operands that the call only reads are untouched, and the second run gives the same bits as the first.
    /// </summary>
    protected void Check(string what, Tolerance tolerance, Action<Side> call)
    {
        var before = _owned.Select(Upload).ToArray();
        call(new Side(_reference, isReference: true));
        RunStarts?.Invoke(0);
        var first = Run(what, call);
        for (int n = 0; n < _owned.Count; n++)
            Compare($"{Tested.Name}, {what}: {_owned[n].Name}", _owned[n], before[n], first[n], tolerance);
        for (int n = 0; n < _owned.Count; n++)
            SetTested(_owned[n], before[n]);
        RunStarts?.Invoke(1);
        var second = Run(what, call);
        for (int n = 0; n < _owned.Count; n++)
            Assert.True(SameBits(first[n], second[n]),
                $"{Tested.Name}, {what}: {_owned[n].Name} has other bits on a second run; {Seeds.Text}");
    }

    /// <summary>Lets go of all operands, between the cases of a loop.</summary>
    protected void Release()
    {
        foreach (var operand in _views.Concat(_owned))
        {
            operand.Tested.Dispose();
            operand.Reference.Dispose();
        }
        _views.Clear();
        _owned.Clear();
    }

    public void Dispose()
    {
        Release();
        if (_tested.IsValueCreated)
            Tested.Dispose();
        _reference.Dispose();
        GC.SuppressFinalize(this);
    }

    // Rounds the reference's content to the tested type, so that both engines start from the same numbers.
    private double[] Upload(TestTensor operand)
    {
        if (operand.IsInteger)
        {
            var integers = new int[operand.Shape.Count];
            _reference.Download(operand.Reference, integers);
            Tested.Upload(integers, operand.Tested);
            return [.. integers];
        }
        // The host side of an upload is single precision.
        double[] values =
            [.. operand.Values.Select(x => (double)(float)ElementRounding.Round(x, operand.Tested.ElementType))];
        operand.Values = values;
        SetTested(operand, values);
        return values;
    }

    private void SetTested(TestTensor operand, double[] values)
    {
        if (operand.IsInteger)
            Tested.Upload((int[])[.. values.Select(x => (int)x)], operand.Tested);
        else
            Tested.Upload((float[])[.. values.Select(x => (float)x)], operand.Tested);
    }

    private double[][] Run(string what, Action<Side> call)
    {
        try
        {
            call(new Side(Tested, isReference: false));
        }
        catch (Exception exception)
        {
            throw new InvalidOperationException($"{Tested.Name}, {what}: {exception.Message}; {Seeds.Text}", exception);
        }
        return [.. _owned.Select(operand => Download(operand, Tested, operand.Tested))];
    }

    private static double[] Download(TestTensor operand, IEngine engine, Tensor tensor)
    {
        if (operand.IsInteger)
        {
            var integers = new int[tensor.Count];
            engine.Download(tensor, integers);
            return [.. integers];
        }
        var values = new float[tensor.Count];
        engine.Download(tensor, values);
        return [.. values];
    }

    private void Compare(string what, TestTensor operand, double[] before, double[] actual, Tolerance tolerance)
    {
        double[] expected = operand.IsInteger ? Download(operand, _reference, operand.Reference) : operand.Values;
        if (SameBits(expected, before))
        {
            Assert.True(SameBits(actual, before),
                $"{what} changed, but the call only reads it or leaves it as it is; {Seeds.Text}");
            return;
        }
        var wanted = operand.Tolerance ?? tolerance;
        // What is not rounded on storing is as exact as if nothing was: its inputs are the same numbers on both sides.
        if (IsShort && operand.Tested.ElementType == FloatType && operand.Tolerance is null)
            wanted = Tolerance.Backward(FloatType).Relative;
        if (wanted == Tolerance.Exact)
        {
            // A download has single precision, even of doubles.
            var type = operand.Tested.ElementType == ElementType.Float64 ? ElementType.Float32
                : operand.Tested.ElementType;
            expected = [.. expected.Select(x => ElementRounding.Round(x, type))];
        }
        actual = [.. actual];
        // Where the call leaves NaN as it was (around a view), NaN is right.
        for (int n = 0; n < expected.Length; n++)
            if (double.IsNaN(before[n]) && double.IsNaN(expected[n]) && double.IsNaN(actual[n]))
                expected[n] = actual[n] = 0;
        MaximumError.AssertWithin(wanted, what, operand.Shape, expected, actual);
    }

    private static bool SameBits(double[] a, double[] b)
    {
        for (int n = 0; n < a.Length; n++)
            if (BitConverter.DoubleToInt64Bits(a[n]) != BitConverter.DoubleToInt64Bits(b[n])
                && !(double.IsNaN(a[n]) && double.IsNaN(b[n])))
                return false;
        return true;
    }
}
