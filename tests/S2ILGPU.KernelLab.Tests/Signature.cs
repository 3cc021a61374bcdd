using System.Reflection;
using System.Runtime.CompilerServices;

namespace S2ILGPU.KernelLab.Tests;

/// <summary>The public surface of types as text, equal for equal sources whatever assembly they are in.</summary>
internal static class Signature
{
    private const BindingFlags Public = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.FlattenHierarchy;

    /// <summary>All public members; caller information that a compiler fills in is left out.</summary>
    public static IEnumerable<string> Of(Type type, bool inherited)
    {
        var flags = inherited ? Public : Public | BindingFlags.DeclaredOnly;
        foreach (var constructor in type.GetConstructors(flags))
            yield return $"{Name(type)}..ctor({Parameters(constructor)})";
        foreach (var field in type.GetFields(flags))
            yield return $"{Name(type)}.{field.Name}: {Name(field.FieldType)}{(field.IsLiteral ? $" = {field.GetRawConstantValue()}" : "")}";
        foreach (var method in type.GetMethods(flags).Where(m => m.GetBaseDefinition().DeclaringType != typeof(object) && m.GetBaseDefinition().DeclaringType != typeof(ValueType)))
        {
            string arity = method.IsGenericMethod ? $"<{method.GetGenericArguments().Length}>" : "";
            yield return $"{Name(type)}.{method.Name}{arity}({Parameters(method)}): {Name(method.ReturnType)}";
        }
    }

    private static string Parameters(MethodBase method)
    {
        var parameters = method.GetParameters().Where(p => !IsCallerInformation(p)).Select(p => (p.IsIn ? "in " : p.IsOut ? "out " : "") + Name(p.ParameterType));
        return string.Join(", ", parameters);
    }

    private static bool IsCallerInformation(ParameterInfo parameter) =>
        parameter.IsDefined(typeof(CallerLineNumberAttribute)) || parameter.IsDefined(typeof(CallerFilePathAttribute)) || parameter.IsDefined(typeof(CallerArgumentExpressionAttribute));

    private static string Name(Type type)
    {
        if (type.IsGenericParameter)
            return (type.DeclaringMethod is null ? "!" : "!!") + type.GenericParameterPosition;
        if (type.HasElementType)
            return Name(type.GetElementType()!) + (type.IsByRef ? "&" : type.IsArray ? "[]" : "*");
        string name = (type.IsNested ? Name(type.DeclaringType!).Split('<')[0] + "+" : type.Namespace + ".") + type.Name;
        return type.IsGenericType ? $"{name}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>" : name;
    }
}
