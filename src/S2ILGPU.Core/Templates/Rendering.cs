using System.Text;

namespace S2ILGPU.Templates;

/// <summary>How a statement ended.</summary>
internal enum Flow
{
    /// <summary>The next statement follows.</summary>
    Next,

    /// <summary>The loop goes on with the next element.</summary>
    Continue,

    /// <summary>The loop ends.</summary>
    Break,
}

/// <summary>A run of a template: where text goes, and how much work is left.</summary>
internal sealed class Rendering(StringBuilder output)
{
    // Templates come with models from anywhere: one that does not end is refused.
    private const int MaxSteps = 5_000_000, MaxLength = 64 << 20, MaxDepth = 64;

    private readonly StringBuilder _output = output;
    private int _steps, _depth;

    /// <summary>Writes text.</summary>
    public void Write(string text)
    {
        _output.Append(text);
        if (_output.Length > MaxLength)
            throw new TemplateException($"the text is longer than {MaxLength} characters");
    }

    /// <summary>Runs statements.</summary>
    public Flow Run(ReadOnlySpan<Statement> body, Scope scope)
    {
        foreach (var statement in body)
        {
            if (++_steps > MaxSteps)
                throw new TemplateException($"the template does not end after {MaxSteps} statements");
            Flow flow;
            try
            {
                flow = statement.Run(this, scope);
            }
            catch (TemplateException e) when (!e.IsRaised && !e.HasLine)
            {
                throw TemplateException.At(statement.Line, e.Message);
            }
            if (flow != Flow.Next)
                return flow;
        }
        return Flow.Next;
    }

    /// <summary>The text of statements, as a value.</summary>
    public string TextOf(Statement[] body, Scope scope)
    {
        if (++_depth > MaxDepth)
            throw new TemplateException($"macros call each other more than {MaxDepth} deep");
        var inner = new Rendering(new StringBuilder()) { _steps = _steps, _depth = _depth };
        inner.Run(body, scope);
        (_steps, _depth) = (inner._steps, _depth - 1);
        return inner._output.ToString();
    }
}
