// Trains a transformer with sparse attention on a nursery rhyme and lets it recite: tokenizer, model, training and
// sampling in one screen.

using S2ILGPU.Corpora;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;

// The last twentieth is for validation: here only words that training has heard too.
var (training, validation) = Corpus.FromText(string.Concat(Enumerable.Repeat(TheHouseThatJackBuilt(), 5))).Split();

var tokenizer = BytePairTrainer.Train(training, vocabularySize: 320);
var attention = new LocalStrideAttention { BlockTokens = 16, LocalBlocks = 2, VerticalStride = 4 };
var config = new TransformerConfig
{
    VocabularySize = tokenizer.VocabularySize,
    Dim = 48,
    Layers = 2,
    QueryHeads = 4,
    KeyValueHeads = 4,
    HeadDim = 16,
    FeedForwardDim = 96,
    ContextTokens = 128,
    Attention = AttentionPlan.FirstDense(layers: 2, denseLayers: 1, attention),
};
var options = new TrainingOptions { Steps = 120, ContextTokens = 128, BatchSequences = 4, LearningRate = 1e-2f,
    ValidationInterval = 20 };

using var engine = Engine.Create("auto");
using var model = new TransformerModel(engine, config);
using var trainer = new Trainer(model, TokenDataset.Create(tokenizer, training),
    TokenDataset.Create(tokenizer, validation), options);
Console.WriteLine($"{engine.Name}: {config.ParameterCount:N0} parameters, attention {config.Attention}");
Console.WriteLine($"{trainer.Data.TokenCount:N0} tokens, {options.TokensPerStep} per step");
while (!trainer.IsFinished)
{
    var step = trainer.RunStep();
    if (step.ValidationLoss is { } loss)
        Console.WriteLine($"step {step.Step,4}: training loss {step.Loss:0.000}, validation loss {loss:0.000}");
}

using var generator = new TextGenerator(model, tokenizer);
const string Prompt = "This is the cat,";
Console.WriteLine();
Console.Write(Prompt);
foreach (string piece in generator.Generate(Prompt, maxTokens: 100, new SamplingOptions { Temperature = 0 }))
    Console.Write(piece);
Console.WriteLine();

// Each verse says all the verses before it again, which is what a model with a memory is good at.
static string TheHouseThatJackBuilt()
{
    (string Who, string Deed)[] characters =
    [
        ("the house", "that Jack built."),
        ("the malt", "that lay in"),
        ("the rat", "that ate"),
        ("the cat", "that killed"),
        ("the dog", "that worried"),
        ("the cow with the crumpled horn", "that tossed"),
        ("the maiden all forlorn", "that milked"),
        ("the man all tattered and torn", "that kissed"),
        ("the priest all shaven and shorn", "that married"),
        ("the cock that crowed in the morn", "that waked"),
        ("the farmer sowing his corn", "that kept"),
    ];
    string rhyme = "", tail = "";
    foreach (var (who, deed) in characters)
    {
        rhyme += $"This is {who}{(tail == "" ? " " : ",\n")}{deed}{tail}\n\n";
        tail = $" {who}{(tail == "" ? " " : ",\n")}{deed}{tail}";
    }
    return rhyme;
}
