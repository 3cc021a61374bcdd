using BenchmarkDotNet.Attributes;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.Benchmarks;

/// <summary>Benchmarks on an engine that is made with its tensors before, and released after.</summary>
public abstract class EngineBenchmarks : ICountsWork
{
    private readonly List<IDisposable> _owned = [];
    private Tensor? _one;

    /// <summary>The engine.</summary>
    protected IEngine Engine { get; private set; } = null!;

    [GlobalSetup]
    public void Setup()
    {
        Engine = CreateEngine();
        _one = Own(Engine.Zeros(1));
        Prepare();
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        for (int i = _owned.Count - 1; i >= 0; i--)
            _owned[i].Dispose();
        Engine.Dispose();
    }

    /// <inheritdoc/>
    public abstract Work Of(string benchmark);

    /// <summary>Makes what the benchmarks use.</summary>
    protected abstract void Prepare();

    /// <summary>The engine to measure.</summary>
    protected abstract IEngine CreateEngine();

    /// <summary>Keeps something to be released at the end, last one first.</summary>
    protected T Own<T>(T disposable) where T : IDisposable
    {
        _owned.Add(disposable);
        return disposable;
    }

    /// <summary>A tensor of normal values.</summary>
    protected Tensor Normal(params ReadOnlySpan<int> shape)
    {
        var values = new float[new Shape(shape).Count];
        new RandomSource(seed: (ulong)_owned.Count).FillNormal(values, deviation: 1);
        return Own(Engine.FromArray(values, shape));
    }

    /// <summary>Waits until the device has done everything; every benchmark ends with it.</summary>
    protected void Wait() => Engine.Download(_one!, stackalloc float[1]);
}
