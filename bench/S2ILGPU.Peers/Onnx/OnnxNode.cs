using System.Text;

namespace S2ILGPU.Peers.Onnx;

/// <summary>A tensor that goes into or comes out of a model.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">1 for float32, 6 for int32.</param>
/// <param name="Shape">The extents.</param>
internal sealed record OnnxTensor(string Name, int Type, params long[] Shape)
{
    public const int Float = 1, Int32 = 6;
}

/// <summary>A model of one node, as the bytes of an ONNX file.</summary>
/// <seealso href="https://github.com/onnx/onnx/blob/main/onnx/onnx.proto">The field numbers</seealso>
internal sealed record OnnxNode(string Operator, IReadOnlyList<OnnxTensor> Inputs, IReadOnlyList<OnnxTensor> Outputs,
    IReadOnlyDictionary<string, long> Attributes)
{
    private const string Domain = "com.microsoft";
    private const int IrVersion = 8, OnnxVersion = 17, IntAttribute = 2;

    /// <summary>The bytes of the file.</summary>
    public byte[] ToModel()
    {
        var node = new ProtoMessage();
        foreach (var input in Inputs)
            node.Add(1, input.Name);
        foreach (var output in Outputs)
            node.Add(2, output.Name);
        node.Add(4, Operator);
        foreach (var (name, value) in Attributes)
            node.Add(5, new ProtoMessage().Add(1, name).Add(3, value).Add(20, IntAttribute));
        node.Add(7, Domain);

        var graph = new ProtoMessage().Add(1, node).Add(2, "peer");
        foreach (var input in Inputs)
            graph.Add(11, Value(input));
        foreach (var output in Outputs)
            graph.Add(12, Value(output));
        return new ProtoMessage().Add(1, IrVersion).Add(7, graph)
            .Add(8, new ProtoMessage().Add(1, "").Add(2, OnnxVersion))
            .Add(8, new ProtoMessage().Add(1, Domain).Add(2, 1)).ToArray();
    }

    private static ProtoMessage Value(OnnxTensor tensor)
    {
        var shape = new ProtoMessage();
        foreach (long extent in tensor.Shape)
            shape.Add(1, new ProtoMessage().Add(1, extent));
        var type = new ProtoMessage().Add(1, new ProtoMessage().Add(1, tensor.Type).Add(2, shape));
        return new ProtoMessage().Add(1, tensor.Name).Add(2, type);
    }
}

/// <summary>A protobuf message under construction.</summary>
internal sealed class ProtoMessage
{
    private const int VarInt = 0, Bytes = 2;

    private readonly MemoryStream _bytes = new();

    public ProtoMessage Add(int field, long value)
    {
        Write((ulong)(field << 3 | VarInt));
        Write((ulong)value);
        return this;
    }

    public ProtoMessage Add(int field, string value) => Add(field, Encoding.UTF8.GetBytes(value));

    public ProtoMessage Add(int field, ProtoMessage value) => Add(field, value.ToArray());

    public byte[] ToArray() => _bytes.ToArray();

    private ProtoMessage Add(int field, byte[] value)
    {
        Write((ulong)(field << 3 | Bytes));
        Write((ulong)value.Length);
        _bytes.Write(value);
        return this;
    }

    private void Write(ulong value)
    {
        for (; value >= 0x80; value >>= 7)
            _bytes.WriteByte((byte)(value | 0x80));
        _bytes.WriteByte((byte)value);
    }
}
