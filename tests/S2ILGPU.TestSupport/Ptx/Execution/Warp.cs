using System.Numerics;
using System.Runtime.InteropServices;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Why a warp stopped.</summary>
internal enum WarpState
{
    Runnable,
    AtBarrier,
    Ended,
}

/// <summary>32 threads, their registers and where each of them is.</summary>
/// <remarks>
/// Lanes that are at the same instruction run together. When they go different ways the lanes that are furthest behind
/// run first, so they meet again where the ways join; at an instruction of the whole warp
/// those who come first wait.
/// </remarks>
internal sealed unsafe class Warp : IDisposable
{
    private readonly Instruction[] _code;
    private readonly int[] _positions = new int[32]; // instruction at which each lane is, while lanes are apart
    private int _position;
    private uint _active;
    private uint _waiting; // lanes at an instruction of the whole warp that others have not reached
    private int _join = int.MaxValue; // where the active lanes may meet others

    public Warp(Group group, int index, PtxProgram program)
    {
        (Group, Index, _code) = (group, index, program.Code);
        Registers = (byte*)NativeMemory.AlignedAlloc((nuint)program.RegisterBytes, 64);
        new Span<byte>(Registers, program.RegisterBytes).Fill(0xff);
        Copies = new AsyncCopies(this);
        Local = program.LocalBytes > 0 ? new byte[32 * program.LocalBytes] : [];
    }

    public Group Group { get; }

    /// <summary>Number of the warp in its group.</summary>
    public int Index { get; }

    public int FirstThread => Index * 32;

    public byte* Registers { get; }

    /// <summary>Barriers of this warp so far: those of the warp alone and those of the group.</summary>
    public ulong Barriers { get; set; }

    public AsyncCopies Copies { get; }

    /// <summary>Local memory, lane after lane.</summary>
    public byte[] Local { get; }

    /// <summary>Lanes that have not ended.</summary>
    public uint Live { get; private set; }

    public WarpState State { get; private set; }

    /// <summary>Number of the instruction at which the warp is.</summary>
    public int Position => _position;

    /// <summary>The instruction at which the warp is.</summary>
    public Instruction? Current => _position < _code.Length ? _code[_position] : null;

    /// <summary>The C# line of an instruction.</summary>
    public SourceLine? SourceAt(int position) => _code[position].Source;

    /// <summary>A fault of the instruction at which the warp is.</summary>
    public PtxFaultException Fault(PtxFaultKind kind, string message, SourceLine? other = null,
        Exception? inner = null)
    {
        var source = Current?.Source;
        string at = source is null ? "" : $" at {source}";
        return new(kind, $"{message}{at}; PTX line {Current?.Statement.Line}: {Current?.Statement.Text}; "
            + $"warp {Index} of group {Group.Position}, copies {Group.Options.Copies}", other, inner) { Line = source };
    }

    /// <summary>Begins a new group.</summary>
    public void Start(int threads)
    {
        Live = threads >= 32 ? uint.MaxValue : (1u << threads) - 1;
        (_position, _active, _waiting, _join, Barriers, State) = (0, Live, 0, int.MaxValue, 1, WarpState.Runnable);
        Copies.Clear();
        Local.AsSpan().Fill(0xff);
    }

    /// <summary>Runs until a group barrier, the end, or the end of its turn; returns the instructions
    /// executed.</summary>
    public long Run(long turn)
    {
        long executed = 0;
        State = WarpState.Runnable;
        try
        {
            while (executed < turn)
            {
                if (_position >= _code.Length)
                    throw new PtxFaultException(PtxFaultKind.Other, "the end of the kernel without ret");
                var instruction = _code[_position];
                executed++;
                var flow = instruction.Flow;
                if (flow is Flow.WarpCollective or Flow.GroupBarrier && _active != Live)
                {
                    WaitForOthers();
                    continue;
                }
                uint lanes = _active;
                if (instruction.Guard >= 0)
                    lanes &= *(uint*)(Registers + instruction.Guard) ^ instruction.GuardInversion;
                if (flow == Flow.Sequential)
                {
                    if (lanes != 0)
                        instruction.Execute(this, lanes);
                    Advance();
                    continue;
                }
                if (!Control(instruction, flow, lanes))
                    break;
            }
        }
        catch (PtxFaultException fault)
        {
            throw Fault(fault.Kind, fault.Message, fault.OtherLine, fault);
        }
        return executed;
    }

