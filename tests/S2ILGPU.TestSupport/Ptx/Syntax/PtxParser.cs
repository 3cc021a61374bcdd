using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Reads PTX text as ILGPU writes it.</summary>
internal sealed partial class PtxParser
{
    private readonly List<PtxFunction> _functions = [];
    private readonly List<PtxVariable> _variables = [];
    // registers declared in blocks inside the function, by the name that they have in it
    private readonly Stack<Dictionary<string, string>> _scopes = [];
    private readonly Dictionary<int, string> _files = [];
    private PtxFunction? _function;
    private (int File, int Line) _source;
    private string _label = "";
    private int _scopeCount;

    /// <summary>Parses a module.</summary>
    public static PtxModule Parse(string text)
    {
        var parser = new PtxParser();
        foreach (var (line, kind, piece) in Pieces(text))
            parser.Add(line, kind, piece);
        return new PtxModule(parser._functions, parser._variables, parser._files);
    }

    private enum PieceKind
    {
        Header,
        BlockBegin,
        BlockEnd,
        Label,
        Statement,
    }

    private void Add(int line, PieceKind kind, string text)
    {
        switch (kind)
        {
            case PieceKind.Header:
                _function = Header(text);
                _source = default;
                break;
            case PieceKind.BlockBegin:
                _scopes.Push([]);
                _scopeCount++;
                break;
            case PieceKind.BlockEnd when _scopes.Count > 0:
                _scopes.Pop();
                break;
            case PieceKind.BlockEnd when _function is not null:
                _functions.Add(_function);
                _function = null;
                break;
            case PieceKind.Label when _function is not null:
                _function.Labels[text] = _function.Statements.Count;
                _label = text;
                break;
            case PieceKind.Statement when text.StartsWith('.'):
                AddDirective(text);
                break;
            case PieceKind.Statement when _function is not null:
                _function.Statements.Add(Statement(line, text));
                break;
        }
    }

    private void AddDirective(string text)
    {
        if (SourceParts().Match(text) is { Success: true } source)
            _source = (Number(source, "file"), Number(source, "line"));
        else if (FileParts().Match(text) is { Success: true } file)
            _files[Number(file, "file")] = file.Groups["path"].Value;
        else if (text.StartsWith(".branchtargets", StringComparison.Ordinal))
            _function!.BranchTargets[_label] = text[".branchtargets".Length..]
                .Split(',', StringSplitOptions.TrimEntries);
        else if (text.StartsWith(".reg", StringComparison.Ordinal))
            AddRegisters(text);
        else if (Variable(text) is { } variable)
            (_function?.Variables ?? _variables).Add(variable);
    }

    // Cuts the text at semicolons, labels and the braces of functions and blocks; braces inside an instruction belong
    // to it.
    private static IEnumerable<(int Line, PieceKind Kind, string Text)> Pieces(string text)
    {
        var piece = new StringBuilder();
        int line = 1, start = 1;
        for (int n = 0; n < text.Length; n++)
        {
            char c = text[n];
            if (c == '/' && n + 1 < text.Length && text[n + 1] == '/')
            {
                while (n + 1 < text.Length && text[n + 1] != '\n')
                    n++;
                continue;
            }
            if (c == '\n')
            {
                line++;
                // directives such as .version end with their line
                if (piece.Length > 0 && piece[0] == '.' && DirectiveLine().IsMatch(piece.ToString()))
                    yield return (start, PieceKind.Statement, Take(piece));
            }
            if (piece.Length == 0)
            {
                if (char.IsWhiteSpace(c))
                    continue;
                if (c == ';')
                    throw new FormatException($"line {line}: a semicolon without a statement, which ptxas refuses");
                start = line;
            }
            if (c is '{' or '}' && piece.Length == 0)
                yield return (line, c == '{' ? PieceKind.BlockBegin : PieceKind.BlockEnd, "");
            else if (c == '{' && IsHeader(piece))
                yield return (start, PieceKind.Header, Take(piece));
            else if (c == ';' && IsHeader(piece))
                piece.Clear(); // a declaration without a body
            else if (c == ';')
                yield return (start, PieceKind.Statement, Take(piece));
            else if (c == ':' && LabelName().IsMatch(piece.ToString()) && (n + 1 == text.Length || text[n + 1] != ':'))
                yield return (start, PieceKind.Label, Take(piece));
            else
                piece.Append(char.IsWhiteSpace(c) ? ' ' : c);
        }
    }

