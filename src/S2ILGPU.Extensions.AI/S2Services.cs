using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.Templates;

namespace S2ILGPU.Extensions.AI;

/// <summary>A model in a container of services.</summary>
public static class S2Services
{
    /// <summary>Adds an <see cref="IChatClient"/> over a model, and what it is made of: <see cref="IEngine"/>, <see
    /// cref="PretrainedModel"/>, <see cref="SchedulerThread"/>. All are singletons, which the container makes at first
    /// use and disposes.</summary>
    /// <param name="services">The container.</param>
    /// <param name="options">Which model, and how.</param>
    /// <returns>The container.</returns>
    public static IServiceCollection AddS2(this IServiceCollection services, ChatModelOptions options)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(options);
        // What is made later is disposed earlier: client, scheduler, model, engine.
        return services
            .AddSingleton<IEngine>(_ => Engine.Create(options.Device))
            .AddSingleton(made => ModelFolder.Load(options.Folder, made.GetRequiredService<IEngine>(),
                matrixType: options.Precision, activationType: options.Precision))
            .AddSingleton(made => Scheduler(made.GetRequiredService<PretrainedModel>(), options))
            .AddSingleton<IChatClient>(made => new S2ChatClient(made.GetRequiredService<PretrainedModel>(),
                made.GetRequiredService<SchedulerThread>(), ChatTemplate.Load(options.Folder), options.Name));
    }

    private static SchedulerThread Scheduler(PretrainedModel pretrained, ChatModelOptions options) =>
        new(pretrained.Model, options.Scheduler, pretrained.Tokenizer);
}
