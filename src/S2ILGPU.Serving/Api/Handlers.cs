using System.Text.Json;
using Microsoft.AspNetCore.Http;
using S2ILGPU.Scheduling;
using S2ILGPU.Serving.Metrics;
using S2ILGPU.Serving.Prompts;
using S2ILGPU.Serving.Telemetry;
using S2ILGPU.Serving.Web;

namespace S2ILGPU.Serving.Api;

/// <summary>What each route does.</summary>
internal sealed class Handlers(ModelServer server)
{
    /// <summary>Whether the process is of use: one whose scheduler failed must be started again.</summary>
    public Task HealthAsync(HttpContext http)
    {
        bool hasFailed = server.Scheduler.Failure is not null;
        http.Response.StatusCode = hasFailed ? 503 : 200;
        return StateAsync(http, hasFailed ? "failed" : "ok");
    }

    public Task ReadyAsync(HttpContext http)
    {
        bool isReady = server.IsReady;
        http.Response.StatusCode = isReady ? 200 : 503;
        return StateAsync(http, isReady ? "ready" : "not ready");
    }

    public async Task MetricsAsync(HttpContext http)
    {
        var instances = await server.Router.InstancesAsync(http.RequestAborted);
        http.Response.ContentType = MetricsText.ContentType;
        await http.Response.WriteAsync(server.Metrics.Format(server.Counters, instances,
            server.SampleFigures, server.Scheduler.AttentionWorkers, LendingFigures.Of(server)), http.RequestAborted);
    }

