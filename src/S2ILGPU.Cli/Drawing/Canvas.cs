namespace S2ILGPU.Cli.Drawing;

/// <summary>An opaque colour.</summary>
internal readonly record struct Colour(byte Red, byte Green, byte Blue)
{
    /// <summary>As SVG writes it.</summary>
    public override string ToString() => $"#{Red:x2}{Green:x2}{Blue:x2}";

    /// <summary>This colour with a share of black mixed in.</summary>
    public Colour Darkened(double share) =>
        new((byte)(Red * (1 - share)), (byte)(Green * (1 - share)), (byte)(Blue * (1 - share)));

    /// <summary>One of a number of well distinguishable colours, evenly around the colour wheel.</summary>
    public static Colour OfHead(int head, int heads)
    {
        double hue = 210.0 / 360 + (double)head / heads;
        double lightness = head % 2 == 0 ? 0.52 : 0.44; // neighbours differ in lightness too
        return new Colour(Channel(hue + 1 / 3.0), Channel(hue), Channel(hue - 1 / 3.0));

        byte Channel(double at)
        {
            at -= Math.Floor(at);
            double spread = 0.62 * Math.Min(lightness, 1 - lightness),
                ramp = Math.Clamp(2 - Math.Abs(6 * at - 2), -1, 1);
            return (byte)Math.Round(255 * (lightness + spread * ramp));
        }
    }
}

/// <summary>A rectangle: left, top, width and height.</summary>
internal readonly record struct Box(double X, double Y, double Width, double Height);

/// <summary>Something to draw on, in units of about a screen pixel, y downwards.</summary>
internal interface ICanvas
{
    /// <summary>Sets the size and paints the background; called first.</summary>
    void Start(double width, double height, Colour background);

    /// <summary>Fills rectangles that do not overlap.</summary>
    void Fill(IReadOnlyList<Box> boxes, Colour colour);

    /// <summary>Writes one line of ASCII text.</summary>
    /// <param name="x">Left end.</param>
    /// <param name="baseline">Height of the baseline.</param>
    /// <param name="size">Font size.</param>
    /// <param name="colour">Colour of the text.</param>
    /// <param name="text">The text.</param>
    /// <param name="isBold">Bold letters.</param>
    void Write(double x, double baseline, double size, Colour colour, string text, bool isBold = false);
}
