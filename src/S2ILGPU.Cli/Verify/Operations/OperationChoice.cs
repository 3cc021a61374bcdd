using S2ILGPU.Cli.Devices;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Verify.Operations;

/// <summary>The operations of a self-check that a text asks for.</summary>
internal sealed class OperationChoice
{
    private readonly IEngine _engine;
    private readonly bool _isEmulated;
    private readonly OperationCheck[] _checks;
    private readonly LongContextCheck? _long;
    private readonly ElementType[] _longTypes;

    /// <summary>Chooses.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="device">Its device.</param>
    /// <param name="only">A text that <c>operation</c>, type and name must contain; an underscore is a space. Null for
    /// all.</param>
    public OperationChoice(IEngine engine, DeviceInfo device, string? only)
    {
        string text = only?.Replace('_', ' ') ?? "";
        (_engine, _isEmulated) = (engine, device.Kind == DeviceKind.Emulated);
        OperationCheck[] named = [.. OperationChecks.Of(engine, _isEmulated).Where(check => IsAsked(check.Words))],
            chosen = [.. named.Where(check => !check.IsOnRequest)];
        // Those on request are asked for by a text that nothing else contains.
        _checks = chosen.Length > 0 ? chosen : named;
        _long = LongContextCheck.For(engine, device);
        _longTypes = [.. ((ElementType[])[ElementType.Float32, ElementType.Float16, ElementType.BFloat16])
            .Where(type => _long is not null && engine.SupportsAttention(type)
                && IsAsked($"operation {type.ShortName()} {_long.Name}"))];
        NameWidth = _checks.Select(c => c.Name.Length).Append(_longTypes.Length > 0 ? _long!.Name.Length : 0).Max();

        bool IsAsked(string words) => words.Contains(text, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Whether there is one.</summary>
    public bool Any => _checks.Length + _longTypes.Length > 0;

    /// <summary>Columns of the longest name.</summary>
    public int NameWidth { get; }

    /// <summary>Checks them.</summary>
    /// <param name="seed">Seed of the inputs.</param>
    /// <param name="show">Called with each result as soon as it is known.</param>
    /// <param name="cancellation">Ends the run after the operation under way.</param>
    public IReadOnlyList<OperationResult> Run(int seed, Action<OperationResult> show, CancellationToken cancellation)
    {
        List<OperationResult> results =
            [.. new OperationRun(_engine, seed, _isEmulated).Run(_checks, show, cancellation)];
        foreach (var type in _longTypes)
        {
            cancellation.ThrowIfCancellationRequested();
            results.Add(_long!.Run(type, seed));
            show(results[^1]);
        }
        return results;
    }
}
