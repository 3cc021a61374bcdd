using System.Text;
using System.Xml;

namespace S2ILGPU.Cli.DotNetDocumentation;

/// <summary>Renders one <c>&lt;member&gt;</c> of XML documentation as plain text: a heading, the summary, a line per
/// parameter, result and exception, the remarks.</summary>
internal sealed class MemberText
{
    private readonly FlowingText _text = new();
    private readonly List<string> _typeParameters = [];
    private readonly Dictionary<string, string[]> _typeParametersOfTypes = [];

    /// <summary>Reads the member that the reader is at, to its end.</summary>
    /// <param name="reader">Stands on the start of the element.</param>
    /// <param name="id">The member's name attribute.</param>
    /// <returns>The text with a line end at its end; empty for a member without documentation.</returns>
    public string Read(XmlReader reader, string id)
    {
        _typeParameters.Clear();
        var body = new StringBuilder();
        if (!reader.IsEmptyElement)
            while (reader.Read() && reader.NodeType != XmlNodeType.EndElement)
                if (reader.NodeType == XmlNodeType.Element)
                    ReadSection(reader, body);
        bool isType = id.StartsWith("T:", StringComparison.Ordinal);
        string[] own = [.. _typeParameters];
        if (isType)
            _typeParametersOfTypes[MemberName.DeclaringType(id)] = own;
        if (body.Length == 0)
            return "";
        var ofType = _typeParametersOfTypes.GetValueOrDefault(MemberName.DeclaringType(id), []);
        return $"{(isType ? "#" : "##")} {MemberName.Full(id, ofType, isType ? [] : own)}\n{body}";
    }

    private void ReadSection(XmlReader reader, StringBuilder body)
    {
        string? label = reader.LocalName switch
        {
            "param" => reader.GetAttribute("name"),
            "typeparam" => reader.GetAttribute("name"),
            "exception" => MemberName.Short(reader.GetAttribute("cref") ?? ""),
            "returns" => "Returns",
            "value" => "Value",
            "example" => "Example",
            _ => null,
        };
        if (reader.LocalName == "typeparam" && label is not null)
            _typeParameters.Add(label);
        ReadContent(reader);
        if (_text.IsEmpty)
            return;
        body.Append(label).Append(label is { Length: > 0 } ? ": " : "").Append(_text.Take()).Append('\n');
    }

    // The content of the element that the reader is at; afterwards the reader is at its end.
    private void ReadContent(XmlReader reader)
    {
        if (reader.IsEmptyElement)
            return;
        while (reader.Read() && reader.NodeType != XmlNodeType.EndElement)
            if (reader.NodeType == XmlNodeType.Element)
                ReadInline(reader);
            else
                _text.Append(reader.Value);
    }

    private void ReadInline(XmlReader reader)
    {
        switch (reader.LocalName)
        {
            case "see" or "seealso" or "xref" or "paramref" or "typeparamref":
                ReadReference(reader);
                break;
            case "para" or "p" or "list" or "ul" or "ol":
                _text.Break();
                ReadContent(reader);
                _text.Break();
                break;
            case "br":
                _text.Break();
                ReadContent(reader);
                break;
            case "item" or "listheader" or "li":
                _text.Break();
                _text.Append("- ");
                ReadContent(reader);
                _text.Break();
                break;
            case "description":
                _text.Colon();
                ReadContent(reader);
                break;
            case "code":
                _text.AppendVerbatim(RawContent(reader));
                break;
            default:
                ReadContent(reader);
                break;
        }
    }

    // The text of a reference if it has one, else the name of what it refers to.
    private void ReadReference(XmlReader reader)
    {
        string name = Reference(reader), content = RawContent(reader);
        _text.Append(string.IsNullOrWhiteSpace(content) ? name : content);
    }

    private static string Reference(XmlReader reader)
    {
        if ((reader.GetAttribute("cref") ?? reader.GetAttribute("uid")) is { } id)
            return MemberName.Short(Uri.UnescapeDataString(id));
        return reader.GetAttribute("langword") ?? reader.GetAttribute("name") ?? reader.GetAttribute("href") ?? "";
    }

    private static string RawContent(XmlReader reader)
    {
        var raw = new StringBuilder();
        if (!reader.IsEmptyElement)
            for (int depth = reader.Depth; reader.Read() && reader.Depth > depth;)
                if (reader.NodeType is XmlNodeType.Element && reader.LocalName == "br")
                    raw.Append('\n');
                else
                    raw.Append(reader.Value);
        return raw.ToString();
    }
}
