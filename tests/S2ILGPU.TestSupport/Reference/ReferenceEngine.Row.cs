using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

public sealed partial class ReferenceEngine
{
    public void RmsNorm(Tensor x, Tensor weight, Tensor y, Tensor inverseRms, float epsilon)
    {
        CheckRows(nameof(RmsNorm), x, y);
        int rows = x.Shape[0], columns = x.Shape[1];
        Contract.Shape(nameof(RmsNorm), nameof(weight), weight, columns);
        Contract.Shape(nameof(RmsNorm), nameof(inverseRms), inverseRms, rows);
        var (input, scale, output, inverse) = (new Elements(x), new Elements(weight), new Elements(y),
            new Elements(inverseRms));
        for (int i = 0; i < rows; i++)
        {
            double sum = 0;
            for (int c = 0; c < columns; c++)
                sum += input[i, c] * input[i, c];
            double r = 1 / Math.Sqrt(sum / columns + epsilon);
            inverse[i] = r;
            for (int c = 0; c < columns; c++)
                output[i, c] = input[i, c] * r * scale[c];
        }
    }

    public void RmsNormBackward(Tensor x, Tensor weight, Tensor inverseRms, Tensor dy, GradientTarget dx,
        GradientTarget dweight)
    {
        CheckRows(nameof(RmsNormBackward), x, dy, dx.Tensor);
        int rows = x.Shape[0], columns = x.Shape[1];
        Contract.Shape(nameof(RmsNormBackward), nameof(weight), weight, columns);
        Contract.Shape(nameof(RmsNormBackward), nameof(inverseRms), inverseRms, rows);
        var (input, scale, inverse, outputGradient) =
            (new Elements(x), new Elements(weight), new Elements(inverseRms), new Elements(dy));
        var (inputGradient, weightGradient) = (new GradientElements(dx), new GradientElements(dweight));
        for (int i = 0; inputGradient.IsNeeded && i < rows; i++)
        {
            double mean = 0, r = inverse[i];
            for (int k = 0; k < columns; k++)
                mean += outputGradient[i, k] * scale[k] * input[i, k] / columns;
            for (int c = 0; c < columns; c++)
                inputGradient.Give(i, c, r * (scale[c] * outputGradient[i, c] - input[i, c] * r * r * mean));
        }
        for (int c = 0; weightGradient.IsNeeded && c < columns; c++)
        {
            double sum = 0;
            for (int i = 0; i < rows; i++)
                sum += outputGradient[i, c] * input[i, c] * inverse[i];
            weightGradient.Give(c, sum);
        }
    }

    public void AddBias(Tensor bias, Tensor y)
    {
        CheckRows(nameof(AddBias), y);
        Contract.Shape(nameof(AddBias), nameof(bias), bias, y.Shape[1]);
        var (terms, output) = (new Elements(bias), new Elements(y));
        for (int i = 0; i < y.Shape[0]; i++)
            for (int c = 0; c < y.Shape[1]; c++)
                output[i, c] += terms[c];
    }

    public void SumRows(Tensor x, GradientTarget sum)
    {
        CheckRows(nameof(SumRows), x);
        if (sum.Tensor is null)
            return;
        Contract.Shape(nameof(SumRows), nameof(sum), sum.Tensor, x.Shape[1]);
        var (input, output) = (new Elements(x), new GradientElements(sum));
        for (int c = 0; c < x.Shape[1]; c++)
        {
            double total = 0;
            for (int i = 0; i < x.Shape[0]; i++)
                total += input[i, c];
            output.Give(c, total);
        }
    }

    public void Center(Tensor x, GradientTarget y)
    {
        CheckRows(nameof(Center), x, y.Tensor);
        if (y.Tensor is null)
            return;
        int columns = x.Shape[1];
        var (input, output) = (new Elements(x), new GradientElements(y));
        for (int i = 0; i < x.Shape[0]; i++)
        {
            double mean = 0;
            for (int k = 0; k < columns; k++)
                mean += input[i, k] / columns;
            for (int c = 0; c < columns; c++)
                output.Give(i, c, input[i, c] - mean);
        }
    }

