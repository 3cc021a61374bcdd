using System.Text.Json;
using S2ILGPU.Templates;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Templates;

/// <summary>Templates give what Jinja 3.1 gives with the settings of Hugging Face: the expected texts were printed by
/// it.</summary>
public sealed class JinjaTemplateTests
{
    private static readonly DateTimeOffset s_now = new(2026, 7, 4, 15, 6, 7, TimeSpan.Zero);

    private static readonly Dictionary<string, object?> s_variables = Variables("""
        {
          "x": 5,
          "f": 2.5,
          "s": "Hello World",
          "l": [3, 1, 2, "b", "a"],
          "nums": [3, 1, 2],
          "d": {"b": 1, "a": [1, {"q": null}], "C": "z"},
          "n": null,
          "t": true,
          "objs": [{"name": "b", "v": 2, "k": true}, {"name": "A", "v": 1, "k": false}, {"name": "c"}],
          "u": "ä𝄞é",
          "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "ä𝄞"},
            {"role": "assistant", "content": "ok"}, {"role": "user", "content": "d"}]
        }
        """);

    public static TheoryData<string, string> Texts => new()
    {
        { "{% for i in l %}{{ loop.index }}/{{ loop.length }}:{{ i }}{% if not loop.last %}, {% en"
            + "dif %}{% else %}none{% endfor %}",
            "1/5:3, 2/5:1, 3/5:2, 4/5:b, 5/5:a" },
        { "{% set ns = namespace(found=false, n=0) %}{% for o in objs %}{% set ns.n = ns.n + 1 %}{"
            + "% if o.name == 'A' %}{% set ns.found = true %}{% endif %}{% endfor %}{{ ns.found }} {{ "
            + "ns.n }}",
            "True 3" },
        { "{% macro m(a, b=2, c=none) %}[{{ a }}|{{ b }}|{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, 3"
            + ") }}{{ m(a=5, c='x') }}",
            "[1|2|None][1|3|None][5|2|x]" },
        { "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k, v in d|dictsort %}{{ k"
            + " }};{% endfor %}",
            "b=1;a=[1, {'q': None}];C=z;a;b;C;" },
        { "{% set a, b = [1, 2] %}{{ a }}-{{ b }}{% set t %}block {{ x }}{% endset %}<{{ t }}>",
            "1-2<block 5>" },
        { "{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break"
            + " %}{% endif %}{{ i }}{% endfor %}",
            "0134" },
        { "{% for o in objs if o.k is defined %}{{ o.name }}{{ loop.index0 }}{{ loop.first }}{{ lo"
            + "op.revindex }}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{% endfor %}",
            "b0True2FalseTrueA1False1TrueFalse" },
        { "{% set q = 1 %}{% for i in [1] %}{% set q = 2 %}{{ q }}{% endfor %}{{ q }}{% if true %}"
            + "{% set q = 3 %}{% endif %}{{ q }}",
            "213" },
        { "{{ strftime_now('%d %B %Y, %H:%M:%S %b %a %A %j %y %-d %I %p') }}",
            "04 July 2026, 15:06:07 Jul Sat Saturday 185 26 4 03 PM" },
        { "{% raw %}{{ not }} {% x %}{% endraw %}|{%- raw -%}  a {{ b }}  {%- endraw -%}  z",
            "{{ not }} {% x %}|a {{ b }}z" },
        { "{{ d | tojson }} {{ d | tojson(indent=4) }} {{ l|tojson(ensure_ascii=True) }} {{ u|tojs"
            + "on }} {{ d|tojson(separators=(',', ':')) }} {{ d|tojson(sort_keys=true) }}",
            "{\"b\": 1, \"a\": [1, {\"q\": null}], \"C\": \"z\"} {\n    \"b\": 1,\n    \"a\": [\n   "
            + "     1,\n        {\n            \"q\": null\n        }\n    ],\n    \"C\": \"z\"\n} [3,"
            + " 1, 2, \"b\", \"a\"] \"ä𝄞é\" {\"b\":1,\"a\":[1,{\"q\":null}],\"C\":\"z\"} {\"C\": \"z\""
            + ", \"a\": [1, {\"q\": null}], \"b\": 1}" },
        { "{{ 1e20 }} {{ 1.5e-7 }} {{ 100.0 }} {{ 1/3 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {"
            + "{ 7.5 // 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 10 / 5 }} {{ 123456789.123 }} {{ 1e15 }} {"
            + "{ 1e16 }} {{ 0.0001 }} {{ 0.00001 }}",
            "1e+20 1.5e-07 100.0 0.3333333333333333 3 -4 2 3.0 1024 0.5 2.0 123456789.123 1000000000"
            + "000000.0 1e+16 0.0001 1e-05" },
        { "{{ [1, 'a', none, true, 1.5, {'k': 'v\\'s'}, \"a\\\"b\", 'new\\nline'] }}",
            "[1, 'a', None, True, 1.5, {'k': \"v's\"}, 'a\"b', 'new\\nline']" },
        { "{{ messages[-1].content }} {{ messages[0]['role'] }} {{ messages[1:]|length }} {{ (mess"
            + "ages|last).role }} {{ messages|map(attribute='role')|join(', ') }}",
            "d system 3 user system, user, assistant, user" },
        { "{% if x > 3 and (s is string or n is none) and 'H' in s and 3 in nums and 'a' in d %}ok"
            + "{% elif x %}elif{% else %}else{% endif %}",
            "ok" },
        { "{% generation %}{{ s }}{% endgeneration %}",
            "Hello World" },
        { "{{ \"a\" \"b\" 'c' }} {{ 'x' * 3 }} {{ \"\\u00e4\\t\\x41\" }}",
            "abc xxx ä\tA" },
        { "{{ l[0] }}{{ l.0 }}{{ d['b'] }}{{ d.b }}{{ missing is defined }}{{ missing }}{{ missing"
            + "|default('zz') }}",
            "3311Falsezz" },
        { "{{ (1, 2, 3)|join('-') }}{% for a, b in [[1, 2], [3, 4]] %}{{ a + b }},{% endfor %}",
            "1-2-33,7," },
        { "{{ s|replace('o', '0', 1) }} {{ s|indent(4) }} {{ 'a\\nb\\n\\nc'|indent(2, true) }} {{ "
            + "'a\\nb\\n\\nc'|indent(width=2, blank=true) }}",
            "Hell0 World Hello World   a\n  b\n\n  c a\n  b\n  \n  c" },
        { "{{ objs|sort(attribute='name')|map(attribute='name')|join }} {{ nums|sort(reverse=true)"
            + "|join(',') }} {{ objs|selectattr('v', 'defined')|map(attribute='v')|sum }} {{ nums|max "
            + "}} {{ objs|map(attribute='v', default=0)|list }}",
            "Abc 3,2,1 3 3 [2, 1, 0]" },
        { "{{ '%s' }} {{ {'a': {'b': 1}}.a.b }} {{ x if x else 'no' }} {{ '' or 'fallback' }} {{ n"
            + " and 1 }} {{ not n }} {{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }}",
            "%s 1 5 fallback None True True False" },
        { "{{ dict(a=1, b='c') }} {{ loop is defined }} {{ namespace(a=1).a }}",
            "{'a': 1, 'b': 'c'} False 1" },
        { "{%- for m in messages -%}\n    {{- m.role | upper -}}:\n    {{- ' ' + m.content | trim "
            + "}}\n{% endfor -%}\n{% if add is defined %} x {% endif %}",
            "SYSTEM: s\nUSER: ä𝄞\nASSISTANT: ok\nUSER: d\n" },
        { "{{ 'Grün'|upper }} {{ 'HELLO'.lower() }} {{ 'it\\'s me-and (you)'|title }} {{ \"it's m"
            + "e\"|capitalize }} {{ \"o'neil\".title() }}",
            "GRÜN hello It's Me-And (You) It's me O'Neil" },
        { "{{ (-3) ** 2 }} {{ -x|abs }} {{ 2.5|round }} {{ 3.14159|round(2) }} {{ 7|"
            + "round }} {{ true + 1 }}",
            "9 5 2.0 3.14 7 2" },
        { "{{ '3.7'|int }} {{ '12'|int + 1 }} {{ 'q'|int(9) }} {{ '2.5'|float }} {{ 3.9|int }}",
            "3 13 9 2.5 3" },
        { "{{ l[1:3] }}{{ l[::-1] }}{{ s[-5:] }}{{ s[::2] }}{{ u[1] }}{{ u|length }}{{ l[9:] }}{{ "
            + "l[-2:] }}",
            "[1, 2]['a', 'b', 2, 1, 3]WorldHloWrd𝄞3[]['b', 'a']" },
        { "{% for i in [1,2,3] %}{{ loop.cycle('a', 'b') }}{% endfor %}{% for i in [] %}x{% else %"
            + "}empty{% endfor %}",
            "abaempty" },
        { "{{ ['a', 'B', 'a']|unique|join }} {{ [3, 1]|sort|first }} {{ [1, [2, 3]]|last }} {{ 'ab"
            + "c'|reverse }} {{ [1,2]|reverse|list }}",
            "aB 1 [2, 3] cba [2, 1]" },
        { "{{ ' x '|trim }}|{{ 'xxaxx'.strip('x') }}|{{ 'a,b,,c'.split(',') }}|{{ ' a  b '.split()"
            + " }}|{{ 'a b c'.split(' ', 1) }}",
            "x|a|['a', 'b', '', 'c']|['a', 'b']|['a', 'b c']" },
        { "{{ {'a': 1, 'b': none}|tojson }} {{ 'a\"\\n<é>'|tojson }} {{ 1.0|tojson }} {{ [true, fa"
            + "lse]|tojson }}",
            "{\"a\": 1, \"b\": null} \"a\\\"\\n<é>\" 1.0 [true, false]" },
        { "{{ objs|rejectattr('k')|map(attribute='name')|list }} {{ nums|select('odd')|list }} {{ "
            + "nums|reject('equalto', 1)|list }} {{ ['a','b']|map('upper')|join('+') }}",
            "['A', 'c'] [3, 1] [3, 2] A+B" },
        { "a  \n  {%- if true %}\n  b\n  {%+ endif %}\n {# note #}\n c {{- ' d ' -}}  \n e\n",
            "a  b\n   c d e" },
        { "{{ x is divisibleby 5 }} {{ s is string }} {{ n is none }} {{ missing is undefined }} {"
            + "{ x is in [4, 5] }} {{ d is mapping }} {{ l is iterable }} {{ x is not number }}",
            "True True True True True True True False" },
    };

