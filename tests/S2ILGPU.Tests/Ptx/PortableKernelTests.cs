using System.Reflection;
using S2ILGPU.Compiler;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Elementwise;
using S2ILGPU.Kernels.MatMul;
using S2ILGPU.Reports;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>Every kernel of the elementwise, row, matmul and optimizer families compiles for the oldest CUDA
/// architecture that is supported and for OpenCL.</summary>
public sealed class PortableKernelTests
{
    // Of the largest group that any of them is launched with.
    private const int Threads = 256;

    private static readonly string[] s_families = ["Elementwise", "Row", "MatMul", "Optimizer"];

    /// <summary>The kernels by name, found by their shape, so that none is left out: an operation struct, or a static
    /// method without result of one argument struct.</summary>
    private static readonly Dictionary<string, MethodInfo> s_kernels = Find().ToDictionary(NameOf);

    internal static IEnumerable<string> AllNames => s_kernels.Keys.Order();

    public static TheoryData<string> Names => [.. Sweeps.Portable];

    [Fact]
    public void The_search_finds_every_family() =>
        Assert.Superset(new HashSet<string> { "AddOperation", "RotaryOperation", "EmbeddingOperation<StoredBFloat16>",
        "AdamWOperation", "RmsNormKernel.Run",
            "ProductTile.Run<StoredSingle>", "ProductTile.Run<StoredBFloat16>", "DotProducts.Run<StoredSingle>",
            "SumOfSquaresKernel.Partials" }, s_kernels.Keys.ToHashSet());

    [Theory]
    [MemberData(nameof(Names))]
    public void Compiles_to_ptx(string name)
    {
        string ptx = OfflineCompiler.Ptx(s_kernels[name], ThreadsOf(name), 75, unroll: false);
        Assert.Contains(".target sm_75", ptx);
        Assert.DoesNotContain(".local", ptx); // what does not fit registers would go to memory
        Assemble(name, ptx);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Compiles_to_OpenCL(string name)
    {
        string source = OfflineCompiler.OpenCL(s_kernels[name], ThreadsOf(name));
        Assert.Contains("kernel void", source);
        Assert.DoesNotContain("double", source); // devices without double precision run them too
    }

    private static int ThreadsOf(string name) =>
        name.StartsWith(nameof(ProductTile), StringComparison.Ordinal) ? ProductTile.Threads : Threads;

    // Where the CUDA toolkit is there: registers suffice, nothing spills.
    private static void Assemble(string name, string ptx)
    {
        if (CudaTools.Assemble(ptx, "sm_75").Report is { } report)
            Assert.True((report.StackBytes, report.SpillStoreBytes, report.SpillLoadBytes) == (0, 0, 0),
                $"{name}: {report}");
    }

    private static IEnumerable<MethodInfo> Find()
    {
        var types = typeof(IElementwiseOperation).Assembly.GetTypes()
            .Where(type => s_families.Any(family => type.Namespace == $"{typeof(IStoredElement).Namespace}.{family}"));
        foreach (var type in types)
        {
            if (type.IsValueType && type.IsAssignableTo(typeof(IElementwiseOperation)))
                foreach (var closed in Closed(type))
                    yield return typeof(ElementwiseKernel)
                        .GetMethod(nameof(ElementwiseKernel.Elements))!.MakeGenericMethod(closed);
            else if (type.IsValueType && type.IsAssignableTo(typeof(IRowOperation)))
                foreach (var closed in Closed(type))
                    yield return typeof(ElementwiseKernel)
                        .GetMethod(nameof(ElementwiseKernel.Rows))!.MakeGenericMethod(closed);
            else if (type.IsAbstract && type.IsSealed)
                foreach (var method in type.GetMethods(BindingFlags.Static | BindingFlags.Public).Where(IsKernel))
                    foreach (var closed in Closed(method))
                        yield return closed;
        }
    }

    private static bool IsKernel(MethodInfo method) =>
        method.ReturnType == typeof(void) && method.GetParameters()
        is [{ ParameterType: { IsValueType: true } argument }]
        && argument.Name.Contains("Arguments", StringComparison.Ordinal);

    private static IEnumerable<Type> Closed(Type type) =>
        type.IsGenericTypeDefinition
        ? [type.MakeGenericType(typeof(StoredSingle)), type.MakeGenericType(typeof(StoredBFloat16))] : [type];

    private static IEnumerable<MethodInfo> Closed(MethodInfo method) =>
        method.IsGenericMethodDefinition
        ? [method.MakeGenericMethod(typeof(StoredSingle)), method.MakeGenericMethod(typeof(StoredBFloat16))] : [method];

    private static string NameOf(MethodInfo kernel)
    {
        if (kernel.DeclaringType != typeof(ElementwiseKernel))
            return $"{kernel.DeclaringType!.Name}.{kernel.Name}{ArgumentsOf(kernel.GetGenericArguments())}";
        var operation = kernel.GetGenericArguments()[0];
        return $"{operation.Name.Split('`')[0]}{ArgumentsOf(operation.GetGenericArguments())}";
    }

    private static string ArgumentsOf(Type[] types) =>
        types.Length == 0 ? "" : $"<{string.Join(", ", types.Select(type => type.Name))}>";
}
