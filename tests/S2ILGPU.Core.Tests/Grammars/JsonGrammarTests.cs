using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using S2ILGPU.Corpora;
using S2ILGPU.Grammars;
using S2ILGPU.Tokenizers;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Grammars;

/// <summary>Texts of JSON grammars are JSON, and what a schema accepts.</summary>
public sealed class JsonGrammarTests
{
    private static readonly JsonSerializerOptions s_strict = new()
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
        Converters = { new JsonStringEnumConverter<Colour>() },
    };

    private enum Colour
    {
        Red,
        DarkGreen,
    }

    private sealed record Item(string Name, int Count, Colour Colour);

    private sealed record Order(int Number, bool IsPaid, List<Item> Items, double[]? Weights, string? Note,
        Dictionary<string, int> Extra);

    [Theory]
    [InlineData("{}", true)]
    [InlineData("{ }", true)]
    [InlineData("""{"a":1}""", true)]
    [InlineData("""{"a": [1, -2.5e+3, "x\u00e4\\n", true, false, null, {"b": {}}, []]}""", true)]
    [InlineData("""{"ä𝄞": "\""}""", true)]
    [InlineData("[]", false)]
    [InlineData("1", false)]
    [InlineData("", false)]
    [InlineData("{", false)]
    [InlineData("""{"a":1,}""", false)]
    [InlineData("""{"a":01}""", false)]
    [InlineData("""{"a":1.}""", false)]
    [InlineData("""{a:1}""", false)]
    [InlineData("""{"a":"\x"}""", false)]
    [InlineData("""{"a":1}{""", false)]
    public void Json_mode_takes_objects(string text, bool expected) =>
        Assert.Equal(expected, Grammar.JsonObject.Matches(text));

    [Fact]
    public void Control_characters_and_broken_utf8_are_not_part_of_strings()
    {
        Assert.False(Grammar.JsonObject.Matches("{\"a\":\"\n\"}"));
        foreach (byte[] bytes in (byte[][])[[0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x80], [0xff]])
        {
            var matcher = new GrammarMatcher(Grammar.JsonObject);
            Assert.True(matcher.Accept("{\""u8));
            Assert.False(matcher.Accept(bytes));
            Assert.True(matcher.Accept("a\":1}"u8));
            Assert.True(matcher.IsComplete);
        }
    }

    [Theory]
    [InlineData("""{"type":"integer"}""", "12 -3 0", "1.5 01 - a")]
    [InlineData("""{"type":["string","null"]}""", "\"x\" null", "1 nul")]
    [InlineData("""{"enum":["red","redder",5,null]}""", "\"red\" \"redder\" 5 null", "\"re\" \"reddest\" 55")]
    [InlineData("""{"const":{"a":[1]}}""", "{\"a\":[1]}", "{\"a\":[2]} {}")]
    [InlineData("""{"type":"array","items":{"type":"boolean"},"minItems":1,"maxItems":2}""", "[true] [true,false]",
        "[] [true,false,true] [1]")]
    [InlineData("""{"type":"string","minLength":2,"maxLength":3}""", "\"ab\" \"äöü\" \"a\\n\"",
        "\"a\" \"abcd\"")]
    [InlineData("""{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"null"}},"required":["b"]}""",
        "{\"a\":1,\"b\":null} {\"b\":null}",
        "{\"a\":1} {\"b\":null,\"a\":1} {} {\"b\":null,\"c\":1} {,\"b\":null}")]
    [InlineData("""{"type":"object","properties":{"a":true,"b":true}}""",
        "{} {\"a\":1} {\"b\":[]} {\"a\":1,\"b\":2}",
        "{\"a\":1,} {\"c\":1}")]
    [InlineData("""{"type":"object","additionalProperties":{"type":"integer"}}""",
        "{} {\"x\":1,\"y\":2}", "{\"x\":true}")]
    [InlineData("""{"type":"object","additionalProperties":false}""", "{}", "{\"x\":1}")]
    [InlineData("""{"anyOf":[{"type":"integer"},{"type":"array","items":{"$ref":"#"}}]}""",
        "1 [] [1,[2,[]]]", "true [true]")]
    [InlineData("""{"$ref":"#/$defs/t","$defs":{"t":{"type":"object","properties":{"next":"""
        + """{"anyOf":[{"$ref":"#/$defs/t"},{"type":"null"}]}},"required":["next"]}}}""", "{\"next\":null} {\"next\":{\"next\":null}}", "{} null")]
    public void A_schema_takes_what_it_accepts(string schema, string accepted, string refused)
    {
        var grammar = Grammar.FromJsonSchema(JsonDocument.Parse(schema).RootElement);
        Assert.All(accepted.Split(' '), text => Assert.True(grammar.Matches(text), text));
        Assert.All(refused.Split(' '), text => Assert.False(grammar.Matches(text), text));
    }

    [Theory]
    [InlineData("""{"type":"string","pattern":"a+"}""", "JSON schema #: 'pattern' is not supported here")]
    [InlineData("""{"type":"object","properties":{"a":{"type":"number","minimum":1}}}""",
        "JSON schema #/properties/a: 'minimum' is not supported here")]
    [InlineData("""{"type":"thing"}""", "JSON schema #: unknown type 'thing'")]
    [InlineData("""{"type":"object","required":["x"]}""", "JSON schema #: required 'x' is not among the properties")]
    [InlineData("""{"type":"array","minItems":3,"maxItems":2}""", "JSON schema #: maxItems 2 is below minItems")]
    [InlineData("""{"type":"array","minItems":-1}""", "JSON schema #: minItems must be 0 to 10000, got -1")]
    [InlineData("""{"$ref":"#"}""", "JSON schema: a $ref leads back to itself with no value between")]
    [InlineData("""{"$ref":"other.json"}""", "JSON schema #: $ref 'other.json' does not point into the schema")]
    [InlineData("""{"$ref":"#/a/b"}""", "JSON schema #: $ref '#/a/b' points nowhere")]
    [InlineData("""{"enum":[]}""", "JSON schema #/enum: must be a list with items, got []")]
    [InlineData("""{"allOf":5}""", "JSON schema #/allOf: must be a list with items, got 5")]
    [InlineData("""{"type":[5]}""", "JSON schema #/type: must be text, got 5")]
    [InlineData("""{"type":"object","properties":[]}""", "JSON schema #/properties: must be an object, got []")]
    [InlineData("""{"type":"object","required":[1],"properties":{"a":true}}""",
        "JSON schema #/required: must be text, got 1")]
    [InlineData("""{"$ref":5}""", "JSON schema #/$ref: must be text, got 5")]
    [InlineData("""{"type":"array","minItems":1,"items":{"$ref":"#"}}""",
        "JSON schema: no text of finite length meets it")]
    [InlineData("5", "JSON schema #: must be an object or true, got 5")]
    public void What_a_schema_cannot_say_is_refused_by_name(string schema, string message) => Assert.Equal(message,
        Assert.Throws<ArgumentException>(() => Grammar.FromJsonSchema(JsonDocument.Parse(schema).RootElement)).Message);

    [Fact]
    public void Schemas_that_need_too_much_are_refused()
    {
        string Refusal(string schema) => Assert.Throws<ArgumentException>(() =>
            Grammar.FromJsonSchema(JsonDocument.Parse(schema).RootElement)).Message;
        string arrays = string.Join(',', Enumerable.Range(9980, 20)
            .Select(n => $$"""{"minItems":{{n}},"type":"array"}"""));
        Assert.Contains("needs more than 100000 rules", Refusal($$"""{"anyOf":[{{arrays}}]}"""));
        string chain = string.Join(',', Enumerable.Range(0, 500).Select(i => $$"""
            "d{{i}}":{"$ref":"#/$defs/d{{i + 1}}"}
            """));
        Assert.Contains("more than 200 deep",
            Refusal($$"""{"$ref":"#/$defs/d0","$defs":{"d500":{"type":"null"},{{chain}} } }"""));
        Assert.Contains("at most 1000 values",
            Refusal($$"""{"enum":[{{string.Join(',', Enumerable.Range(0, 1001))}}]}"""));
    }

    [Fact]
    public void Many_ways_at_once_are_followed()
    {
        string names = string.Join(',', Enumerable.Range(0, 3000).Select(i => $"\"p{i}\":{{\"type\":\"null\"}}"));
        var wide = Grammar.FromJsonSchema(JsonDocument.Parse(
            $$"""{"type":"object","properties":{ {{names}} } }""").RootElement);
        Assert.True(wide.Matches("""{"p3":null,"p1500":null,"p2999":null}"""));
        Assert.False(wide.Matches("""{"p1500":null,"p3":null}"""));
        // rules that are alike are one way, else every bracket would double the ways
        var doubling = new GrammarMatcher(Grammar.FromJsonSchema(JsonDocument.Parse(
            """{"anyOf":[{"type":"array","items":{"$ref":"#"}},{"type":["array","null"],"items":{"$ref":"#"}}]}""")
            .RootElement));
        Assert.True(doubling.Accept(Encoding.UTF8.GetBytes(new string('[', 25) + new string(']', 25))));
        Assert.True(doubling.IsComplete);
    }

    [Fact]
    public void Ways_that_double_with_every_bracket_are_refused_where_they_are_too_many()
    {
        var grammar = Grammar.FromJsonSchema(JsonDocument.Parse(
            """{"anyOf":[{"type":"array","items":{"$ref":"#"}},{"type":"array","items":{"$ref":"#"},"minItems":1}]}""")
            .RootElement);
        Assert.True(grammar.Matches(new string('[', 13) + new string(']', 13)));
        var deep = new GrammarMatcher(grammar);
        Assert.Contains("at most 100000", Assert.Throws<AmbiguousGrammarException>(() =>
            deep.Accept(Encoding.UTF8.GetBytes(new string('[', 25)))).Message);
    }

    [Fact]
    public void A_text_that_opens_without_end_comes_to_an_end_that_readers_take()
    {
        foreach (string opening in (string[])["[", "{\"a\":", "[[1,{\"x\":["])
        {
            var matcher = new GrammarMatcher(Grammar.JsonObject);
            var text = new List<byte>();
            byte[] wanted = Encoding.UTF8.GetBytes("{\"a\":" + string.Concat(Enumerable.Repeat(opening, 300)));
            int at = 0;
            // what is wanted as long as it may follow, then the first byte that may
            while (!matcher.IsFinished)
            {
                text.Add(at < wanted.Length && matcher.Accept(wanted[at]) ? wanted[at++]
                    : "]}\":0"u8.ToArray().Concat("truefalsn"u8.ToArray()).First(matcher.Accept));
                Assert.InRange(text.Count, 0, 5000);
            }
            JsonDocument.Parse(text.ToArray()).Dispose();
            Assert.InRange(at, 50, wanted.Length - 1);
        }
    }

    [Fact]
    public void Texts_drawn_from_the_schema_of_a_type_are_read_as_that_type()
    {
        var schema = s_strict.GetJsonSchemaAsNode(typeof(Order)).Deserialize<JsonElement>();
        var grammar = Grammar.FromJsonSchema(schema);
        var random = Seeds.NewRandom();
        for (int n = 0; n < 50; n++)
        {
            string text = Draw(grammar, random);
            try
            {
                // the schema of a class takes null too
                Assert.Equal(text == "null", JsonSerializer.Deserialize<Order>(text, s_strict) is null);
            }
            catch (JsonException e) when (e.InnerException is FormatException && Regex.IsMatch(text, "[0-9]{10}"))
            {
                // the schema does not say how large an integer may be
            }
        }
    }

    [Fact]
    public void What_a_serializer_writes_is_taken_and_what_is_taken_is_json()
    {
        var random = Seeds.NewRandom();
        for (int n = 0; n < 300; n++)
        {
            var value = new JsonObject { ["x"] = RandomValue(random, 0) };
            string text = value.ToJsonString(new JsonSerializerOptions { WriteIndented = n % 2 == 0 });
            Assert.True(Grammar.JsonObject.Matches(text), $"{text}; {Seeds.Text}");
            char[] changed = text.ToCharArray();
            changed[random.Next(changed.Length)] = (char)random.Next(' ', 'z');
            if (Grammar.JsonObject.Matches(new string(changed)))
                JsonDocument.Parse(new string(changed)).Dispose();
        }
    }

    [Fact]
    public void Allowed_tokens_are_those_that_can_follow()
    {
        string path = Path.GetTempFileName();
        File.WriteAllText(path, string.Concat(Enumerable.Repeat("{\"name\": \"ä b\", \"count\": [1, 25]}\n", 50)));
        var tokenizer = BytePairTrainer.Train(Corpus.Read([path]), 400);
        File.Delete(path);
        var tokens = new TokenTrie(tokenizer);
        var random = Seeds.NewRandom();
        var matcher = new GrammarMatcher(Grammar.JsonObject);
        var allowed = new TokenSet(tokenizer.VocabularySize);
        for (int step = 0; step < 60 && !matcher.IsFinished; step++)
        {
            matcher.Allowed(tokens, allowed);
            var taken = new List<int>();
            for (int id = 0; id < allowed.VocabularySize; id++)
            {
                bool expected = !tokenizer.IsSpecial(id) && Follows(matcher, tokenizer.TokenBytes(id));
                Assert.True(expected == allowed.Contains(id), $"token {id} after {step} tokens; {Seeds.Text}");
                if (expected)
                    taken.Add(id);
            }
            Assert.NotEmpty(taken);
            Assert.True(matcher.Accept(tokenizer.TokenBytes(taken[random.Next(taken.Count)])));
        }
        Assert.Throws<ArgumentException>(() => matcher.Allowed(tokens, new TokenSet(3)));

        bool Follows(GrammarMatcher present, ReadOnlySpan<byte> bytes) => present.Copy().Accept(bytes);
    }

    // A random text: shorter ways are preferred after a while, so that it ends.
    private static string Draw(Grammar grammar, Random random)
    {
        var matcher = new GrammarMatcher(grammar);
        var text = new List<byte>();
        byte[] closing = "\"}]:,0rtuefalsn"u8.ToArray();
        while (!matcher.IsFinished)
        {
            byte[] next = [.. Enumerable.Range(0, 256).Select(b => (byte)b).Where(b => matcher.Copy().Accept(b))];
            byte[] preferred = text.Count < 60 ? next : [.. next.Where(b => closing.AsSpan().Contains(b))];
            byte chosen = text.Count >= 60 && next.Contains((byte)'"') && random.Next(2) == 0 ? (byte)'"'
                : text.Count >= 60 && next.Contains((byte)'}') ? (byte)'}'
                : text.Count >= 60 && next.Contains((byte)']') ? (byte)']'
                : preferred.Length > 0 ? preferred[random.Next(preferred.Length)] : next[random.Next(next.Length)];
            Assert.True(matcher.Accept(chosen));
            text.Add(chosen);
        }
        return Encoding.UTF8.GetString([.. text]);
    }

    private static JsonNode? RandomValue(Random random, int depth) => random.Next(depth < 4 ? 7 : 5) switch
    {
        0 => random.Next(-100, 100),
        1 => random.NextDouble() * Math.Pow(10, random.Next(-20, 20)),
        2 => new string([.. Enumerable.Range(0, random.Next(6)).Select(_ => (char)random.Next(1, 0xd000))]),
        3 => random.Next(2) == 0,
        4 => null,
        5 => new JsonArray([.. Enumerable.Range(0, random.Next(4)).Select(_ => RandomValue(random, depth + 1))]),
        _ => new JsonObject(Enumerable.Range(0, random.Next(4))
            .Select(i => KeyValuePair.Create($"k{i}", RandomValue(random, depth + 1)))),
    };
}
