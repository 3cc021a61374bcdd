namespace S2ILGPU.Cli.Drawing;

/// <summary>Draws pixels, with edges smoothed by how much of a pixel a shape covers.</summary>
/// <param name="pixelsPerUnit">Resolution.</param>
internal sealed class PixelCanvas(double pixelsPerUnit) : ICanvas
{
    private byte[] _rgb = [];
    private float[] _coverage = []; // of the shape being drawn; zero between shapes

    /// <summary>Width in pixels.</summary>
    public int Width { get; private set; }

    /// <summary>Height in pixels.</summary>
    public int Height { get; private set; }

    /// <summary>The pixels, [Height, Width, 3].</summary>
    public ReadOnlySpan<byte> Rgb => _rgb;

    public void Start(double width, double height, Colour background)
    {
        Width = (int)Math.Ceiling(width * pixelsPerUnit);
        Height = (int)Math.Ceiling(height * pixelsPerUnit);
        _rgb = new byte[checked(Width * Height * 3)];
        _coverage = new float[Width * Height];
        for (int i = 0; i < _rgb.Length; i += 3)
            (_rgb[i], _rgb[i + 1], _rgb[i + 2]) = (background.Red, background.Green, background.Blue);
    }

    public void Fill(IReadOnlyList<Box> boxes, Colour colour)
    {
        foreach (var box in boxes)
        {
            double left = box.X * pixelsPerUnit, right = left + box.Width * pixelsPerUnit, top = box.Y * pixelsPerUnit,
                bottom = top + box.Height * pixelsPerUnit;
            for (int y = Math.Max(0, (int)top); y < Math.Min(Height, Math.Ceiling(bottom)); y++)
            {
                double rows = Math.Min(bottom, y + 1) - Math.Max(top, y);
                for (int x = Math.Max(0, (int)left); x < Math.Min(Width, Math.Ceiling(right)); x++)
                    _coverage[y * Width + x] += (float)(rows * (Math.Min(right, x + 1) - Math.Max(left, x)));
            }
        }
        Blend(colour, boxes.Count == 0 ? 0 : (int)(boxes.Min(box => box.Y) * pixelsPerUnit), boxes.Count == 0 ? 0
            : boxes.Max(box => box.Y + box.Height) * pixelsPerUnit);
    }

    public void Write(double x, double baseline, double size, Colour colour, string text, bool isBold = false)
    {
        double scale = pixelsPerUnit * size, halfWidth = scale * (isBold ? 0.062 : 0.042);
        foreach (var (from, to) in StrokeFont.Lines(text))
            Stroke(x * pixelsPerUnit + from.X * scale, baseline * pixelsPerUnit + from.Y * scale,
                (to.X - from.X) * scale, (to.Y - from.Y) * scale, halfWidth);
        Blend(colour, (int)((baseline - size) * pixelsPerUnit), (baseline + size) * pixelsPerUnit);
    }

    // A line from (x, y) with round ends: a pixel is covered as far as it lies within half a width of the line.
    private void Stroke(double x, double y, double dx, double dy, double halfWidth)
    {
        double reach = halfWidth + 1, lengthSquared = Math.Max(dx * dx + dy * dy, 1e-12);
        for (int py = (int)Math.Max(0, Math.Min(y, y + dy) - reach);
            py < Math.Min(Height, Math.Max(y, y + dy) + reach); py++)
            for (int px = (int)Math.Max(0, Math.Min(x, x + dx) - reach);
                px < Math.Min(Width, Math.Max(x, x + dx) + reach); px++)
            {
                double cx = px + 0.5 - x, cy = py + 0.5 - y,
                    along = Math.Clamp((cx * dx + cy * dy) / lengthSquared, 0, 1);
                double distance = Math.Sqrt((cx - along * dx) * (cx - along * dx) + (cy - along * dy)
                    * (cy - along * dy));
                ref float coverage = ref _coverage[py * Width + px];
                coverage = Math.Max(coverage, (float)Math.Clamp(halfWidth + 0.5 - distance, 0, 1));
            }
    }

    private void Blend(Colour colour, int firstRow, double endRow)
    {
        for (int i = Math.Max(0, firstRow) * Width; i < Math.Min(Height, Math.Ceiling(endRow)) * Width; i++)
        {
            float share = Math.Min(1, _coverage[i]);
            if (share == 0)
                continue;
            _coverage[i] = 0;
            _rgb[3 * i] = Mix(_rgb[3 * i], colour.Red, share);
            _rgb[3 * i + 1] = Mix(_rgb[3 * i + 1], colour.Green, share);
            _rgb[3 * i + 2] = Mix(_rgb[3 * i + 2], colour.Blue, share);
        }
    }

    private static byte Mix(byte below, byte above, float share) => (byte)MathF.Round(below + (above - below) * share);
}
