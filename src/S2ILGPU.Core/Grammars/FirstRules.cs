namespace S2ILGPU.Grammars;

/// <summary>Which rules a rule may begin with: one that begins with itself would be followed without end.</summary>
internal static class FirstRules
{
    /// <summary>Refuses rules that begin with themselves.</summary>
    /// <exception cref="ArgumentException">There is one: a schema refers to itself with no value between.</exception>
    public static void Check(GrammarElement[][][] rules)
    {
        var isEmpty = new bool[rules.Length]; // may be no text at all
        for (bool changed = true; changed;)
        {
            changed = false;
            for (int rule = 0; rule < rules.Length; rule++)
                if (!isEmpty[rule] && rules[rule].Any(alternative => alternative.All(e => e.Bytes is null
                    && isEmpty[e.Rule])))
                    changed = isEmpty[rule] = true;
        }
        var state = new byte[rules.Length]; // 1 while it is on the path, 2 when done
        var path = new Stack<(int Rule, IEnumerator<int> Next)>();
        for (int start = 0; start < rules.Length; start++)
        {
            if (state[start] != 0)
                continue;
            Enter(start);
            while (path.TryPeek(out var top))
            {
                if (!top.Next.MoveNext())
                    state[path.Pop().Rule] = 2;
                else if (state[top.Next.Current] == 1)
                    throw new ArgumentException("JSON schema: a $ref leads back to itself with no value between");
                else if (state[top.Next.Current] == 0)
                    Enter(top.Next.Current);
            }
        }

        void Enter(int rule)
        {
            state[rule] = 1;
            path.Push((rule, rules[rule].SelectMany(alternative => First(alternative, isEmpty)).GetEnumerator()));
        }
    }

    // The rules that an alternative may begin with.
    private static IEnumerable<int> First(GrammarElement[] alternative, bool[] isEmpty)
    {
        foreach (var element in alternative)
        {
            if (element.Bytes is not null)
                yield break;
            yield return element.Rule;
            if (!isEmpty[element.Rule])
                yield break;
        }
    }
}
