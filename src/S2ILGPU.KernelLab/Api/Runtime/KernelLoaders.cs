using S2ILGPU.KernelLab;

namespace ILGPU.Runtime;

/// <summary>Makes kernels callable. A kernel is a static method; its threads read their position from <see cref="Grid"/> and <see cref="Group"/>.</summary>
public static partial class KernelLoaders
{
    /// <summary>A kernel with explicit groups, launched on a stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<AcceleratorStream, KernelConfig, T1> LoadKernel<T1>(this Accelerator accelerator, Action<T1> action)
        where T1 : struct => accelerator.LoadKernel(action, KernelSpecialization.Empty);

    /// <summary>A kernel with explicit groups, launched on a stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <param name="specialization">What it promises.</param>
    /// <returns>The launcher.</returns>
    public static Action<AcceleratorStream, KernelConfig, T1> LoadKernel<T1>(this Accelerator accelerator, Action<T1> action, KernelSpecialization specialization)
        where T1 : struct =>
        (stream, config, arg1) =>
        {
            stream.Check(accelerator);
            Engine.Run(accelerator, action, config, specialization, () => action(arg1));
        };

    /// <summary>A kernel with explicit groups, launched on the default stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<KernelConfig, T1> LoadStreamKernel<T1>(this Accelerator accelerator, Action<T1> action)
        where T1 : struct => accelerator.LoadStreamKernel(action, KernelSpecialization.Empty);

    /// <summary>A kernel with explicit groups, launched on the default stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <param name="specialization">What it promises.</param>
    /// <returns>The launcher.</returns>
    public static Action<KernelConfig, T1> LoadStreamKernel<T1>(this Accelerator accelerator, Action<T1> action, KernelSpecialization specialization)
        where T1 : struct =>
        (config, arg1) => Engine.Run(accelerator, action, config, specialization, () => action(arg1));

    /// <summary>A kernel with explicit groups, launched on a stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<AcceleratorStream, KernelConfig, T1, T2> LoadKernel<T1, T2>(this Accelerator accelerator, Action<T1, T2> action)
        where T1 : struct
        where T2 : struct => accelerator.LoadKernel(action, KernelSpecialization.Empty);

    /// <summary>A kernel with explicit groups, launched on a stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <param name="specialization">What it promises.</param>
    /// <returns>The launcher.</returns>
    public static Action<AcceleratorStream, KernelConfig, T1, T2> LoadKernel<T1, T2>(this Accelerator accelerator, Action<T1, T2> action, KernelSpecialization specialization)
        where T1 : struct
        where T2 : struct =>
        (stream, config, arg1, arg2) =>
        {
            stream.Check(accelerator);
            Engine.Run(accelerator, action, config, specialization, () => action(arg1, arg2));
        };

    /// <summary>A kernel with explicit groups, launched on the default stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<KernelConfig, T1, T2> LoadStreamKernel<T1, T2>(this Accelerator accelerator, Action<T1, T2> action)
        where T1 : struct
        where T2 : struct => accelerator.LoadStreamKernel(action, KernelSpecialization.Empty);

    /// <summary>A kernel with explicit groups, launched on the default stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <param name="specialization">What it promises.</param>
    /// <returns>The launcher.</returns>
    public static Action<KernelConfig, T1, T2> LoadStreamKernel<T1, T2>(this Accelerator accelerator, Action<T1, T2> action, KernelSpecialization specialization)
        where T1 : struct
        where T2 : struct =>
        (config, arg1, arg2) => Engine.Run(accelerator, action, config, specialization, () => action(arg1, arg2));

    /// <summary>A kernel with explicit groups, launched on a stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<AcceleratorStream, KernelConfig, T1, T2, T3> LoadKernel<T1, T2, T3>(this Accelerator accelerator, Action<T1, T2, T3> action)
        where T1 : struct
        where T2 : struct
        where T3 : struct => accelerator.LoadKernel(action, KernelSpecialization.Empty);

    /// <summary>A kernel with explicit groups, launched on a stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <param name="specialization">What it promises.</param>
    /// <returns>The launcher.</returns>
    public static Action<AcceleratorStream, KernelConfig, T1, T2, T3> LoadKernel<T1, T2, T3>(this Accelerator accelerator, Action<T1, T2, T3> action, KernelSpecialization specialization)
        where T1 : struct
        where T2 : struct
        where T3 : struct =>
        (stream, config, arg1, arg2, arg3) =>
        {
            stream.Check(accelerator);
            Engine.Run(accelerator, action, config, specialization, () => action(arg1, arg2, arg3));
        };

