// Mistakes in how a table is used under a network (methods.md §6), each caught by level 3: the table side makes the
// mistake, the model's side, the same table used rightly on other chips, does not.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/random_stream.h"
#include "tests/support/expect_error.h"
#include "tests/support/synthetic_table.h"
#include "training/evaluation.h"
#include "training/hardware/bit_true_hook.h"
#include "training/hardware/table_conversion.h"
#include "training/trainer.h"
#include "verification/chip_ranges.h"
#include "verification/level_three.h"
#include "verification/network_state.h"

namespace errata::verification {
namespace {

using training::ConversionModel;
using training::TableConversion;

enum class Mistake {
  kNone,
  kStaticPerBatch,     ///< static errors drawn anew for each batch of images
  kStaticPerPlane,     ///< … for each bit-plane
  kStaticPerPosition,  ///< … for each position: the columns' multiplexing is forgotten
  kPerLayer,           ///< one error for each layer's sum instead of one for each conversion
};

/// A table that is read with a mistake: several chips, of which one is chosen for each read.
class Planted final : public ConversionModel {
 public:
  Planted(const errormodel::ErrorTable& table, Mistake mistake, std::size_t digits)
      : right_(table),
        ideal_table_(training::ideal_table(table)),
        ideal_(ideal_table_),
        mistake_(mistake),
        digits_(digits) {}

  std::unique_ptr<training::PreparedTile> prepare(const training::Tile& tile, std::uint64_t seed,
                                                  std::uint64_t chip) const override;

 private:
  TableConversion right_;
  errormodel::ErrorTable ideal_table_;
  TableConversion ideal_;
  Mistake mistake_;
  std::size_t digits_;
};

class PlantedTile final : public training::PreparedTile {
 public:
  PlantedTile(std::vector<std::unique_ptr<training::PreparedTile>> variants, std::size_t conversions, Mistake mistake,
              std::size_t digits)
      : variants_(std::move(variants)), conversions_(conversions), mistake_(mistake), digits_(digits) {}

  void read(const training::TileReads& reads, std::span<float> value) const override {
    if (mistake_ == Mistake::kStaticPerBatch) return read_batches(reads, value);
    std::vector<std::vector<float>> all(variants_.size(), std::vector<float>(value.size()));
    for (std::size_t v = 0; v < variants_.size(); ++v) variants_[v]->read(reads, all[v]);
    for (std::size_t image = 0; image < reads.images; ++image)
      for (std::size_t r = 0; r < reads.reads_per_image; ++r) {
        const std::size_t v = variant(r), at = image * reads.reads_per_image + r;
        for (std::size_t c = 0; c < conversions_; ++c) value[at * conversions_ + c] = all[v][at * conversions_ + c];
      }
  }

 private:
  /// Batches of one image.
  void read_batches(const training::TileReads& reads, std::span<float> value) const {
    const std::size_t inputs = reads.inputs.size() / reads.images, outputs = value.size() / reads.images;
    for (std::size_t image = 0; image < reads.images; ++image) {
      const std::uint64_t number = reads.first_image + image;
      variants_[number % variants_.size()]->read({.inputs = reads.inputs.subspan(image * inputs, inputs),
                                                  .images = 1,
                                                  .reads_per_image = reads.reads_per_image,
                                                  .first_image = number},
                                                 value.subspan(image * outputs, outputs));
    }
  }

  std::size_t variant(std::size_t read) const {
    if (mistake_ == Mistake::kStaticPerPlane) return read % digits_;
    if (mistake_ == Mistake::kStaticPerPosition) return read / digits_ % variants_.size();
    return mistake_ == Mistake::kPerLayer && read % digits_ != 0 ? 1 : 0;
  }

