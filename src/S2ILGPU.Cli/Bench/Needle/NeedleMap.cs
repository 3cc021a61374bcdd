using S2ILGPU.Cli.Drawing;
using static System.FormattableString;

namespace S2ILGPU.Cli.Bench.Needle;

/// <summary>The heat map: a panel for each model, a row for each length, a column for each depth.</summary>
internal static class NeedleMap
{
    private const double Margin = 24, Left = 84, CellWidth = 58, CellHeight = 30, PanelHeader = 34, PanelFooter = 30;

    private static readonly Colour s_background = new(255, 255, 255), s_ink = new(31, 36, 48),
        s_faint = new(104, 112, 128), s_none = new(196, 84, 45), s_half = new(240, 214, 150), s_all = new(60, 141, 90);

    /// <summary>Draws the map.</summary>
    /// <param name="grids">What each model found.</param>
    /// <param name="canvas">What to draw on.</param>
    public static void Draw(IReadOnlyList<(NeedleModel Model, NeedleGrid Grid)> grids, ICanvas canvas)
    {
        double panel = PanelHeader + PanelFooter + CellHeight * (grids.Count == 0 ? 0 : grids[0].Grid.Lengths.Count);
        canvas.Start(Margin + Left + NeedleGrid.Depths * CellWidth + Margin, 2 * Margin + panel * grids.Count,
            s_background);
        double top = Margin;
        foreach (var (model, grid) in grids)
        {
            canvas.Write(Margin, top + 18, 15, s_ink, model.Title + (model.IsControl ? " (control)" : ""),
                isBold: true);
            for (int length = 0; length < grid.Lengths.Count; length++)
                DrawRow(canvas, grid, length, top + PanelHeader + CellHeight * length);
            double below = top + PanelHeader + CellHeight * grid.Lengths.Count + 16;
            for (int depth = 0; depth < NeedleGrid.Depths; depth++)
                canvas.Write(X(depth) + 14, below, 11, s_faint,
                    Invariant($"{100 * depth / (NeedleGrid.Depths - 1)} %"));
            canvas.Write(Margin, below, 11, s_faint, "depth");
            top += panel;
        }
    }

    private static void DrawRow(ICanvas canvas, NeedleGrid grid, int length, double y)
    {
        canvas.Write(Margin, y + 19, 12, s_ink, Invariant($"{grid.Lengths[length]:#,0}"));
        for (int depth = 0; depth < NeedleGrid.Depths; depth++)
        {
            double fraction = grid.At(length, depth);
            canvas.Fill([new Box(X(depth), y, CellWidth - 2, CellHeight - 2)], Shade(fraction));
            canvas.Write(X(depth) + 14, y + 19, 12, s_ink, Invariant($"{100 * fraction:0}"));
        }
    }

    private static double X(int depth) => Margin + Left + CellWidth * depth;

    private static Colour Shade(double fraction) => fraction < 0.5 ? Mixed(s_none, s_half, 2 * fraction)
        : Mixed(s_half, s_all, 2 * fraction - 1);

    private static Colour Mixed(Colour from, Colour to, double share)
    {
        return new Colour(Channel(from.Red, to.Red), Channel(from.Green, to.Green), Channel(from.Blue, to.Blue));

        byte Channel(byte a, byte b) => (byte)Math.Round(a + share * (b - a));
    }
}
