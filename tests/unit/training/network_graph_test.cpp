#include <gtest/gtest.h>

#include <bit>

#include "tests/support/expect_error.h"
#include "tests/unit/training/gradient_check.h"
#include "training/layers/sums.h"
#include "training/network/memory_plan.h"
#include "training/network/network.h"
#include "training/network/network_text.h"
#include "training/shards.h"

namespace errata::training {
namespace {

/// Residual blocks, a tensor with three readers, a sum of a tensor with itself, and every kind of layer. The last layer
/// is an addition, so that the gradient of the loss has two readers as well.
constexpr const char* kEverything = R"(
[[layer]]
type = "convolution"
channels = 8
kernel = 3
padding = 1
[[layer]]
type = "batch_norm"
[[layer]]
type = "relu"
name = "start"
[[layer]]
type = "depthwise_convolution"
kernel = 3
padding = 1
[[layer]]
type = "batch_norm"
[[layer]]
type = "relu"
ceiling = 1.5
[[layer]]
type = "convolution"
channels = 8
kernel = [1, 1]
bias = false
[[layer]]
type = "addition"
name = "join"
inputs = ["conv2", "start"]
[[layer]]
type = "average_pooling"
window = 3
stride = 1
padding = 1
input = "start"
name = "smooth"
[[layer]]
type = "addition"
inputs = ["join", "smooth", "start"]
[[layer]]
type = "relu"
[[layer]]
type = "max_pooling"
window = 2
[[layer]]
type = "addition"
inputs = ["pool1", "pool1"]
[[layer]]
type = "dropout"
probability = 0.25
name = "dropped"
[[layer]]
type = "flatten"
[[layer]]
type = "linear"
features = "classes"
name = "dense"
[[layer]]
type = "convolution"
channels = 3
kernel = [3, 2]
stride = [2, 1]
padding = [1, 0, 0, 1]
input = "dropped"
[[layer]]
type = "global_average_pooling"
[[layer]]
type = "flatten"
name = "pooled"
[[layer]]
type = "linear"
features = "classes"
[[layer]]
type = "addition"
inputs = ["dense", "linear1"]
)";

NetworkOptions everything() {
  NetworkOptions options;
  options.name = "everything";
  options.layers = kEverything;
  options.input = {8, 6, 2};
  options.classes = 5;
  return options;
}

std::vector<std::uint8_t> some_labels(std::size_t count, std::size_t classes) {
  std::vector<std::uint8_t> labels(count);
  for (std::size_t i = 0; i < count; ++i) labels[i] = static_cast<std::uint8_t>(i * 7 % classes);
  return labels;
}

/// Runs a network's layers one after the other on tensors of their own: what a network must equal bit by bit.
struct PlainRun {
  std::vector<std::vector<Tensor>> outputs, gradients;  ///< [layer][shard]

  PlainRun(Network& network, Tensor& images, const BatchContext& context, std::span<const std::uint8_t> labels) {
    const auto checked = check_description(network.description());
    const auto& layers = network.layers();
    auto image_shards = shards_of(images);
    const std::size_t shards = image_shards.size();
    const auto input_of = [&](std::size_t layer, std::size_t which) -> std::vector<Tensor>& {
      const std::size_t input = checked.inputs[layer][which];
      return input == CheckedDescription::kImageInput ? image_shards : outputs[input];
    };
    ShardTeam team(1);
    const Pass pass{context, nullptr, &team, images.images(), true};
    for (MatrixLayer* layer : network.matrix_layers()) layer->update_codes();
    for (std::size_t i = 0; i < layers.size(); ++i) {
      outputs.emplace_back();
      for (const Tensor& shard : image_shards) outputs[i].emplace_back(shard.images(), layers[i]->output_shape());
      layers[i]->begin_forward(pass, input_of(i, 0));
      team.for_each(shards, [&](std::size_t shard) {
        std::vector<const Tensor*> inputs;
        for (std::size_t k = 0; k < checked.inputs[i].size(); ++k) inputs.push_back(&input_of(i, k)[shard]);
        layers[i]->forward_shard(pass, shard, inputs, outputs[i][shard]);
      });
    }
    Tensor logits(images.images(), layers.back()->output_shape()), gradient;
    for (std::size_t shard = 0; shard < shards; ++shard)
      std::ranges::copy(outputs.back()[shard].values(), logits.image(shard_begin(shard)).data());
    cross_entropy_gradient(logits, labels, {}, gradient);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      gradients.emplace_back();
      for (const Tensor& shard : image_shards) {
        gradients[i].emplace_back(shard.images(), layers[i]->output_shape());
        gradients[i].back().fill(0.0f);
      }
    }
    gradients.back() = shards_of(gradient);
    for (std::size_t i = layers.size(); i-- > 0;) backward(network, pass, i, input_of(i, 0), checked.inputs[i]);
    for (const auto& layer : layers) layer->end_backward(pass);
  }

