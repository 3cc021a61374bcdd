namespace S2ILGPU.Tokenizers;

/// <summary>A token that is found in text as it stands, before the text is split and merged.</summary>
/// <param name="Text">Its text.</param>
/// <param name="Id">Its id.</param>
/// <param name="IsSpecial">Whether it is a sign of the format, as the end of a text: matched only where the caller
/// allows it, and standing for no text. Others are matched always.</param>
/// <param name="IsNormalized">Whether it is looked for after the text was normalized: then tokens that are not come
/// first, even where this one begins earlier. There is no normalization here, so the order is all that is left.</param>
internal sealed record AddedToken(string Text, int Id, bool IsSpecial, bool IsNormalized);
