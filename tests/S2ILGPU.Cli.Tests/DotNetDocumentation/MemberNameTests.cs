using S2ILGPU.Cli.DotNetDocumentation;
using S2ILGPU.Corpora;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Cli.Tests.DotNetDocumentation;

public sealed class MemberNameTests
{
    [Theory]
    [InlineData("T:System.String", "System.String", "String")]
    [InlineData("M:System.String.Join(System.String,System.Collections.Generic.IEnumerable{System.String})",
        "System.String.Join(String, IEnumerable<String>)", "String.Join(String, IEnumerable<String>)")]
    [InlineData("M:System.String.Trim", "System.String.Trim()", "String.Trim()")]
    [InlineData("P:System.String.Length", "System.String.Length", "String.Length")]
    [InlineData("F:System.Int32.MaxValue", "System.Int32.MaxValue", "Int32.MaxValue")]
    [InlineData("N:System.IO", "System.IO", "System.IO")]
    [InlineData("M:System.String.#ctor(System.Char[])", "System.String(Char[])", "String(Char[])")]
    [InlineData("M:System.String.#ctor", "System.String()", "String()")]
    [InlineData("T:System.Collections.Generic.IEnumerable`1", "System.Collections.Generic.IEnumerable<T>",
        "IEnumerable<T>")]
    [InlineData("T:System.Func`3", "System.Func<T1, T2, T3>", "Func<T1, T2, T3>")]
    [InlineData("M:System.Collections.Generic.List`1.Add(`0)", "System.Collections.Generic.List<T>.Add(T)",
        "List<T>.Add(T)")]
    [InlineData("M:System.Collections.Generic.Dictionary`2.KeyCollection.CopyTo(`0[],System.Int32)",
        "System.Collections.Generic.Dictionary<T1, T2>.KeyCollection.CopyTo(T1[], Int32)",
        "KeyCollection.CopyTo(T1[], Int32)")]
    [InlineData(
        "M:System.Linq.Enumerable.Select``2(System.Collections.Generic.IEnumerable{``0},"
            + "System.Func{``0,System.Int32,``1})",
        "System.Linq.Enumerable.Select<U1, U2>(IEnumerable<U1>, Func<U1, Int32, U2>)",
        "Enumerable.Select<U1, U2>(IEnumerable<U1>, Func<U1, Int32, U2>)")]
    [InlineData("M:A.B.C(System.Int32@,System.Byte*,System.Int32[0:,0:],A.D{A.E}.F)",
        "A.B.C(ref Int32, Byte*, Int32[,], F)",
        "B.C(ref Int32, Byte*, Int32[,], F)")]
    [InlineData("M:System.Decimal.op_Explicit(System.Decimal)~System.Byte",
        "System.Decimal.op_Explicit(Decimal) : Byte",
        "Decimal.op_Explicit(Decimal) : Byte")]
    [InlineData("M:A.B.System#Collections#IList#Add(System.Object)", "A.B.System.Collections.IList.Add(Object)",
        "B.System.Collections.IList.Add(Object)")]
    [InlineData("", "", "")]
    [InlineData("x", "x", "x")]
    public void Reads_like_code(string id, string full, string inSentence)
    {
        Assert.Equal(full, MemberName.Full(id, [], []));
        Assert.Equal(inSentence, MemberName.Short(id));
    }

    [Fact]
    public void Uses_the_names_of_type_parameters() =>
        Assert.Equal("N.Map<TKey, TValue>.Convert<TResult>(TKey, Func<TValue, TResult>)",
            MemberName.Full("M:N.Map`2.Convert``1(`0,System.Func{`1,``0})", ["TKey", "TValue"], ["TResult"]));

    [Theory]
    [InlineData("T:System.String", "System.String")]
    [InlineData("M:System.String.Join(System.String,System.Object[])", "System.String")]
    [InlineData("M:System.Collections.Generic.List`1.#ctor", "System.Collections.Generic.List`1")]
    [InlineData("F:Global", "Global")]
    public void Knows_the_declaring_type(string id, string type) => Assert.Equal(type, MemberName.DeclaringType(id));

    [Fact]
    public void Takes_any_id()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        const string Alphabet = "MT:.(){}[]`~@,0129#aB*";
        for (int trial = 0; trial < 5000; trial++)
        {
            string id =
                new([.. Enumerable.Range(0, random.Next(24)).Select(_ => Alphabet[random.Next(Alphabet.Length)])]);
            try
            {
                MemberName.Full(id, [], []);
                MemberName.Short(id);
                MemberName.DeclaringType(id);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {seed}: '{id}'", e);
            }
        }
    }
}
