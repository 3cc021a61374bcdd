namespace S2ILGPU.TestSupport.Ptx;

// Moves, arithmetic, comparisons and conversions.
internal sealed partial class Decoder
{
    private static readonly Dictionary<string, Type> BinaryFunctions = new()
    {
        ["add"] = typeof(Add<>), ["sub"] = typeof(Subtract<>), ["min"] = typeof(Minimum<>), ["max"] = typeof(Maximum<>),
        ["and"] = typeof(And<>), ["or"] = typeof(Or<>), ["xor"] = typeof(Xor<>), ["rem"] = typeof(Remainder<>),
            ["copysign"] = typeof(CopySign<>),
    };

    private static readonly Dictionary<string, Type> UnaryFunctions = new()
    {
        ["not"] = typeof(Not<>), ["neg"] = typeof(Negate<>), ["abs"] = typeof(Absolute<>),
            ["sqrt"] = typeof(SquareRoot<>), ["rsqrt"] = typeof(ReciprocalSquareRoot<>), ["rcp"] = typeof(Reciprocal<>),
    };

    private static readonly Dictionary<string, Type> SingleFunctions = new()
    {
        ["ex2"] = typeof(Exp2), ["ex2.ftz"] = typeof(Exp2FlushToZero), ["lg2"] = typeof(Log2),
            ["lg2.ftz"] = typeof(Log2FlushToZero), ["rcp.ftz"] = typeof(ReciprocalFlushToZero),
        ["sin"] = typeof(Sine), ["cos"] = typeof(Cosine), ["tanh"] = typeof(HyperbolicTangent),
            ["sin.ftz"] = typeof(Sine), ["cos.ftz"] = typeof(Cosine), ["tanh.ftz"] = typeof(HyperbolicTangent),
    };

    private static readonly Dictionary<string, Type> Conditions = new()
    {
        ["eq"] = typeof(Equal<>), ["ne"] = typeof(NotEqual<>), ["lt"] = typeof(Less<>), ["le"] = typeof(LessOrEqual<>),
            ["gt"] = typeof(Greater<>), ["ge"] = typeof(GreaterOrEqual<>),
        ["lo"] = typeof(Less<>), ["ls"] = typeof(LessOrEqual<>), ["hi"] = typeof(Greater<>),
            ["hs"] = typeof(GreaterOrEqual<>),
        ["equ"] = typeof(EqualUnordered<>), ["neu"] = typeof(NotEqualUnordered<>), ["ltu"] = typeof(LessUnordered<>),
            ["leu"] = typeof(LessOrEqualUnordered<>),
        ["gtu"] = typeof(GreaterUnordered<>), ["geu"] = typeof(GreaterOrEqualUnordered<>),
    };

    private Instruction Arithmetic(string root)
    {
        if (_parts[^1] == "pred")
            return PredicateFunction(root);
        var type = ElementType;
        if (SingleFunctions.TryGetValue(Has("ftz") ? root + ".ftz" : root, out var single) && type == typeof(float))
            return Make(typeof(Unary<,,>), [type, type, single], Target(0), Source(1));
        if (UnaryFunctions.TryGetValue(root, out var unary))
            return Make(typeof(Unary<,,>), [type, type, unary.MakeGenericType(type)], Target(0), Source(1));
        if (BinaryFunctions.TryGetValue(root, out var binary))
            return Binary(type, binary);
        return root switch
        {
            "div" => Binary(type, IsFloat(type) ? typeof(Divide<>) : typeof(Quotient<>)),
            "clz" => Make(typeof(Unary<,,>), [type, typeof(uint), typeof(LeadingZeros<>).MakeGenericType(type)],
                Target(0, typeof(uint)), Source(1)),
            "popc" => Make(typeof(Unary<,,>), [type, typeof(uint), typeof(CountBits<>).MakeGenericType(type)],
                Target(0, typeof(uint)), Source(1)),
            "shl" => Shift(type, typeof(ShiftLeft<>)),
            "shr" => Shift(type, typeof(ShiftRight<>)),
            _ => throw new NotSupportedException("unknown instruction"),
        };
    }

