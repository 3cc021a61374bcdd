using System.Reflection;
using BenchmarkDotNet.Attributes;
using S2ILGPU.Benchmarks;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Samples.Tests;

/// <summary>Every benchmark runs once at a small size with each value of its parameters, so that none breaks unnoticed.
/// Nothing is timed.</summary>
public sealed class BenchmarkTests
{
    private const int FewTokens = 192;

    private static readonly Type[] s_classes = [.. typeof(Work).Assembly.GetTypes()
        .Where(type => !type.IsAbstract && Methods<BenchmarkAttribute>(type).Any()).OrderBy(type => type.Name)];

    public static TheoryData<string> Classes => [.. s_classes.Select(type => type.Name)];

    [Theory]
    [MemberData(nameof(Classes))]
    public void A_benchmark_runs_with_each_value_of_its_parameters(string name)
    {
        TestScale.SkipUnlessDrawn(4);
        var type = s_classes.Single(type => type.Name == name);
        var choices = type.GetProperties().Select(property => (Property: property, Values: ValuesOf(type, property)))
            .Where(choice => choice.Values.Length > 0).ToArray();
        Assert.Contains(choices, choice => choice.Property.Name == "Tokens");
        for (int run = 0; run < choices.Max(choice => choice.Values.Length); run++)
        {
            object benchmarks = Activator.CreateInstance(type)!;
            foreach (var (property, values) in choices)
                property.SetValue(benchmarks, values[run % values.Length]);
            Run(type, benchmarks);
        }
    }

    private static void Run(Type type, object benchmarks)
    {
        Call<GlobalSetupAttribute>(type, benchmarks);
        foreach (var benchmark in Methods<BenchmarkAttribute>(type))
        {
            Call<IterationSetupAttribute>(type, benchmarks);
            benchmark.Invoke(benchmarks, null);
        }
        if (benchmarks is ICountsWork counting)
            Assert.Contains(Methods<BenchmarkAttribute>(type), benchmark =>
                counting.Of(benchmark.Name) is { Flops: > 0 } or { Bytes: > 0 });
        Call<GlobalCleanupAttribute>(type, benchmarks);
    }

    // The sizes that are measured would take long here.
    private static object[] ValuesOf(Type type, PropertyInfo property)
    {
        if (property.Name == "Tokens")
            return [FewTokens];
        if (property.GetCustomAttribute<ParamsAttribute>() is { } listed)
            return listed.Values!;
        if (property.GetCustomAttribute<ParamsSourceAttribute>() is not { } source)
            return [];
        var values = type.GetProperty(source.Name,
            BindingFlags.Public | BindingFlags.Static | BindingFlags.FlattenHierarchy)!.GetValue(null);
        return [.. ((System.Collections.IEnumerable)values!).Cast<object>()];
    }

    private static void Call<TAttribute>(Type type, object benchmarks) where TAttribute : Attribute
    {
        foreach (var method in Methods<TAttribute>(type))
            method.Invoke(benchmarks, null);
    }

    private static IEnumerable<MethodInfo> Methods<TAttribute>(Type type) where TAttribute : Attribute =>
        type.GetMethods().Where(method => method.GetCustomAttribute<TAttribute>() is not null);
}
