using ILGPU.Runtime;
using ILGPU.Runtime.CPU;

namespace ILGPU;

public partial class Context
{
    /// <summary>Chooses devices and settings of a context. Settings are accepted and have no effect.</summary>
    public sealed class Builder
    {
        internal Builder()
        {
        }

        internal List<Device> Devices { get; } = [];

        /// <summary>All devices that there are: the lab's.</summary>
        /// <returns>The builder.</returns>
        public Builder Default() => AllAccelerators();

        /// <summary>All devices that there are: the lab's.</summary>
        /// <returns>The builder.</returns>
        public Builder AllAccelerators() => this.CPU();

        /// <summary>How hard to optimize.</summary>
        /// <param name="level">The level.</param>
        /// <returns>The builder.</returns>
        public Builder Optimize(OptimizationLevel level) => this;

        /// <summary>How exact to compute.</summary>
        /// <param name="mathMode">The mode.</param>
        /// <returns>The builder.</returns>
        public Builder Math(MathMode mathMode) => this;

        /// <summary>What to inline.</summary>
        /// <param name="inliningMode">The mode.</param>
        /// <returns>The builder.</returns>
        public Builder Inlining(InliningMode inliningMode) => this;

        /// <summary>Switches assertions on; the lab always checks.</summary>
        /// <returns>The builder.</returns>
        public Builder Assertions() => this;

        /// <summary>Switches profiling on.</summary>
        /// <returns>The builder.</returns>
        public Builder Profiling() => this;

        /// <summary>Switches everything on that helps debugging.</summary>
        /// <returns>The builder.</returns>
        public Builder Debug() => this;

        /// <summary>Builds the context.</summary>
        /// <returns>The context; the caller disposes it.</returns>
        public Context ToContext() => new(this);
    }
}
