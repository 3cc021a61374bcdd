using S2ILGPU.Cli;

return await CommandLine.RunAsync(args, Console.Out, Console.Error);
