using System.Text.Json;
using System.Text.RegularExpressions;
using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Storage;

namespace S2ILGPU.Cli.Simulation;

/// <summary>What one operation costs: <c>seconds = Fixed + Work * PerUnit + Rows * PerRow + Bytes * PerByte</c>.
/// </summary>
/// <param name="Fixed">Seconds of a call.</param>
/// <param name="PerUnit">Seconds per multiplication or addition of products and attention, per byte of others.</param>
/// <param name="PerRow">Seconds per row that is gathered or added by its number.</param>
/// <param name="PerByte">Seconds per byte that products and attention read or write.</param>
internal sealed record OperationCost(double Fixed, double PerUnit, double PerRow = 0, double PerByte = 0)
{
    /// <summary>Seconds of an operation.</summary>
    public double Seconds(in Operation operation) => Fixed + operation.Work * PerUnit + operation.Rows * PerRow
        + operation.Bytes * PerByte;

    /// <summary>The cost where everything takes so many times as long.</summary>
    public OperationCost Times(double factor) =>
        new(Fixed * factor, PerUnit * factor, PerRow * factor, PerByte * factor);
}

/// <summary>What an exchange costs a rank: <c>seconds = messages * PerMessage + bytes * PerByte</c>.</summary>
/// <param name="PerMessage">Latency in seconds.</param>
/// <param name="PerByte">Seconds per byte, of what is sent or what is received, whichever is more.</param>
internal sealed record ExchangeCost(double PerMessage, double PerByte);

/// <summary>A way on which messages travel.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Ranks">Neighbouring ranks that it connects, as those of a machine; 0 for all.</param>
/// <param name="Overlap">The part of an exchange that goes on while the rank computes, 0 to 1; the rest takes its
/// processor.</param>
/// <param name="IsTree">Whether a rank sends log2 of the ranks messages in an exchange, and not one to each.</param>
/// <param name="Exchanges">Costs by <see cref="CollectiveKind"/>; <c>*</c> stands for those without one.</param>
internal sealed record TransportCost(string Name, int Ranks, double Overlap, bool IsTree,
    IReadOnlyDictionary<string, ExchangeCost> Exchanges)
{
    /// <summary>Seconds of an exchange between some ranks, once all have begun.</summary>
    /// <param name="exchange">The exchange of one rank.</param>
    /// <param name="ranks">Ranks that take part.</param>
    public double Seconds(Begin exchange, int ranks)
    {
        if (ranks == 1)
            return 0;
        var cost = MachineCosts.Find(Exchanges, exchange.Kind.ToString(), $"exchanges of {Name}");
        return Messages(exchange.Kind, ranks, IsTree) * cost.PerMessage
            + Math.Max(exchange.SentBytes, exchange.ReceivedBytes) * cost.PerByte;
    }

    /// <summary>Messages that a rank sends one after the other: a sum is an exchange of parts and one of sums.
    /// </summary>
    public static double Messages(CollectiveKind kind, int ranks, bool isTree) =>
        (kind == CollectiveKind.AllReduce ? 2 : 1) * (isTree ? Math.Ceiling(Math.Log2(ranks)) : ranks - 1);
}

