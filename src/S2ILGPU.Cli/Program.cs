using S2ILGPU.Cli;
using S2ILGPU.Cli.Invocation;

using var interruption = new Interruption();
interruption.Listen();
return await CommandLine.RunAsync(args, StandardStreams.Open(interruption.OutputClosed), interruption);