    public void Rotary(Tensor x, Tensor cosine, Tensor sine, Tensor positions, GradientTarget y, bool inverse)
    {
        if (y.Tensor is null)
            return;
        Contract.Rank(nameof(Rotary), nameof(x), x, 4);
        Contract.SameShape(nameof(Rotary), x, y.Tensor);
        Contract.Adjacent(nameof(Rotary), x, y.Tensor);
        int batch = x.Shape[0], tokens = x.Shape[1], heads = x.Shape[2], half = x.Shape[3] / 2;
        Contract.Require(x.Shape[3] % 2 == 0, nameof(Rotary), $"the head dimension of {x} is odd");
        Contract.Shape(nameof(Rotary), nameof(cosine), cosine, cosine.Shape[0], half);
        Contract.Shape(nameof(Rotary), nameof(sine), sine, cosine.Shape[0], half);
        Contract.Shape(nameof(Rotary), nameof(positions), positions, batch, tokens);
        var (input, cosines, sines, at, output) =
            (new Elements(x), new Elements(cosine), new Elements(sine), Integers(positions), new GradientElements(y));
        for (int b = 0; b < batch; b++)
            for (int n = 0; n < tokens; n++)
                for (int h = 0; h < heads; h++)
                    for (int c = 0; c < half; c++)
                    {
                        int position = at[b * tokens + n];
                        double cos = cosines[position, c], sin = inverse ? -sines[position, c] : sines[position, c];
                        double first = input[b, n, h, c], second = input[b, n, h, c + half];
                        output.Give(b, n, h, c, first * cos - second * sin);
                        output.Give(b, n, h, c + half, second * cos + first * sin);
                    }
    }

    public void Embedding(Tensor table, Tensor ids, Tensor y)
    {
        Contract.Rank(nameof(Embedding), nameof(table), table, 2);
        Contract.Shape(nameof(Embedding), nameof(y), y, (int)ids.Count, table.Shape[1]);
        var (rows, output, tokens) = (new Elements(table), new Elements(y), Integers(ids));
        for (int t = 0; t < tokens.Length; t++)
            for (int c = 0; c < table.Shape[1]; c++)
                output[t, c] = rows[InRange(nameof(Embedding), tokens[t], table.Shape[0]), c];
    }

    public void EmbeddingBackward(Tensor ids, Tensor dy, GradientTarget dtable)
    {
        if (dtable.Tensor is null)
            return;
        if (!dtable.Accumulate)
            Fill(dtable.Tensor, 0);
        int columns = dtable.Tensor.Shape[1];
        Contract.Shape(nameof(EmbeddingBackward), nameof(dy), dy, (int)ids.Count, columns);
        var (tokens, outputGradient, tableGradient) = (Integers(ids), new Elements(dy), new Elements(dtable.Tensor));
        for (int t = 0; t < tokens.Length; t++)
            for (int c = 0; c < columns; c++)
                tableGradient[InRange(nameof(EmbeddingBackward), tokens[t], dtable.Tensor.Shape[0]),
                    c] += outputGradient[t, c];
    }

    public void SoftmaxCrossEntropy(Tensor logits, Tensor targets, Tensor losses, Tensor logSumExp)
    {
        Contract.Rank(nameof(SoftmaxCrossEntropy), nameof(logits), logits, 2);
        Contract.Adjacent(nameof(SoftmaxCrossEntropy), logits);
        int rows = logits.Shape[0], classes = logits.Shape[1];
        Contract.Shape(nameof(SoftmaxCrossEntropy), nameof(losses), losses, rows);
        Contract.Shape(nameof(SoftmaxCrossEntropy), nameof(logSumExp), logSumExp, rows);
        var (scores, wanted, result, normalizers) =
            (new Elements(logits), Integers(targets), new Elements(losses), new Elements(logSumExp));
        for (int t = 0; t < rows; t++)
        {
            double max = double.NegativeInfinity, sum = 0;
            for (int v = 0; v < classes; v++)
                max = Math.Max(max, scores[t, v]);
            for (int v = 0; v < classes; v++)
                sum += Math.Exp(scores[t, v] - max);
            double normalizer = max + Math.Log(sum);
            normalizers[t] = normalizer;
            result[t] = wanted[t] == -1 ? 0 : normalizer
                - scores[t, InRange(nameof(SoftmaxCrossEntropy), wanted[t], classes)];
        }
    }

    public void SoftmaxCrossEntropyBackward(Tensor logits, Tensor targets, Tensor logSumExp, Tensor dlosses,
        GradientTarget dlogits)
    {
        if (dlogits.Tensor is null)
            return;
        CheckRows(nameof(SoftmaxCrossEntropyBackward), logits, dlogits.Tensor);
        var (scores, wanted, normalizers, lossGradient) =
            (new Elements(logits), Integers(targets), new Elements(logSumExp), new Elements(dlosses));
        var scoreGradient = new GradientElements(dlogits);
        for (int t = 0; t < logits.Shape[0]; t++)
            for (int v = 0; v < logits.Shape[1]; v++)
            {
                double probability = Math.Exp(scores[t, v] - normalizers[t]), target = v == wanted[t] ? 1 : 0;
                scoreGradient.Give(t, v, wanted[t] == -1 ? 0 : lossGradient[t] * (probability - target));
            }
    }

    private static int InRange(string operation, int index, int end)
    {
        Contract.Require(index >= 0 && index < end, operation, $"index {index} outside 0..{end}");
        return index;
    }
}
