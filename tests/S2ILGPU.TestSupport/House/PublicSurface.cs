using System.Reflection;
using System.Text;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>The public surface of an assembly equals a listing in the repository, so that a change of it is seen in
/// review.</summary>
public static class PublicSurface
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static
        | BindingFlags.DeclaredOnly;

    /// <summary>Compares, or with <c>S2_UPDATE=1</c> writes the listing anew.</summary>
    /// <param name="assembly">The assembly.</param>
    /// <param name="listing">Path of the listing.</param>
    public static void Check(Assembly assembly, string listing)
    {
        string actual = Describe(assembly);
        if (Environment.GetEnvironmentVariable("S2_UPDATE") is "1")
            File.WriteAllText(listing, actual);
        string[] expected = File.ReadAllLines(listing), now = actual.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var differences = now.Except(expected).Select(line => $"+ {line}")
            .Concat(expected.Except(now).Select(line => $"- {line}")).ToArray();
        Assert.True(differences.Length == 0,
            $"the public surface changed; if on purpose, run the tests with "
            + $"S2_UPDATE=1:\n{string.Join('\n', differences)}");
    }

    private static string Describe(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (var type in assembly.GetExportedTypes().OrderBy(t => t.FullName, StringComparer.Ordinal))
        {
            text.Append(Kind(type)).Append(' ').Append(Name(type)).Append('\n');
            foreach (string member in Members(type).Order(StringComparer.Ordinal).Distinct())
                text.Append("    ").Append(Name(type)).Append(": ").Append(member).Append('\n');
        }
        return text.ToString();
    }

    private static IEnumerable<string> Members(Type type)
    {
        foreach (var field in type.GetFields(Declared).Where(f => (f.IsPublic || f.IsFamily) && !f.IsSpecialName))
            yield return $"{(field.IsLiteral ? "const " : field.IsStatic ? "static " : "")}{Name(field.FieldType)} "
                + $"{field.Name}";
        foreach (var constructor in type.GetConstructors(Declared).Where(IsVisible))
            yield return $"new({Parameters(constructor)})";
        foreach (var method in type.GetMethods(Declared)
            .Where(m => IsVisible(m) && !m.Name.Contains('$') && !IsOfRecord(type, m)))
            yield return $"{(method.IsStatic ? "static " : "")}{Name(method.ReturnType)} "
                + $"{method.Name}({Parameters(method)})";
    }

    private static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily;

    // What the compiler adds to records says nothing.
    private static bool IsOfRecord(Type type, MethodInfo method) =>
        method.Name is "Equals" or "GetHashCode" or "ToString" or "PrintMembers" or "get_EqualityContract"
        or "op_Equality" or "op_Inequality" or "Deconstruct"
        && type.GetMethod("PrintMembers", Declared) is not null;

    private static string Parameters(MethodBase method) =>
        string.Join(", ", method.GetParameters()
        .Select(p => $"{Name(p.ParameterType)} {p.Name}{(p.HasDefaultValue ? "?" : "")}"));

    private static string Kind(Type type) => type switch
    {
        { IsEnum: true } => "enum",
        { IsInterface: true } => "interface",
        { IsValueType: true } => "struct",
        { IsAbstract: true, IsSealed: true } => "static class",
        { IsAbstract: true } => "abstract class",
        _ => "class",
    };

    private static string Name(Type type)
    {
        if (type.IsByRef)
            return $"ref {Name(type.GetElementType()!)}";
        if (type.IsArray)
            return $"{Name(type.GetElementType()!)}[]";
        if (type.IsGenericParameter)
            return type.Name;
        bool isOurs = type.Namespace is { } space && space.StartsWith("S2ILGPU", StringComparison.Ordinal);
        string name = type.IsNested ? $"{Name(type.DeclaringType!)}.{type.Name}" : isOurs
            ? $"{type.Namespace}.{type.Name}" : type.Name;
        int tick = name.IndexOf('`');
        return tick < 0 ? name : $"{name[..tick]}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>";
    }
}