  std::vector<std::unique_ptr<training::PreparedTile>> variants_;
  std::size_t conversions_;
  Mistake mistake_;
  std::size_t digits_;
};

std::unique_ptr<training::PreparedTile> Planted::prepare(const training::Tile& tile, std::uint64_t seed,
                                                         std::uint64_t chip) const {
  constexpr std::uint64_t kApart = 10'000'000;
  const std::uint64_t kinds = mistake_ == Mistake::kStaticPerPlane   ? digits_
                              : mistake_ == Mistake::kStaticPerBatch ? 32
                                                                     : 8;
  std::vector<std::unique_ptr<training::PreparedTile>> variants;
  variants.push_back(right_.prepare(tile, seed, chip));
  if (mistake_ == Mistake::kPerLayer) variants.push_back(ideal_.prepare(tile, seed, chip));
  if (mistake_ != Mistake::kNone && mistake_ != Mistake::kPerLayer)
    for (std::uint64_t v = 1; v < kinds; ++v) variants.push_back(right_.prepare(tile, seed, chip + v * kApart));
  return std::make_unique<PlantedTile>(std::move(variants), tile.conversions, mistake_, digits_);
}

/// Gratings of eight directions, in noise: the class shows at every position.
training::DataSet gratings(std::size_t test_images) {
  training::DataSet data{"gratings", {16, 16, 1}, 8, {}, {}};
  for (const auto& [set, count] : {std::pair{&data.train, std::size_t{800}}, {&data.test, test_images}})
    for (std::size_t i = 0; i < count; ++i) {
      RandomStream stream(7, StreamPurpose::kTest, set == &data.train ? 0 : 1, i);
      const double angle = 3.14159 * static_cast<double>(i % 8) / 8.0, phase = 6.28318 * stream.uniform();
      set->labels.push_back(static_cast<std::uint8_t>(i % 8));
      for (int y = 0; y < 16; ++y)
        for (int x = 0; x < 16; ++x) {
          const double wave = std::sin(1.4 * (std::cos(angle) * x + std::sin(angle) * y) + phase);
          set->pixels.push_back(
              static_cast<std::uint8_t>(std::clamp(110.0 + 60.0 * wave + 35.0 * stream.normal(), 0.0, 255.0)));
        }
    }
  return data;
}

/// A small network trained in a second, and a table under which its chips differ by several points.
struct Example {
  training::DataSet data;
  std::unique_ptr<training::Network> network;
  errormodel::ErrorTable table = testing::synthetic_table();
  training::HardwareOptions hardware{
      .rows_per_tile = 64, .cell_levels = 4, .weight_bits = 3, .input_bits = 4, .adc = {6, 32}};

  Example(const char* layers, std::size_t test_images) : data(gratings(test_images)) {
    training::NetworkOptions options;
    options.name = "small";
    options.input = data.shape;
    options.classes = data.classes;
    options.layers = layers;
    options.quantization = {3, 4};
    network = training::make_network(options, 3);
    training::TrainingOptions how;
    how.epochs = 12;
    how.optimizer.name = "adam";
    how.schedule.learning_rate = 3e-3;
    training::Trainer(*network, data, how).run({.threads = 2});
    for (double& v : table.column) v *= 6.0;  // so that chips differ by several points
    for (double& v : table.chip) v *= 6.0;
  }