    /// <summary>A kernel with explicit groups, launched on the default stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<KernelConfig, T1, T2, T3> LoadStreamKernel<T1, T2, T3>(this Accelerator accelerator, Action<T1, T2, T3> action)
        where T1 : struct
        where T2 : struct
        where T3 : struct => accelerator.LoadStreamKernel(action, KernelSpecialization.Empty);

    /// <summary>A kernel with explicit groups, launched on the default stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <param name="specialization">What it promises.</param>
    /// <returns>The launcher.</returns>
    public static Action<KernelConfig, T1, T2, T3> LoadStreamKernel<T1, T2, T3>(this Accelerator accelerator, Action<T1, T2, T3> action, KernelSpecialization specialization)
        where T1 : struct
        where T2 : struct
        where T3 : struct =>
        (config, arg1, arg2, arg3) => Engine.Run(accelerator, action, config, specialization, () => action(arg1, arg2, arg3));

    /// <summary>A kernel with explicit groups, launched on a stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <typeparam name="T4">The type of argument 4.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4> LoadKernel<T1, T2, T3, T4>(this Accelerator accelerator, Action<T1, T2, T3, T4> action)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct => accelerator.LoadKernel(action, KernelSpecialization.Empty);

    /// <summary>A kernel with explicit groups, launched on a stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <typeparam name="T4">The type of argument 4.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <param name="specialization">What it promises.</param>
    /// <returns>The launcher.</returns>
    public static Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4> LoadKernel<T1, T2, T3, T4>(this Accelerator accelerator, Action<T1, T2, T3, T4> action, KernelSpecialization specialization)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct =>
        (stream, config, arg1, arg2, arg3, arg4) =>
        {
            stream.Check(accelerator);
            Engine.Run(accelerator, action, config, specialization, () => action(arg1, arg2, arg3, arg4));
        };

    /// <summary>A kernel with explicit groups, launched on the default stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <typeparam name="T4">The type of argument 4.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<KernelConfig, T1, T2, T3, T4> LoadStreamKernel<T1, T2, T3, T4>(this Accelerator accelerator, Action<T1, T2, T3, T4> action)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct => accelerator.LoadStreamKernel(action, KernelSpecialization.Empty);

    /// <summary>A kernel with explicit groups, launched on the default stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <typeparam name="T4">The type of argument 4.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <param name="specialization">What it promises.</param>
    /// <returns>The launcher.</returns>
    public static Action<KernelConfig, T1, T2, T3, T4> LoadStreamKernel<T1, T2, T3, T4>(this Accelerator accelerator, Action<T1, T2, T3, T4> action, KernelSpecialization specialization)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct =>
        (config, arg1, arg2, arg3, arg4) => Engine.Run(accelerator, action, config, specialization, () => action(arg1, arg2, arg3, arg4));

    /// <summary>A kernel with explicit groups, launched on a stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <typeparam name="T4">The type of argument 4.</typeparam>
    /// <typeparam name="T5">The type of argument 5.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5> LoadKernel<T1, T2, T3, T4, T5>(this Accelerator accelerator, Action<T1, T2, T3, T4, T5> action)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct => accelerator.LoadKernel(action, KernelSpecialization.Empty);

    /// <summary>A kernel with explicit groups, launched on a stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <typeparam name="T4">The type of argument 4.</typeparam>
    /// <typeparam name="T5">The type of argument 5.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <param name="specialization">What it promises.</param>
    /// <returns>The launcher.</returns>
    public static Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5> LoadKernel<T1, T2, T3, T4, T5>(
        this Accelerator accelerator, Action<T1, T2, T3, T4, T5> action, KernelSpecialization specialization)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct =>
        (stream, config, arg1, arg2, arg3, arg4, arg5) =>
        {
            stream.Check(accelerator);
            Engine.Run(accelerator, action, config, specialization, () => action(arg1, arg2, arg3, arg4, arg5));
        };

