using System.Diagnostics;
using S2ILGPU.Scheduling;

namespace S2ILGPU.Cluster.Routing;

/// <summary>How far the texts of a request are, and the requests that give the rest.</summary>
internal sealed class Continuation
{
    private readonly GenerationRequest _request;
    private readonly List<int>[] _generated;
    private readonly bool[] _isFinished;
    private readonly long _start = Stopwatch.GetTimestamp();

    public Continuation(GenerationRequest request)
    {
        _request = request;
        _isFinished = new bool[request.Choices];
        _generated = [.. Enumerable.Range(0, request.Choices).Select(_ => new List<int>(request.Generated))];
    }

    /// <summary>Takes a token that the request got.</summary>
    public void Add(GeneratedToken token)
    {
        if (token.Token is { } id)
            _generated[token.Choice].Add(id);
        _isFinished[token.Choice] |= token.Finish is not null;
    }

    /// <summary>A request for each choice that has not ended, which goes on after its tokens so far: choice c drew with
    /// the seed + c.</summary>
    public IEnumerable<(int Choice, GenerationRequest Request)> Unfinished()
    {
        for (int choice = 0; choice < _generated.Length; choice++)
            if (!_isFinished[choice])
                yield return (choice, _request with
                {
                    Choices = 1,
                    Generated = [.. _generated[choice]],
                    Sampling = _request.Sampling with { Seed = _request.Sampling.Seed + (ulong)choice },
                    Timeout = Left(),
                });
    }

    private TimeSpan? Left()
    {
        var left = _request.Timeout - Stopwatch.GetElapsedTime(_start);
        return left <= TimeSpan.Zero ? TimeSpan.FromTicks(1) : left;
    }
}
