using System.Diagnostics;
using S2ILGPU.Cpu;
using S2ILGPU.Quality;

// dotnet run -c Release --project bench/S2ILGPU.Quality -- --quick
if (StudyRequest.Parse(args) is not { } request)
{
    Console.Error.WriteLine(StudyRequest.Usage);
    return 2;
}
try
{
    using var engine = new CpuEngine();
    long started = Stopwatch.GetTimestamp();
    var text = StudyText.Read(request.Data, request.Settings);
    var folder = new RunFolder(request.Out, request.Settings, text.Description);
    var study = new Study(request.Settings, text, folder);
    if (!request.IsReport)
        study.Run(engine, name =>
            Console.Error.WriteLine($"{Stopwatch.GetElapsedTime(started).TotalSeconds:0} s: {name}"));
    new StudyReport(study, request.Settings, text, folder).Write(engine, request.Command);
    Console.WriteLine(Path.Combine(folder.Path, StudyReport.Tables));
    return 0;
}
catch (Exception exception) when (exception is IOException or ArgumentException or InvalidDataException
    or UnauthorizedAccessException)
{
    Console.Error.WriteLine($"error: {exception.Message}");
    return 2;
}
