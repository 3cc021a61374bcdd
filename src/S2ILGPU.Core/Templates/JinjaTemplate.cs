using System.Text;
using System.Text.Json;

namespace S2ILGPU.Templates;

/// <summary>A template in the part of Jinja that chat templates of models are written in.</summary>
/// <remarks>
/// <para>Statements: <c>for</c> with filter, else, break and continue; <c>if</c>; <c>set</c> in both forms and into
/// namespaces; <c>macro</c>; <c>raw</c>; <c>generation</c>. Expressions, filters, tests and methods are those that <see
/// cref="TemplateFilters"/>, <see cref="TemplateTests"/> and <see cref="TemplateMethods"/> list. Anything else is
/// refused by name and line.</para>
/// <para>White space is handled as Hugging Face does: <c>trim_blocks</c> and <c>lstrip_blocks</c> are on. Rendering is
/// bounded: templates come with models from anywhere. Immutable, thread-safe.</para>
/// </remarks>
/// <seealso href="https://jinja.palletsprojects.com/en/stable/templates/">Jinja, Template Designer
/// Documentation</seealso>
public sealed class JinjaTemplate
{
    private readonly Statement[] _body;

    private JinjaTemplate(Statement[] body) => _body = body;

    /// <summary>Reads a template.</summary>
    /// <param name="source">Its text.</param>
    /// <exception cref="TemplateException">The text is not a template, or uses what is not supported.</exception>
    public static JinjaTemplate Parse(string source)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new JinjaTemplate(new TemplateParser(TemplateLexer.Read(source)).Parse());
    }

    /// <summary>Renders the template.</summary>
    /// <param name="variables">Names and values: null, bool, long, double, string, lists and dictionaries of these, as
    /// <see cref="Value"/> makes them from JSON.</param>
    /// <param name="now">The time that <c>strftime_now</c> tells.</param>
    /// <exception cref="TemplateException">The template refuses its input, or fails on it.</exception>
    public string Render(IReadOnlyDictionary<string, object?> variables, DateTimeOffset? now = null)
    {
        ArgumentNullException.ThrowIfNull(variables);
        var output = new StringBuilder();
        var scope = TemplateGlobals.Scope(now ?? DateTimeOffset.Now);
        foreach (var (name, value) in variables)
            scope[name] = value;
        var rendering = new Rendering(output);
        rendering.Run(_body, scope);
        return output.ToString();
    }

    /// <summary>A JSON value as a value of templates: integers as long, other numbers as double, objects as
    /// dictionaries in their order.</summary>
    public static object? Value(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Object => TemplateValues.Dictionary(
            json.EnumerateObject().Select(p => KeyValuePair.Create((object)p.Name, Value(p.Value)))),
        JsonValueKind.Array => json.EnumerateArray().Select(Value).ToList(),
        JsonValueKind.String => json.GetString(),
        JsonValueKind.Number => json.TryGetInt64(out long integer) ? (object)integer : json.GetDouble(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };
}
