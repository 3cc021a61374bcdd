#if !KERNEL_LAB
extern alias real;
#endif

namespace S2ILGPU.KernelLab.Tests;

/// <summary>What compiles against the lab compiles against ILGPU.</summary>
public sealed class SurfaceTests
{
#if KERNEL_LAB
    [Fact(Skip = "this build has no ILGPU to compare with")]
    public void Every_public_member_exists_in_Ilgpu()
    {
    }
#else
    [Fact]
    public void Every_public_member_exists_in_Ilgpu()
    {
        var ilgpu = typeof(real::ILGPU.Context).Assembly;
        var algorithms = typeof(real::ILGPU.Algorithms.XMath).Assembly;
        var types = typeof(Lab).Assembly.GetExportedTypes().Where(type => type.Namespace!.StartsWith("ILGPU", StringComparison.Ordinal)).ToArray();
        Assert.Equal(("ILGPU", "ILGPU.Algorithms"), (ilgpu.GetName().Name, algorithms.GetName().Name));
        List<string> missing = [];
        int members = 0;
        foreach (var type in types)
        {
            if ((ilgpu.GetType(type.FullName!) ?? algorithms.GetType(type.FullName!)) is not { } counterpart)
            {
                missing.Add(type.FullName!);
                continue;
            }
            var there = Signature.Of(counterpart, inherited: true).ToHashSet();
            var here = Signature.Of(type, inherited: false).ToArray();
            members += here.Length;
            missing.AddRange(here.Where(member => !there.Contains(member)));
        }
        Assert.True(members > 400, $"only {members} members were compared");
        Assert.True(missing.Count == 0, $"{missing.Count} of {members} members are not in ILGPU: {string.Join(Environment.NewLine, missing)}");
    }
#endif
}
