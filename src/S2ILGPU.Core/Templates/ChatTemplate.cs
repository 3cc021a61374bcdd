using System.Text.Json;
using S2ILGPU.Storage;

namespace S2ILGPU.Templates;

/// <summary>How messages become a prompt: by the template of the model, or as plain lines. Immutable.</summary>
public sealed class ChatTemplate
{
    private const string Configuration = "tokenizer_config.json", TemplateFile = "chat_template.jinja";

    // Lists of added tokens make large ones.
    private const int MaxConfigurationBytes = 64 << 20;

    private readonly JinjaTemplate _template;
    private readonly string _source;
    private readonly string? _bos, _eos;

    private ChatTemplate(string source, string? bos, string? eos, bool hasSpecialTokens) =>
        (_source, _template, _bos, _eos, HasSpecialTokens) = (source, JinjaTemplate.Parse(source), bos, eos,
            hasSpecialTokens);

    /// <summary>For models without a template: a line <c>role: content</c> for each message, then
    /// <c>assistant:</c>.</summary>
    public static ChatTemplate Plain { get; } = new(
        "{% for message in messages %}{{ message['role'] + ': ' + (message['content'] or '') + '\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}assistant:{% endif %}", null, null, false);

    /// <summary>Whether the names of special tokens in the rendered text stand for those tokens, as in templates of
    /// models; also where a message has them.</summary>
    public bool HasSpecialTokens { get; }

    /// <summary>Reads the template of a model: <c>chat_template.jinja</c>, else <c>chat_template</c> in
    /// <c>tokenizer_config.json</c>; <see cref="Plain"/> where there is none.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <exception cref="InvalidDataException">The configuration is damaged, or the template cannot be read.</exception>
    public static ChatTemplate Load(string folder)
    {
        string path = Path.Combine(folder, Configuration), file = Path.Combine(folder, TemplateFile);
        try
        {
            var (inConfiguration, bos, eos) = !File.Exists(path) ? default
                : JsonValue.Read(path, "a tokenizer configuration", MaxConfigurationBytes,
                    root => (Source(root), Token(root, "bos_token"), Token(root, "eos_token")));
            string? source = File.Exists(file) ? File.ReadAllText(file) : inConfiguration;
            return source is null ? Plain : new ChatTemplate(source, bos, eos, hasSpecialTokens: true);
        }
        catch (TemplateException e)
        {
            throw new InvalidDataException($"{folder}: the chat template cannot be read: {e.Message}");
        }
    }

    /// <summary>Whether the template has a text in it, as the tags that a model writes around calls of
    /// tools.</summary>
    public bool Mentions(string text) => _source.Contains(text, StringComparison.Ordinal);

    /// <summary>The prompt of a conversation.</summary>
    /// <param name="messages">An array of objects with role and content.</param>
    /// <param name="tools">What the model may call; null for nothing.</param>
    /// <exception cref="TemplateException">The template refuses the messages.</exception>
    public string Render(object? messages, JsonElement? tools)
    {
        var variables = new Dictionary<string, object?>
        {
            ["messages"] = messages,
            ["add_generation_prompt"] = true,
        };
        if (tools is { } given)
            variables["tools"] = JinjaTemplate.Value(given);
        if (_bos is not null)
            variables["bos_token"] = _bos;
        if (_eos is not null)
            variables["eos_token"] = _eos;
        return _template.Render(variables);
    }

    /// <summary>The prompt of a conversation of texts.</summary>
    /// <param name="messages">Role and content of each message.</param>
    /// <exception cref="TemplateException">The template refuses the messages.</exception>
    public string Render(params IEnumerable<(string Role, string Content)> messages) =>
        Render(messages.Select(message => (object?)TemplateValues.Dictionary(
            [KeyValuePair.Create((object)"role", (object?)message.Role),
            KeyValuePair.Create((object)"content", (object?)message.Content)])).ToList(), null);

    // One text, or several with names.
    private static string? Source(JsonValue root)
    {
        if (root.Find("chat_template") is not { } template)
            return null;
        if (!template.IsArray)
            return template.Text();
        foreach (var named in template.Items())
            if (named.Text("name") == "default")
                return named.Text("template");
        return null;
    }

    private static string? Token(JsonValue root, string name) => root.Find(name) is not { } token ? null
        : token.IsObject ? token.Text("content") : token.Text();
}
