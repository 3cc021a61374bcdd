using System.Globalization;
using System.Text;

namespace S2ILGPU.Templates;

/// <summary>The filter <c>tojson</c> as Hugging Face has it: Python's <c>json.dumps</c>, which leaves letters of all
/// scripts as they are.</summary>
internal static class TemplateJson
{
    /// <summary>A value as JSON.</summary>
    /// <param name="value">The value.</param>
    /// <param name="arguments">ensure_ascii, indent, separators, sort_keys.</param>
    public static string Write(object? value, CallArguments arguments)
    {
        // Jinja's own filter has the indent first.
        int indentAt = arguments.Positions.Count == 1 && TemplateValues.Number(arguments.Positions[0]) is long ? 0 : 1;
        bool isAscii = indentAt == 1 && TemplateValues.IsTrue(arguments[0, "ensure_ascii", false]);
        string? indent = arguments[indentAt, "indent"] switch
        {
            null => null,
            string given => given,
            long width => new string(' ', (int)Math.Clamp(width, 0, 100)),
            var other => throw new TemplateException($"the indent of JSON is {TemplateValues.KindOf(other)}"),
        };
        bool sorts = TemplateValues.IsTrue(arguments[indentAt + 2, "sort_keys", false]);
        var writer = arguments[indentAt + 1, "separators"] is IReadOnlyList<object?> and [string item, string key]
            ? new Writer(indent, item, key, isAscii, sorts)
            : new Writer(indent, indent is null ? ", " : ",", ": ", isAscii, sorts);
        writer.Append(value, 0);
        return writer.ToString();
    }

    private sealed class Writer(string? indent, string itemSeparator, string keySeparator, bool isAscii, bool sorts)
    {
        private readonly StringBuilder _text = new();

        public override string ToString() => _text.ToString();

        public void Append(object? value, int depth)
        {
            if (depth > 100)
                throw new TemplateException("a value is nested more than 100 deep");
            switch (value)
            {
                case OrderedDictionary<object, object?> dictionary:
                    var entries = sorts ? dictionary.OrderBy(e => e.Key,
                        Comparer<object>.Create(TemplateArithmetic.Order)) : dictionary.AsEnumerable();
                    Append('{', '}', entries, depth, entry =>
                    {
                        Append(TemplateValues.Text(entry.Key), depth);
                        _text.Append(keySeparator);
                        Append(entry.Value, depth + 1);
                    });
                    break;
                case IReadOnlyList<object?> list:
                    Append('[', ']', list, depth, item => Append(item, depth + 1));
                    break;
                case string text:
                    AppendQuoted(text);
                    break;
                default:
                    _text.Append(value switch
                    {
                        null => "null",
                        true => "true",
                        false => "false",
                        long integer => integer.ToString(CultureInfo.InvariantCulture),
                        double number => TemplateValues.Float(number),
                        _ => throw new TemplateException($"{TemplateValues.KindOf(value)} cannot be JSON"),
                    });
                    break;
            }
        }

        private void Append<TItem>(char open, char close, IEnumerable<TItem> items, int depth, Action<TItem> append)
        {
            _text.Append(open);
            bool isFirst = true;
            foreach (var item in items)
            {
                _text.Append(isFirst ? "" : itemSeparator);
                BreakLine(depth + 1);
                append(item);
                isFirst = false;
            }
            if (!isFirst)
                BreakLine(depth);
            _text.Append(close);
        }

        private void BreakLine(int depth)
        {
            if (indent is null)
                return;
            _text.Append('\n');
            for (int i = 0; i < depth; i++)
                _text.Append(indent);
        }

        private void AppendQuoted(string text)
        {
            _text.Append('"');
            foreach (char c in text)
                _text.Append(c switch
                {
                    '"' => "\\\"",
                    '\\' => "\\\\",
                    '\n' => "\\n",
                    '\r' => "\\r",
                    '\t' => "\\t",
                    '\b' => "\\b",
                    '\f' => "\\f",
                    < ' ' => $"\\u{(int)c:x4}",
                    > '~' when isAscii => $"\\u{(int)c:x4}",
                    _ => c.ToString(),
                });
            _text.Append('"');
        }
    }
}