  void backward(Network& network, const Pass& pass, std::size_t i, std::vector<Tensor>& input,
                const std::vector<std::size_t>& inputs) {
    Layer& layer = *network.layers()[i];
    layer.begin_backward(pass, input, gradients[i]);
    pass.team->for_each(input.size(), [&](std::size_t shard) {
      Tensor dy = gradients[i][shard], dx(input[shard].images(), input[shard].shape());
      if (layer.traits().passes_gradient)
        std::ranges::copy(dy.values(), dx.data());
      else
        layer.backward_shard(pass, shard, input[shard], outputs[i][shard], dy, dx);
      for (const std::size_t k : inputs)
        if (k != CheckedDescription::kImageInput) add_into(std::as_const(dx).values(), gradients[k][shard].values());
    });
  }
};

TEST(NetworkGraph, SharedMemoryChangesNothing) {
  for (const QuantizationOptions& bits : {QuantizationOptions{0, 0}, QuantizationOptions{4, 4}}) {
    NetworkOptions options = everything();
    options.quantization = bits;
    auto planned = make_network(options, 3), plain = make_network(options, 3);
    Tensor images = random_tensor(35, options.input, 0.0, 1.0, 1);
    const auto labels = some_labels(35, options.classes);
    const BatchContext context{.training = true, .seed = 4};
    for (int step = 0; step < 2; ++step) {
      const Tensor& logits = planned->forward(images, {.context = context, .threads = 2});
      const PlainRun run(*plain, images, context, labels);
      for (std::size_t shard = 0; shard < run.outputs.back().size(); ++shard)
        for (std::size_t k = 0; k < run.outputs.back()[shard].size(); ++k)
          ASSERT_EQ(logits.image(shard_begin(shard)).data()[k], run.outputs.back()[shard].data()[k]);
      planned->backward(labels);
      for (std::size_t p = 0; p < planned->parameters().size(); ++p) {
        const Parameter &mine = *planned->parameters()[p], &theirs = *plain->parameters()[p];
        double largest = 0.0;
        for (const float g : theirs.gradient) largest = std::max(largest, std::fabs(static_cast<double>(g)));
        // The bits are the same but for sums of three gradients, whose order differs: a few roundings.
        for (std::size_t k = 0; k < mine.gradient.size(); ++k)
          ASSERT_NEAR(mine.gradient[k], theirs.gradient[k], 1e-5 * largest) << mine.name;
      }
    }
  }
}

TEST(NetworkGraph, GradientMatchesFiniteDifferences) {
  const NetworkOptions options = everything();
  auto network = make_network(options, 3);
  const Tensor images = random_tensor(21, options.input, 0.0, 1.0, 1);
  const auto labels = some_labels(21, options.classes);
  const LossOptions smoothed{.label_smoothing = 0.1};
  const auto loss = [&] {
    network->forward(images, {.context = {.training = true, .seed = 4}});
    return network->loss(labels, smoothed).mean_loss();
  };
  loss();
  network->backward(labels, smoothed);
  for (Parameter* parameter : network->parameters()) {
    // Batch norm takes away what comes before it: gradients of rounding only.
    if (parameter->name == "conv1.bias" || parameter->name == "depthwise1.bias") continue;
    const std::vector<float> gradient = parameter->gradient;
    // A small step, so that few of the ReLU and maximum cells change sides; fp32 rounding 1e-7/2e-4 of gradients of
    // 0.05.
    expect_gradient(parameter->value, gradient, 2e-4, 0.05, 1 + parameter->value.size() / 12, loss);
  }
}

