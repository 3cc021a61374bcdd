using System.Reflection;
using System.Reflection.Emit;

namespace S2ILGPU.TestSupport;

/// <summary>Which types of its own assembly a type names: in its base types, members and method bodies, as
/// the compiler resolved them. Constants and <c>nameof</c> leave no trace.</summary>
public static class TypeUses
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance
        | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<ushort, OpCode> s_codes = typeof(OpCodes).GetFields()
        .Select(field => (OpCode)field.GetValue(null)!).ToDictionary(code => (ushort)code.Value);

    /// <summary>The types, outermost ones, that a type and the types nested in it use.</summary>
    public static IReadOnlySet<Type> Of(Type type)
    {
        var found = new HashSet<Type>();
        Collect(type, found);
        found.RemoveWhere(used => used == type || used.Assembly != type.Assembly);
        return found;
    }

    /// <summary>The type that a type is nested in, through all levels.</summary>
    public static Type Outermost(Type type) => type.DeclaringType is { } outer ? Outermost(outer) : type;

    private static void Collect(Type type, HashSet<Type> found)
    {
        Add(type.BaseType, found);
        foreach (var contract in type.GetInterfaces())
            Add(contract, found);
        foreach (var parameter in type.GetGenericArguments())
            AddConstraints(parameter, found);
        foreach (var field in type.GetFields(Declared))
            Add(field.FieldType, found);
        foreach (var method in type.GetMembers(Declared).OfType<MethodBase>())
            Collect(method, found);
        foreach (var nested in type.GetNestedTypes(Declared))
            Collect(nested, found);
    }

    private static void Collect(MethodBase method, HashSet<Type> found)
    {
        foreach (var parameter in method.GetParameters())
            Add(parameter.ParameterType, found);
        Add((method as MethodInfo)?.ReturnType, found);
        if (method.IsGenericMethodDefinition)
            foreach (var parameter in method.GetGenericArguments())
                AddConstraints(parameter, found);
        if (method.GetMethodBody() is not { } body)
            return;
        foreach (var local in body.LocalVariables)
            Add(local.LocalType, found);
        foreach (int token in Tokens(body.GetILAsByteArray()!))
            Add(method, token, found);
    }

    // A token names a type, or a member with its declaring type and its type arguments.
    private static void Add(MethodBase method, int token, HashSet<Type> found)
    {
        var owner = method.DeclaringType!;
        var member = method.Module.ResolveMember(token, owner.IsGenericType ? owner.GetGenericArguments() : null,
            method.IsGenericMethod ? method.GetGenericArguments() : null);
        Add(member as Type ?? member!.DeclaringType, found);
        if (member is MethodInfo { IsGenericMethod: true } generic)
            foreach (var argument in generic.GetGenericArguments())
                Add(argument, found);
        if (member is MethodInfo { ReturnType: var result })
            Add(result, found);
    }

    private static void AddConstraints(Type parameter, HashSet<Type> found)
    {
        if (parameter.IsGenericParameter)
            foreach (var constraint in parameter.GetGenericParameterConstraints())
                Add(constraint, found);
    }

    private static void Add(Type? type, HashSet<Type> found)
    {
        if (type is null || type.IsGenericParameter)
            return;
        if (type.HasElementType)
            Add(type.GetElementType(), found);
        else if (type.IsFunctionPointer)
            return;
        else
        {
            found.Add(Outermost(type.IsGenericType ? type.GetGenericTypeDefinition() : type));
            foreach (var argument in type.GetGenericArguments())
                Add(argument, found);
        }
    }

    // The metadata tokens among the operands of a method's instructions.
    private static IEnumerable<int> Tokens(byte[] body)
    {
        for (int at = 0; at < body.Length;)
        {
            ushort value = body[at++];
            if (value == 0xfe)
                value = (ushort)(value << 8 | body[at++]);
            var kind = s_codes[value].OperandType;
            if (kind is OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok
                or OperandType.InlineType)
                yield return BitConverter.ToInt32(body, at);
            at += kind switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 + 4 * BitConverter.ToInt32(body, at),
                _ => 4,
            };
        }
    }
}