    [Theory]
    [MemberData(nameof(Texts))]
    public void A_template_gives_the_text_that_jinja_gives(string template, string expected) =>
        Assert.Equal(expected, JinjaTemplate.Parse(template).Render(s_variables, s_now));

    [Theory]
    [InlineData("a\n{% if x %}", "template line 2: the template ends before 'elif' or 'else' or 'endif'")]
    [InlineData("{% include 'x' %}", "template line 1: the statement 'include' is not supported here")]
    [InlineData("\n\n{{ s|nosuch }}", "template line 3: the filter 'nosuch' is not supported")]
    [InlineData("{{ s is nosuch }}", "template line 1: the test 'nosuch' is not supported")]
    [InlineData("{{ x", "template line 1: a tag has no end '}}'")]
    [InlineData("{{ 'abc }}", "template line 1: a string has no end")]
    [InlineData("{# abc", "template line 1: a comment has no end '#}'")]
    [InlineData("{{ x ! }}", "template line 1: unexpected character '!'")]
    [InlineData("{{ missing.name }}", "template line 1: 'missing' is undefined")]
    [InlineData("{{ missing() }}", "template line 1: 'missing' is undefined and cannot be called")]
    [InlineData("{{ s + 1 }}", "template line 1: '+' of a string and an integer")]
    [InlineData("{{ 1 / 0 }}", "template line 1: division by zero")]
    [InlineData("{{ l|sort }}", "template line 1: a string and an integer have no order")]
    [InlineData("{% set a, b = [1] %}", "template line 1: 1 values for 2 names")]
    [InlineData("{% set x.y = 1 %}", "template line 1: 'x.y' cannot be set: 'x' is not a namespace")]
    [InlineData("{% break %}", "template line 1: 'break' outside a loop")]
    [InlineData("{{ 99999999999999999999 }}", "template line 1: the number 99999999999999999999 is too large")]
    [InlineData("{{ 9223372036854775807 + 1 }}",
        "template line 1: the result of '+' of 9223372036854775807 and 1 is too large")]
    [InlineData("{{ range(10000000)|length }}", "template line 1: a range of more than 1000000 numbers")]
    [InlineData("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "template line 1: macros call each other more than 64 deep")]
    [InlineData("{% for a in range(9999) %}{% for b in range(9999) %}{% set c = 1 %}{% endfor %}{% endfor %}",
        "template line 1: the template does not end after 5000000 statements")]
    public void What_cannot_be_read_or_rendered_is_refused_with_its_line(string template, string message)
    {
        TestScale.SkipUnlessDrawn(2);
        var failure = Assert.Throws<TemplateException>(() => JinjaTemplate.Parse(template).Render(s_variables));
        Assert.Equal(message, failure.Message);
        Assert.False(failure.IsRaised);
    }

    [Fact]
    public void Exceptions_of_the_template_have_its_own_words()
    {
        var failure = Assert.Throws<TemplateException>(() => JinjaTemplate.Parse(
            "{% for m in messages %}{{ raise_exception('roles: ' ~ m.role) }}{% endfor %}").Render(s_variables));
        Assert.Equal("roles: system", failure.Message);
        Assert.True(failure.IsRaised);
    }

    [Fact]
    public void Deep_nesting_is_refused()
    {
        Assert.Throws<TemplateException>(() => JinjaTemplate.Parse("{{ " + new string('(', 5000)));
        Assert.Throws<TemplateException>(() => JinjaTemplate.Parse("{{ " + new string('-', 5000) + "x }}"));
        Assert.Throws<TemplateException>(() => JinjaTemplate.Parse(
            string.Concat(Enumerable.Repeat("{% if x %}", 5000))));
        Assert.Throws<TemplateException>(() => JinjaTemplate.Parse(
            "{{ " + string.Concat(Enumerable.Repeat("not ", 5000)) + "x }}"));
    }

    [Fact]
    public void Any_text_is_read_or_refused()
    {
        var random = TestSupport.Seeds.NewRandom();
        string[] parts = ["{{", "}}", "{%", "%}", "{#", "#}", "-", "if ", "for ", "in ", "end", "set ", "x", "'", "\"",
            "(", ")", "[", "]", "{", "}", "|", ".", ",", ":", "=", "==", "1", " ", "\n", "not ", "is ", "else ", "raw ",
            "endraw", "endif", "endfor", "\\", "~", "**", "upper", "\ud800"];
        for (int n = 0; n < 3000; n++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(1, 30))
                .Select(_ => parts[random.Next(parts.Length)]));
            try
            {
                JinjaTemplate.Parse(text).Render(s_variables);
            }
            catch (TemplateException)
            {
                // refused
            }
        }
    }

    private static Dictionary<string, object?> Variables(string json) => JsonDocument.Parse(json).RootElement
        .EnumerateObject().ToDictionary(p => p.Name, p => JinjaTemplate.Value(p.Value));
}
