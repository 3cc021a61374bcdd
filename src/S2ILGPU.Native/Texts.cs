using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;

namespace S2ILGPU.Native;

/// <summary>Texts across the border: UTF-8, ended by 0.</summary>
internal static unsafe class Texts
{
    /// <summary>Writes what fits, whole characters only, and the whole length.</summary>
    /// <exception cref="ArgumentException">There is no place for the length, or no buffer of that capacity.</exception>
    public static void Write(string text, byte* buffer, long capacity, long* length)
    {
        if (length == null)
            throw new ArgumentException("length is NULL");
        if (capacity < 0 || (buffer == null && capacity > 0))
            throw new ArgumentException(
                $"a text of capacity {capacity} in a buffer that is {(buffer == null ? "NULL" : "not NULL")}");
        *length = Encoding.UTF8.GetByteCount(text);
        if (capacity == 0)
            return;
        var span = new Span<byte>(buffer, (int)Math.Min(capacity - 1, int.MaxValue));
        Utf8.FromUtf16(text, span, out _, out int written);
        buffer[written] = 0;
    }

    /// <summary>A text of the caller; null for NULL.</summary>
    public static string? Read(byte* text) => Marshal.PtrToStringUTF8((nint)text);
}
