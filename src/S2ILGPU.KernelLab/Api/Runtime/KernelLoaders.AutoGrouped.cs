using S2ILGPU.KernelLab;

namespace ILGPU.Runtime;

public static partial class KernelLoaders
{
    /// <summary>A kernel that gets its index, launched on a stream.</summary>
    /// <typeparam name="TIndex">The index type.</typeparam>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<AcceleratorStream, TIndex, T1> LoadAutoGroupedKernel<TIndex, T1>(this Accelerator accelerator, Action<TIndex, T1> action)
        where TIndex : struct, IIndex
        where T1 : struct =>
        (stream, extent, arg1) =>
        {
            stream.Check(accelerator);
            Engine.RunAutoGrouped(accelerator, action, extent, index => action(index, arg1));
        };

    /// <summary>A kernel that gets its index, launched on the default stream.</summary>
    /// <typeparam name="TIndex">The index type.</typeparam>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<TIndex, T1> LoadAutoGroupedStreamKernel<TIndex, T1>(this Accelerator accelerator, Action<TIndex, T1> action)
        where TIndex : struct, IIndex
        where T1 : struct =>
        (extent, arg1) => Engine.RunAutoGrouped(accelerator, action, extent, index => action(index, arg1));

    /// <summary>A kernel that gets its index, launched on a stream.</summary>
    /// <typeparam name="TIndex">The index type.</typeparam>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<AcceleratorStream, TIndex, T1, T2> LoadAutoGroupedKernel<TIndex, T1, T2>(this Accelerator accelerator, Action<TIndex, T1, T2> action)
        where TIndex : struct, IIndex
        where T1 : struct
        where T2 : struct =>
        (stream, extent, arg1, arg2) =>
        {
            stream.Check(accelerator);
            Engine.RunAutoGrouped(accelerator, action, extent, index => action(index, arg1, arg2));
        };

    /// <summary>A kernel that gets its index, launched on the default stream.</summary>
    /// <typeparam name="TIndex">The index type.</typeparam>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<TIndex, T1, T2> LoadAutoGroupedStreamKernel<TIndex, T1, T2>(this Accelerator accelerator, Action<TIndex, T1, T2> action)
        where TIndex : struct, IIndex
        where T1 : struct
        where T2 : struct =>
        (extent, arg1, arg2) => Engine.RunAutoGrouped(accelerator, action, extent, index => action(index, arg1, arg2));

    /// <summary>A kernel that gets its index, launched on a stream.</summary>
    /// <typeparam name="TIndex">The index type.</typeparam>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<AcceleratorStream, TIndex, T1, T2, T3> LoadAutoGroupedKernel<TIndex, T1, T2, T3>(this Accelerator accelerator, Action<TIndex, T1, T2, T3> action)
        where TIndex : struct, IIndex
        where T1 : struct
        where T2 : struct
        where T3 : struct =>
        (stream, extent, arg1, arg2, arg3) =>
        {
            stream.Check(accelerator);
            Engine.RunAutoGrouped(accelerator, action, extent, index => action(index, arg1, arg2, arg3));
        };

    /// <summary>A kernel that gets its index, launched on the default stream.</summary>
    /// <typeparam name="TIndex">The index type.</typeparam>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<TIndex, T1, T2, T3> LoadAutoGroupedStreamKernel<TIndex, T1, T2, T3>(this Accelerator accelerator, Action<TIndex, T1, T2, T3> action)
        where TIndex : struct, IIndex
        where T1 : struct
        where T2 : struct
        where T3 : struct =>
        (extent, arg1, arg2, arg3) => Engine.RunAutoGrouped(accelerator, action, extent, index => action(index, arg1, arg2, arg3));

    /// <summary>A kernel that gets its index, launched on a stream.</summary>
    /// <typeparam name="TIndex">The index type.</typeparam>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <typeparam name="T4">The type of argument 4.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<AcceleratorStream, TIndex, T1, T2, T3, T4> LoadAutoGroupedKernel<TIndex, T1, T2, T3, T4>(this Accelerator accelerator, Action<TIndex, T1, T2, T3, T4> action)
        where TIndex : struct, IIndex
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct =>
        (stream, extent, arg1, arg2, arg3, arg4) =>
        {
            stream.Check(accelerator);
            Engine.RunAutoGrouped(accelerator, action, extent, index => action(index, arg1, arg2, arg3, arg4));
        };

