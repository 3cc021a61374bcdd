using S2ILGPU.Layouts;

namespace S2ILGPU.Cli.Drawing;

/// <summary>A pattern as a picture: one panel per head in the head's colour, one for the union of the heads, and what
/// the report says.</summary>
internal static class PatternPicture
{
    private const int MaxHeads = 64;
    private const double Margin = 36, Gap = 24, PanelHeader = 26, Header = 126, Footer = 40;

    private static readonly Colour s_background = new(255, 255, 255), s_ink = new(31, 36, 48),
        s_faint = new(104, 112, 128),
        s_visible = new(240, 242, 246), s_shared = new(88, 98, 118), s_unread = new(250, 205, 200),
            s_alarm = new(190, 40, 30), s_good = new(24, 120, 70);

    /// <summary>Draws the picture.</summary>
    public static void Draw(PatternReport report, ICanvas canvas)
    {
        var layout = report.Layout;
        int heads = Math.Min(layout.Heads, MaxHeads), panels = heads + 1;
        double side = panels <= 2 ? 400 : panels <= 6 ? 260 : panels <= 20 ? 190 : 130;
        int perLine = PanelsPerLine(panels, most: (int)(1080 / (side + Gap))), lines = (panels + perLine - 1) / perLine;
        double width = Math.Max(2 * Margin + perLine * (side + Gap) - Gap, 880);
        canvas.Start(width, Header + lines * (side + PanelHeader + Gap) + Footer, s_background);

        DrawHeader(report, canvas, BlocksIn(layout, side));
        double left = (width - perLine * (side + Gap) + Gap) / 2;
        for (int panel = 0; panel < panels; panel++)
        {
            double x = left + panel % perLine * (side + Gap), y = Header + panel / perLine * (side + PanelHeader + Gap);
            if (panel < heads)
                DrawHead(report, canvas, panel, x, y, side);
            else
                DrawUnion(report, canvas, x, y, side);
        }
        DrawLegend(report, canvas, Header + lines * (side + PanelHeader + Gap) + 10);
    }

    // As few lines as possible, filled evenly.
    private static int PanelsPerLine(int panels, int most)
    {
        int lines = (panels + most - 1) / most;
        return (panels + lines - 1) / lines;
    }

    // A block is drawn at least one unit wide.
    private static int BlocksIn(BlockLayout layout, double side) => Math.Min(layout.KeyBlocks, (int)side);

    private static void DrawHeader(PatternReport report, ICanvas canvas, int blocks)
    {
        var layout = report.Layout;
        string clipped = (layout.KeyBlocks > blocks ? $", first {blocks} drawn" : "")
            + (layout.Heads > MaxHeads ? $", first {MaxHeads} heads drawn" : "");
        canvas.Write(Margin, 40, 20, s_ink, "S2 attention: who reads what", isBold: true);
        canvas.Write(Margin, 64, 13, s_faint, $"{layout.Pattern}");
        string cache = layout.IsCausal ? $", decoding keeps {100 * report.KeptCacheFraction:F1} % of the cache" : "";
        canvas.Write(Margin, 84, 13, s_faint,
            $"{layout.Tokens} tokens, {layout.KeyBlocks} blocks{clipped}: keeps {100 * report.KeptFraction:F1} % of "
            + $"the dense blocks, at most {report.DenseOverSparse:F2}x faster{cache}");
        canvas.Write(Margin, 104, 13, report.Coverage.IsComplete ? s_good : s_alarm, $"coverage {report.Coverage}");
    }

    private static void DrawHead(PatternReport report, ICanvas canvas, int head, double x, double y, double side)
    {
        var layout = report.Layout;
        var colour = Colour.OfHead(head, layout.Heads);
        long dense = report.DenseBlocks / layout.Heads;
        canvas.Fill([new Box(x, y + 5, 10, 10)], colour);
        canvas.Write(x + 16, y + 15, 12, s_ink, $"head {head}", isBold: true);
        canvas.Write(x + 70, y + 15, 12, s_faint,
            $"{100.0 * report.KeptBlocksPerHead[head] / Math.Max(1, dense):F1} %");

        var cells = new Cells(layout, BlocksIn(layout, side));
        cells.Paint(head, full: 1, partial: 2);
        DrawCells(canvas, cells, x, y + PanelHeader, side, [s_visible, colour, colour.Darkened(0.35)]);
    }

