using S2ILGPU.Cli.Devices;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Verify.Operations;

/// <summary>Sizes of one call.</summary>
/// <param name="Rows">Rows of the result.</param>
/// <param name="Columns">Columns of the result.</param>
/// <param name="Inner">Length of the sums of a product; vocabulary or positions elsewhere.</param>
internal readonly record struct Extents(int Rows, int Columns, int Inner)
{
    public override string ToString() => $"{Rows} x {Columns} x {Inner}";
}

/// <summary>One form of an operation.</summary>
/// <param name="Name">The operation's name in <see cref="IEngine"/>.</param>
/// <param name="Type">Element type of activations.</param>
/// <param name="Form">What is special about it; empty for nothing.</param>
/// <param name="Build">Makes operands and exact results, and returns the call.</param>
internal sealed record OperationCheck(string Name, ElementType Type, string Form,
    Func<OperationProblem, Extents, Action> Build)
{
    /// <summary>Makes the engine take one kernel until the result is disposed; null where it chooses.</summary>
    public Func<IDisposable>? Force { get; init; }

    /// <summary>Whether the engine took that kernel for the last call; null where it chooses.</summary>
    public Func<bool>? IsUsed { get; init; }

    /// <summary>The sizes of its calls; null for those of all operations.</summary>
    public IReadOnlyList<Extents>? Sizes { get; init; }

    /// <summary>Whether it is made only when it is asked for by name.</summary>
    public bool IsOnRequest { get; init; }

    /// <summary>As the filter of the command line sees it.</summary>
    public string Words => $"operation {Type.ShortName()} {Name}";
}

/// <summary>Checks all operations of an engine but attention.</summary>
/// <param name="engine">The engine.</param>
/// <param name="seed">Seed of the inputs.</param>
/// <param name="isEmulated">Whether kernels are executed thread by thread: two small sizes then.</param>
internal sealed class OperationRun(IEngine engine, int seed, bool isEmulated)
{
    private static readonly Extents[] s_small = [new(3, 7, 5), new(17, 33, 18)],
        s_all = [new(1, 1, 1), new(3, 7, 5), new(17, 33, 18), new(64, 64, 64), new(65, 130, 129), new(200, 96, 300)];

    /// <summary>Runs the checks; those of one operation and type make one result.</summary>
    /// <param name="checks">The checks.</param>
    /// <param name="show">Called with each result as soon as it is known.</param>
    /// <param name="cancellation">Ends the run after the operation under way.</param>
    public IReadOnlyList<OperationResult> Run(IReadOnlyList<OperationCheck> checks, Action<OperationResult> show,
        CancellationToken cancellation)
    {
        var results = new List<OperationResult>();
        foreach (var group in checks.GroupBy(check => (check.Name, check.Type)))
        {
            cancellation.ThrowIfCancellationRequested();
            results.Add(Check(group.Key.Name, group.Key.Type, [.. group]));
            show(results[^1]);
        }
        return results;
    }

    private OperationResult Check(string name, ElementType type, IReadOnlyList<OperationCheck> forms)
    {
        var result = new OperationResult(name, type, 0, null, "", null);
        foreach (var form in forms)
            foreach (var size in form.Sizes ?? (isEmulated ? s_small : s_all))
            {
                string text = form.Form.Length == 0 ? $"{size}" : $"{size}, {form.Form}";
                try
                {
                    using var problem = new OperationProblem(engine, seed + size.Rows * 31 + size.Columns);
                    var call = form.Build(problem, size);
                    using var forced = form.Force?.Invoke();
                    foreach (var error in problem.Run(call))
                        if (result.Worst is null || error.OfLimit > result.Worst.OfLimit)
                            result = result with { Worst = error, WorstCase = text };
                    if (form.IsUsed?.Invoke() == false)
                        return result with { Failure = $"{text}: never ran: the engine took another kernel" };
                    result = result with { Cases = result.Cases + 1 };
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    return result with
                    {
                        Failure = $"{text}: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}",
                    };
                }
            }
        return result;
    }
}
