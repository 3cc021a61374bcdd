namespace S2ILGPU.Peers.Torch;

internal static class TorchTraining
{
    public static void Measure(PeerReport report)
    {
    }
}