    public void Dispose() => NativeMemory.AlignedFree(Registers);

    /// <summary>The other warps have come to the barrier too.</summary>
    public void LeaveBarrier()
    {
        Barriers++;
        State = WarpState.Runnable;
        _position++;
    }

    // Executes an instruction that is more than sequential; false when the warp stops.
    private bool Control(Instruction instruction, Flow flow, uint lanes)
    {
        switch (flow)
        {
            case Flow.Branch:
                GoTo((IBranch)instruction, lanes);
                return true;
            case Flow.Exit:
                return End(lanes);
            default:
                if (lanes != Live)
                    throw new PtxFaultException(
                        flow == Flow.GroupBarrier ? PtxFaultKind.DivergentBarrier : PtxFaultKind.DivergentWarp,
                        "divergent: an instruction of the whole warp under a guard that does not hold for all lanes");
                if (flow == Flow.GroupBarrier)
                    State = WarpState.AtBarrier;
                instruction.Execute(this, lanes);
                if (flow == Flow.GroupBarrier)
                    return false;
                _position++;
                return true;
        }
    }

    private void Advance()
    {
        if (++_position >= _join)
            Regroup();
    }

    private void GoTo(IBranch branch, uint lanes)
    {
        if (_active == Live && lanes == _active && branch is Branch { Target: var target })
        {
            _position = target;
            return;
        }
        if (lanes == 0)
        {
            Advance();
            return;
        }
        WritePositions(_position + 1);
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            _positions[lane] = branch.TargetOf(this, lane);
        }
        Choose();
    }

    private bool End(uint lanes)
    {
        for (uint rest = lanes; rest != 0; rest &= rest - 1)
            Copies.End(BitOperations.TrailingZeroCount(rest));
        WritePositions(_position + 1);
        Live &= ~lanes;
        _waiting &= Live;
        if (Live == 0)
            State = WarpState.Ended;
        else
            Choose();
        return Live != 0;
    }

    // The active lanes wait at an instruction of the whole warp; others run on.
    private void WaitForOthers()
    {
        WritePositions(_position);
        _waiting |= _active;
        Choose();
    }

    private void Regroup()
    {
        WritePositions(_position);
        Choose();
    }

    private void WritePositions(int position)
    {
        for (uint lanes = _active; lanes != 0; lanes &= lanes - 1)
            _positions[BitOperations.TrailingZeroCount(lanes)] = position;
    }

    // Activates the lanes furthest behind among those that do not wait.
    private void Choose()
    {
        if (_waiting == Live)
        {
            for (uint lanes = Live; lanes != 0; lanes &= lanes - 1)
                if (_positions[BitOperations.TrailingZeroCount(lanes)]
                    != _positions[BitOperations.TrailingZeroCount(Live)])
                    throw new PtxFaultException(PtxFaultKind.DivergentWarp,
                        $"divergent: lanes 0x{_active:x8} of 0x{Live:x8} are at an instruction of the whole warp, the "
                        + $"others wait at another one");
            _waiting = 0;
        }
        int first = int.MaxValue;
        for (uint lanes = Live & ~_waiting; lanes != 0; lanes &= lanes - 1)
            first = Math.Min(first, _positions[BitOperations.TrailingZeroCount(lanes)]);
        (_active, _join, _position) = (0, int.MaxValue, first);
        for (uint lanes = Live; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes), position = _positions[lane];
            if (position == first)
                _active |= 1u << lane;
            else if (position > first)
                _join = Math.Min(_join, position);
        }
        _waiting &= ~_active;
    }
}
