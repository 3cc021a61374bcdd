using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Native;

/// <summary>The tensors of one call: the caller's memory in place where the engine can compute in it, otherwise copies,
/// which go back when the call is done.</summary>
/// <remarks>The CPU engine computes in place but for fp16, which it does not store; other engines have memory of their
/// own. Copies have the caller's type where the engine has attention for it, or else the engine's float type; results
/// are rounded once, to nearest even. What is written must be apart from the rest, copied or not, so that no caller
/// depends on a copy.</remarks>
/// <param name="engine">What computes.</param>
/// <param name="host">What reads and writes the caller's memory.</param>
internal sealed unsafe class Operands(IEngine engine, CpuEngine host) : IDisposable
{
    private readonly List<Tensor> _tensors = [];
    private readonly List<(Tensor Copy, Tensor Memory)> _results = [];
    private readonly List<OperandMemory> _read = [], _written = [];

    /// <summary>A tensor to read.</summary>
    public Tensor Read(NativeTensor* tensor, string name)
    {
        var memory = Keep(NativeTensors.View(tensor, name));
        var operand = new OperandMemory(name, (nint)tensor->Data, memory);
        foreach (var written in _written)
            CheckApart(written, operand);
        _read.Add(operand);
        if (IsInPlace(memory))
            return memory;
        var copy = Copy(memory);
        if (memory.Count > 0)
            Upload(memory, copy);
        return copy;
    }

    /// <summary>A tensor to read, or null.</summary>
    public Tensor? ReadIfGiven(NativeTensor* tensor, string name) => tensor == null ? null : Read(tensor, name);

    /// <summary>A tensor to write.</summary>
    public Tensor Write(NativeTensor* tensor, string name)
    {
        var memory = Keep(NativeTensors.View(tensor, name));
        NativeTensors.CheckNoOverlap(memory, name);
        var operand = new OperandMemory(name, (nint)tensor->Data, memory);
        foreach (var other in _read.Concat(_written))
            CheckApart(operand, other);
        _written.Add(operand);
        if (IsInPlace(memory))
            return memory;
        var copy = Copy(memory);
        _results.Add((copy, memory));
        return copy;
    }

    /// <summary>A tensor to write; memory of the engine, which is dropped, where none is wanted.</summary>
    public Tensor WriteOrDrop(NativeTensor* tensor, string name, Tensor like) =>
        tensor != null ? Write(tensor, name) : Keep(engine.Allocate(like.Shape, like.ElementType));

    /// <summary>Takes a tensor into the care of the call.</summary>
    public Tensor Keep(Tensor tensor)
    {
        _tensors.Add(tensor);
        return tensor;
    }

    /// <summary>Waits for the engine and copies results to where the caller wants them.</summary>
    public void Finish()
    {
        engine.Synchronize();
        foreach (var (copy, memory) in _results)
            if (memory.Count > 0)
                Download(copy, memory);
    }

    /// <summary>Ends the views and gives copies back.</summary>
    public void Dispose()
    {
        foreach (var tensor in _tensors)
            tensor.Dispose();
    }

    // Reading what the same call has written already gives wrong numbers and no sign of it.
    private static void CheckApart(OperandMemory written, OperandMemory other)
    {
        if (written.Overlaps(other))
            throw new ShapeException("s2_tensor", written.Name,
                $"apart from the memory of {other.Name}, since it is written", "elements of both at one address");
    }

    private bool IsInPlace(Tensor memory) => engine == host && engine.SupportsAttention(memory.ElementType);

    private Tensor Copy(Tensor memory) => Keep(engine.Allocate(memory.Shape,
        engine.SupportsAttention(memory.ElementType) ? memory.ElementType : engine.FloatType));

    private void Upload(Tensor memory, Tensor copy)
    {
        if (engine == host)
            engine.Copy(memory, copy);
        else
            engine.Upload(host.ToArray(memory), copy);
    }

    private void Download(Tensor copy, Tensor memory)
    {
        if (engine == host)
            engine.Copy(copy, memory);
        else
            host.Upload(engine.ToArray(copy), memory);
    }
}
