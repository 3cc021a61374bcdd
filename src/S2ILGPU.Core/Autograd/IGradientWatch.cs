namespace S2ILGPU.Autograd;

/// <summary>Follows a backward walk, to use gradients before it ends.</summary>
internal interface IGradientWatch
{
    /// <summary>An op is about to write or add to the gradient of a parameter.</summary>
    void Writes(Variable parameter);

    /// <summary>An op has done its part of the walk.</summary>
    void StepDone();
}