    /// <summary>A kernel that gets its index, launched on the default stream.</summary>
    /// <typeparam name="TIndex">The index type.</typeparam>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <typeparam name="T4">The type of argument 4.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<TIndex, T1, T2, T3, T4> LoadAutoGroupedStreamKernel<TIndex, T1, T2, T3, T4>(this Accelerator accelerator, Action<TIndex, T1, T2, T3, T4> action)
        where TIndex : struct, IIndex
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct =>
        (extent, arg1, arg2, arg3, arg4) => Engine.RunAutoGrouped(accelerator, action, extent, index => action(index, arg1, arg2, arg3, arg4));

    /// <summary>A kernel that gets its index, launched on a stream.</summary>
    /// <typeparam name="TIndex">The index type.</typeparam>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <typeparam name="T4">The type of argument 4.</typeparam>
    /// <typeparam name="T5">The type of argument 5.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<AcceleratorStream, TIndex, T1, T2, T3, T4, T5> LoadAutoGroupedKernel<TIndex, T1, T2, T3, T4, T5>(this Accelerator accelerator, Action<TIndex, T1, T2, T3, T4, T5> action)
        where TIndex : struct, IIndex
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct =>
        (stream, extent, arg1, arg2, arg3, arg4, arg5) =>
        {
            stream.Check(accelerator);
            Engine.RunAutoGrouped(accelerator, action, extent, index => action(index, arg1, arg2, arg3, arg4, arg5));
        };

    /// <summary>A kernel that gets its index, launched on the default stream.</summary>
    /// <typeparam name="TIndex">The index type.</typeparam>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <typeparam name="T4">The type of argument 4.</typeparam>
    /// <typeparam name="T5">The type of argument 5.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<TIndex, T1, T2, T3, T4, T5> LoadAutoGroupedStreamKernel<TIndex, T1, T2, T3, T4, T5>(this Accelerator accelerator, Action<TIndex, T1, T2, T3, T4, T5> action)
        where TIndex : struct, IIndex
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct =>
        (extent, arg1, arg2, arg3, arg4, arg5) => Engine.RunAutoGrouped(accelerator, action, extent, index => action(index, arg1, arg2, arg3, arg4, arg5));

    /// <summary>A kernel that gets its index, launched on a stream.</summary>
    /// <typeparam name="TIndex">The index type.</typeparam>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <typeparam name="T4">The type of argument 4.</typeparam>
    /// <typeparam name="T5">The type of argument 5.</typeparam>
    /// <typeparam name="T6">The type of argument 6.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<AcceleratorStream, TIndex, T1, T2, T3, T4, T5, T6> LoadAutoGroupedKernel<TIndex, T1, T2, T3, T4, T5, T6>(
        this Accelerator accelerator, Action<TIndex, T1, T2, T3, T4, T5, T6> action)
        where TIndex : struct, IIndex
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct
        where T6 : struct =>
        (stream, extent, arg1, arg2, arg3, arg4, arg5, arg6) =>
        {
            stream.Check(accelerator);
            Engine.RunAutoGrouped(accelerator, action, extent, index => action(index, arg1, arg2, arg3, arg4, arg5, arg6));
        };

    /// <summary>A kernel that gets its index, launched on the default stream.</summary>
    /// <typeparam name="TIndex">The index type.</typeparam>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <typeparam name="T4">The type of argument 4.</typeparam>
    /// <typeparam name="T5">The type of argument 5.</typeparam>
    /// <typeparam name="T6">The type of argument 6.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<TIndex, T1, T2, T3, T4, T5, T6> LoadAutoGroupedStreamKernel<TIndex, T1, T2, T3, T4, T5, T6>(this Accelerator accelerator, Action<TIndex, T1, T2, T3, T4, T5, T6> action)
        where TIndex : struct, IIndex
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct
        where T6 : struct =>
        (extent, arg1, arg2, arg3, arg4, arg5, arg6) => Engine.RunAutoGrouped(accelerator, action, extent, index => action(index, arg1, arg2, arg3, arg4, arg5, arg6));
}
