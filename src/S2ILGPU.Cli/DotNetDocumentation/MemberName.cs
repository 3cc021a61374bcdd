using System.Text;

namespace S2ILGPU.Cli.DotNetDocumentation;

/// <summary>Turns the ids of XML documentation into names that people read:
/// <c>M:System.String.Join(System.String,System.Collections.Generic.IEnumerable{System.String})</c>
/// into <c>System.String.Join(String, IEnumerable&lt;String&gt;)</c>.</summary>
internal static class MemberName
{
    /// <summary>The type that an id belongs to, without the prefix: of a type itself, of a member its declaring
    /// type.</summary>
    public static string DeclaringType(string id)
    {
        string name = NameOf(id, out _);
        return id.StartsWith("T:", StringComparison.Ordinal) || name.LastIndexOf('.') < 0 ? name
            : name[..name.LastIndexOf('.')];
    }

    /// <summary>The whole name, with namespaces in front but not in the parameters.</summary>
    /// <param name="id">The id, with its prefix <c>T:</c>, <c>M:</c>, ...</param>
    /// <param name="typeParameters">Names of the type parameters of the declaring type; empty for T or T1, T2,
    /// ...</param>
    /// <param name="methodParameters">Names of the type parameters of the method; empty for U or U1, U2, ...</param>
    public static string Full(string id, IReadOnlyList<string> typeParameters,
        IReadOnlyList<string> methodParameters) =>
        Format(id, int.MaxValue, typeParameters, methodParameters);

    /// <summary>The name as a sentence has it: <c>String</c>, <c>Int32.MaxValue</c>, <c>String.Join(String,
    /// Object[])</c>.</summary>
    public static string Short(string id)
    {
        int kept = id.AsSpan(0, Math.Min(id.Length, 2)) switch { "T:" => 1, "N:" => int.MaxValue, _ => 2 };
        return Format(id, kept, [], []);
    }

    private static string NameOf(string id, out string parameters)
    {
        string body = id.Length > 2 && id[1] == ':' ? id[2..] : id;
        int end = body.IndexOf('(');
        if (end < 0)
            end = body.IndexOf('~'); // the result type of a conversion without parameters
        parameters = end < 0 ? "" : body[end..];
        return end < 0 ? body : body[..end];
    }

    private static string Format(string id, int keptSegments, IReadOnlyList<string> typeParameters,
        IReadOnlyList<string> methodParameters)
    {
        string name = NameOf(id, out string parameters);
        string[] segments = name.Split('.');
        if (segments.Length > 1 && segments[^1] is "#ctor" or "#cctor")
        {
            segments = segments[..^1]; // a constructor is called like its type
            keptSegments = Math.Max(1, keptSegments - 1);
        }
        int lastGeneric = Array.FindLastIndex(segments, s => s.Contains('`')
            && !s.Contains("``", StringComparison.Ordinal));
        var scope = new GenericScope(Arity(lastGeneric < 0 ? "" : segments[lastGeneric]), Arity(segments[^1], "``"),
            typeParameters, methodParameters);

        var text = new StringBuilder();
        for (int s = Math.Max(0, segments.Length - keptSegments); s < segments.Length; s++)
        {
            int mark = segments[s].IndexOf('`');
            string plain = mark < 0 ? segments[s] : segments[s][..mark];
            text.Append(text.Length > 0 ? "." : "").Append(plain.Replace('#', '.').Replace('{', '<').Replace('}', '>'));
            if (mark >= 0)
                AppendTypeParameters(text, segments[s], s == lastGeneric, scope);
        }
        if (id.StartsWith("M:", StringComparison.Ordinal) && !parameters.StartsWith('('))
            text.Append("()"); // ids leave out an empty list
        AppendParameters(text, parameters, scope);
        return text.ToString();
    }

    private static void AppendTypeParameters(StringBuilder text, string segment, bool isDeclaringType,
        GenericScope scope)
    {
        bool isMethod = segment.Contains("``", StringComparison.Ordinal);
        int arity = Arity(segment, isMethod ? "``" : "`");
        var names = Enumerable.Range(0, Math.Min(arity, 32)).Select(i =>
            isMethod ? scope.MethodParameter(i) : isDeclaringType ? scope.TypeParameter(i)
            : GenericScope.Default("T", i, arity));
        text.Append('<').AppendJoin(", ", names).Append('>');
    }

    // Copies "(A.B{C.D},E.F[0:,0:],G.H@)~I.J" without the namespaces, as "(B<D>, F[,], ref H) : J".
    private static void AppendParameters(StringBuilder text, string parameters, GenericScope scope)
    {
        var outer = new Stack<int>();
        int nameStart = text.Length;
        for (int i = 0; i < parameters.Length; i++)
        {
            char c = parameters[i];
            if (c == '.')
                text.Length = nameStart;
            else if (c is '{' or '(')
            {
                text.Append(c == '{' ? '<' : '(');
                outer.Push(nameStart);
                nameStart = text.Length;
            }
            else if (c is '}' or ')')
            {
                text.Append(c == '}' ? '>' : ')');
                outer.TryPop(out nameStart);
            }
            else if (c is ',' or '~')
            {
                text.Append(c == ',' ? ", " : " : ");
                nameStart = text.Length;
            }
            else if (c == '@')
                text.Insert(nameStart, "ref ");
            else if (c == '`')
                i = AppendReference(text, parameters, i, scope);
            else if (c == '[')
                i = AppendRank(text, parameters, i);
            else
                text.Append(c);
        }
    }

    // `0 is a type parameter of the type, ``0 one of the method. Returns the index of the last character used.
    private static int AppendReference(StringBuilder text, string parameters, int start, GenericScope scope)
    {
        int digits = start + 1;
        bool isMethod = digits < parameters.Length && parameters[digits] == '`';
        if (isMethod)
            digits++;
        int end = digits;
        while (end < parameters.Length && char.IsAsciiDigit(parameters[end]))
            end++;
        int.TryParse(parameters.AsSpan(digits, end - digits), out int index);
        text.Append(isMethod ? scope.MethodParameter(index) : scope.TypeParameter(index));
        return end - 1;
    }

    private static int AppendRank(StringBuilder text, string parameters, int start)
    {
        int end = parameters.IndexOf(']', start);
        if (end < 0)
            return parameters.Length;
        text.Append('[').Append(',', parameters.AsSpan(start, end - start).Count(',')).Append(']');
        return end;
    }

    private static int Arity(string segment, string mark = "`")
    {
        int at = segment.IndexOf(mark, StringComparison.Ordinal);
        return at >= 0 && int.TryParse(segment.AsSpan(at + mark.Length), out int arity) && arity > 0 ? arity : 0;
    }

    // What `0 and ``0 are called.
    private readonly record struct GenericScope(int TypeArity, int MethodArity, IReadOnlyList<string> TypeNames,
        IReadOnlyList<string> MethodNames)
    {
        public string TypeParameter(int index) =>
            index < TypeNames.Count ? TypeNames[index] : Default("T", index, TypeArity);

        public string MethodParameter(int index) =>
            index < MethodNames.Count ? MethodNames[index] : Default("U", index, MethodArity);

        public static string Default(string letter, int index, int arity) =>
            arity == 1 && index == 0 ? letter : $"{letter}{index + 1}";
    }
}
