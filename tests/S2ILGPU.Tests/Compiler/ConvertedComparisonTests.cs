using System.Reflection;
using System.Reflection.Emit;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using S2ILGPU.Compiler;
using S2ILGPU.Kernels;
using S2ILGPU.TestSupport.Ptx;
using Xunit;

namespace S2ILGPU.Tests.Compiler;

/// <summary>The result of a comparison that is converted to a float, which is what an optimizing C# compiler makes of
/// <c>x -= n == 2 ? 1 : 0</c> with a float x: ILGPU 1.5.3 takes the bits 0 and 1 as the float. Kernels choose between
/// floats instead, <c>n == 2 ? 1f : 0f</c>.</summary>
public sealed class ConvertedComparisonTests
{
    /// <summary>Input and output [threads].</summary>
    public struct ComparisonArguments
    {
        /// <summary>Read.</summary>
        public ArrayView<int> Input;

        /// <summary>Written.</summary>
        public ArrayView<float> Output;
    }

    private static readonly int[] s_input = [0, 1, 2, 3, -1, 2];

    // ceq, cgt, cgt.un, clt or clt.un, then conv.r4
    private const byte TwoByteOpcode = 0xfe, FirstComparison = 1, LastComparison = 5, ConvertToSingle = 0x6b;

    /// <summary>When this fails, ILGPU does it right and the rule for kernels is not needed any more.</summary>
    [Fact]
    public void ILGPU_takes_the_bits_for_the_float()
    {
        var kernel = ConvertedComparison();
        Assert.Equal([0, 0, 1, 0, 0, 1], OnAccelerator(kernel)); // runs the IL itself
        Assert.Equal([0, 0, float.Epsilon, 0, 0, float.Epsilon], OnPtx(kernel));
        Assert.True(ConvertsComparison(kernel));
    }

    [Fact]
    public void No_kernel_converts_a_comparison()
    {
        const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static
            | BindingFlags.Instance | BindingFlags.DeclaredOnly;
        var methods = typeof(IStoredElement).Assembly.GetTypes().SelectMany(type => type.GetMethods(All)).ToArray();
        Assert.True(methods.Length > 1000, "the search for methods finds too few");
        Assert.Empty(methods.Where(ConvertsComparison).Select(method => $"{method.DeclaringType}.{method.Name}"));
    }

    private static bool ConvertsComparison(MethodInfo method) => method.GetMethodBody()?.GetILAsByteArray() is { } code
        && Enumerable.Range(0, Math.Max(0, code.Length - 2)).Any(n => code[n] == TwoByteOpcode
        && code[n + 1] is >= FirstComparison and <= LastComparison && code[n + 2] == ConvertToSingle);

    // Output[thread] = (float)(Input[thread] == 2), which C# cannot say: without optimization it makes branches.
    private static MethodInfo ConvertedComparison()
    {
        var assembly = new PersistedAssemblyBuilder(new AssemblyName("Comparisons"), typeof(object).Assembly);
        var type = assembly.DefineDynamicModule("Comparisons").DefineType("Comparisons", TypeAttributes.Public);
        var code = type.DefineMethod("Convert", MethodAttributes.Public | MethodAttributes.Static, typeof(void),
            [typeof(ComparisonArguments)]).GetILGenerator();
        Element<float>(nameof(ComparisonArguments.Output));
        Element<int>(nameof(ComparisonArguments.Input));
        code.Emit(OpCodes.Ldind_I4);
        code.Emit(OpCodes.Ldc_I4_2);
        code.Emit(OpCodes.Ceq);
        code.Emit(OpCodes.Conv_R4);
        code.Emit(OpCodes.Stind_R4);
        code.Emit(OpCodes.Ret);
        type.CreateType();
        using var image = new MemoryStream();
        assembly.Save(image);
        return Assembly.Load(image.ToArray()).GetType("Comparisons")!.GetMethod("Convert")!;

        void Element<T>(string field) where T : unmanaged
        {
            code.Emit(OpCodes.Ldarga_S, (byte)0);
            code.Emit(OpCodes.Ldflda, typeof(ComparisonArguments).GetField(field)!);
            code.Emit(OpCodes.Call, typeof(Group).GetProperty(nameof(Group.IdxX))!.GetMethod!);
            code.Emit(OpCodes.Call, typeof(ArrayView<T>).GetMethod("get_Item", [typeof(int)])!);
        }
    }

    private static float[] OnAccelerator(MethodInfo kernel)
    {
        using var context = Context.Create(builder => builder.CPU());
        using var accelerator = new CPUDevice(32, 1, 1).CreateCPUAccelerator(context);
        using var input = accelerator.Allocate1D(s_input);
        using var output = accelerator.Allocate1D<float>(s_input.Length);
        accelerator.LoadKernel(kernel.CreateDelegate<Action<ComparisonArguments>>())(accelerator.DefaultStream,
            new KernelConfig(1, s_input.Length),
            new ComparisonArguments { Input = input.View.BaseView, Output = output.View.BaseView });
        accelerator.Synchronize();
        return output.GetAsArray1D();
    }

    private static float[] OnPtx(MethodInfo kernel)
    {
        using var machine = new PtxMachine(OfflineCompiler.Ptx(kernel, s_input.Length, 80, unroll: false));
        var output = new float[s_input.Length];
        var arguments = new KernelArguments(machine, typeof(ComparisonArguments)).View("Input", s_input)
            .View("Output", output, PtxAccess.Output);
        machine.Launch(new PtxDim(1, 1, 1), new PtxDim(s_input.Length, 1, 1), arguments.ToBytes());
        return output;
    }
}
