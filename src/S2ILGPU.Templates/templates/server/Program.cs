using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Serving;
using S2ILGPU.Templates;

// A model folder of s2 train or of Hugging Face.
string folder = args is [var first, ..] && !first.StartsWith('-') ? first : "runs/s2";
if (!Directory.Exists(folder))
{
    Console.Error.WriteLine($"{folder} does not exist: s2 train makes a model there, an argument names another");
    return 2;
}
using var engine = Engine.Create("auto");
using var model = ModelFolder.Load(folder, engine);
using var server = new ModelServer(model, new ModelServerOptions
{
    ModelName = Path.GetFileName(Path.GetFullPath(folder).TrimEnd(Path.DirectorySeparatorChar)),
    Chat = ChatTemplate.Load(folder),
});

var app = WebApplication.CreateBuilder(args).Build();
app.MapS2Api(server);       // /v1/completions, /v1/chat/completions, /health, /ready, /metrics
app.MapS2WebPage(server);   // a chat, and a picture of what each head keeps
app.Lifetime.ApplicationStopping.Register(() => server.DrainAsync().Wait());
app.Run();
return 0;
