using System.Globalization;
using System.Security;
using System.Text;

namespace S2ILGPU.Cli.Drawing;

/// <summary>Draws an SVG document.</summary>
internal sealed class SvgCanvas : ICanvas
{
    private readonly StringBuilder _svg = new();

    public void Start(double width, double height, Colour background)
    {
        _svg.AppendLine(CultureInfo.InvariantCulture,
            $"""<svg xmlns="http://www.w3.org/2000/svg" width="{width:0.##}" height="{height:0.##}" viewBox="0 0 {width:0.##} {height:0.##}" font-family="system-ui, sans-serif">""");
        _svg.AppendLine($"""<rect width="100%" height="100%" fill="{background}"/>""");
    }

    public void Fill(IReadOnlyList<Box> boxes, Colour colour)
    {
        if (boxes.Count == 0)
            return;
        _svg.Append($"<path fill=\"{colour}\" d=\"");
        foreach (var (x, y, width, height) in boxes)
            _svg.Append(CultureInfo.InvariantCulture, $"M{x:0.##} {y:0.##}h{width:0.##}v{height:0.##}h{-width:0.##}z");
        _svg.AppendLine("\"/>");
    }

    public void Write(double x, double baseline, double size, Colour colour, string text, bool isBold = false)
    {
        string weight = isBold ? " font-weight=\"600\"" : "";
        _svg.AppendLine(CultureInfo.InvariantCulture,
            $"""<text x="{x:0.##}" y="{baseline:0.##}" font-size="{size:0.##}" fill="{colour}"{weight}>{SecurityElement.Escape(text)}</text>""");
    }

    /// <summary>Closes the document and writes it in UTF-8.</summary>
    public void WriteTo(Stream stream) => stream.Write(Encoding.UTF8.GetBytes(_svg.AppendLine("</svg>").ToString()));
}
