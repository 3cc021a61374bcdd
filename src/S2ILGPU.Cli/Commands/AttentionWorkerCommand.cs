using System.CommandLine;
using System.Net;
using S2ILGPU.AttentionWorkers;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Engines;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 attention-worker</c>: cache and attention for <c>s2 serve --attention-workers</c>.</summary>
internal static class AttentionWorkerCommand
{
    private const string DefaultAddress = "127.0.0.1:11500";

    public static Command Create()
    {
        var listen = Options.Text("--listen", "HOST:PORT",
            "Address and port to listen on; port 0 for any that is free", unset: DefaultAddress);
        var device = DeviceOption.Create();
        var command = new Command("attention-worker",
            "Hold keys and values and run attention for s2 serve --attention-workers.") { listen, device };
        command.SetAction((parsed, cancellation) => RunAsync(Address(parsed.GetValue(listen) ?? DefaultAddress),
            parsed.GetValue(device)!, (ToolConfiguration)parsed.InvocationConfiguration, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(IPEndPoint address, string device, ToolConfiguration streams,
        CancellationToken cancellation)
    {
        using var engine = Engine.Create(device);
        var error = TextWriter.Synchronized(streams.Error);
        using var worker = new AttentionWorker(engine, address.Address, address.Port, line =>
        {
            error.WriteLine($"note: {line}");
            error.Flush();
        });
        streams.Output.WriteLine($"attention worker on {worker.Address}, {engine.Name}");
        streams.Output.Flush();
        await worker.RunAsync(cancellation);
        return 0;
    }

    private static IPEndPoint Address(string text)
    {
        int colon = text.LastIndexOf(':');
        return colon > 0 && ushort.TryParse(text.AsSpan(colon + 1), out ushort port)
            ? new IPEndPoint(NetworkAddress.Parse("--listen", text[..colon].Trim('[', ']'))!, port)
            : throw new ArgumentException($"--listen must be HOST:PORT, got {text}");
    }
}
