using Orleans.Runtime;
using Orleans.Runtime.Services;
using S2ILGPU.Cluster.Wire;

namespace S2ILGPU.Cluster.Membership;

/// <summary>The other instances that are members now, and how to call them.</summary>
internal sealed class InstanceServices(IServiceProvider services, IClusterMembershipService membership,
    ILocalSiloDetails self) : GrainServiceClient<IInstance>(services)
{
    /// <summary>This instance. The generation in it is an epoch: one that starts again has another.</summary>
    public SiloAddress Self => self.SiloAddress;

    /// <summary>The active members but this one.</summary>
    public IReadOnlyList<SiloAddress> Others => [.. membership.CurrentSnapshot.Members.Values
        .Where(member => member.Status == SiloStatus.Active && !member.SiloAddress.Equals(Self))
        .Select(member => member.SiloAddress)];

    /// <summary>Whether a member is not known to be gone.</summary>
    public bool IsActive(SiloAddress address) =>
        membership.CurrentSnapshot.GetSiloStatus(address) == SiloStatus.Active;

    /// <summary>Declares a member dead.</summary>
    public Task ExpelAsync(SiloAddress address) => membership.TryKill(address);

    /// <summary>The service of an instance; calls to one that is gone fail.</summary>
    public IInstance this[SiloAddress address] => GetGrainService(address);

    /// <summary>The name of an instance in metrics and messages.</summary>
    public static string NameOf(SiloAddress address) => address.Endpoint.ToString();
}