/// <summary>The costs of a machine, measured or assumed.</summary>
/// <param name="Name">What the machine is, and where the numbers come from.</param>
/// <param name="Operations">Costs by the name of the operation; <c>*</c> stands for those without one.</param>
/// <param name="HostSeconds">Seconds between two operations in which the engine waits for the program, where the costs
/// of operations do not hold them.</param>
/// <param name="Processors">Processors that all ranks share; 0 where each rank has a device of its own.</param>
/// <param name="Contention">How much longer a processor takes while 1, 2, ... ranks compute: a factor; more ranks as
/// the last number. Empty for 1.</param>
/// <param name="Transports">From the nearest ranks to all.</param>
internal sealed partial record MachineCosts(string Name, IReadOnlyDictionary<string, OperationCost> Operations,
    double HostSeconds, int Processors, IReadOnlyList<double> Contention,
    IReadOnlyList<TransportCost> Transports)
{
    /// <summary>The name of the cost of all that have none of their own.</summary>
    public const string Others = "*";

    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        NewLine = "\n",
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">It is not such a file, or a number is out of range.</exception>
    public static MachineCosts Read(string path)
    {
        byte[] utf8 = File.ReadAllBytes(path);
        try
        {
            return (JsonSerializer.Deserialize<MachineCosts>(utf8, s_json)
                ?? throw new InvalidDataException("it is null")).Validate();
        }
        catch (Exception e) when (e is JsonException or InvalidDataException)
        {
            string fault = e is JsonException json ? Fault(utf8, json) : e.Message;
            throw new InvalidDataException($"{path} is not a file of costs: {fault}", e);
        }
    }

    // What .NET says names its types.
    private static string Fault(byte[] utf8, JsonException e) =>
        UnknownField().Match(e.Message) is { Success: true } unknown ? $"unknown field '{unknown.Groups["name"].Value}'"
        : MissingFields().Match(e.Message) is { Success: true } missing
            ? $"fields are missing: {missing.Groups["names"].Value}"
        : e.Path is ['$', '.', .. var field] ? $"wrong value of {field}, line {e.LineNumber + 1}"
        : $"not valid JSON: {JsonDiagnosis.Explain(utf8, e)}";

    [GeneratedRegex("^The JSON property '(?<name>.*)' could not be mapped")]
    private static partial Regex UnknownField();

    [GeneratedRegex("missing required properties including: (?<names>.*)\\.$")]
    private static partial Regex MissingFields();

    /// <summary>Writes the file that <see cref="Read"/> reads.</summary>
    public void Write(string path) =>
        AtomicFile.WriteText(path, JsonSerializer.Serialize(this, s_json) + "\n");

    /// <summary>Seconds of an operation, without <see cref="HostSeconds"/>.</summary>
    /// <exception cref="InvalidDataException">The costs have none for it.</exception>
    public double Seconds(in Operation operation) =>
        Find(Operations, operation.Name, "operations").Seconds(operation);

    /// <summary>The costs where operations take so many times as long, and exchanges as long as before.</summary>
    public MachineCosts WithOperationsTimes(double factor) =>
        this with { Operations = Operations.ToDictionary(pair => pair.Key, pair => pair.Value.Times(factor)) };

    /// <summary>The part of a processor that each of some ranks has.</summary>
    /// <param name="computing">Ranks that compute at a time, at least 1.</param>
    public double Share(int computing) => Processors == 0 ? 1 : Math.Min(1, (double)Processors / computing);

    /// <summary>The speed of each of some ranks, as a fraction of its speed alone.</summary>
    /// <param name="computing">Ranks that compute at a time, at least 1.</param>
    public double Speed(int computing) => Share(computing)
        / (Processors == 0 || Contention.Count == 0 ? 1 : Contention[Math.Min(computing, Contention.Count) - 1]);

    /// <summary>The transport of a group.</summary>
    /// <param name="span">Neighbouring ranks among which the group lies.</param>
    public TransportCost Transport(int span) =>
        Transports.First(transport => transport.Ranks == 0 || span <= transport.Ranks);

    /// <summary>The cost of a name, or that of all others.</summary>
    /// <exception cref="InvalidDataException">There is neither.</exception>
    public static T Find<T>(IReadOnlyDictionary<string, T> costs, string name, string what) =>
        costs.TryGetValue(name, out var cost) || costs.TryGetValue(Others, out cost) ? cost
        : throw new InvalidDataException($"{what} have no cost for {name}, and none for {Others}");

    private MachineCosts Validate()
    {
        foreach (var (name, cost) in Operations)
            if (!(Known(cost.Fixed) && Known(cost.PerUnit) && Known(cost.PerRow) && Known(cost.PerByte)))
                throw new InvalidDataException($"operation {name} has a cost below 0");
        foreach (var transport in Transports)
        {
            if (!(transport.Overlap is >= 0 and <= 1))
                throw new InvalidDataException($"transport {transport.Name} has an overlap outside 0 to 1");
            foreach (var (name, cost) in transport.Exchanges)
                if (!(Known(cost.PerMessage) && Known(cost.PerByte)))
                    throw new InvalidDataException($"{name} of transport {transport.Name} has a cost below 0");
        }
        if (Transports.Count == 0 || Transports[^1].Ranks != 0)
            throw new InvalidDataException("the last transport must connect all ranks (\"ranks\": 0)");
        if (Contention.Any(factor => !(factor > 0)) || Processors < 0 || !Known(HostSeconds))
            throw new InvalidDataException("contention must be above 0, processors and hostSeconds not below 0");
        return this;
    }

    private static bool Known(double seconds) => seconds >= 0 && double.IsFinite(seconds);
}