    /// <summary>A kernel with explicit groups, launched on the default stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <typeparam name="T4">The type of argument 4.</typeparam>
    /// <typeparam name="T5">The type of argument 5.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<KernelConfig, T1, T2, T3, T4, T5> LoadStreamKernel<T1, T2, T3, T4, T5>(this Accelerator accelerator, Action<T1, T2, T3, T4, T5> action)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct => accelerator.LoadStreamKernel(action, KernelSpecialization.Empty);

    /// <summary>A kernel with explicit groups, launched on the default stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <typeparam name="T4">The type of argument 4.</typeparam>
    /// <typeparam name="T5">The type of argument 5.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <param name="specialization">What it promises.</param>
    /// <returns>The launcher.</returns>
    public static Action<KernelConfig, T1, T2, T3, T4, T5> LoadStreamKernel<T1, T2, T3, T4, T5>(this Accelerator accelerator, Action<T1, T2, T3, T4, T5> action, KernelSpecialization specialization)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct =>
        (config, arg1, arg2, arg3, arg4, arg5) => Engine.Run(accelerator, action, config, specialization, () => action(arg1, arg2, arg3, arg4, arg5));

    /// <summary>A kernel with explicit groups, launched on a stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <typeparam name="T4">The type of argument 4.</typeparam>
    /// <typeparam name="T5">The type of argument 5.</typeparam>
    /// <typeparam name="T6">The type of argument 6.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6> LoadKernel<T1, T2, T3, T4, T5, T6>(this Accelerator accelerator, Action<T1, T2, T3, T4, T5, T6> action)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct
        where T6 : struct => accelerator.LoadKernel(action, KernelSpecialization.Empty);

    /// <summary>A kernel with explicit groups, launched on a stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <typeparam name="T4">The type of argument 4.</typeparam>
    /// <typeparam name="T5">The type of argument 5.</typeparam>
    /// <typeparam name="T6">The type of argument 6.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <param name="specialization">What it promises.</param>
    /// <returns>The launcher.</returns>
    public static Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6> LoadKernel<T1, T2, T3, T4, T5, T6>(
        this Accelerator accelerator, Action<T1, T2, T3, T4, T5, T6> action, KernelSpecialization specialization)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct
        where T6 : struct =>
        (stream, config, arg1, arg2, arg3, arg4, arg5, arg6) =>
        {
            stream.Check(accelerator);
            Engine.Run(accelerator, action, config, specialization, () => action(arg1, arg2, arg3, arg4, arg5, arg6));
        };

    /// <summary>A kernel with explicit groups, launched on the default stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <typeparam name="T4">The type of argument 4.</typeparam>
    /// <typeparam name="T5">The type of argument 5.</typeparam>
    /// <typeparam name="T6">The type of argument 6.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <returns>The launcher.</returns>
    public static Action<KernelConfig, T1, T2, T3, T4, T5, T6> LoadStreamKernel<T1, T2, T3, T4, T5, T6>(this Accelerator accelerator, Action<T1, T2, T3, T4, T5, T6> action)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct
        where T6 : struct => accelerator.LoadStreamKernel(action, KernelSpecialization.Empty);

    /// <summary>A kernel with explicit groups, launched on the default stream.</summary>
    /// <typeparam name="T1">The type of argument 1.</typeparam>
    /// <typeparam name="T2">The type of argument 2.</typeparam>
    /// <typeparam name="T3">The type of argument 3.</typeparam>
    /// <typeparam name="T4">The type of argument 4.</typeparam>
    /// <typeparam name="T5">The type of argument 5.</typeparam>
    /// <typeparam name="T6">The type of argument 6.</typeparam>
    /// <param name="accelerator">Where it runs.</param>
    /// <param name="action">The kernel.</param>
    /// <param name="specialization">What it promises.</param>
    /// <returns>The launcher.</returns>
    public static Action<KernelConfig, T1, T2, T3, T4, T5, T6> LoadStreamKernel<T1, T2, T3, T4, T5, T6>(
        this Accelerator accelerator, Action<T1, T2, T3, T4, T5, T6> action, KernelSpecialization specialization)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct
        where T6 : struct =>
        (config, arg1, arg2, arg3, arg4, arg5, arg6) => Engine.Run(accelerator, action, config, specialization, () => action(arg1, arg2, arg3, arg4, arg5, arg6));
}