    private static string Take(StringBuilder piece)
    {
        string text = piece.ToString().Trim();
        piece.Clear();
        return text;
    }

    private static bool IsHeader(StringBuilder piece) =>
        piece.Length > 0 && piece[0] == '.' && HeaderStart().IsMatch(piece.ToString());

    private static PtxFunction Header(string text)
    {
        var match = HeaderParts().Match(text);
        if (!match.Success)
            throw new FormatException($"function header: {text}");
        var threads = MaximumThreads().Match(text);
        return new PtxFunction
        {
            IsKernel = match.Groups["kind"].Value == "entry",
            Name = match.Groups["name"].Value,
            Parameters =
                [.. match.Groups["parameters"].Value.Split(',',
                StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(p => Variable(p)!)],
            MaximumThreads = threads.Success
                ? threads.Groups[1].Value.Split(',').Select(x => int.Parse(x, CultureInfo.InvariantCulture))
                .Aggregate((a, b) => a * b)
                : 0,
        };
    }

    private void AddRegisters(string text)
    {
        var match = RegisterDeclaration().Match(text);
        if (!match.Success)
            throw new FormatException($"registers: {text}");
        foreach (string name in match.Groups["names"].Value.Split(',', StringSplitOptions.TrimEntries))
        {
            string inFunction = name.Split('<')[0];
            if (_scopes.TryPeek(out var scope))
                scope[name] = inFunction = $"%{name.TrimStart('%')}.{_scopeCount}";
            _function!.Registers.Add((inFunction, match.Groups["type"].Value));
        }
    }

    private static PtxVariable? Variable(string text)
    {
        var match = VariableParts().Match(text);
        if (!match.Success)
            return null; // .version, .pragma and their like
        string type = match.Groups["type"].Value;
        int elementBytes = int.Parse(type[1..], CultureInfo.InvariantCulture) / 8;
        int count = match.Groups["brackets"].Success ? match.Groups["count"].Value is { Length: > 0 } c
            ? int.Parse(c, CultureInfo.InvariantCulture) : 0 : 1;
        int alignment = match.Groups["align"].Success
            ? int.Parse(match.Groups["align"].Value, CultureInfo.InvariantCulture) : elementBytes;
        var data = new byte[count * elementBytes];
        int at = 0;
        foreach (string value in match.Groups["data"].Value.Split(',',
            StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            BitConverter.GetBytes(PtxNumbers.Parse(value)).AsSpan(0, elementBytes)
                .CopyTo(data.AsSpan(elementBytes * at++));
        return new PtxVariable(match.Groups["space"].Value, match.Groups["name"].Value, alignment, data.Length, data);
    }

    private PtxStatement Statement(int line, string text)
    {
        var match = StatementParts().Match(text);
        if (!match.Success)
            throw new FormatException($"line {line}: {text}");
        string? guard = match.Groups["guard"].Success ? Scoped(match.Groups["guard"].Value)
            ?? match.Groups["guard"].Value : null;
        var operands = SplitOperands(match.Groups["operands"].Value)
            .Select(operand => Operand(operand, line)).ToArray();
        return new PtxStatement(line, text, guard, match.Groups["not"].Success, match.Groups["name"].Value, operands,
            _source);
    }

    private static int Number(Match match, string name) =>
        int.Parse(match.Groups[name].ValueSpan, CultureInfo.InvariantCulture);

    private static IEnumerable<string> SplitOperands(string text)
    {
        int depth = 0, start = 0;
        for (int n = 0; n < text.Length; n++)
        {
            if (text[n] is '{' or '[' or '(')
                depth++;
            else if (text[n] is '}' or ']' or ')')
                depth--;
            else if (text[n] == ',' && depth == 0)
            {
                yield return text[start..n].Trim();
                start = n + 1;
            }
        }
        if (text[start..].Trim() is { Length: > 0 } last)
            yield return last;
    }

    // The register that a name declared in a block stands for.
    private string? Scoped(string name)
    {
        foreach (var scope in _scopes)
            if (scope.TryGetValue(name, out string? register))
                return register;
        return null;
    }

    private PtxOperand Operand(string text, int line)
    {
        if (Scoped(text) is { } register)
            return new PtxRegister(register);
        char first = text[0];
        if (first is '{' or '(')
            return new PtxVector([.. SplitOperands(text[1..^1]).Select(element => Operand(element, line))]);
        if (first == '[')
        {
            var match = AddressParts().Match(text[1..^1].Trim());
            if (!match.Success)
                throw new FormatException($"line {line}: address {text}");
            long offset = match.Groups["offset"].Success ? (long)PtxNumbers.Parse(match.Groups["offset"].Value) : 0;
            return new PtxAddress(Operand(match.Groups["base"].Value, line), offset);
        }
        if (first == '!')
            return ((PtxRegister)Operand(text[1..].Trim(), line)) with { IsNegated = true };
        if (first == '%')
            return text.Split('|') is [var value, var predicate] ? new PtxRegister(value, predicate)
                : new PtxRegister(text);
        return char.IsDigit(first) || first is '-' or '+' ? new PtxImmediate(PtxNumbers.Parse(text))
            : new PtxSymbol(text);
    }

    [GeneratedRegex(@"^\.(version|target|address_size|loc|file|pragma)\b")]
    private static partial Regex DirectiveLine();

    [GeneratedRegex(@"^\.loc\s+(?<file>\d+)\s+(?<line>\d+)")]
    private static partial Regex SourceParts();

    [GeneratedRegex("^\\.file\\s+(?<file>\\d+)\\s+\"(?<path>[^\"]*)\"")]
    private static partial Regex FileParts();

    [GeneratedRegex(@"^[A-Za-z_$][\w$]*$")]
    private static partial Regex LabelName();

    [GeneratedRegex(@"^(\.(visible|extern|weak)\s+)?\.(func|entry)\b")]
    private static partial Regex HeaderStart();

    [GeneratedRegex(@"\.(?<kind>func|entry)\s*(?:\([^)]*\)\s*)?(?<name>[\w$]+)\s*(?:\((?<parameters>[^)]*)\))?")]
    private static partial Regex HeaderParts();

    [GeneratedRegex(@"\.maxntid\s+([\d,\s]+\d)")]
    private static partial Regex MaximumThreads();

    [GeneratedRegex(@"^\.reg\s+\.(?<type>\w+)\s+(?<names>.*)$")]
    private static partial Regex RegisterDeclaration();

    [GeneratedRegex(
        @"\.(?<space>shared|local|const|global|param)\s+(?:\.align\s+(?<align>\d+)\s+)?\.(?<type>[bsuf]\d+)\s+"
        + @"(?<name>[\w$]+)\s*(?<brackets>\[(?<count>\d*)\])?\s*(?:=\s*\{(?<data>[^}]*)\})?$")]
    private static partial Regex VariableParts();

    [GeneratedRegex(@"^(?:@(?<not>!)?(?<guard>%\w+)\s+)?(?<name>[A-Za-z][\w.:]*)\s*(?<operands>.*)$")]
    private static partial Regex StatementParts();

    [GeneratedRegex(@"^(?<base>[%\w$.]+)\s*(?:\+\s*(?<offset>-?\w+)|(?<offset>-\w+))?$")]
    private static partial Regex AddressParts();
}
