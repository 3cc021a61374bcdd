using System.CommandLine;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Storage;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 attend</c>: sparse attention, and its gradients, on the tensors of a safetensors file.</summary>
internal static class AttendCommand
{
    public static Command Create()
    {
        var input = new Option<string>("--input")
        {
            Description = "Safetensors file with q [B, Nq, H, D], k and v [B, Nk, Hkv, D], and for gradients dout like "
                + "q and dlse [B, H, Nq]",
            HelpName = "FILE",
            Required = true,
        };
        var target = new Option<string>("--output")
        {
            Description = "Safetensors file for out, lse and, with dout, dq, dk, dv",
            HelpName = "FILE",
            Required = true,
        };
        var scale = Options.OptionalNumber<float>("--scale", "Factor of the scores", unset: "1 / sqrt(D)");
        var precision = Options.Choice("--dtype", ["fp32", "fp16", "bf16"],
            "Precision of inputs and outputs; sums are fp32 in any case", unset: "that of q");
        var checkFinite = Options.Switch("--check-finite", "Refuse NaN and infinity in q, k and v");
        var pattern = new PatternOptions(headsRequired: false);
        var device = DeviceOption.Create();
        var command = new Command("attend", "Run sparsely-sharded attention on the tensors of a file.") { input, target,
            scale, precision, checkFinite, device };
        pattern.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var (source, path) = (parsed.GetValue(input)!, parsed.GetValue(target)!);
            TargetFile.Check(target.Name, path);
            if (TargetFile.IsSame(source, path))
                throw new ArgumentException($"--output is the file of --input ({source}), which would be lost");
            var options = new AttentionOptions
            {
                Scale = parsed.GetValue(scale),
                CheckFinite = parsed.GetValue(checkFinite),
            };
            var written = await Interruptible.RunAsync(() => Compute(source, parsed.GetValue(device)!,
                parsed.GetValue(precision), options, (heads, keyValueHeads) =>
                pattern.Parse(parsed, heads, keyValueHeads)), cancellation);
            SafetensorsFile.Write(path, written);
            return 0;
        });
        return command;
    }

    private static List<SafetensorsTensor> Compute(string source, string device, string? precision,
        AttentionOptions options, Func<int, int, AttentionPattern> pattern)
    {
        using var file = SafetensorsFile.Open(source);
        using var engine = Engine.Create(device);
        var type = ElementTypeOf(file, precision);
        using var query = Load(file, engine, "q", type);
        using var key = Load(file, engine, "k", type);
        using var value = Load(file, engine, "v", type);
        var layout = BlockLayout.Create(pattern(query.Shape[2], key.Shape[2]), key.Shape[1],
            Math.Min(query.Shape[1], key.Shape[1]));
        using var result = SparseAttention.Forward(engine, query, key, value, layout, options);
        var written = new List<SafetensorsTensor> { Stored(engine, "out", result.Output, type),
            Stored(engine, "lse", result.LogSumExp, SafetensorsType.Float32) };
        if (file.Contains("dout"))
            AddGradients(written, file, engine, (query, key, value), result, layout, type);
        else if (file.Contains("dlse"))
            throw new InvalidDataException($"{file.FilePath} holds dlse but not dout");
        return written;
    }

    private static SafetensorsType ElementTypeOf(SafetensorsFile file, string? precision)
    {
        var q = file.Info("q");
        var type = precision switch
        {
            "fp32" => SafetensorsType.Float32,
            "fp16" => SafetensorsType.Float16,
            "bf16" => SafetensorsType.BFloat16,
            _ => q.Type,
        };
        return type is SafetensorsType.Float32 or SafetensorsType.Float16 or SafetensorsType.BFloat16 ? type
            : throw new InvalidDataException($"{file.FilePath}: q is {q.Type.FileName()}, expected F32, F16 or BF16");
    }

    private static void AddGradients(List<SafetensorsTensor> written, SafetensorsFile file, IEngine engine,
        (Tensor Query, Tensor Key, Tensor Value) inputs,
        AttentionResult result, BlockLayout layout, SafetensorsType type)
    {
        using var outputGradient = Load(file, engine, "dout", type);
        using var logSumExpGradient = file.Contains("dlse")
            ? Load(file, engine, "dlse", SafetensorsType.Float32, rank: 3) : null;
        using var gradients = SparseAttention.Backward(engine, inputs.Query, inputs.Key, inputs.Value, result,
            outputGradient, layout, logSumExpGradient);
        written.Add(Stored(engine, "dq", gradients.Query, type));
        written.Add(Stored(engine, "dk", gradients.Key, type));
        written.Add(Stored(engine, "dv", gradients.Value, type));
    }

    // A tensor of values rounded to the wanted precision: of that type where the engine's attention takes it, else of
    // the engine's own.
    private static Tensor Load(SafetensorsFile file, IEngine engine, string name, SafetensorsType type, int rank = 4)
    {
        var entry = file.Info(name);
        if (entry.Shape.Length != rank)
            throw new InvalidDataException($"{file.FilePath}: {entry} must have {rank} dimensions");
        if (entry.Count > Array.MaxLength || entry.Shape.ContainsAnyExceptInRange(0, Array.MaxLength))
            throw new InvalidDataException(
                $"{file.FilePath}: {entry} with {entry.Count} elements is too large: extents and their product may be "
                + $"at most {Array.MaxLength}");
        Span<int> extents = stackalloc int[rank];
        for (int d = 0; d < rank; d++)
            extents[d] = (int)entry.Shape[d];
        var rounded = engine.Allocate(new Shape(extents),
            type switch
            {
                SafetensorsType.Float16 => ElementType.Float16,
                SafetensorsType.BFloat16 => ElementType.BFloat16,
                _ => engine.FloatType,
            });
        engine.Upload(file.ReadSingles(name), rounded);
        if (engine.SupportsAttention(rounded.ElementType))
            return rounded;
        var tensor = engine.Allocate(rounded.Shape, engine.FloatType);
        engine.Copy(rounded, tensor);
        rounded.Dispose();
        return tensor;
    }

    // Downloaded at once: the tensors are gone when the file is written.
    private static SafetensorsTensor Stored(IEngine engine, string name, Tensor tensor, SafetensorsType type)
    {
        float[] values = new float[tensor.Count];
        engine.Download(tensor, values);
        long[] shape = new long[tensor.Shape.Rank];
        for (int d = 0; d < shape.Length; d++)
            shape[d] = tensor.Shape[d];
        return new SafetensorsTensor(name, type, shape, values);
    }
}
