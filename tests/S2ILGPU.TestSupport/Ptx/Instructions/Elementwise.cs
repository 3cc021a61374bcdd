using System.Numerics;
using System.Runtime.CompilerServices;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>A function of one value.</summary>
internal interface IUnary<TFrom, TTo>
{
    static abstract TTo Apply(TFrom a);
}

/// <summary>A function of two values; the second may have a type of its own (shift counts).</summary>
internal interface IBinary<T, TSecond, TTo>
{
    static abstract TTo Apply(T a, TSecond b);
}

/// <summary>A function of three values; the third and the result may be wider.</summary>
internal interface ITernary<T, TThird>
{
    static abstract TThird Apply(T a, T b, TThird c);
}

/// <summary>A condition on two values.</summary>
internal interface ICondition<T>
{
    static abstract bool Holds(T a, T b);
}

/// <summary><c>d = f(a)</c>.</summary>
internal sealed unsafe class Unary<TFrom, TTo, TFunction>(int d, int a) : Instruction
    where TFrom : unmanaged
    where TTo : unmanaged
    where TFunction : struct, IUnary<TFrom, TTo>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp warp, uint lanes)
    {
        byte* r = warp.Registers, to = r + d, from = r + a;
        if (lanes == uint.MaxValue)
            for (int lane = 0; lane < 32; lane++)
                Cell<TTo>.Set(to, lane, TFunction.Apply(Cell<TFrom>.Get(from, lane)));
        else
            for (; lanes != 0; lanes &= lanes - 1)
                Cell<TTo>.Set(to, BitOperations.TrailingZeroCount(lanes),
                    TFunction.Apply(Cell<TFrom>.Get(from, BitOperations.TrailingZeroCount(lanes))));
    }
}

/// <summary><c>d = f(a, b)</c>.</summary>
internal sealed unsafe class Binary<T, TSecond, TTo, TFunction>(int d, int a, int b) : Instruction
    where T : unmanaged
    where TSecond : unmanaged
    where TTo : unmanaged
    where TFunction : struct, IBinary<T, TSecond, TTo>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp warp, uint lanes)
    {
        byte* r = warp.Registers, to = r + d, first = r + a, second = r + b;
        if (lanes == uint.MaxValue)
            for (int lane = 0; lane < 32; lane++)
                Cell<TTo>.Set(to, lane, TFunction.Apply(Cell<T>.Get(first, lane), Cell<TSecond>.Get(second, lane)));
        else
            for (; lanes != 0; lanes &= lanes - 1)
            {
                int lane = BitOperations.TrailingZeroCount(lanes);
                Cell<TTo>.Set(to, lane, TFunction.Apply(Cell<T>.Get(first, lane), Cell<TSecond>.Get(second, lane)));
            }
    }
}

/// <summary><c>d = f(a, b, c)</c>.</summary>
internal sealed unsafe class Ternary<T, TThird, TFunction>(int d, int a, int b, int c) : Instruction
    where T : unmanaged
    where TThird : unmanaged
    where TFunction : struct, ITernary<T, TThird>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp warp, uint lanes)
    {
        byte* r = warp.Registers;
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            Cell<TThird>
                .Set(r + d, lane, TFunction.Apply(Cell<T>.Get(r + a, lane), Cell<T>.Get(r + b, lane),
                Cell<TThird>.Get(r + c, lane)));
        }
    }
}

/// <summary><c>setp</c>: <c>p = a ? b</c>, and its complement where the instruction names a second predicate.</summary>
internal sealed unsafe class Compare<T, TCondition>(int d, int complement, int a, int b) : Instruction
    where T : unmanaged
    where TCondition : struct, ICondition<T>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp warp, uint lanes)
    {
        byte* r = warp.Registers, first = r + a, second = r + b;
        uint holds = 0;
        for (int lane = 0; lane < 32; lane++)
            holds |= TCondition.Holds(Cell<T>.Get(first, lane), Cell<T>.Get(second, lane)) ? 1u << lane : 0;
        *(uint*)(r + d) = (*(uint*)(r + d) & ~lanes) | (holds & lanes);
        if (complement >= 0)
            *(uint*)(r + complement) = (*(uint*)(r + complement) & ~lanes) | (~holds & lanes);
    }
}

/// <summary><c>setp.C.or</c> and its like: a comparison combined with a predicate.</summary>
internal sealed unsafe class CombinePredicates(int d, int a, int b, char function) : Instruction
{
    public override void Execute(Warp warp, uint lanes)
    {
        byte* r = warp.Registers;
        uint x = *(uint*)(r + a), y = *(uint*)(r + b);
        uint value = function switch { '&' => x & y, '|' => x | y, '^' => x ^ y, _ =>
            throw new InvalidOperationException() };
        *(uint*)(r + d) = (*(uint*)(r + d) & ~lanes) | (value & lanes);
    }
}

/// <summary><c>mov.pred</c> and <c>not.pred</c>.</summary>
internal sealed unsafe class MovePredicate(int d, int a, uint inversion) : Instruction
{
    public override void Execute(Warp warp, uint lanes)
    {
        byte* r = warp.Registers;
        *(uint*)(r + d) = (*(uint*)(r + d) & ~lanes) | ((*(uint*)(r + a) ^ inversion) & lanes);
    }
}

/// <summary><c>selp</c>: <c>d = p ? a : b</c>.</summary>
internal sealed unsafe class Select<T>(int d, int a, int b, int p) : Instruction where T : unmanaged
{
    public override void Execute(Warp warp, uint lanes)
    {
        byte* r = warp.Registers;
        uint choice = *(uint*)(r + p);
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            Cell<T>.Set(r + d, lane, Cell<T>.Get(r + ((choice >> lane & 1) != 0 ? a : b), lane));
        }
    }
}
