using System.Reflection;
using S2ILGPU.Compiler;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Memory;
using S2ILGPU.Kernels.Optimizer;
using S2ILGPU.Kernels.Row;
using S2ILGPU.Reports;
using Xunit;

namespace S2ILGPU.Tests.Reports;

/// <summary>The list of reported kernels has every kernel that an engine can launch. Kernels are found by their shape:
/// static methods without result that take one struct by value.</summary>
public sealed class ReportedKernelTests
{
    private static readonly Assembly s_assembly = typeof(IRowOperation).Assembly;

    [Fact]
    public void Portable_kernels_are_those_that_the_assembly_declares()
    {
        string[] reported = [.. Reported(isTensorCore: false).Select(KernelRequest.NameOf)];
        var launched = Declared().Where(method => !IsTensorCore(method)).SelectMany(Closed)
            .Where(method => !IsNeverLaunched(method)).Select(KernelRequest.NameOf).ToHashSet();
        Assert.Empty(launched.Except(reported)); // launched, not reported
        Assert.Empty(reported.Except(launched)); // reported, never launched
        Assert.Distinct(reported);
    }

    // Their type arguments are shapes, of which the launch tables choose some.
    [Fact]
    public void Tensor_core_kernels_are_those_that_the_assembly_declares() =>
        Assert.Equal(Declared().Where(IsTensorCore).Select(KernelRequest.NameOf).Order(),
            Reported(isTensorCore: true).Select(Definition).Distinct().Select(KernelRequest.NameOf).Order());

    [Fact]
    public void Variants_have_names_of_their_own() =>
        Assert.Distinct(ReportedKernel.All.Select(kernel => kernel.Variant));

    [Theory]
    [InlineData("RmsNormKernel.Run<StoredBFloat16>")]
    [InlineData("ElementwiseKernel.Rows<EmbeddingOperation<StoredHalf>, StoredBFloat16>")]
    [InlineData("AdamWKernel.Run<ThirtyTwo<ParameterUpdate>, StoredBFloat16>")]
    [InlineData("PortableForward.Kernel<StoredInt8>")]
    [InlineData("PageChanges.Write")]
    public void The_search_finds_every_family(string name) =>
        Assert.Contains(name, Declared().Where(method => !IsTensorCore(method)).SelectMany(Closed)
            .Select(KernelRequest.NameOf));

    private static IEnumerable<MethodInfo> Reported(bool isTensorCore) =>
        ReportedKernel.All.Where(kernel => IsTensorCore(kernel.Method) == isTensorCore)
            .Select(kernel => kernel.Method);

    private static MethodInfo Definition(MethodInfo kernel) =>
        kernel.IsGenericMethod ? kernel.GetGenericMethodDefinition() : kernel;

    private static bool IsTensorCore(MethodInfo kernel) =>
        kernel.DeclaringType!.Namespace!.EndsWith(".TensorCore", StringComparison.Ordinal);

    private static IEnumerable<MethodInfo> Declared() =>
        s_assembly.GetTypes().Where(type => type.Namespace?.StartsWith(typeof(IRowOperation).Namespace!,
            StringComparison.Ordinal) == true)
            .SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
            .Where(method => !method.IsPrivate && method.ReturnType == typeof(void)
                && method.GetParameters() is [{ ParameterType: { IsValueType: true } argument }]
                && argument.Assembly == s_assembly);

    // What no call of an engine asks for, though the type arguments fit.
    private static bool IsNeverLaunched(MethodInfo kernel) =>
        (kernel.DeclaringType!.Name, kernel.Name, kernel.GetGenericArguments()) switch
    {
        // logits are Float32
        (nameof(ElementwiseKernel), _, [var operation, var stored]) =>
            operation == typeof(SoftmaxCrossEntropyBackwardOperation) && stored != typeof(StoredSingle),
        // rows of 16 bits are kept as they are
        (nameof(PagesKernel), _, [var from, var to]) => from != typeof(StoredSingle) && from != to,
        // repairs follow kernels on tensor cores
        (_, nameof(PortableForward.Repair), [.., var element]) => element == typeof(StoredSingle),
        _ => false,
    };

    // A kernel with each choice of type arguments.
    private static IEnumerable<MethodInfo> Closed(MethodInfo kernel) => kernel.IsGenericMethod
        ? Combinations(kernel.GetGenericArguments()).Select(types => kernel.MakeGenericMethod(types)) : [kernel];

    private static IEnumerable<Type[]> Combinations(Type[] parameters) => parameters.Length == 0 ? [[]]
        : from type in TypesFor(parameters[0])
          from rest in Combinations(parameters[1..])
          select (Type[])[type, .. rest];

    // The structs that have the interface that a parameter asks for; of lists of tensors those that launches cut.
    private static IEnumerable<Type> TypesFor(Type parameter)
    {
        var constraint = parameter.GetGenericParameterConstraints().Single(type => type.IsInterface);
        if (constraint.IsGenericType && constraint.GetGenericTypeDefinition() == typeof(ITensorList<>))
            return [typeof(Four<>).MakeGenericType(constraint.GetGenericArguments()),
                typeof(ThirtyTwo<>).MakeGenericType(constraint.GetGenericArguments())];
        return s_assembly.GetTypes().Where(type => type.IsValueType && type.IsAssignableTo(constraint))
            .SelectMany(type => type.IsGenericType
                ? Combinations(type.GetGenericArguments()).Select(types => type.MakeGenericType(types)) : [type]);
    }
}