TEST(NetworkGraph, BytesDoNotDependOnThreads) {
  NetworkOptions options;
  options.name = "resnet20";
  options.input = {16, 16, 3};
  const Tensor images = random_tensor(40, options.input, 0.0, 1.0, 2);
  const auto labels = some_labels(40, 10);
  const auto gradients = [&](int threads) {
    auto network = make_network(options, 1);
    network->forward(images, {.context = {.training = true}, .threads = threads});
    network->backward(labels);
    std::vector<float> all;
    for (const Parameter* p : network->parameters()) all.insert(all.end(), p->gradient.begin(), p->gradient.end());
    return all;
  };
  const auto one = gradients(1);
  EXPECT_EQ(one, gradients(2));
  EXPECT_EQ(one, gradients(3));
}

TEST(NetworkGraph, ModesAndBatchSizesAlternate) {
  NetworkOptions options = everything();
  auto network = make_network(options, 3), fresh = make_network(options, 3);
  const Tensor many = random_tensor(50, options.input, 0.0, 1.0, 1), few = random_tensor(7, options.input, 0.0, 1.0, 2);
  const Tensor expected = fresh->forward(few, {});
  network->forward(many, {});
  const Tensor& found = network->forward(few, {});
  EXPECT_TRUE(std::ranges::equal(expected.values(), found.values()));
  network->forward(many, {.context = {.training = true}});
  network->backward(some_labels(50, options.classes));
  network->forward(few, {});
  EXPECT_THROW(network->backward(some_labels(7, options.classes)), Error);
}

/// Logits and gradients of one step in a precision.
std::vector<float> step_in(Precision precision, QuantizationOptions bits) {
  NetworkOptions options = everything();
  options.quantization = bits;
  auto network = make_network(options, 3);
  network->set_precision(precision);
  const Tensor images = random_tensor(35, options.input, 0.0, 1.0, 1);
  const Tensor& logits = network->forward(images, {.context = {.training = true, .seed = 4}, .threads = 2});
  std::vector<float> all(logits.values().begin(), logits.values().end());
  network->backward(some_labels(35, options.classes));
  for (const Parameter* p : network->parameters()) all.insert(all.end(), p->gradient.begin(), p->gradient.end());
  return all;
}

TEST(NetworkGraph, StagedOperandsGiveTheSameBits) {
  EXPECT_EQ(step_in(Precision::kFp32, {0, 0}), step_in(Precision::kFp32Staged, {0, 0}));
  EXPECT_EQ(step_in(Precision::kFp32, {4, 4}), step_in(Precision::kFp32Staged, {4, 4}));
}

TEST(NetworkGraph, Bf16IsNearFp32OrRefused) {
  if (!has_precision(Precision::kBf16)) {
    errata::testing::expect_error(ExitStatus::kEnvironment, "E517", [] { step_in(Precision::kBf16, {0, 0}); });
    return;
  }
  const auto exact = step_in(Precision::kFp32, {0, 0}), rounded = step_in(Precision::kBf16, {0, 0});
  double largest = 0.0, error = 0.0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(exact[i])));
    error = std::max(error, std::fabs(static_cast<double>(exact[i]) - static_cast<double>(rounded[i])));
  }
  EXPECT_GT(error, 0.0);
  EXPECT_LT(error, 0.1 * largest);  // 8 bits of mantissa through seven layers
}

