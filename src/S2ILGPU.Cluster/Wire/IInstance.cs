using Orleans.Services;
using S2ILGPU.Scheduling;

namespace S2ILGPU.Cluster.Wire;

/// <summary>What instances of a cluster ask of each other. Every call may be repeated: a run is named by the id that
/// the asking instance made, and tokens by their position.</summary>
[Alias("s2.instance")]
internal interface IInstance : IGrainService
{
    /// <summary>How loaded the instance is.</summary>
    /// <param name="prefixHashes">Of a prompt, as <see cref="Scheduler.PrefixHashes"/> gives them; may be
    /// empty.</param>
    [Alias("status")]
    Task<InstanceReport> StatusAsync(ulong[] prefixHashes);

    /// <summary>Begins a run, unless one of this id exists.</summary>
    /// <param name="id">Of this attempt: a request that goes on elsewhere has another one there.</param>
    /// <param name="fingerprint">What the asking instance serves.</param>
    /// <param name="request">The request, without a receiver.</param>
    [Alias("submit")]
    Task<Submission> SubmitAsync(Guid id, string fingerprint, GenerationRequest request);

    /// <summary>Tokens from a position on; answers when there are some, the run has ended, or the wait is over. Earlier
    /// tokens are forgotten.</summary>
    /// <param name="id">The run.</param>
    /// <param name="position">How many tokens the asking instance has.</param>
    /// <param name="wait">The most time to wait.</param>
    /// <returns>Null where there is no such run any more.</returns>
    [Alias("read")]
    Task<TokenBatch?> ReadAsync(Guid id, int position, TimeSpan wait);

    /// <summary>Ends a run that is finished or not wanted any more.</summary>
    /// <param name="id">The run.</param>
    [Alias("end")]
    Task EndAsync(Guid id);

    /// <summary>Reserves pages, first come first served; nothing more for a loan that exists.</summary>
    /// <param name="id">Of this attempt.</param>
    /// <param name="fingerprint">What the debtor serves.</param>
    /// <param name="first">Number of the first KV head of a layer (<see cref="S2ILGPU.Lending.IPageCredit"/>).</param>
    /// <param name="count">How many KV heads of layers.</param>
    /// <param name="bytes">Bytes that the pages may take.</param>
    /// <returns>False where they are not free, whatever the plan said.</returns>
    [Alias("lend")]
    Task<bool> LendAsync(Guid id, string fingerprint, int first, int count, long bytes);

    /// <inheritdoc cref="S2ILGPU.Lending.IPageLoan.PutAsync"/>
    [Alias("put")]
    Task PutAsync(Guid id, int layer, int[] places, byte[] pages);

    /// <inheritdoc cref="S2ILGPU.Lending.IPageLoan.AttendAsync"/>
    [Alias("attend")]
    Task<byte[]> AttendAsync(Guid id, int layer, int position, int tokens, byte[] query);

    /// <summary>Says that the debtor of some loans lives.</summary>
    [Alias("renew")]
    Task RenewAsync(Guid[] ids);

    /// <summary>Gives the pages of a loan back.</summary>
    [Alias("return")]
    Task ReturnAsync(Guid id);
}
