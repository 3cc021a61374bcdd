using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace S2ILGPU.Benchmarks;

/// <summary>Work per second, in units of 10^9, for the benchmark classes that count their work.</summary>
/// <param name="name">Head of the column.</param>
/// <param name="amount">The kind of work.</param>
public sealed class RateColumn(string name, Func<Work, double> amount) : IColumn
{
    public string Id => $"{nameof(RateColumn)}.{name}";

    public string ColumnName => name;

    public string Legend => $"{name} : 10^9 per second, from the mean time; kept blocks only";

    public bool AlwaysShow => false;

    public ColumnCategory Category => ColumnCategory.Statistics;

    public int PriorityInCategory => 100;

    public bool IsNumeric => true;

    public UnitType UnitType => UnitType.Dimensionless;

    public bool IsAvailable(Summary summary) => summary.BenchmarksCases.Any(benchmark => AmountOf(benchmark) > 0);

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
    {
        double units = AmountOf(benchmarkCase);
        if (units == 0 || summary[benchmarkCase]?.ResultStatistics is not { Mean: > 0 } time)
            return "-";
        return (units / time.Mean).ToString("0.0", CultureInfo.InvariantCulture); // the mean is in nanoseconds
    }

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) =>
        GetValue(summary, benchmarkCase);

    private double AmountOf(BenchmarkCase benchmark)
    {
        if (Activator.CreateInstance(benchmark.Descriptor.Type) is not ICountsWork counting)
            return 0;
        foreach (var parameter in benchmark.Parameters.Items)
            counting.GetType().GetProperty(parameter.Name)?.SetValue(counting, parameter.Value);
        return amount(counting.Of(benchmark.Descriptor.WorkloadMethod.Name));
    }
}
