using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Types;
using ILGPU.IR.Values;

namespace S2ILGPU.Compiler;

/// <summary>PTX of <see cref="Tiles.Intrinsics"/>: one method for each intrinsic, of the same name.</summary>
internal static class PtxInstructions
{
    public static void SharedAddress(PTXBackend backend, PTXCodeGenerator code, Value value)
    {
        // a reference arrives as a 64-bit pointer; its address space decides whether it must be converted
        string pointer = Input(code, value[0]), result = Output(code, value);
        if (SpaceOf(value[0]) == MemoryAddressSpace.Shared)
            Line(code, $"cvt.u32.u64 {result}, {pointer}");
        else
            Block(code, $".reg .u64 t; cvta.to.shared.u64 t, {pointer}; cvt.u32.u64 {result}, t;");
    }

    public static void GlobalAddress(PTXBackend backend, PTXCodeGenerator code, Value value)
    {
        string pointer = Input(code, value[0]), result = Output(code, value);
        Line(code, SpaceOf(value[0]) == MemoryAddressSpace.Global ? $"mov.u64 {result}, {pointer}"
            : $"cvta.to.global.u64 {result}, {pointer}");
    }

    public static void CopyAsync(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Line(code, $"cp.async.cg.shared.global {At(code, value, 0)}, {At(code, value, 2)}, 16");

    public static void CopyAsyncOrZero(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Line(code,
        $"cp.async.cg.shared.global {At(code, value, 0)}, {At(code, value, 2)}, 16, {Input(code, value[4])}");

    public static void CopyCommit(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Line(code, "cp.async.commit_group");

    public static void CopyWait0(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Line(code, "cp.async.wait_group 0");

    public static void CopyWait1(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Line(code, "cp.async.wait_group 1");

    public static void CopyWait2(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Line(code, "cp.async.wait_group 2");

    public static void WarpBarrier(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Line(code, "bar.warp.sync 0xffffffff");

    public static void LoadShared2(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Load(code, value, "ld.shared.v2.f32");

    public static void LoadShared4(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Load(code, value, "ld.shared.v4.f32");

    public static void StoreShared(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Line(code, $"st.shared.f32 {At(code, value, 0)}, {Input(code, value[2])}");

    public static void StoreShared2(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Line(code, $"st.shared.v2.f32 {At(code, value, 0)}, {Inputs(code, value[2])}");

    public static void ZeroSharedUnless(PTXBackend backend, PTXCodeGenerator code, Value value)
    {
        string left = Input(code, value[2]);
        Block(code,
            $".reg .pred %none; .reg .b32 %zero; mov.b32 %zero, 0; setp.le.s32 %none, {left}, 0; @%none "
            + $"st.shared.v4.b32 {At(code, value, 0)}, {{%zero,%zero,%zero,%zero}};");
    }

    public static void LoadMatrix(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Load(code, value, "ldmatrix.sync.aligned.m8n8.x4.shared.b16");

    public static void LoadMatrixTransposed(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Load(code, value, "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16");

    public static void MultiplyAddBf16(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        MultiplyAdd(code, value, "m16n8k16", "bf16");

    public static void MultiplyAddFp16(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        MultiplyAdd(code, value, "m16n8k16", "f16");

    public static void MultiplyAddTf32(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        MultiplyAdd(code, value, "m16n8k8", "tf32");

    public static void Pin(PTXBackend backend, PTXCodeGenerator code, Value value) => Unary(code, value, "mov.b32");

    public static void PackBf16(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Pack(code, value, "cvt.rn.bf16x2.f32");

    public static void PackFp16(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Pack(code, value, "cvt.rn.f16x2.f32");

    public static void RoundTf32(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Unary(code, value, "cvt.rna.tf32.f32");

    public static void WidenFp16(PTXBackend backend, PTXCodeGenerator code, Value value)
    {
        string word = Input(code, value[0]), result = Output(code, value);
        Block(code, $".reg .b16 low, high; mov.b32 {{low, high}}, {word}; cvt.f32.f16 {result}, low;");
    }

    public static void Exp2(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Unary(code, value, "ex2.approx.ftz.f32");

    public static void Log2(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Unary(code, value, "lg2.approx.ftz.f32");

    public static void Reciprocal(PTXBackend backend, PTXCodeGenerator code, Value value) =>
        Unary(code, value, "rcp.approx.ftz.f32");

    private static void MultiplyAdd(PTXCodeGenerator code, Value value, string shape, string type)
    {
        string c = Inputs(code, value[0]), a = Inputs(code, value[1]), b = Inputs(code, value[2]),
            d = Outputs(code, value);
        Line(code, $"mma.sync.aligned.{shape}.row.col.f32.{type}.{type}.f32 {d}, {a}, {b}, {c}");
    }

    private static void Load(PTXCodeGenerator code, Value value, string instruction)
    {
        string address = At(code, value, 0);
        Line(code, $"{instruction} {Outputs(code, value)}, {address}");
    }

    private static void Pack(PTXCodeGenerator code, Value value, string instruction)
    {
        string low = Input(code, value[0]), high = Input(code, value[1]);
        Line(code, $"{instruction} {Output(code, value)}, {high}, {low}");
    }

    private static void Unary(PTXCodeGenerator code, Value value, string instruction)
    {
        string x = Input(code, value[0]);
        Line(code, $"{instruction} {Output(code, value)}, {x}");
    }

    // Registers of their own; ptxas refuses a semicolon after the brace.
    private static void Block(PTXCodeGenerator code, string text) =>
        code.Builder.Append("\t{ ").Append(text).AppendLine(" }");

    private static void Line(PTXCodeGenerator code, string text) =>
        code.Builder.Append('\t').Append(text).AppendLine(";");

    /// <summary>An address operand, followed by its constant offset.</summary>
    private static string At(PTXCodeGenerator code, Value value, int index)
    {
        if (value[index + 1].Resolve() is not PrimitiveValue offset)
            throw new NotSupportedException(
                $"the offset of a memory instruction must be a constant, got {value[index + 1].Resolve()} in {value}");
        return offset.Int32Value == 0 ? $"[{Input(code, value[index])}]"
            : $"[{Input(code, value[index])}+{offset.Int32Value}]";
    }

    private static MemoryAddressSpace SpaceOf(Value value) =>
        value.Type is AddressSpaceType type ? type.AddressSpace : MemoryAddressSpace.Generic;

    private static string Input(PTXCodeGenerator code, Value value) => Name(code, code.Load(value));

    private static string Inputs(PTXCodeGenerator code, Value value) => Names(code, code.Load(value));

    private static string Output(PTXCodeGenerator code, Value value) => Name(code, code.Allocate(value));

    private static string Outputs(PTXCodeGenerator code, Value value) => Names(code, code.Allocate(value));

    private static string Names(PTXCodeGenerator code, PTXCodeGenerator.Register register) =>
        "{" + string.Join(",", ((PTXCodeGenerator.CompoundRegister)register).Children.Select(child =>
        Name(code, child))) + "}";

    private static string Name(PTXCodeGenerator code, PTXCodeGenerator.Register register) =>
        "%" + PTXRegisterAllocator.GetStringRepresentation(
        code.EnsureHardwareRegister((PTXCodeGenerator.PrimitiveRegister)register));
}