    private Instruction Binary(Type type, Type function) =>
        Make(typeof(Binary<,,,>), [type, type, type, function.MakeGenericType(type)], Target(0), Source(1), Source(2));

    private Instruction Shift(Type type, Type function) =>
        Make(typeof(Binary<,,,>), [type, typeof(uint), type, function.MakeGenericType(type)], Target(0), Source(1),
        Source(2, typeof(uint)));

    private Instruction PredicateFunction(string root) => root switch
    {
        "not" => new MovePredicate(Predicate(0), Predicate(1), uint.MaxValue),
        "and" => new CombinePredicates(Predicate(0), Predicate(1), Predicate(2), '&'),
        "or" => new CombinePredicates(Predicate(0), Predicate(1), Predicate(2), '|'),
        "xor" => new CombinePredicates(Predicate(0), Predicate(1), Predicate(2), '^'),
        _ => throw new NotSupportedException("unknown instruction"),
    };

    private Instruction Product(bool isAdded)
    {
        var type = ElementType;
        if (IsFloat(type))
            return isAdded
                ? Make(typeof(Ternary<,,>), [type, type, typeof(FusedMultiplyAdd<>).MakeGenericType(type)], Target(0),
                Source(1), Source(2), Source(3))
                : Binary(type, typeof(Multiply<>));
        if (Has("wide"))
        {
            var wide = TypeNamed(_parts[^1][0] + (2 * int.Parse(_parts[^1].AsSpan(1)))
                .ToString(System.Globalization.CultureInfo.InvariantCulture));
            return isAdded
                ? Make(typeof(Ternary<,,>), [type, wide, typeof(MultiplyAddWide<,>).MakeGenericType(type, wide)],
                Target(0, wide), Source(1), Source(2), Source(3, wide))
                : Make(typeof(Binary<,,,>), [type, type, wide, typeof(MultiplyWide<,>).MakeGenericType(type, wide)],
                    Target(0, wide), Source(1), Source(2));
        }
        if (Has("hi") && !isAdded)
        {
            var function = type == typeof(uint) ? typeof(MultiplyHigh32) : type == typeof(int)
                ? typeof(MultiplyHighSigned32)
                : type == typeof(ulong) ? typeof(MultiplyHigh64) : typeof(MultiplyHighSigned64);
            return Make(typeof(Binary<,,,>), [type, type, type, function], Target(0), Source(1), Source(2));
        }
        if (!Has("lo"))
            throw new NotSupportedException("unknown product");
        return isAdded
            ? Make(typeof(Ternary<,,>), [type, type, typeof(MultiplyAdd<>).MakeGenericType(type)], Target(0), Source(1),
            Source(2), Source(3))
            : Binary(type, typeof(Multiply<>));
    }

    private Instruction Move()
    {
        if (_parts[^1] == "pred")
            return new MovePredicate(Predicate(0), Predicate(1), 0);
        var type = ElementType;
        if (_statement.Operands[1] is PtxVector sources)
            return new JoinParts(Target(0), LaneBytes(type) / sources.Elements.Count,
                Elements(1, PartLaneBytes(type, sources)));
        if (_statement.Operands[0] is PtxVector targets)
            return new SplitParts(Elements(0, PartLaneBytes(type, targets)), LaneBytes(type) / targets.Elements.Count,
                Source(1));
        return Make(typeof(Unary<,,>), [type, type, typeof(Same<>).MakeGenericType(type)], Target(0), Source(1));
    }

    private static int PartLaneBytes(Type type, PtxVector parts) => LaneBytes(type) / parts.Elements.Count == 8 ? 8 : 4;

