using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using S2ILGPU.Cli.Commands;
using S2ILGPU.Cpu;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests;

public sealed class ServeCommandTests
{
    [Fact]
    public async Task Serves_until_a_signal_and_refuses_a_busy_port()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "sends SIGTERM");
        using var folder = new TemporaryFolder();
        string text = folder.Write("text.txt", string.Concat(Enumerable.Range(0, 600).Select(i => $"Line {i}.\n")));
        await Tool.RunAsync($"train --preset tiny --steps 2 --data {text} --out {folder["model"]}");
        using var server = ToolProcess.Start($"serve --model {folder["model"]} --port 0 --device cpu --speculate 4");
        var address = await AddressAsync(server);
        using var client = new HttpClient { BaseAddress = address, Timeout = Timeout.InfiniteTimeSpan };
        using var response = await client.PostAsync("completions", new StringContent(
            """{"model":"model","prompt":"Line","max_tokens":3}""", Encoding.UTF8, "application/json"),
            TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode);
        using var refused = await client.PostAsync("completions", new StringContent("""{"model":"other"}"""),
            TestContext.Current.CancellationToken);
        var busy = await Tool.RunAsync($"serve --model {folder["model"]} --port {address.Port} --device cpu");
        Assert.Equal((1, ""), (busy.ExitCode, busy.Output));
        Assert.StartsWith($"error: cannot listen on 127.0.0.1:{address.Port}: ", busy.Error);
        await SignalAsync(server, "TERM");
        Assert.Equal(143, server.ExitCode);
        Assert.Equal("warning: Refused with 404: model_not_found model\n"
            + "error: interrupted; the running requests are finished\n",
            await server.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
    }

    // One seed: where two logits are nearly equal, rounding would decide.
    [Fact]
    public async Task An_emulated_device_streams_the_greedy_texts_of_the_cpu_engine()
    {
        TestScale.SkipUnlessDrawn(6);
        Assert.SkipWhen(OperatingSystem.IsWindows(), "sends SIGTERM");
        TestScale.SkipUnlessDrawn(3);
        using var folder = new TemporaryFolder();
        string model = folder["model"];
        using (var engine = new CpuEngine(new CpuOptions(Threads: 1)))
            TinyModelFolder.Save(model, engine, random: new Random(1));
        using var server = ToolProcess.Start($"serve --model {model} --port 0 --device ilgpu-cpu --speculate 7");
        var address = await AddressAsync(server);
        string[] prompts = ["Line", "lines of lines of", "text"];
        var streams = await Task.WhenAll(prompts.Select(prompt => StreamAsync(address, prompt, maxTokens: 10)));
        string[] texts = await Task.WhenAll(streams.Select(TextAsync));
        await SignalAsync(server, "TERM");
        Assert.Equal(143, server.ExitCode);
        foreach (var (prompt, text) in prompts.Zip(texts))
        {
            var alone = await Tool.RunAsync(["generate", "--model", model, "--prompt", prompt, "--max-tokens", "10",
                "--temperature", "0", "--device", "cpu", "--json"]);
            Assert.Equal(JsonDocument.Parse(alone.Output).RootElement.GetProperty("text").GetString(), text);
        }
    }

    private static async Task<string> TextAsync(HttpResponseMessage response)
    {
        using var owned = response;
        var text = new StringBuilder();
        foreach (string line in (await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))
            .Split('\n').Where(line => line.StartsWith("data: {", StringComparison.Ordinal)))
        {
            using var chunk = JsonDocument.Parse(line["data: ".Length..]);
            text.Append(chunk.RootElement.GetProperty("choices")[0].GetProperty("text").GetString());
        }
        return text.ToString();
    }

    [Theory]
    [InlineData("--cluster-port 1",
        "--cluster-port, --cluster-store, --cluster-address and --cluster-lend-bytes need --cluster NAME")]
    [InlineData("--cluster a --cluster-port 0", "without a store the port of the first instance must be known, got 0")]
    [InlineData("--cluster a --cluster-address no.such.name.invalid",
        "--cluster-address: no.such.name.invalid is neither an address nor a known name")]
    [InlineData("--attention-spares a:1", "--attention-spares, --attention-overlap, --attention-timeout and "
        + "--attention-restore need --attention-workers ADDRESSES")]
    [InlineData("--attention-workers a", "an attention worker is named HOST:PORT, got 'a'")]
    [InlineData("--attention-workers a:1,b:1,c:1",
        "3 attention workers cannot share 2 key/value heads: each needs as many whole ones")]
    [InlineData("--attention-workers a:1 --cluster a --cluster-port 1",
        "--attention-workers and --cluster cannot be combined: an instance of a cluster holds its own cache")]
    public async Task Wrong_options_of_clusters_and_workers_are_one_line(string options, string why)
    {
        using var folder = new TemporaryFolder();
        using (var engine = new CpuEngine(new CpuOptions(Threads: 1)))
            TinyModelFolder.Save(folder.FullPath, engine);
        var refused = await Tool.RunAsync($"serve --model {folder.FullPath} --port 0 --device cpu {options}");
        Assert.Equal((2, "", $"error: {why}\n"), (refused.ExitCode, refused.Output, refused.Error));
    }

    [Fact]
    public async Task Attention_workers_that_are_not_there_are_one_line()
    {
        using var folder = new TemporaryFolder();
        using (var engine = new CpuEngine(new CpuOptions(Threads: 1)))
            TinyModelFolder.Save(folder.FullPath, engine);
        var refused = await Tool.RunAsync($"serve --model {folder.FullPath} --port 0 --device cpu "
            + "--attention-workers no.such.name.invalid:1");
        Assert.Equal((1, ""), (refused.ExitCode, refused.Output));
        Assert.StartsWith("error: attention worker no.such.name.invalid:1: ", refused.Error);
        Assert.Single(refused.Error.TrimEnd('\n').Split('\n'));
        await Tool.RefuseAsync("attention-worker --listen nowhere", "--listen must be HOST:PORT, got nowhere");
        await Tool.RefuseAsync("attention-worker --listen a:b:c", "--listen must be HOST:PORT, got a:b:c");
    }

    [Fact]
    public async Task Signal_under_load_finishes_the_running_streams_and_a_killed_server_starts_again()
    {
        TestScale.SkipUnlessDrawn(3);
        Assert.SkipWhen(OperatingSystem.IsWindows(), "sends signals");
        using var folder = new TemporaryFolder();
        string text = folder.Write("text.txt", string.Concat(Enumerable.Range(0, 600).Select(i => $"Line {i}.\n")));
        await Tool.RunAsync($"train --preset tiny --steps 2 --data {text} --out {folder["model"]}");
        string command = $"serve --model {folder["model"]} --device cpu --port {FreePort.Find()} "
            + "--stream-interval 0";                                      // so that equal texts come in equal pieces
        using var killed = ToolProcess.Start(command);
        var address = await AddressAsync(killed);
        var cut = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => StreamAsync(address)));
        await SignalAsync(killed, "KILL");
        Array.ForEach(cut, response => response.Dispose());

        using var server = ToolProcess.Start(command);
        await AddressAsync(server);
        var running = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => StreamAsync(address)));
        var ended = SignalAsync(server, "TERM");
        string[] texts = await Task.WhenAll(running.Select(response =>
            response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)));
        Assert.All(texts, stream => Assert.EndsWith("data: [DONE]\n\n", stream));
        // Each stream has its own id and time; the pieces are the same.
        Assert.Single(texts.Select(stream => Regex.Replace(stream, "\"(id|created)\":[^,]*", "")).Distinct());
        await ended;
        Assert.Equal(143, server.ExitCode);
    }

    [Theory]
    [InlineData("--model nowhere", "nowhere", "does not exist")]
    [InlineData("--model . --port 70000", "--port", "0 to 65535")]
    [InlineData("--model . --host 999.1.1.1", "--host", "999.1.1.1")]
    [InlineData("--model . --max-queue 0", "--max-queue")]
    [InlineData("--model . --stream-interval -1", "--stream-interval", "0 to 60000")]
    [InlineData("--model . --request-timeout 0", "--request-timeout", "1 to 1000000")]
    [InlineData("--model . --overcommit 0.5", "--overcommit", "1 to 1000")]
    [InlineData("--model . --max-connections 0", "--max-connections")]
    [InlineData("--model . --certificate-key key.pem", "--certificate-key needs --certificate FILE")]
    [InlineData("--model . --certificate no/such.pem", "no/such.pem does not exist")]
    public Task Bad_input_is_one_line(string options, params string[] parts) =>
        Tool.RefuseAsync($"serve {options}", parts);

    [Fact]
    public async Task Damaged_certificates_are_one_line()
    {
        using var folder = new TemporaryFolder();
        using var certificate = Certificate();
        string pem = folder.Write("own.pem", certificate.ExportCertificatePem());
        using var other = RSA.Create(2048);
        string key = folder.Write("other.pem", other.ExportPkcs8PrivateKeyPem());
        string text = folder.Write("text.pem", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n");
        string bytes = folder.Write("bytes.pfx", "no PFX");
        string start = $"serve --model {folder.FullPath}";
        const string Why = "not a certificate with its private key: ";
        await Tool.RefuseAsync($"{start} --certificate {pem}", pem, Why);
        await Tool.RefuseAsync($"{start} --certificate {pem} --certificate-key {key}", $"{pem} and {key}: {Why}");
        await Tool.RefuseAsync($"{start} --certificate {text} --certificate-key {key}", $"{text} and {key}: {Why}");
        await Tool.RefuseAsync($"{start} --certificate {bytes}", $"{bytes}: {Why}");
        await Tool.RefuseAsync($"{start} --certificate {bytes} --certificate-key {key}", $"{bytes} is not PEM");
        await Tool.RefuseAsync($"{start} --certificate {pem} --certificate-key {folder["none.pem"]}",
            "none.pem does not exist");
    }

    [Fact]
    public void Certificates_are_read_from_pem_and_pfx_with_their_chain()
    {
        using var folder = new TemporaryFolder();
        using var own = Certificate();
        using var root = Certificate();
        using var key = own.GetRSAPrivateKey()!;
        string chain = $"{own.ExportCertificatePem()}\n{root.ExportCertificatePem()}\n";
        string pem = folder.Write("chain.pem", chain), keyPem = folder.Write("key.pem", key.ExportPkcs8PrivateKeyPem());
        string both = folder.Write("both.pem", chain + key.ExportPkcs8PrivateKeyPem());
        string pfx = folder["own.pfx"];
        File.WriteAllBytes(pfx, own.Export(X509ContentType.Pfx));
        foreach (var (read, count) in ((X509Certificate2Collection, int)[])[(CertificateFile.Load(pem, keyPem), 2),
            (CertificateFile.Load(both, null), 2), (CertificateFile.Load(pfx, null), 1)])
        {
            Assert.Equal(count, read.Count);
            Assert.Equal(own.Thumbprint, Assert.Single(read, certificate => certificate.HasPrivateKey).Thumbprint);
            if (count == 2)
                Assert.Equal(root.Thumbprint, read[1].Thumbprint);
            foreach (var certificate in read)
                certificate.Dispose();
        }
    }

    private static X509Certificate2 Certificate()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var now = DateTimeOffset.UtcNow;
        using var made = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pfx), password: null,
            X509KeyStorageFlags.Exportable);
    }

    private static async Task<Uri> AddressAsync(Process server)
    {
        string line = (await server.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken))!;
        Assert.StartsWith("model on http://127.0.0.1:", line);
        return new Uri(line["model on ".Length..] + "/");
    }

    private static async Task SignalAsync(Process server, string signal)
    {
        using (var kill = Process.Start("kill", [$"-{signal}", $"{server.Id}"]))
            await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
        await server.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    // A stream that has begun.
    private static async Task<HttpResponseMessage> StreamAsync(Uri address, string prompt = "Line",
        int maxTokens = 100)
    {
        using var client = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, "completions"))
        {
            Content = new StringContent($$"""
                {"model":"model","prompt":"{{prompt}}","max_tokens":{{maxTokens}},"temperature":0,"stream":true}
                """, Encoding.UTF8, "application/json"),
        };
        var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead,
            TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}");
        return response;
    }
}
