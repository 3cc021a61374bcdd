namespace S2ILGPU.TestSupport.Ptx;

/// <summary>An operand as written.</summary>
internal abstract record PtxOperand;

/// <summary>A register such as <c>%r7</c> or <c>%tid.x</c>; <paramref name="Predicate"/> is p of <c>d|p</c>.</summary>
internal sealed record PtxRegister(string Name, string? Predicate = null, bool IsNegated = false) : PtxOperand;

/// <summary>A number; floats as their bits.</summary>
internal sealed record PtxImmediate(ulong Bits) : PtxOperand;

/// <summary>The name of a label, variable, parameter or function.</summary>
internal sealed record PtxSymbol(string Name) : PtxOperand;

/// <summary><c>[base + offset]</c>.</summary>
internal sealed record PtxAddress(PtxOperand Base, long Offset) : PtxOperand;

/// <summary><c>{a, b, ...}</c> or <c>(a, b, ...)</c>.</summary>
internal sealed record PtxVector(IReadOnlyList<PtxOperand> Elements) : PtxOperand;
