using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.Memory;

namespace S2ILGPU.Cpu.MatMul;

/// <summary>The large product for one register width.</summary>
internal interface IMatrixProduct
{
    /// <summary>Computes <c>C (+)= op(A) op(B)</c>.</summary>
    /// <param name="a">op(A): lanes are its rows.</param>
    /// <param name="b">op(B): lanes are its columns.</param>
    /// <param name="c">C.</param>
    /// <param name="steps">K, at least 1.</param>
    /// <param name="accumulate">Add to C.</param>
    void Multiply(in PanelSource a, in PanelSource b, in Rows c, int steps, bool accumulate);
}
