using Microsoft.AspNetCore.Http;

namespace S2ILGPU.Serving.Web;

/// <summary>A file of the web page, embedded in this assembly.</summary>
internal sealed class WebFile
{
    // The page loads its own files, talks to its own server, and is not shown inside other pages.
    private const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private const string Prefix = "Web/";

    private readonly byte[] _content;
    private readonly string _type;

    private WebFile(string name)
    {
        Name = name;
        using var stream = typeof(WebFile).Assembly.GetManifestResourceStream(Prefix + name)!;
        _content = new byte[stream.Length];
        stream.ReadExactly(_content);
        _type = Path.GetExtension(name) switch
        {
            ".html" => "text/html; charset=utf-8",
            ".css" => "text/css; charset=utf-8",
            ".js" => "text/javascript; charset=utf-8",
            ".svg" => "image/svg+xml",
            var other => throw new InvalidOperationException($"no media type for {other}"),
        };
    }

    /// <summary>All files.</summary>
    public static IEnumerable<WebFile> All => typeof(WebFile).Assembly.GetManifestResourceNames()
        .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
        .Select(name => new WebFile(name[Prefix.Length..]));

    /// <summary>Its name in the address; empty for the page itself.</summary>
    public string Address => Name == "index.html" ? "" : Name;

    private string Name { get; }

    /// <summary>Sends it.</summary>
    public Task WriteAsync(HttpContext http)
    {
        var headers = http.Response.Headers;
        http.Response.ContentType = _type;
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers.CacheControl = "no-cache";
        http.Response.ContentLength = _content.Length;
        return http.Response.Body.WriteAsync(_content, 0, _content.Length, http.RequestAborted);
    }
}
