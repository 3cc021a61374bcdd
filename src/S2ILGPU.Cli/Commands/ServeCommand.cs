using System.CommandLine;
using Microsoft.Extensions.Logging;
using S2ILGPU.AttentionWorkers;
using S2ILGPU.Cli.Devices;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Cluster;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.Serving;
using S2ILGPU.Templates;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 serve</c>: a trained model behind OpenAI's API.</summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        var defaults = new SchedulerOptions();
        var folder = ModelOption.Create();
        var apiKey = Options.Text("--api-key", "KEY", "Key that requests must carry", unset: "none");
        var attention = AttentionOption.CreateOfRun();
        var precision = DeviceOption.PrecisionOfFiles();
        var cache = DeviceOption.Cache();
        var cacheBytes = Options.OptionalNumber<long>("--cache-bytes",
            "The most bytes of keys and values, of each attention worker where these hold them", least: 1,
            unset: "no limit");
        var overcommit = Options.Number("--overcommit", defaults.Overcommit, "How many times --cache-bytes running "
            + "texts may need at their longest; above 1 some give way", least: 1, most: 1000);
        var speculate = DeviceOption.Speculate();
        var maxQueue = Options.Number("--max-queue", defaults.MaxQueued, "The most requests that wait", least: 1);
        var batchTokens = Options.Number("--max-batch-tokens", defaults.StepTokens, "The most tokens of a step",
            least: 2);
        var requestTimeout = Options.OptionalNumber<int>("--request-timeout",
            "Seconds after which a text ends where it is, waiting included", least: 1, most: 1_000_000,
            unset: "no limit");
        var interval = StreamInterval();
        var verbose = Options.Switch("--verbose", "Write a line for every request, not only for those that fail");
        var host = new ServeHostOptions();
        var cluster = new ServeClusterOptions();
        var workers = new ServeAttentionOptions();
        var device = DeviceOption.Create();
        var command = new Command("serve", "Serve a trained model over HTTP with OpenAI's API.") { folder,
            apiKey, attention, precision, cache, cacheBytes, overcommit, speculate, maxQueue, batchTokens,
            requestTimeout, interval, verbose, device };
        host.AddTo(command);
        cluster.AddTo(command);
        workers.AddTo(command);
        command.SetAction((parsed, cancellation) =>
        {
            var request = new Request(ModelOption.Folder(parsed, folder),
                host.Read(parsed), parsed.GetValue(apiKey), parsed.GetValue(verbose), parsed.GetValue(device)!,
                DeviceOption.TypeOfFiles(parsed.GetValue(precision)), parsed.GetValue(attention),
                Limits(parsed.GetValue(batchTokens), parsed.GetValue(attention)) with
                {
                    Speculate = parsed.GetValue(speculate),
                    MaxQueued = parsed.GetValue(maxQueue),
                    Overcommit = parsed.GetValue(overcommit),
                    MaxBytes = parsed.GetValue(cacheBytes) ?? defaults.MaxBytes,
                    ElementType = DeviceOption.CacheType(parsed.GetValue(cache)),
                    AttentionWorkers = workers.Read(parsed),
                }, parsed.GetValue(requestTimeout) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
                TimeSpan.FromMilliseconds(parsed.GetValue(interval)), cluster.Read(parsed));
            if (request is { Cluster: not null, Scheduler.AttentionWorkers: not null })
                throw new ArgumentException("--attention-workers and --cluster cannot be combined: an instance of a "
                    + "cluster holds its own cache");
            return RunAsync(request, (ToolConfiguration)parsed.InvocationConfiguration, cancellation);
        });
        return command;
    }

    /// <summary><c>--stream-interval</c>.</summary>
    public static Option<int> StreamInterval() => Options.Number("--stream-interval",
        (int)ModelServerOptions.DefaultStreamInterval.TotalMilliseconds,
        "The least milliseconds between two events of a stream; 0 for an event per token", least: 0, most: 60_000);

    private static async Task<int> RunAsync(Request request, ToolConfiguration streams, CancellationToken cancellation)
    {
        using var engine = Engine.Create(request.Device);
        var chat = ChatTemplate.Load(request.Folder);
        using var loaded = ModelOption.Load(request.Folder, engine, request.Precision, request.Attention,
            streams.Error, cancellation);
        ModelOption.NoteUnused(loaded, streams.Error);
        var notes = EngineNotes.Begin(engine, loaded.Model, request.Scheduler.ElementType, streams.Error);
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(request.Folder)));
        using var server = new ModelServer(loaded, new ModelServerOptions
        {
            ModelName = name,
            Scheduler = request.Scheduler with { AttentionWorkers = Reporting(request, streams.Error) },
            Chat = chat,
            ApiKey = request.ApiKey,
            RequestTimeout = request.RequestTimeout,
            StreamInterval = request.StreamInterval,
        }, new LineLogger<ModelServer>(streams.Error, request.IsVerbose ? LogLevel.Information : LogLevel.Warning));
        await using var instance = request.Cluster is null ? null
            : await ClusterInstance.StartAsync(server, request.Cluster, cancellation);
        await using var host = await ApiHost.StartAsync(server, request.Host);
        streams.Output.WriteLine($"{name} on {host.Address}/v1"
            + (instance is null ? "" : $", {instance.Address} in the cluster '{request.Cluster!.Name}'"));
        streams.Output.Flush();
        notes.WriteNew();
        return await ServeAsync(host, instance, cancellation);
    }

    // The server's log is of requests; a lost worker is told in the same form.
    private static AttentionWorkerOptions? Reporting(Request request, TextWriter error) =>
        request.Scheduler.AttentionWorkers is not { } workers ? null : workers with
        {
            Report = line =>
            {
                error.WriteLine($"warning: {line}");
                error.Flush();
            },
        };

    private static async Task<int> ServeAsync(ApiHost host, ClusterInstance? instance, CancellationToken cancellation)
    {
        string? expelled = null;
        try
        {
            var end = Task.Delay(Timeout.Infinite, cancellation);
            if (instance is not null && await Task.WhenAny(instance.Expelled, end) == instance.Expelled)
                expelled = await instance.Expelled;
            else
                await end;
        }
        catch (OperationCanceledException)
        {
            // The second signal ends the process at once.
        }
        await Task.WhenAll(host.DrainAsync(), instance?.DrainAsync() ?? Task.CompletedTask);
        throw expelled is null ? new InterruptedException("interrupted; the running requests are finished")
            : new IOException($"the cluster has given this instance up, start it again: {expelled}");
    }

    // A step has room for a token of each sequence and a chunk of a prompt: for sampled attention as long a chunk as
    // there is room for, since it samples some rows of each.
    private static SchedulerOptions Limits(int stepTokens, string? attention)
    {
        var defaults = new SchedulerOptions();
        int sequences = Math.Min(defaults.Sequences, stepTokens / 2);
        return defaults with
        {
            StepTokens = stepTokens,
            Sequences = sequences,
            ChunkTokens = attention is not null && SampleAttentionOptions.Names(attention) ? stepTokens - sequences
                : Math.Min(defaults.ChunkTokens, stepTokens - sequences),
        };
    }

    private sealed record Request(string Folder, ApiHostOptions Host, string? ApiKey, bool IsVerbose,
        string Device, ElementType? Precision, string? Attention, SchedulerOptions Scheduler, TimeSpan? RequestTimeout,
        TimeSpan StreamInterval, ClusterOptions? Cluster);
}
