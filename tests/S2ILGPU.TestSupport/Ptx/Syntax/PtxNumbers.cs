using System.Globalization;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Numbers of PTX texts.</summary>
internal static class PtxNumbers
{
    /// <summary>Integers in decimal or hexadecimal, floats as <c>0f</c> or <c>0d</c> with the hexadecimal bits; returns
    /// the bits.</summary>
    public static ulong Parse(string text)
    {
        bool isNegative = text.StartsWith('-');
        string digits = text.TrimStart('-', '+').TrimEnd('U');
        ulong value = digits.StartsWith("0f", StringComparison.OrdinalIgnoreCase)
            || digits.StartsWith("0d", StringComparison.OrdinalIgnoreCase)
            || digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? ulong.Parse(digits.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
            : ulong.Parse(digits, CultureInfo.InvariantCulture);
        return isNegative ? (ulong)-(long)value : value;
    }
}
