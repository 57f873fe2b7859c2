// Composed injection against plain training, in alternation: docs/methods/training.md says what was measured.
//   scripts/build bench && build/bench/tests/errata_sampling_bench train [rounds]
#include <fmt/format.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/random_stream.h"
#include "tests/support/synthetic_table.h"
#include "training/hardware/bit_true_hook.h"
#include "training/hardware/composed_hook.h"
#include "training/hardware/fast_normal.h"
#include "training/hardware/read_errors.h"
#include "training/hardware/table_conversion.h"
#include "training/network.h"
#include "training/optimizer.h"
#include "training/shards.h"

namespace errata::training {
namespace {

constexpr std::size_t kBatch = 64;

double process_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// The generative model with every term, on 128 rows.
errormodel::ErrorTable full_table() {
  auto table = testing::synthetic_table();
  table.rows = 128;
  return table;
}

/// One way to train: floating point, quantised, or quantised with the table in the loop.
class Arm {
 public:
  enum class Mode { kFloat, kQuantized, kComposed };
  Arm(const std::string& name, Mode mode, int threads) : mode_(mode), threads_(threads), table_(full_table()) {
    NetworkOptions options;
    options.name = name;
    if (name != "lenet5") options.input = {32, 32, 3};
    if (mode != Mode::kFloat) options.quantization = {3, 4};
    network_ = make_network(options, 1);
    images_.resize(kBatch, options.input);
    RandomStream stream(1, StreamPurpose::kTest);
    for (float& value : images_.values()) value = static_cast<float>(stream.uniform());
    for (std::size_t i = 0; i < kBatch; ++i) labels_.push_back(static_cast<std::uint8_t>(stream.below(10)));
    optimizer_ = std::make_unique<Optimizer>(OptimizerOptions{.name = "sgd"}, network_->parameters());
    if (mode == Mode::kComposed) {
      network_->forward(images_, {});  // sets the input steps
      hook_ = std::make_unique<ComposedHook>(table_, ComposedOptions{.hardware = {128, 4, 3, 4, table_.adc}});
      hook_->calibrate(*network_, images_);
    }
    for (int i = 0; i < 2; ++i) batch();
  }

  /// CPU seconds of one batch.
  double seconds(int batches) {
    const double begin = process_seconds();
    for (int i = 0; i < batches; ++i) batch();
    return (process_seconds() - begin) / batches;
  }

 private:
  void batch() {
    network_->forward(images_,
                      {.context = {.training = true, .step = ++step_}, .hook = hook_.get(), .threads = threads_});
    network_->backward(labels_);
    optimizer_->step(1e-3);
  }

  Mode mode_;
  int threads_;
  errormodel::ErrorTable table_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<ComposedHook> hook_;
  Tensor images_;
  std::vector<std::uint8_t> labels_;
  std::uint64_t step_ = 0;
};

void compare_training(const std::string& network, int threads, int batches, int rounds) {
  std::vector<Arm> arms;
  for (const auto mode : {Arm::Mode::kFloat, Arm::Mode::kQuantized, Arm::Mode::kComposed})
    arms.emplace_back(network, mode, threads);
  std::vector<double> times[3], to_float, to_quantized;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t a = 0; a < 3; ++a) times[a].push_back(arms[a].seconds(batches));
    to_float.push_back(times[2].back() / times[0].back());
    to_quantized.push_back(times[2].back() / times[1].back());
  }
  fmt::print("{:<10} {:>2} {:>10.2f} {:>10.2f} {:>10.2f} {:>10.2f}x {:>10.2f}x\n", network, threads,
             1e3 * median(times[0]), 1e3 * median(times[1]), 1e3 * median(times[2]), median(to_float),
             median(to_quantized));
  std::fflush(stdout);
}

void bench_training(int rounds) {
  fmt::print("training step, batch 64, 128-row tiles, CPU milliseconds a batch, median of {} alternating runs\n",
             rounds);
  fmt::print("{:<10} {:>2} {:>10} {:>10} {:>10} {:>11} {:>11}\n", "network", "th", "fp32", "quantised", "composed",
             "of fp32", "of quantised");
  for (const int threads : {1, 2}) {
    compare_training("lenet5", threads, 20, rounds);
    compare_training("vgg_small", threads, 1, rounds);
  }
}

/// One-bit cells on single-ended columns of 128 rows.
errormodel::ErrorTable one_bit_table(bool static_cells) {
  auto table = testing::synthetic_table();
  table.signed_scheme = "offset_column";
  table.rows = 128;
  table.levels = 2;
  table.level = {0.0, 1.02};
  table.cell_sigma = {static_cells ? 0.03 : 0.0, static_cells ? 0.08 : 0.0};
  table.axes = {0, 80, 0, 128, 33, 13};
  return table;
}

AdcOptions one_bit_adc() { return {7, 128, false}; }

