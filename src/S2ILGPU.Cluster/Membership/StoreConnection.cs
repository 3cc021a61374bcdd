using StackExchange.Redis;

namespace S2ILGPU.Cluster.Membership;

/// <summary>The connection to the Redis-compatible store.</summary>
internal static class StoreConnection
{
    /// <summary>Connects, once.</summary>
    /// <exception cref="ArgumentException">The connection string is wrong.</exception>
    /// <exception cref="IOException">The store does not answer, or refuses the password.</exception>
    public static async Task<IConnectionMultiplexer> OpenAsync(string connection)
    {
        var options = ConfigurationOptions.Parse(connection);
        options.AbortOnConnectFail = true;
        options.ConnectRetry = 1;
        try
        {
            return await ConnectionMultiplexer.ConnectAsync(options);
        }
        catch (RedisConnectionException e)
        {
            throw new IOException("the store of the cluster "
                + (e.FailureType == ConnectionFailureType.AuthenticationFailure
                    ? options.Password is null ? "asks for a password, add ,password=... to the connection, at "
                    : "refuses the password at "
                    : "does not answer at ")
                + string.Join(", ", options.EndPoints.Select(EndPointCollection.ToString)));
        }
    }
}
