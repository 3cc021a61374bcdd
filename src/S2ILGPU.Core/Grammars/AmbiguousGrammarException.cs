namespace S2ILGPU.Grammars;

/// <summary>What may follow a text is not computed: the grammar allows too many ways at once there.</summary>
internal sealed class AmbiguousGrammarException(string message) : InvalidOperationException(message);
