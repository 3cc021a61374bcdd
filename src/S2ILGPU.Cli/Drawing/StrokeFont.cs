namespace S2ILGPU.Cli.Drawing;

/// <summary>A small font of pen strokes, so that pictures need no font files.</summary>
/// <remarks>
/// A glyph is a list of strokes, a stroke a list of points "xy" on a grid: x from 0, capitals from y = 0 down to the
/// baseline at 6, small letters from 2, descenders to 8. A stroke that starts with '~' is a curve along its points, one
/// with 'o' a closed curve.
/// </remarks>
internal static class StrokeFont
{
    private const double Unit = 0.7 / 6, Spacing = 1.7, SpaceWidth = 2.4; // capitals are 0.7 of the font size high

    private static readonly Dictionary<char, string> s_glyphs = new()
    {
        ['0'] = "o10 30 41 45 36 16 05 01", ['1'] = "02 20 26", ['2'] = "~01 10 30 41 42 06,06 46",
            ['3'] = "~01 10 30 41 42 33 13,~13 33 44 45 36 16 05",
        ['4'] = "36 30 04 44", ['5'] = "40 10 03,~03 12 32 43 45 36 16 05",
            ['6'] = "~40 20 02 04 05 16 36 45 44 33 13 04", ['7'] = "00 40 16",
        ['8'] = "o10 30 41 42 33 13 02 01,o13 33 44 45 36 16 05 04", ['9'] = "~06 26 44 42 41 30 10 01 02 13 33 42",
        ['A'] = "06 20 46,14 34", ['B'] = "00 06,~00 30 41 42 33 03,~03 33 44 45 36 06",
            ['C'] = "~41 30 10 01 05 16 36 45", ['D'] = "00 06,~00 20 42 44 26 06",
        ['E'] = "40 00 06 46,03 33", ['F'] = "40 00 06,03 33", ['G'] = "~41 30 10 01 05 16 36 45 43,43 23",
            ['H'] = "00 06,40 46,03 43", ['I'] = "00 06",
        ['J'] = "~30 34 35 26 16 05", ['K'] = "00 06,40 03,13 46", ['L'] = "00 06 46", ['M'] = "06 00 23 40 46",
            ['N'] = "06 00 46 40", ['O'] = "o10 30 41 45 36 16 05 01",
        ['P'] = "00 06,~00 30 41 42 33 03", ['Q'] = "o10 30 41 45 36 16 05 01,34 46",
            ['R'] = "00 06,~00 30 41 42 33 03,23 46",
        ['S'] = "~41 30 10 01 02 13 33 44 45 36 16 05", ['T'] = "00 40,20 26", ['U'] = "~00 05 16 36 45 40",
            ['V'] = "00 26 40", ['W'] = "00 16 22 36 40",
        ['X'] = "00 46,40 06", ['Y'] = "00 23 40,23 26", ['Z'] = "00 40 06 46",
        ['a'] = "32 36,~33 22 12 03 05 16 26 35", ['b'] = "00 06,~03 12 22 33 35 26 16 05",
            ['c'] = "~33 22 12 03 05 16 26 35", ['d'] = "30 36,~33 22 12 03 05 16 26 35",
        ['e'] = "04 34,~34 33 22 12 03 05 16 26 35", ['f'] = "~30 20 11 12 16,02 22",
            ['g'] = "~33 22 12 03 05 16 26 35,~32 37 28 18 07", ['h'] = "00 06,~03 12 22 33 36",
        ['i'] = "02 06,00 00", ['j'] = "~12 17 08,10 10", ['k'] = "00 06,32 04,14 36", ['l'] = "00 06",
            ['m'] = "02 06,~03 12 23 26,~23 32 43 46",
        ['n'] = "02 06,~03 12 22 33 36", ['o'] = "o12 22 33 35 26 16 05 03", ['p'] = "02 08,~03 12 22 33 35 26 16 05",
            ['q'] = "32 38,~33 22 12 03 05 16 26 35",
        ['r'] = "02 06,~03 12 22", ['s'] = "~33 22 12 03 14 24 35 26 16 05", ['t'] = "~10 15 26 36,02 22",
            ['u'] = "~02 05 16 26 35,32 36", ['v'] = "02 26 42",
        ['w'] = "02 16 23 36 42", ['x'] = "02 36,32 06", ['y'] = "02 26,42 18", ['z'] = "02 32 06 36",
        ['.'] = "06 06", [','] = "16 07", [':'] = "03 03,06 06", ['/'] = "30 06", ['-'] = "04 24",
            ['+'] = "04 44,22 26", ['='] = "03 33,05 35",
        ['%'] = "50 06,o00 10 11 12 02 01,o44 54 55 56 46 45", ['('] = "~10 02 04 17", [')'] = "~00 12 14 07",
            ['|'] = "00 07", ['#'] = "11 15,31 35,02 42,04 44",
    };

    private static readonly Dictionary<char, Glyph> s_parsed =
        s_glyphs.ToDictionary(glyph => glyph.Key, glyph => new Glyph(glyph.Value));
    private static readonly Glyph s_unknown = new("00 40 46 06 00");

    /// <summary>A point in font sizes: x from the left end of the text, y from the baseline, downwards.</summary>
    public readonly record struct Point(double X, double Y);

    /// <summary>The straight lines that draw a text.</summary>
    public static IEnumerable<(Point From, Point To)> Lines(string text)
    {
        double x = 0;
        foreach (char letter in text)
        {
            var glyph = letter == ' ' ? null : s_parsed.GetValueOrDefault(letter, s_unknown);
            foreach (var (from, to) in glyph?.Lines ?? [])
                yield return (new Point((x + from.X) * Unit, from.Y * Unit), new Point((x + to.X) * Unit, to.Y * Unit));
            x += glyph is null ? SpaceWidth : glyph.Width + Spacing;
        }
    }

    private sealed class Glyph
    {
        public Glyph(string strokes)
        {
            foreach (string stroke in strokes.Split(','))
            {
                bool isClosed = stroke[0] == 'o', isCurve = isClosed || stroke[0] == '~';
                Point[] points = [.. stroke.TrimStart('o', '~').Split(' ')
                    .Select(xy => new Point(xy[0] - '0', xy[1] - '0' - 6))];
                Width = Math.Max(Width, points.Max(point => point.X));
                for (int round = 0; isCurve && round < 3; round++)
                    points = CutCorners(points, isClosed);
                for (int i = 1; i < points.Length; i++)
                    Lines.Add((points[i - 1], points[i]));
                if (isClosed)
                    Lines.Add((points[^1], points[0]));
            }
        }

        public List<(Point From, Point To)> Lines { get; } = [];

        public double Width { get; }

        // Chaikin's corner cutting: the points at a quarter and three quarters of each edge; the ends of an open curve
        // stay.
        private static Point[] CutCorners(Point[] points, bool isClosed)
        {
            var cut = new List<Point>();
            int edges = isClosed ? points.Length : points.Length - 1;
            for (int i = 0; i < edges; i++)
            {
                Point a = points[i], b = points[(i + 1) % points.Length];
                cut.Add(i == 0 && !isClosed ? a : Between(a, b, 0.25));
                cut.Add(i == edges - 1 && !isClosed ? b : Between(a, b, 0.75));
            }
            return [.. cut];
        }

        private static Point Between(Point a, Point b, double share) =>
            new(a.X + (b.X - a.X) * share, a.Y + (b.Y - a.Y) * share);
    }
}
