using System.Text;
using Xunit;

namespace S2ILGPU.Storage;

public sealed class JsonValueTests
{
    [Fact]
    public void Values_know_their_place()
    {
        Assert.Equal("f.json: a.b[1].c must be an integer, got \"x\"",
            Refusal("""{"a":{"b":[0,{"c":"x"}]}}""", root =>
            root.Member("a").Member("b").Items().Last().Integer("c")));
        Assert.Equal("f.json: a.b is missing", Refusal("""{"a":{"b":null}}""", root => root.Member("a").Text("b")));
        Assert.Equal("f.json: the document must be an array, got {}", Refusal("{}", root => root.Count));
        Assert.Equal("f.json: a must be an object, got 7", Refusal("""{"a":7}""", root => root.Member("a").Find("b")));
    }

    [Theory]
    [InlineData("1.5", "an integer")]
    [InlineData("2147483648", "an integer")]
    [InlineData("true", "an integer")]
    public void Integers_are_whole_and_fit(string value, string expected) =>
        Assert.Equal($"f.json: a must be {expected}, got {value}", Refusal($"{{\"a\":{value}}}", root =>
            root.Integer("a")));

    [Theory]
    [InlineData("1e999")]
    [InlineData("\"1\"")]
    public void Numbers_are_finite(string value) =>
        Assert.Equal($"f.json: a must be a finite number, got {value}", Refusal($"{{\"a\":{value}}}", root =>
            root.Number("a")));

    [Fact]
    public void Members_that_nobody_knows_are_named() =>
        Assert.Equal("f.json: c is unknown; known are a, b", Refusal("""{"a":1,"c":2}""", root =>
        {
            root.Only("a", "b");
            return 0;
        }));

    [Fact]
    public void Absent_members_have_their_default()
    {
        Assert.Equal((3, 0.5, true, "x", "y"), JsonValue.Parse("{\"a\":null}"u8.ToArray(), "f.json", root =>
            (root.Integer("a", 3), root.Number("b", 0.5), root.Boolean("c", true), root.Text("d", "x"),
            root.Choice("e", "y", "y", "z"))));
    }

    [Theory]
    [InlineData("", "fault at line 1, byte 1")]
    [InlineData("{\n  \"a\": 1,\n  \"b\" 2}", "fault at line 3, byte 7")]
    [InlineData("{\"a\":1} x", "fault at line 1, byte 9")]
    [InlineData("{\"a\":{\"b\":1,\"b\":2}}", "the name 'b' stands twice in one object")]
    public void Broken_text_is_explained_in_our_words(string json, string expected) =>
        Assert.Equal($"f.json: not valid JSON: {expected}", Refusal(json, root => 0));

    [Fact]
    public void Long_values_are_shortened()
    {
        string message = Refusal($"{{\"a\":\"{new string('x', 1000)}\"}}", root => root.Integer("a"));
        Assert.InRange(message.Length, 50, 200);
        Assert.EndsWith("x...", message);
    }

    [Fact]
    public void Half_a_surrogate_pair_is_refused() =>
        Assert.Equal("f.json: a string holds an escape that is no character", Refusal("""{"a":"\ud800"}""", root =>
            root.Text("a")));

    private static string Refusal<T>(string json, Func<JsonValue, T> read) =>
        Assert.Throws<InvalidDataException>(() =>
            JsonValue.Parse(Encoding.UTF8.GetBytes(json), "f.json", read)).Message;
}
