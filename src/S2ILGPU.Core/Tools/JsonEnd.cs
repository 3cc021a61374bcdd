namespace S2ILGPU.Tools;

/// <summary>Finds the end of a JSON object that comes piece by piece.</summary>
internal sealed class JsonEnd
{
    private int _depth;
    private bool _isInString, _isEscaped;

    /// <summary>Expects another object.</summary>
    public void Restart() => (_depth, _isInString, _isEscaped) = (0, false, false);

    /// <summary>Characters of a piece that belong to the object.</summary>
    /// <param name="piece">The piece, which goes on where the one before ended.</param>
    /// <param name="isWhole">Whether the object ends there.</param>
    public int Find(string piece, out bool isWhole)
    {
        for (int i = 0; i < piece.Length; i++)
            if (Ends(piece[i]))
            {
                isWhole = true;
                return i + 1;
            }
        isWhole = false;
        return piece.Length;
    }

    private bool Ends(char c)
    {
        if (_isInString)
        {
            _isInString = _isEscaped || c != '"';
            _isEscaped = !_isEscaped && c == '\\';
            return false;
        }
        _isInString = c == '"';
        _depth += c is '{' or '[' ? 1 : c is '}' or ']' ? -1 : 0;
        return _depth == 0;
    }
}
