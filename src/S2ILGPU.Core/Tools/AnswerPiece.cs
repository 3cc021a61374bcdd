namespace S2ILGPU.Tools;

/// <summary>A piece of an answer, or the whole of it.</summary>
/// <param name="Content">Text.</param>
/// <param name="Calls">Calls, in their order.</param>
public sealed record AnswerPiece(string Content, IReadOnlyList<ToolCallPiece> Calls)
{
    /// <summary>Whether there is neither text nor a call.</summary>
    public bool IsEmpty => Content.Length == 0 && Calls.Count == 0;
}

/// <summary>A call, or more arguments of one.</summary>
/// <param name="Index">Which call of the answer, from 0.</param>
/// <param name="Id">Its name for the answer of the tool; null where it was told before.</param>
/// <param name="Name">The function; null where it was told before.</param>
/// <param name="Arguments">JSON text.</param>
public sealed record ToolCallPiece(int Index, string? Id, string? Name, string Arguments);