TEST(NetworkGraph, CataloguedNetworksHaveTheirSizes) {
  struct Known {
    const char* name;
    ImageShape input;
    bool batch_norm;
    std::size_t parameters, matrices;
  };
  // Counted by hand from the papers' tables; resnet20 is 269,722 plus the two shortcuts' 1×1 convolutions with batch
  // norm.
  for (const Known& known :
       {Known{"lenet5", {28, 28, 1}, false, 61706, 5}, Known{"vgg_small", {32, 32, 3}, false, 814122, 8},
        Known{"vgg8", {32, 32, 3}, false, 12976266, 8}, Known{"vgg16", {32, 32, 3}, false, 14724042, 14},
        Known{"resnet20", {32, 32, 3}, false, 269722 + 16 * 32 + 64 + 32 * 64 + 128, 22}}) {
    NetworkOptions options;
    options.name = known.name;
    options.input = known.input;
    options.batch_norm = known.batch_norm;
    options.hidden = hidden_widths(options);
    const auto network = build_network(options, describe_network(options));
    EXPECT_EQ(network->parameter_count(), known.parameters) << known.name;
    EXPECT_EQ(check_description(network->description()).values, static_cast<double>(known.parameters)) << known.name;
    EXPECT_EQ(network->matrix_layers().size(), known.matrices) << known.name;
  }
}

TEST(NetworkText, RoundTrips) {
  for (const auto name : network_names()) {
    NetworkOptions options;
    options.name = name;
    options.input = {32, 32, 3};
    options.batch_norm = true;
    options.dropout = 0.1;
    const NetworkDescription description = describe_network(options);
    EXPECT_EQ(parse_network_text(network_text(description), "text", options.input, 10), description) << name;
  }
  const NetworkOptions options = everything();
  const auto description = parse_network_text(kEverything, "text", options.input, 5);
  EXPECT_EQ(parse_network_text(network_text(description), "text", options.input, 5), description);
  EXPECT_EQ(description.layers[1].name, "conv1.norm");
  EXPECT_EQ(description.layers[3].inputs[0], "start");
}

std::string problem_of(const std::string& text) {
  const auto problems = errata::testing::diagnostics_of([&] { parse_network_text(text, "net.toml", {8, 8, 1}, 4); });
  std::string all;
  for (const auto& p : problems)
    all += std::to_string(p.position.line) + ":" + std::to_string(p.position.column) + " " + p.code + " " + p.message +
           (p.hint.empty() ? "" : " (" + p.hint + ")") + "\n";
  return all;
}

TEST(NetworkText, NamesThePlaceOfEveryProblem) {
  EXPECT_EQ(problem_of("[[layer]]\ntype = \"linaer\"\n"),
            "2:8 E514 no layer is of type 'linaer' (did you mean 'linear'?)\n");
  EXPECT_EQ(problem_of("[[layer]]\ntype = \"linear\"\nfeatures = 4\nbais = true\n"),
            "4:1 E514 unknown key 'bais' (did you mean 'bias'?)\n");
  EXPECT_EQ(problem_of("[[layer]]\ntype = \"convolution\"\nchannels = 0\nkernel = [3, 3, 3]\n"),
            "3:12 E514 channels takes an integer 1 … 65536\n"
            "4:10 E514 kernel takes an integer 1 … 65536 or a list of 2 (vertical, horizontal)\n");
  EXPECT_EQ(problem_of("[[layer]]\ntype = \"linear\"\n"), "1:1 E514 features is missing: linear needs it\n");
  EXPECT_EQ(problem_of("[[layer]]\ntype = \"relu\"\n\n[[layer]]\ntype = \"linear\"\nfeatures = 5\n"),
            "4:1 E514 the last layer has 5 outputs, the data has 4 classes\n");
  EXPECT_EQ(problem_of("[[layer]]\ntype = \"addition\"\ninputs = [\"images\", \"b\"]\n[[layer]]\nname = \"b\"\n"
                       "type = \"linear\"\nfeatures = 4\n"),
            "1:1 E514 'b' does not come before this layer\n");
  EXPECT_EQ(problem_of("[[layer]]\ntype = \"max_pooling\"\nwindow = 9\n[[layer]]\ntype=\"linear\"\nfeatures=4\n"),
            "1:1 E514 a 9×9 pooling window with stride 9×9 and padding 0, 0, 0, 0 does not fit a 8×8 image\n");
  EXPECT_EQ(problem_of("[[layer]]\ntype = \"flatten\"\n[[layer]]\ninput = \"images\"\ntype=\"linear\"\nfeatures=4\n"),
            "1:1 E514 nobody reads layer 'flatten1'\n");
  EXPECT_EQ(problem_of("[[layer\n").substr(0, 8), "1:8 E101");
  EXPECT_EQ(problem_of(""), "1:1 E514 the file has no layers (write each layer as [[layer]])\n");
  EXPECT_EQ(problem_of("layer = 3\n"), "1:9 E514 layer is a list of tables (write each layer as [[layer]])\n");
}

