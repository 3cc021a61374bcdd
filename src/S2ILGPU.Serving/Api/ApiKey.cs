using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace S2ILGPU.Serving.Api;

/// <summary>The check of <c>Authorization: Bearer KEY</c>.</summary>
internal static class ApiKey
{
    private const string Scheme = "Bearer ";

    /// <summary>Compares hashes in constant time, so that the time tells nothing of the key, its length
    /// included.</summary>
    /// <exception cref="ApiException">The key is missing or wrong.</exception>
    public static void Check(HttpRequest request, string? expected)
    {
        if (expected is null)
            return;
        string header = request.Headers.Authorization.ToString();
        string given = header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? header[Scheme.Length..].Trim()
            : "";
        if (!CryptographicOperations.FixedTimeEquals(Hash(given), Hash(expected)))
            throw new ApiException(401, given.Length == 0 ? "an API key is needed: Authorization: Bearer KEY"
                : "the API key is wrong", code: "invalid_api_key");
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}
