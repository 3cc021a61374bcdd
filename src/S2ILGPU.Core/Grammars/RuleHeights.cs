namespace S2ILGPU.Grammars;

/// <summary>How far each rule is from a text: the height of the lowest tree that derives one.</summary>
internal static class RuleHeights
{
    /// <summary>Height of a rule that no text follows.</summary>
    public const int None = int.MaxValue;

    /// <summary>The heights of all rules.</summary>
    public static int[] Of(GrammarElement[][][] rules)
    {
        var heights = new int[rules.Length];
        Array.Fill(heights, None);
        for (bool changed = true; changed;)
        {
            changed = false;
            for (int rule = 0; rule < rules.Length; rule++)
                foreach (var alternative in rules[rule])
                    if (Of(alternative, heights) is var height && height < heights[rule] - 1)
                        (heights[rule], changed) = (height + 1, true);
        }
        return heights;
    }

    /// <summary>The height of an alternative: that of its highest rule, 0 for bytes.</summary>
    public static int Of(GrammarElement[] alternative, int[] heights)
    {
        int height = 0;
        foreach (var element in alternative)
            if (element.Bytes is null)
                height = Math.Max(height, heights[element.Rule]);
        return height;
    }
}