/// Inference of 64 images: fp32, and bit-true with 4-bit weights and inputs, both in one-bit slices.
void compare_inference(const std::string& name, int threads, int rounds) {
  NetworkOptions options;
  options.name = name;
  if (name != "lenet5") options.input = {32, 32, 3};
  const auto plain = make_network(options, 1);
  options.quantization = {4, 4};
  const auto quantized = make_network(options, 1);
  Tensor images(kBatch, options.input);
  RandomStream stream(1, StreamPurpose::kTest);
  for (float& value : images.values()) value = static_cast<float>(stream.uniform());
  quantized->forward(images, {});
  const HardwareOptions hardware{128, 2, 4, 4, one_bit_adc(), 1, SignedScheme::kOffsetColumn};
  const auto columns = one_bit_table(false), cells = one_bit_table(true);
  const TableConversion of_columns(columns), of_cells(cells);
  BitTrueHook column_hook(of_columns, hardware, 1, 1), cell_hook(of_cells, hardware, 1, 1);
  const auto seconds = [&](Network& network, ProductHook* hook, int batches) {
    network.forward(images, {.hook = hook, .threads = threads});  // chips are drawn once
    const double begin = process_seconds();
    for (int i = 0; i < batches; ++i) network.forward(images, {.hook = hook, .threads = threads});
    return (process_seconds() - begin) / batches;
  };
  std::vector<double> times, column_ratios, cell_ratios;
  for (int round = 0; round < rounds; ++round) {
    times.push_back(seconds(*plain, nullptr, name == "lenet5" ? 50 : 3));
    column_ratios.push_back(seconds(*quantized, &column_hook, 1) / times.back());
    cell_ratios.push_back(seconds(*quantized, &cell_hook, 1) / times.back());
  }
  fmt::print("{:<10} {:>2} {:>10.2f} {:>15.1f}x {:>15.1f}x\n", name, threads, 1e3 * median(times),
             median(column_ratios), median(cell_ratios));
  std::fflush(stdout);
}

void bench_inference(int rounds) {
  fmt::print("inference, batch 64, CPU time: fp32 in milliseconds, bit-true as a multiple of it\n");
  fmt::print("{:<10} {:>2} {:>10} {:>16} {:>16}\n", "network", "th", "fp32", "static columns", "static cells");
  for (const int threads : {1, 2})
    for (const char* name : {"lenet5", "vgg_small"}) compare_inference(name, threads, rounds);
}

/// Bit-true conversions of performance.md §2: 8-bit weights in one-bit cells, 8-bit inputs in one-bit digits, a
/// 128 × 128 array: 8192 conversions a matrix–vector product, 256 products at a time, single-ended columns.
class Array {
 public:
  explicit Array(bool static_cells) : table_(one_bit_table(static_cells)), adc_(one_bit_adc()) {
    Tile tile{.rows = kRows, .columns = kColumns, .conversions = kColumns, .scheme = SignedScheme::kOffsetColumn};
    RandomStream stream(1, StreamPurpose::kTest);
    for (std::size_t k = 0; k < kRows * kColumns; ++k) tile.plus.push_back(static_cast<std::uint8_t>(stream.below(2)));
    prepared_ = TableConversion(table_).prepare(tile, 1, 1);
    for (std::size_t k = 0; k < kProducts * kDigits * kRows; ++k)
      inputs_.push_back(static_cast<float>(stream.below(2)));
    values_.resize(kShardImages * kDigits * kColumns);
  }

  /// Products a CPU second, conversion and ADC.
  double speed() {
    const double begin = process_seconds();
    for (std::size_t image = 0; image < kProducts; image += kShardImages) {  // as the hook does it
      const std::size_t inputs = kShardImages * kDigits * kRows;
      prepared_->read(
          {std::span(inputs_).subspan(image * kDigits * kRows, inputs), kShardImages, kDigits, first_image_ + image},
          values_);
      to_codes(adc_, values_);
    }
    first_image_ += kProducts;
    return kProducts / (process_seconds() - begin);
  }

 private:
  static constexpr std::size_t kRows = 128, kColumns = 1024, kDigits = 8, kProducts = 256;
  errormodel::ErrorTable table_;
  AdcOptions adc_;
  std::unique_ptr<PreparedTile> prepared_;
  std::vector<float> inputs_, values_;
  std::uint64_t first_image_ = 0;
};

void bench_conversions(int rounds) {
  Array columns(false), cells(true);
  std::vector<double> of_columns, of_cells;
  for (int round = 0; round < rounds; ++round) {
    of_columns.push_back(columns.speed());
    of_cells.push_back(cells.speed());
  }
  const auto print = [](const char* what, double speed) {
    fmt::print("{:<40} {:>9.0f} products/CPU second, {:.2f} ns a conversion\n", what, speed, 1e9 / (8192 * speed));
  };
  print("dynamic errors, static columns", median(of_columns));
  print("dynamic errors, static columns and cells", median(of_cells));
}

/// Draws that no cache has to hold.
void bench_normals(int rounds) {
  std::vector<float> values(1 << 13);
  std::vector<double> nanoseconds;
  constexpr int kBlocks = 2000;
  for (int round = 0; round < rounds; ++round) {
    const double begin = process_seconds();
    for (int b = 0; b < kBlocks; ++b) fill_normals({1, 2, 3, static_cast<std::uint64_t>(b), 5}, values);
    nanoseconds.push_back(1e9 * (process_seconds() - begin) / (static_cast<double>(values.size()) * kBlocks));
  }
  fmt::print("normals: {:.2f} ns each on {}\n", median(nanoseconds),
             hwy::TargetName(hwy::SupportedTargets() & -hwy::SupportedTargets()));
}

}  // namespace
}  // namespace errata::training

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "train";
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 7;
  if (what == "train") errata::training::bench_training(rounds);
  if (what == "infer") errata::training::bench_inference(rounds);
  if (what == "conversions") errata::training::bench_conversions(rounds);
  if (what == "normals") errata::training::bench_normals(rounds);
  if (what == "one") {  // for a profiler: one arm alone
    errata::training::Arm arm(argv[3], static_cast<errata::training::Arm::Mode>(std::atoi(argv[4])), 1);
    fmt::print("{:.3f} ms\n", 1e3 * arm.seconds(rounds));
  }
  return 0;
}
