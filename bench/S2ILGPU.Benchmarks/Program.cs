using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Running;
using S2ILGPU.Benchmarks;

// dotnet run -c Release --project bench/S2ILGPU.Benchmarks -- --filter '*Attention*'
var config = ManualConfig.Create(DefaultConfig.Instance)
    .AddDiagnoser(MemoryDiagnoser.Default)
    .AddColumn(new RateColumn("GFLOP/s", work => work.Flops), new RateColumn("GB/s", work => work.Bytes));
BenchmarkSwitcher.FromAssembly(typeof(RateColumn).Assembly).Run(args, config);