    /// <summary>All models, or the one that the address names.</summary>
    public async Task ModelsAsync(HttpContext http)
    {
        string? name = http.Request.RouteValues["model"] as string;
        if (name is not null)
            CheckModel(name);
        http.Response.ContentType = "application/json";
        await using var writer = new Utf8JsonWriter(http.Response.BodyWriter);
        if (name is null)
        {
            writer.WriteStartObject();
            writer.WriteString("object", "list");
            writer.WriteStartArray("data");
        }
        writer.WriteStartObject();
        writer.WriteString("id", server.Options.ModelName);
        writer.WriteString("object", "model");
        writer.WriteNumber("created", server.Created.ToUnixTimeSeconds());
        writer.WriteString("owned_by", "s2");
        writer.WriteEndObject();
        if (name is null)
        {
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
    }

    public async Task CacheAsync(HttpContext http)
    {
        var snapshot = await CaptureAsync(http.RequestAborted);
        var instances = await server.Router.InstancesAsync(http.RequestAborted);
        http.Response.ContentType = "application/json";
        http.Response.Headers.CacheControl = "no-store";
        await using var writer = new Utf8JsonWriter(http.Response.BodyWriter);
        CacheJson.Write(writer, server, instances, snapshot, http.Request.Query["sequence"]);
    }

    public Task CompletionsAsync(HttpContext http) => GenerateAsync(http, isChat: false);

    public Task ChatAsync(HttpContext http) => GenerateAsync(http, isChat: true);

    public Task UnknownAsync(HttpContext http) => throw new ApiException(404,
        $"Invalid URL ({http.Request.Method} {Excerpt.Of(http.Request.Path)})", code: "unknown_url");

    /// <summary>A known address with a method that it does not have.</summary>
    /// <param name="allowed">The methods that it has.</param>
    public static RequestDelegate WrongMethod(string allowed) => http =>
    {
        http.Response.Headers.Allow = allowed;
        throw new ApiException(405, $"Invalid method for URL ({http.Request.Method} {http.Request.Path}), "
            + $"it takes {allowed}", code: "method_not_supported");
    };

    /// <summary>A handler whose refusals become OpenAI's errors, and whose answers are counted.</summary>
    /// <param name="handler">The handler.</param>
    /// <param name="needsKey">Whether the API key is checked.</param>
    /// <param name="isCounted">Whether the answers are counted; those to the web page are not.</param>
    public RequestDelegate Guard(RequestDelegate handler, bool needsKey = true, bool isCounted = true) => async http =>
    {
        int? status = null;                                               // null for that of the answer
        try
        {
            if (needsKey)
                ApiKey.Check(http.Request, server.Options.ApiKey);
            await handler(http);
        }
        catch (Exception) when (http.RequestAborted.IsCancellationRequested)
        {
            // The client has gone; its request was cancelled on the way here.
            status = StatusCodes.Status499ClientClosedRequest;
        }
        catch (ApiException e) when (!http.Response.HasStarted)
        {
            server.Logger.Refused(e.Status, e.Reason);
            server.Logger.RefusedBecause(e.Message);
            await ErrorBody.WriteAsync(http, e);
        }
        catch (BadHttpRequestException e) when (!http.Response.HasStarted)
        {
            await ErrorBody.WriteAsync(http, new ApiException(e.StatusCode, e.Message));
        }
        catch (Exception e) when (!http.Response.HasStarted)
        {
            server.Logger.RequestFailed(e, http.Request.Method, http.Request.Path);
            await ErrorBody.WriteAsync(http, ApiException.ServerFailed());
        }
        if (isCounted)
            server.Metrics.Answered(status ?? http.Response.StatusCode);
    };

    private async Task GenerateAsync(HttpContext http, bool isChat)
    {
        using var document = await RequestBody.ReadAsync(http.Request, server.Options.MaxBodyBytes);
        var body = new RequestBody(document.RootElement);
        CheckModel(body.Text("model") ?? throw ApiException.Invalid("model", "'model' is missing"));
        bool isStream = body.Flag("stream");
        bool hasUsage = HasUsage(body, isStream);
        var tools = isChat ? ToolFields.Read(body, server.Options.Chat) : null;
        var request = GenerationFields.Read(body, server, tools);
        var tokenizer = server.Pretrained.Tokenizer;
        List<int[]> prompts = tools is null
            ? CompletionPrompts.Read(body, server.Pretrained, server.Options.Scheduler.MaxQueued)
            : [ChatPrompt.Read(body, server, tools.Tools)];
        using var generation = await server.BeginAsync(
            isChat ? RequestTrace.Chat : RequestTrace.TextCompletion, prompts, request, http.RequestAborted);
        AnswerFormat format = tools is null ? new CompletionFormat(tokenizer)
            : new ChatFormat(tokenizer, [.. Enumerable.Range(0, generation.Texts).Select(_ => tools.Use?.Reader())]);
        var answer = new Answer(format, server, generation, request.TopLogProbabilities is not null);
        await (isStream ? answer.WriteStreamAsync(http, hasUsage) : answer.WriteWholeAsync(http));
    }

    // A line for this server, and one for each instance of its cluster.
    private async Task StateAsync(HttpContext http, string state)
    {
        var instances = await server.Router.InstancesAsync(http.RequestAborted);
        http.Response.ContentType = "text/plain; charset=utf-8";
        await http.Response.WriteAsync(string.Concat([state + "\n", .. instances.Select(instance =>
            FormattableString.Invariant($"{instance.Name}: {(instance.IsReady ? "ready" : "not ready")}, ")
            + FormattableString.Invariant($"{instance.Counters.Running} running, {instance.Counters.Queued} queued, ")
            + FormattableString.Invariant($"{instance.Counters.UsedPages} pages\n"))]), http.RequestAborted);
    }

    private async Task<SchedulerSnapshot> CaptureAsync(CancellationToken cancellation)
    {
        try
        {
            return await server.Scheduler.CaptureAsync(cancellation);
        }
        catch (InvalidOperationException e)
        {
            throw ApiException.Unavailable(e.Message);
        }
    }

    private void CheckModel(string model)
    {
        if (model != server.Options.ModelName)
            throw new ApiException(404, $"the model '{Excerpt.Of(model)}' does not exist, this server has "
                + $"'{server.Options.ModelName}'", "model", "model_not_found");
    }

    private static bool HasUsage(RequestBody body, bool isStream)
    {
        var options = body.Inner("stream_options");
        return options is null || isStream ? options?.Flag("include_usage") ?? false
            : throw ApiException.Invalid("stream_options", "'stream_options' needs 'stream': true");
    }
}
