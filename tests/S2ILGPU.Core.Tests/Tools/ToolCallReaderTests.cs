using S2ILGPU.TestSupport;
using S2ILGPU.Tools;
using Xunit;

namespace S2ILGPU.Core.Tests.Tools;

public sealed class ToolCallReaderTests
{
    [Theory]
    [InlineData("just text", "just text", "")]
    [InlineData("a < b, <tool, <tool_cal", "a < b, <tool, <tool_cal", "")]
    [InlineData("""<tool_call>{"name":"f","arguments":{"a":[1,{}],"b":"}\\\"{"}}</tool_call>""", "",
        """f {"a":[1,{}],"b":"}\\\"{"}""")]
    [InlineData("""so: <tool_call>"""
        + "\n" + """{ "name" : "f" , "arguments" : {} }""" + "\n</tool_call>\n<tool_call>\n"
        + """{"name": "g", "arguments": {"x": 1}}""" + "\n</tool_call>", "so: ", """f {}|g {"x": 1}""")]
    [InlineData("""<tool_call>{"arguments":{"a":1},"name":"f"}</tool_call> and""", "and", """f {"a":1}""")]
    [InlineData("""<tool_call>{"name":"f","arguments":"{\"a\":1}"}</tool_call>""", "", """f {"a":1}""")]
    [InlineData("""<tool_call>{"name":"f"}</tool_call>""", "", "f {}")]
    [InlineData("""<tool_call>{"name":5}</tool_call>x""", """<tool_call>{"name":5}</tool_call>x""", "")]
    [InlineData("""<tool_call>{"name":"f","argu""", """<tool_call>{"name":"f","argu""", "")]
    [InlineData("""<tool_call>{"name":"f","arguments":{"a":""", "", """f {"a":""")]
    [InlineData("""<tool_call>{"name":"f","arguments":{}}""", "", "f {}")]
    public void Finds_the_calls_however_the_text_is_cut(string text, string content, string calls)
    {
        var random = Seeds.NewRandom();
        for (int n = 0; n < 30; n++)
        {
            var reader = new ToolCallReader(hasTags: true);
            string found = "";
            var all = new List<string>();
            for (int at = 0; at < text.Length;)
            {
                int end = n == 0 ? text.Length : Math.Min(text.Length, at + random.Next(1, n % 5 == 1 ? 2 : 12));
                var piece = reader.Read(text[at..end], isLast: end == text.Length);
                found += piece.Content;
                foreach (var call in piece.Calls)
                    if (call.Name is null)
                        all[call.Index] += call.Arguments;
                    else
                    {
                        Assert.Equal(all.Count, call.Index);
                        Assert.StartsWith("call_", call.Id);
                        all.Add($"{call.Name} {call.Arguments}");
                    }
                at = end;
            }
            Assert.Equal((content, calls), (found, string.Join('|', all)));
            Assert.Equal(all.Count, reader.Calls);
        }
    }
}