  AccuracySource source(const ConversionModel& model) const {
    return [this, &model](std::uint64_t first, std::size_t chips, std::uint64_t pass) {
      std::vector<double> accuracy;
      for (std::size_t c = 0; c < chips; ++c) {
        training::BitTrueHook hook(model, hardware, 1, first + c, pass);
        accuracy.push_back(100.0 *
                           training::evaluate(*network, data.test, {.hook = &hook, .threads = 2})->sums.accuracy());
      }
      return accuracy;
    };
  }
};

const Example& example() {
  static const Example e(
      "[[layer]]\ntype = \"convolution\"\nchannels = 12\nkernel = 7\nstride = 3\n[[layer]]\ntype = \"relu\"\n"
      "[[layer]]\ntype = \"linear\"\nfeatures = \"classes\"\n",
      160);
  return e;
}

/// Each channel is averaged over 16 positions, all read on the same columns.
const Example& pooled_example() {
  static const Example e(
      "[[layer]]\ntype = \"convolution\"\nchannels = 16\nkernel = 7\nstride = 3\n[[layer]]\ntype = \"relu\"\n"
      "[[layer]]\ntype = \"global_average_pooling\"\n"
      "[[layer]]\ntype = \"linear\"\nfeatures = \"classes\"\ndigital = true\n",
      80);
  return e;
}

/// Level 3 with a mistake on the table's side; the model's side is read once for each network.
LevelThreeResult level_three_of(const Example& e, Mistake mistake) {
  const Planted planted(e.table, mistake, e.hardware.digits());
  const TableConversion right(e.table);
  static std::map<std::tuple<const Example*, std::uint64_t, std::uint64_t>, std::vector<double>> known;
  const AccuracySource by_model = [&](std::uint64_t first, std::size_t chips, std::uint64_t pass) {
    auto& a = known[{&e, first, pass}];
    if (a.size() != chips) a = e.source(right)(first, chips, pass);
    return a;
  };
  return compare_accuracy({"small", e.source(planted), by_model},
                          {.chips = 100, .most_chips = 100, .tolerance = 3.0, .first_chip = 3'000'000});
}

std::string text_of(const LevelThreeResult& r) {
  std::string text = "model " + std::to_string(mean(r.model)) + " spread " +
                     std::to_string(standard_deviation(r.model)) + ", table " + std::to_string(mean(r.table)) +
                     " spread " + std::to_string(standard_deviation(r.table)) + "\n";
  for (const auto& c : r.checks)
    text += c.name + " " + std::to_string(c.value.estimate) + " [" + std::to_string(c.value.low) + ", " +
            std::to_string(c.value.high) + "] " + std::string(to_string(c.color)) + "\n";
  return text;
}

TEST(PlantedNetworks, TheRightUseIsNotRed) {
  const auto r = level_three_of(example(), Mistake::kNone);
  EXPECT_NE(overall(r.checks), Color::kRed) << text_of(r);
}

TEST(PlantedNetworks, StaticErrorsRedrawnPerBatchAreRed) {
  const auto r = level_three_of(example(), Mistake::kStaticPerBatch);
  EXPECT_EQ(r.checks[1].color, Color::kRed) << text_of(r);  // the chips all look alike
}

TEST(PlantedNetworks, StaticErrorsDrawnPerBitPlaneAreRed) {
  const auto r = level_three_of(example(), Mistake::kStaticPerPlane);
  EXPECT_EQ(overall(r.checks), Color::kRed) << text_of(r);
}

TEST(PlantedNetworks, ColumnsThatForgetTheirMultiplexingAreRed) {
  const auto r = level_three_of(pooled_example(), Mistake::kStaticPerPosition);
  EXPECT_EQ(overall(r.checks), Color::kRed) << text_of(r);
}

TEST(PlantedNetworks, ATableAppliedPerLayerIsRed) {
  const auto r = level_three_of(example(), Mistake::kPerLayer);
  EXPECT_EQ(overall(r.checks), Color::kRed) << text_of(r);
}

TEST(PlantedNetworks, BatchNormStatisticsUnderNoiseAreNoticed) {
  training::NetworkOptions options;
  options.name = "mlp";
  options.input = example().data.shape;
  options.classes = example().data.classes;
  options.hidden = {16};
  options.batch_norm = true;
  options.quantization = {3, 4};
  auto network = training::make_network(options, 3);
  (void)training::evaluate(*network, example().data.test, {});  // the first batch sets the input quantisers
  const NetworkState before(*network);
  const TableConversion model(example().table);
  training::BitTrueHook hook(model, example().hardware, 1, 7);
  (void)training::evaluate(*network, example().data.test, {.hook = &hook});
  EXPECT_NO_THROW(before.require_unchanged());
  // The mistake: another forward pass in training mode moves the running statistics.
  training::Tensor images;
  images.resize(16, options.input);
  network->forward(images, {.context = {.training = true}, .hook = &hook});
  testing::expect_error(ExitStatus::kBug, "E700", [&] { before.require_unchanged(); });
}

TEST(PlantedNetworks, TheSameChipsInTrainingAndTestAreRefused) {
  const std::vector<ChipRange> right{{"training", 1000, 50}, {"evaluation", 2000, 100}, {"the table", 0, 1000}};
  EXPECT_NO_THROW(require_disjoint(right));
  const std::vector<ChipRange> wrong{{"training", 1000, 50}, {"evaluation", 1049, 100}};
  const std::string what = testing::expect_error(ExitStatus::kComputation, "E523", [&] { require_disjoint(wrong); });
  EXPECT_NE(what.find("training"), std::string::npos) << what;
}

}  // namespace
}  // namespace errata::verification
