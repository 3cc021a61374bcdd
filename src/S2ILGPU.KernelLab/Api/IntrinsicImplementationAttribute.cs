namespace ILGPU.IR.Intrinsics;

/// <summary>Marks device primitives, for which ILGPU generates device code; here their C# bodies run.</summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = false)]
public sealed class IntrinsicImplementationAttribute : Attribute;
