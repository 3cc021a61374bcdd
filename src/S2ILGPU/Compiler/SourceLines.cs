using System.Reflection;
using ILGPU;
using ILGPU.Backends;
using ILGPU.IR;

namespace S2ILGPU.Compiler;

/// <summary>Makes ILGPU write the C# line of each PTX instruction, as <c>.file</c> and <c>.loc</c>. Passed to a
/// backend's <c>Compile</c>.</summary>
/// <remarks>ILGPU 1.5.3 can do it, but three faults stand in the way, which only reflection removes. The PTX machine of
/// the tests needs the lines; nothing else does.</remarks>
/// <param name="unroll">Whether loops are unrolled as well.</param>
internal readonly struct SourceLines(bool unroll) : IBackendHook
{
    private const BindingFlags Hidden = BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public;

    /// <summary>Asks for the lines: the builder's own <c>DebugSymbols</c> leaves the property as it is.</summary>
    public static void Enable(Context.Builder builder) =>
        typeof(ContextProperties).GetProperty(nameof(ContextProperties.DebugSymbolsMode))!
        .SetValue(builder, DebugSymbolsMode.KernelSourceAnnotations);

    /// <summary>Finds the lines of methods of generic types: ILGPU looks for the closed method among the open
    /// ones.</summary>
    public static void IncludeGenericTypes(Context context, Assembly assembly)
    {
        object manager = typeof(Context).GetProperty("DebugInformationManager", Hidden)!.GetValue(context)!;
        var type = typeof(Context).Assembly.GetType("ILGPU.Frontend.DebugInformation.AssemblyDebugInformation")!;
        object?[] arguments = [assembly, null];
        manager.GetType().GetMethod("TryLoadSymbols", [typeof(Assembly), type.MakeByRefType()])!
            .Invoke(manager, arguments);
        if (arguments[1] is not { } symbols)
            return;
        var methods = type.GetField("debugInformation", Hidden)!; // Dictionary<MethodBase, MethodDebugInformation>
        methods.SetValue(symbols,
            Activator.CreateInstance(methods.FieldType, methods.GetValue(symbols), new ByToken()));
    }

    /// <inheritdoc/>
    public void InitializedKernelContext(IRContext kernelContext, Method kernelMethod)
    {
        if (unroll)
            default(UnrollLoops).InitializedKernelContext(kernelContext, kernelMethod);
    }

    /// <summary>Gives barriers, shuffles and atomic operations their line: they carry a stack of lines, and ILGPU
    /// does not write those.</summary>
    public void OptimizedKernelContext(IRContext kernelContext, Method kernelMethod)
    {
        var stack = typeof(CompilationStackLocation).GetProperty("Stack", Hidden)!;
        var location = typeof(Node).GetProperty(nameof(Node.Location), Hidden)!;
        foreach (var method in kernelContext.Methods)
            foreach (var block in method.Blocks)
                foreach (Value value in block)
                    if (value.Location is CompilationStackLocation locations && ((IEnumerable<Location>)stack
                        .GetValue(locations)!).OfType<FileLocation>().FirstOrDefault() is { } innermost)
                        location.SetValue(value, innermost);
    }

    /// <inheritdoc/>
    public void FinishedCodeGeneration(IRContext kernelContext, Method entryPoint)
    {
    }

    /// <summary>A method of a generic type and its closed forms are the same.</summary>
    private sealed class ByToken : IEqualityComparer<MethodBase>
    {
        public bool Equals(MethodBase? x, MethodBase? y) =>
            x?.MetadataToken == y?.MetadataToken && x?.Module == y?.Module;

        public int GetHashCode(MethodBase method) => method.MetadataToken;
    }
}