    private Instruction AddressConversion()
    {
        bool isTo = Has("to");
        string space = _parts.First(part => part is "global" or "shared" or "local" or "const");
        ulong mark = space switch { "shared" => GenericSpace.Shared, "local" => GenericSpace.Local, _ => 0 };
        int mask = registers.Constant(isTo ? ~mark : mark, 8);
        var function = isTo ? typeof(And<ulong>) : typeof(Or<ulong>);
        return Make(typeof(Binary<,,,>), [typeof(ulong), typeof(ulong), typeof(ulong), function],
            Target(0, typeof(ulong)), Source(1, typeof(ulong)), mask);
    }

    private Instruction Comparison()
    {
        var type = ElementType;
        var target = (PtxRegister)_statement.Operands[0];
        var condition = Conditions[_parts[1]].MakeGenericType(type);
        int complement = target.Predicate is { } other ? registers.Predicate(other) : -1;
        int combine = Array.FindIndex(_parts, part => part is "and" or "or" or "xor");
        if (combine < 0)
            return Make(typeof(Compare<,>), [type, condition], registers.Predicate(target.Name), complement, Source(1),
                Source(2));
        if (complement >= 0)
            throw new NotSupportedException("two results of a combined comparison");
        int holds = registers.NewPredicate(), operand = Predicate(3);
        var compare = Make(typeof(Compare<,>), [type, condition], holds, -1, Source(1), Source(2));
        var third = (PtxRegister)_statement.Operands[3];
        if (third.IsNegated)
            throw new NotSupportedException("a negated predicate");
        return new Sequence(compare,
            new CombinePredicates(registers.Predicate(target.Name), holds, operand,
            _parts[combine] switch { "and" => '&', "or" => '|', _ => '^' }));
    }

    private Instruction Property()
    {
        var condition = _parts[1] switch
        {
            "finite" => typeof(IsFinite<>),
            "infinite" => typeof(IsInfinite<>),
            "notanumber" => typeof(IsNotANumber<>),
            _ => throw new NotSupportedException("unknown property"),
        };
        return Make(typeof(Compare<,>), [ElementType, condition.MakeGenericType(ElementType)], Predicate(0), -1,
            Source(1), Source(1));
    }

    private Instruction Selection() =>
        Make(typeof(Select<>), [ElementType], Target(0), Source(1), Source(2), Predicate(3));

    private Instruction Conversion()
    {
        switch (string.Join('.', _parts[^2..]))
        {
            case "bf16x2.f32":
                return new Binary<float, float, uint, PackBFloat16>(Target(0, typeof(uint)), Source(1), Source(2));
            case "f16x2.f32":
                return new Binary<float, float, uint, PackFloat16>(Target(0, typeof(uint)), Source(1), Source(2));
            case "tf32.f32" when Has("rna"):
                return new Unary<float, uint, ToTf32>(Target(0, typeof(uint)), Source(1));
            case "bf16.f32":
                return new Unary<float, ushort, ToBFloat16>(Target(0, typeof(ushort)), Source(1));
            case "f32.bf16":
                return new Unary<ushort, float, FromBFloat16>(Target(0, typeof(float)), Source(1, typeof(ushort)));
        }
        Type to = TypeNamed(_parts[^2]), from = ElementType;
        Type function;
        if (IsFloat(from) && !IsFloat(to))
            function = (Has("rni") ? typeof(ConvertToNearest<,>) : Has("rzi") ? typeof(ConvertTowardsZero<,>)
                : throw new NotSupportedException("unknown rounding")).MakeGenericType(from, to);
        else if (IsFloat(from) && from == to)
            function = (Has("rmi") ? typeof(Floor<>) : Has("rpi") ? typeof(Ceiling<>) : Has("rzi")
                ? typeof(TruncateFraction<>) : Has("rni") ? typeof(RoundToEven<>) : typeof(Same<>))
                .MakeGenericType(from);
        else
            function = typeof(ConvertNumber<,>).MakeGenericType(from, to);
        if (Has("sat"))
            throw new NotSupportedException("saturation");
        return Make(typeof(Unary<,,>), [from, to, function], Target(0, to), Source(1, from));
    }

    private static bool IsFloat(Type type) => type == typeof(float) || type == typeof(double) || type == typeof(Half);
}
