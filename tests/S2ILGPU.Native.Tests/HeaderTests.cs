using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Native.Tests;

/// <summary>The header and the C# structures say the same.</summary>
public sealed partial class HeaderTests
{
    private static readonly Dictionary<string, (Type Type, int Size)> s_structures = new()
    {
        ["s2_tensor"] = (typeof(NativeTensor), Unsafe.SizeOf<NativeTensor>()),
        ["s2_sequence"] = (typeof(NativeSequence), Unsafe.SizeOf<NativeSequence>()),
        ["s2_heads"] = (typeof(NativeHeads), Unsafe.SizeOf<NativeHeads>()),
        ["s2_stripes"] = (typeof(NativeStripes), Unsafe.SizeOf<NativeStripes>()),
        ["s2_two_range"] = (typeof(NativeTwoRange), Unsafe.SizeOf<NativeTwoRange>()),
        ["s2_pattern_info"] = (typeof(NativePatternInfo), Unsafe.SizeOf<NativePatternInfo>()),
        ["s2_layout_info"] = (typeof(NativeLayoutInfo), Unsafe.SizeOf<NativeLayoutInfo>()),
        ["s2_layout_report"] = (typeof(NativeLayoutReport), Unsafe.SizeOf<NativeLayoutReport>()),
        ["s2_forward"] = (typeof(NativeForward), Unsafe.SizeOf<NativeForward>()),
        ["s2_backward"] = (typeof(NativeBackward), Unsafe.SizeOf<NativeBackward>()),
        ["s2_merge"] = (typeof(NativeMerge), Unsafe.SizeOf<NativeMerge>()),
        ["s2_merge_backward"] = (typeof(NativeMergeBackward), Unsafe.SizeOf<NativeMergeBackward>()),
        ["s2_api"] = (typeof(ApiTable), Unsafe.SizeOf<ApiTable>()),
    };

    private static string Header => CProgram.Header;

    [Fact]
    public void Functions_have_one_order()
    {
        string table = Regex.Match(Header, @"typedef struct s2_api \{.*?\} s2_api;", RegexOptions.Singleline).Value;
        string[] inHeader = [.. Function().Matches(table).Select(match => match.Groups[1].Value)];
        string[] inTable = [.. Fields(typeof(ApiTable)).Skip(2)];
        Assert.Equal(inTable, inHeader);
        Assert.True(inTable.Length > 20);
    }

    [Fact]
    public void Constants_agree()
    {
        Assert.Contains($"#define S2_API_VERSION {Exports.Version}\n", Header);
        foreach (var status in Enum.GetValues<Status>())
        {
            string name = status == Status.Ok ? "S2_OK" : $"S2_ERROR_{status.ToString().ToUpperInvariant()}";
            Assert.Matches($@"\b{name} = {(int)status}\b", Header);
        }
    }

    [Fact]
    public async Task Structures_have_the_size_and_the_fields_of_C()
    {
        CProgram.SkipWithoutCompiler();
        using var folder = new TemporaryFolder();
        var lines = s_structures.SelectMany(s => Fields(s.Value.Type)
            .Select(field => $"printf(\"{s.Key}.{field} %d\\n\", (int)offsetof({s.Key}, {field}));")
            .Append($"printf(\"{s.Key} %d\\n\", (int)sizeof({s.Key}));"));
        string source = folder.Write("sizes.c", $$"""
            #include <stddef.h>
            #include <stdio.h>
            #include "s2ilgpu.h"
            int main(void) {
            {{string.Join('\n', lines)}}
                return 0;
            }
            """);
        string printed = await ChildProcess.RunAsync(await CProgram.CompileAsync(source, folder["sizes"]));
        var expected = s_structures.SelectMany(s => Offsets(s.Value.Type, s.Key).Append($"{s.Key} {s.Value.Size}"));
        Assert.Equal(expected, printed.TrimEnd().Split('\n'));
    }

    [Fact]
    public async Task Header_is_cplusplus_too()
    {
        CProgram.SkipWithoutCompiler();
        using var folder = new TemporaryFolder();
        string source = folder.Write("header.c", "#include \"s2ilgpu_load.h\"\nint main() { return 0; }\n");
        await ChildProcess.RunAsync("gcc", "-x", "c++", "-fsyntax-only", "-Wall", "-Wno-unused-function", "-I",
            CProgram.Include, source);
    }

    // LocalBlocks is local_blocks.
    private static IEnumerable<string> Fields(Type type) =>
        type.GetFields(BindingFlags.Public | BindingFlags.Instance).Select(field => Snake(field.Name));

    private static string Snake(string name) =>
        Regex.Replace(name, "(?<!^)([A-Z])", "_$1").ToLowerInvariant();

    // C's rules of alignment, on the types of the C# fields.
    private static IEnumerable<string> Offsets(Type type, string name)
    {
        int offset = 0;
        foreach (var field in type.GetFields(BindingFlags.Public | BindingFlags.Instance))
        {
            int size = field.FieldType == typeof(int) ? 4 : field.FieldType == typeof(FourLongs) ? 32 : 8;
            int alignment = Math.Min(size, 8);
            offset = (offset + alignment - 1) / alignment * alignment;
            yield return $"{name}.{Snake(field.Name)} {offset}";
            offset += size;
        }
    }

    [GeneratedRegex(@"int32_t \(\*(\w+)\)")]
    private static partial Regex Function();
}
