namespace S2ILGPU.Tokenizers;

/// <summary>A token that is found in text as it stands, before the text is split and merged.</summary>
/// <param name="Text">Its text.</param>
/// <param name="Id">Its id.</param>
/// <param name="IsSpecial">Whether it is a sign of the format, as the end of a text: matched only where the caller
/// allows it, and standing for no text. Others are matched always.</param>
/// <param name="IsNormalized">Whether its normalized text is looked for in normalized text: after those that are not,
/// even where this one begins earlier.</param>
/// <param name="IsSingleWord">Whether it is found only where no letter, mark, digit or connector is beside it.</param>
/// <param name="StripsLeft">Whether white space before it is part of it.</param>
/// <param name="StripsRight">Whether white space after it is part of it.</param>
internal sealed record AddedToken(string Text, int Id, bool IsSpecial, bool IsNormalized, bool IsSingleWord = false,
    bool StripsLeft = false, bool StripsRight = false);
