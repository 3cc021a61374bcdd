using System.Buffers.Binary;
using System.Text;

namespace S2ILGPU.Peers.Torch;

/// <summary>Lets TorchSharp's library load where the system's libstdc++ is older than that of its compiler.</summary>
/// <remarks>
/// The library asks for version GLIBCXX_3.4.32 (GCC 13) because of one symbol that every C++ file with iostream refers
/// to and that is never called or relocated. The ELF format has a flag for such a need: a version that is marked weak
/// may be missing. A copy of the library gets the flag; nothing else of it changes.
/// </remarks>
internal static class OlderLibstdcxx
{
    private const int SectionNeeds = 0x6ffffffe, WeakFlag = 2; // SHT_GNU_verneed, VER_FLG_WEAK

    /// <summary>Marks a needed version as weak.</summary>
    /// <param name="library">A 64-bit little-endian ELF file. Read and written.</param>
    /// <param name="version">The version.</param>
    /// <returns>Whether the file needs that version.</returns>
    public static bool Weaken(Span<byte> library, string version)
    {
        bool found = false;
        long sections = Long(library, 0x28);
        int size = Short(library, 0x3a), count = Short(library, 0x3c);
        for (int i = 0; i < count; i++)
        {
            var section = library[(int)(sections + i * size)..];
            if (Int(section, 4) != SectionNeeds)
                continue;
            var names = library[(int)(sections + Int(section, 40) * size)..];
            found |= WeakenIn(library, (int)Long(section, 24), (int)Long(names, 24), Encoding.ASCII.GetBytes(version));
        }
        return found;
    }

    // Elf64_Verneed: version, count, file, first, next; Elf64_Vernaux: hash, flags, other, name, next.
    private static bool WeakenIn(Span<byte> library, int need, int names, ReadOnlySpan<byte> version)
    {
        bool found = false;
        for (int next = -1; next != 0; need += next)
        {
            int versions = Short(library, need + 2);
            for (int v = 0, at = need + Int(library, need + 8); v < versions; v++, at += Int(library, at + 12))
            {
                var name = library[(names + Int(library, at + 8))..];
                if (!name[..name.IndexOf((byte)0)].SequenceEqual(version))
                    continue;
                library[at + 4] |= WeakFlag;
                found = true;
            }
            next = Int(library, need + 12);
        }
        return found;
    }

    private static int Short(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static int Int(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt32LittleEndian(bytes[at..]);

    private static long Long(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);
}
