using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using ILGPU;
using S2ILGPU.Compiler;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Elementwise;
using S2ILGPU.Kernels.MatMul;
using S2ILGPU.Kernels.Optimizer;
using S2ILGPU.Reports;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>Every kernel of the elementwise, row, matmul and optimizer families compiles for the oldest CUDA
/// architecture that is supported and for OpenCL.</summary>
public sealed partial class PortableKernelTests
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
        Assert.Superset(new HashSet<string>
        {
            "AddOperation of StoredSingle", "RotaryOperation of StoredHalf",
            "AdamWKernel.Run<ThirtyTwo, StoredBFloat16>",
            "EmbeddingOperation<StoredHalf> of StoredBFloat16", "RmsNormKernel.Run<StoredBFloat16>",
            "ProductTile.Run<StoredSingle, StoredSingle, StoredSingle>", "SumOfSquaresKernel.Partials<Four>",
            "ProductTile.Run<StoredBFloat16, StoredSingle, StoredHalf>", "TokenOrderKernel.Merge",
            "DotProducts.Run<StoredHalf, StoredBFloat16, StoredSingle>",
        }, s_kernels.Keys.ToHashSet());

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

    [Theory]
    [InlineData(nameof(StoredSingle), "ld.global.v4.f32", "st.global.v4.f32")]
    [InlineData(nameof(StoredBFloat16), "ld.global.v2.b32", "st.global.v2.b32")]
    [InlineData(nameof(StoredHalf), "ld.global.v2.b32", "st.global.v2.b32")]
    public void Four_elements_are_one_load_and_one_store(string stored, string load, string store)
    {
        string ptx = OfflineCompiler.Ptx(s_kernels[$"AddOperation of {stored}"], Threads, 75, unroll: false);
        Assert.Contains(load, ptx);
        Assert.Contains(store, ptx);
    }

    [Theory]
    [InlineData("SumOfSquaresKernel.Partials<ThirtyTwo>")]
    [InlineData("AdamWKernel.Run<ThirtyTwo, StoredBFloat16>")]
    public void Lists_of_tensors_fit_the_arguments_of_CUDA(string name)
    {
        string ptx = OfflineCompiler.Ptx(s_kernels[name], Threads, 75, unroll: false);
        var sizes = ArgumentBytes().Matches(ptx).Select(match => int.Parse(match.Groups[1].ValueSpan));
        Assert.InRange(sizes.Sum(), 32 * 16, 4096);
        Assemble(name, ptx);
    }

    // A view has 24 bytes in C# and on OpenCL devices alike: a pointer, an index and a length.
    [Fact]
    public void Lists_of_tensors_fit_the_arguments_of_OpenCL()
    {
        Assert.InRange(Unsafe.SizeOf<AdamWArguments<Four<ParameterUpdate>>>(), 4 * 16, 1024);
        Assert.InRange(Unsafe.SizeOf<SumOfSquaresArguments<Four<ArrayView<float>>>>(), 4 * 16, 1024);
    }

    [GeneratedRegex(@"\.param \.align \d+ \.b8 \w+\[(\d+)\]")]
    private static partial Regex ArgumentBytes();

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
        var types = typeof(IRowOperation).Assembly.GetTypes()
            .Where(type => s_families.Any(family => type.Namespace == $"{typeof(IStoredElement).Namespace}.{family}"));
        var rows = typeof(ElementwiseKernel).GetMethod(nameof(ElementwiseKernel.Rows))!;
        foreach (var type in types)
        {
            if (type.IsValueType && type.IsAssignableTo(typeof(IRowOperation)))
                foreach (var stored in Combinations([rows.GetGenericArguments()[1], .. type.GetGenericArguments()]))
                    yield return rows.MakeGenericMethod(type.IsGenericType ? type.MakeGenericType(stored[1..]) : type,
                        stored[0]);
            else if (type.IsAbstract && type.IsSealed)
                foreach (var method in type.GetMethods(BindingFlags.Static | BindingFlags.Public).Where(IsKernel))
                    foreach (var stored in Combinations(method.GetGenericArguments()))
                        yield return stored.Length == 0 ? method : method.MakeGenericMethod(stored);
        }
    }

    // All ways to choose type arguments.
    private static IEnumerable<Type[]> Combinations(Type[] parameters) => parameters.Length == 0 ? [[]]
        : from type in TypesFor(parameters[0])
          from rest in Combinations(parameters[1..])
          select (Type[])[type, .. rest];

    private static Type[] TypesFor(Type parameter)
    {
        var list = parameter.GetGenericParameterConstraints().FirstOrDefault(type => type.IsGenericType
            && type.GetGenericTypeDefinition() == typeof(ITensorList<>));
        return list is null ? [typeof(StoredSingle), typeof(StoredBFloat16), typeof(StoredHalf)]
            : [typeof(Four<>).MakeGenericType(list.GetGenericArguments()),
                typeof(ThirtyTwo<>).MakeGenericType(list.GetGenericArguments())];
    }

    private static bool IsKernel(MethodInfo method) =>
        method.ReturnType == typeof(void) && method.GetParameters()
        is [{ ParameterType: { IsValueType: true } argument }]
        && argument.Name.Contains("Arguments", StringComparison.Ordinal);

    private static string NameOf(MethodInfo kernel)
    {
        var arguments = kernel.GetGenericArguments();
        if (kernel.DeclaringType != typeof(ElementwiseKernel))
            return $"{kernel.DeclaringType!.Name}.{kernel.Name}{ArgumentsOf(arguments)}";
        var operation = arguments[0];
        return $"{operation.Name.Split('`')[0]}{ArgumentsOf(operation.GetGenericArguments())} of {arguments[1].Name}";
    }

    private static string ArgumentsOf(Type[] types) =>
        types.Length == 0 ? "" : $"<{string.Join(", ", types.Select(type => type.Name.Split('`')[0]))}>";
}