TEST(NetworkText, HostileSizesAreProblems) {
  std::string deep;
  for (int i = 0; i < 1100; ++i) deep += "[[layer]]\ntype = \"relu\"\n";
  EXPECT_NE(problem_of(deep).find("1100 layers"), std::string::npos);
  std::string wide = "[[layer]]\ntype = \"linear\"\nfeatures = 65536\n";
  EXPECT_NE(problem_of(wide + wide + wide).find("more than 4294967296 values"), std::string::npos);
  EXPECT_NE(problem_of("[[layer]]\ntype = \"convolution\"\nchannels = 65536\nkernel = 65536\npadding = 65535\n")
                .find("at most 4096"),
            std::string::npos);
}

TEST(MemoryPlan, PiecesInUseTogetherNeverOverlap) {
  RandomStream stream(1, StreamPurpose::kTest);
  for (int round = 0; round < 50; ++round) {
    std::vector<MemoryUse> uses;
    std::size_t sum = 0, most = 0;
    for (int i = 0; i < 40; ++i) {
      const std::size_t first = stream.below(60);
      uses.push_back({stream.below(1000), first, first + stream.below(10)});
      sum += uses.back().size + 16;
    }
    for (std::size_t step = 0; step < 70; ++step) {
      std::size_t now = 0;
      for (const auto& use : uses) now += use.first <= step && step <= use.last ? use.size : 0;
      most = std::max(most, now);
    }
    const MemoryPlan plan = plan_memory(uses, 16);
    EXPECT_GE(plan.total, most);
    EXPECT_LT(plan.total, sum);
    for (std::size_t a = 0; a < uses.size(); ++a) {
      EXPECT_EQ(plan.offsets[a] % 16, 0u);
      for (std::size_t b = 0; b < a; ++b) {
        const bool together = uses[a].first <= uses[b].last && uses[b].first <= uses[a].last;
        const bool apart =
            plan.offsets[a] + uses[a].size <= plan.offsets[b] || plan.offsets[b] + uses[b].size <= plan.offsets[a];
        EXPECT_TRUE(!together || apart) << a << " " << b;
      }
    }
  }
}

TEST(NetworkGraph, MemoryIsPlanned) {
  NetworkOptions options;
  options.name = "vgg_small";
  options.input = {32, 32, 3};
  auto network = make_network(options, 1);
  const Tensor images = random_tensor(16, options.input, 0.0, 1.0, 1);
  network->forward(images, {});
  constexpr std::size_t kLargest = 16u * 32 * 1024 * sizeof(float), kLogits = 2u * 16 * 10 * sizeof(float);
  EXPECT_EQ(network->workspace_bytes(), 2 * kLargest + kLogits);  // input and output of the second convolution
  network->forward(images, {.context = {.training = true}});
  // Outputs of six convolutions (ReLU works in place), three poolings and a linear layer are kept for backward: 3.04 of
  // the largest; all gradients fit into what backward has done with.
  EXPECT_LE(network->workspace_bytes(), kLargest * 31 / 10);
}

}  // namespace
}  // namespace errata::training
