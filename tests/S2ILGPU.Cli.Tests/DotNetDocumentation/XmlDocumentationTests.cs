using System.Xml;
using S2ILGPU.Cli.DotNetDocumentation;
using S2ILGPU.Corpora;
using S2ILGPU.Storage;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Cli.Tests.DotNetDocumentation;

public sealed class XmlDocumentationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Reads_like_a_reference_page()
    {
        string file = _folder.Write("a.xml", """
            <?xml version="1.0"?>
            <doc><assembly><name>A</name></assembly><members>
              <member name="T:N.Map`1">
                <summary>
                Maps keys
                to <typeparamref name="TKey" />s. See <see cref="T:System.Collections.Generic.List`1"/>.
                </summary>
                <typeparam name="TKey">The key.</typeparam>
                <remarks><para>First.</para><para>Second <c>x &lt; 1</c>.</para>
                <list type="bullet"><item><term>one</term><description>the first</description></item><item><description>the second</description></item></list>
                <code>
                  if (a)
                      b();
                </code></remarks>
              </member>
              <member name="M:N.Map`1.Get(`0,System.Collections.Generic.IEnumerable{System.String})">
                <summary>Gets <paramref name="key" />,

            -or-

            <see langword="null" />.</summary>
                <param name="key">The key.</param>
                <returns>See <see cref="F:System.Int32.MaxValue">the largest</see>.</returns>
                <exception cref="T:System.ArgumentNullException">
                  <paramref name="key" /> is <see langword="null" />.</exception>
              </member>
              <member name="M:N.Map`1.Dispose"><inheritdoc /></member>
              <member name="P:N.Other.Length"><summary>Length in <![CDATA[<bytes>]]>.</summary><value>A number.</value></member>
            </members></doc>
            """);
        var types = XmlDocumentation.ReadFile(file);
        Assert.Equal(["N.Map`1", "N.Other"], types.Select(t => t.Type));
        Assert.Equal("""
            # N.Map<TKey>
            Maps keys to TKeys. See List<T>.
            TKey: The key.
            First.
            Second x < 1.
            - one: the first
            - the second
            if (a)
                b();

            ## N.Map<TKey>.Get(TKey, IEnumerable<String>)
            Gets key,
            -or-
            null.
            key: The key.
            Returns: See the largest.
            ArgumentNullException: key is null.

            """.ReplaceLineEndings("\n"), types[0].Text);
        Assert.Equal("## N.Other.Length\nLength in <bytes>.\nValue: A number.\n", types[1].Text);
    }

    [Fact]
    public void A_file_that_is_not_xml_is_skipped_and_reported()
    {
        string good = _folder.Write("good.xml",
            """<doc><members><member name="T:A"><summary>Text.</summary></member></members></doc>""");
        string bad = _folder.Write("bad.xml", """<doc><members><member name="T:B"><summary>Text.</members></doc>""");
        string entity = _folder.Write("entity.xml", """<!DOCTYPE x [<!ENTITY a "aaaa">]><doc>&a;</doc>""");
        Assert.Throws<XmlException>(() => XmlDocumentation.ReadFile(bad));
        var corpus = XmlDocumentation.Read([bad, good, entity], 1000);
        Assert.Equal([good], corpus.Sources.Select(s => s.Path));
        Assert.Equal([bad, entity], corpus.Skipped.Select(s => s.Path));
        Assert.Equal("# A\nText.\n"u8, corpus.Document(0));
    }
}