    private static void DrawUnion(PatternReport report, ICanvas canvas, double x, double y, double side)
    {
        var layout = report.Layout;
        canvas.Write(x, y + 15, 12, s_ink, "all heads", isBold: true);
        canvas.Write(x + 62, y + 15, 12, s_faint, "together");

        // 0: no head reads the block; 1: every head does; 2 + h: head h is the first of some.
        var cells = new Cells(layout, BlocksIn(layout, side));
        for (int head = layout.Heads - 1; head >= 0; head--)
            cells.Paint(head, 2 + head, 2 + head);
        cells.PaintShared(1);
        Colour[] palette = [s_unread, s_shared, .. Enumerable.Range(0, layout.Heads)
            .Select(head => Colour.OfHead(head, layout.Heads))];
        DrawCells(canvas, cells, x, y + PanelHeader, side, palette);
    }

    // The colour of cell value 0 is that of the whole visible area.
    private static void DrawCells(ICanvas canvas, Cells cells, double x, double y, double side,
        IReadOnlyList<Colour> palette)
    {
        double cell = side / cells.Count, gap = cell >= 6 ? 1 : 0;
        for (int value = 0; value < palette.Count; value++)
            canvas.Fill([.. cells.Runs(value, joined: gap == 0)
                .Select(run => new Box(x + run.KeyBlock * cell, y + run.QueryBlock * cell, cell - gap,
                run.Length * cell - gap))],
                palette[value]);
    }

    private static void DrawLegend(PatternReport report, ICanvas canvas, double y)
    {
        double x = Margin;
        void Entry(Colour colour, string text)
        {
            canvas.Fill([new Box(x, y, 11, 11)], colour);
            canvas.Write(x + 17, y + 10, 12, s_faint, text);
            x += 17 + text.Length * 6.6 + 22;
        }
        var colour = Colour.OfHead(0, report.Layout.Heads);
        Entry(colour, "kept");
        if (report.IsCausal)
            Entry(colour.Darkened(0.35), "kept, masked by token");
        Entry(s_visible, "not kept");
        Entry(s_shared, "read by every head");
        Entry(s_unread, "read by no head");
        canvas.Write(x, y + 10, 12, s_faint, "down: query blocks, right: key blocks");
    }

    /// <summary>The blocks of a panel, each with the index of its colour; -1 above the diagonal of a causal
    /// layout.</summary>
    private sealed class Cells
    {
        private readonly BlockLayout _layout;
        private readonly int[,] _values;

        public Cells(BlockLayout layout, int count)
        {
            _layout = layout;
            Count = count;
            _values = new int[Count, Count];
            for (int i = 0; layout.IsCausal && i < Count; i++)
                for (int j = i + 1; j < Count; j++)
                    _values[i, j] = -1;
        }

        public int Count { get; }

        public void Paint(int head, int full, int partial)
        {
            for (int i = 0; i < Count; i++)
            {
                var row = _layout.Row(head, i);
                foreach (int j in row.Full)
                    if (j < Count)
                        _values[i, j] = full;
                foreach (int j in row.Partial)
                    _values[i, j] = partial;
            }
        }

        /// <summary>Gives another colour to the blocks that every head keeps.</summary>
        public void PaintShared(int value)
        {
            for (int i = 0; i < Count; i++)
                for (int j = 0; j < Count; j++)
                    if (_layout.Heads > 1 && Enumerable.Range(0, _layout.Heads)
                        .All(head => _layout.Pattern.Keeps(head, i, j)))
                        _values[i, j] = value;
        }

        /// <summary>The cells of one value; neighbours of a column joined, since stripes run down, or each on its
        /// own.</summary>
        public IEnumerable<(int KeyBlock, int QueryBlock, int Length)> Runs(int value, bool joined)
        {
            for (int j = 0; j < Count; j++)
                for (int i = 0, length; i < Count; i += length)
                {
                    length = 1;
                    if (_values[i, j] != value)
                        continue;
                    while (joined && i + length < Count && _values[i + length, j] == value)
                        length++;
                    yield return (j, i, length);
                }
        }
    }
}
