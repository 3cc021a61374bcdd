using System.Reflection;
using ILGPU.Backends.EntryPoints;
using ILGPU.Runtime;

namespace S2ILGPU.Compiler;

/// <summary>A kernel to compile, with all that changes its text.</summary>
/// <param name="Method">A static method with one argument struct, launched in explicit groups.</param>
/// <param name="Threads">Threads of a group, which the kernel is compiled for; 0 for any number.</param>
/// <param name="SharedBytes">Dynamic shared memory of a group.</param>
/// <param name="Unroll">Whether constant loops are unrolled.</param>
internal readonly record struct KernelRequest(MethodInfo Method, int Threads = 0, int SharedBytes = 0,
    bool Unroll = false)
{
    /// <summary>The group size, as ILGPU wants it.</summary>
    public KernelSpecialization Specialization =>
        Threads == 0 ? KernelSpecialization.Empty : new KernelSpecialization(Threads, null);

    /// <summary>What the kernel is called in the text.</summary>
    public string EntryName => KernelNameAttribute.GetKernelName(Method);

    /// <summary>What a person calls a kernel: <c>Pack.CopyElements&lt;BFloat16Element,
    /// StoredBFloat16&gt;</c>.</summary>
    public static string NameOf(MethodInfo method) => $"{method.DeclaringType!.Name}.{method.Name}"
        + (method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(NameOf))}>" : "");

    private static string NameOf(Type type) => type.IsGenericType
        ? $"{type.Name[..type.Name.IndexOf('`')]}<{string.Join(", ", type.GetGenericArguments().Select(NameOf))}>"
        : type.Name;
}
