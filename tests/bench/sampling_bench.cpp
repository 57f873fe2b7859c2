// Error injection: its speed against the same work without errors, in alternation, and its draws. What was measured is
// in docs/methods/training.md.
//   scripts/build bench && build/bench/tests/errata_sampling_bench train|infer|conversions|normals [rounds]
//   …/errata_sampling_bench tails          probabilities of 2³⁰ draws
//   …/errata_sampling_bench memory vgg16 fp32|quantised|composed [threads]
//   …/errata_sampling_bench accuracy 20    composed against bit-true on MNIST, so many chips
#include <fmt/format.h>
#include <hwy/targets.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/random_stream.h"
#include "core/statistics.h"
#include "tests/support/synthetic_table.h"
#include "training/data/batches.h"
#include "training/data/data_set.h"
#include "training/evaluation.h"
#include "training/hardware/bit_true_hook.h"
#include "training/hardware/composed_hook.h"
#include "training/hardware/fast_normal.h"
#include "training/hardware/read_errors.h"
#include "training/hardware/row_plan.h"
#include "training/hardware/table_conversion.h"
#include "training/network/network.h"
#include "training/optimization/optimizer.h"
#include "training/shards.h"
#include "training/trainer.h"

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
  arms.reserve(3);  // the hook refers to its arm's table
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

/// Bit-true conversions: 8-bit weights in one-bit cells, 8-bit inputs in one-bit digits, a 128 × 128 array on
/// single-ended columns: 8192 conversions a matrix–vector product, 256 products at a time.
class Array {
 public:
  explicit Array(bool static_cells) : table_(one_bit_table(static_cells)) {
    RandomStream stream(1, StreamPurpose::kTest);
    for (std::size_t s = 0; s < kSlices; ++s) {
      Tile tile{.number = s, .rows = kRows, .columns = kColumns - 1, .conversions = kColumns};
      tile.scheme = SignedScheme::kOffsetColumn;
      tile.slice_weight = std::ldexp(1.0, static_cast<int>(s));
      tile.first_column = s * kColumns;
      for (std::size_t k = 0; k < kRows * kColumns; ++k)
        tile.plus.push_back(static_cast<std::uint8_t>(stream.below(2)));
      slices_.push_back(std::move(tile));
    }
    rows_ = TableConversion(table_).prepare_rows(slices_,
                                                 {kRows, 2, 8, 8, one_bit_adc(), 1, SignedScheme::kOffsetColumn}, 1, 1);
    for (std::size_t k = 0; k < kProducts * kRows; ++k) codes_.push_back(static_cast<std::uint8_t>(stream.below(256)));
    product_.resize(kProducts * (kColumns - 1));
    for (const Tile& tile : slices_) tiles_.push_back(TableConversion(table_).prepare(tile, 1, 1));
    const std::vector<float> codes(codes_.begin(), codes_.end());
    digits_.resize(8 * codes.size());
    split_digits(codes, kRows, {kRows, 2, 8, 8, one_bit_adc(), 1, SignedScheme::kOffsetColumn}, digits_);
    values_.resize(kProducts * 8 * kColumns);
  }

  /// The same by the general way in fp32, without packing, shifting and adding.
  double general_speed() {
    const double begin = process_seconds();
    for (const auto& tile : tiles_) {
      tile->read({digits_, 1, kProducts * 8, image_++}, values_);
      to_codes(one_bit_adc(), values_);
    }
    return kProducts / (process_seconds() - begin);
  }

  /// Products a CPU second, from input codes to shifted and added codes of the ADC.
  double speed() {
    constexpr int kTimes = 8;
    const double begin = process_seconds();
    for (int k = 0; k < kTimes; ++k) rows_->add({codes_, 1, kProducts, image_++}, product_);
    return kTimes * kProducts / (process_seconds() - begin);
  }

 private:
  static constexpr std::size_t kRows = 128, kColumns = 128, kSlices = 8, kProducts = 256;
  errormodel::ErrorTable table_;
  std::vector<Tile> slices_;
  std::unique_ptr<PreparedRows> rows_;
  std::vector<std::uint8_t> codes_;
  std::vector<float> product_;
  std::vector<std::unique_ptr<PreparedTile>> tiles_;
  std::vector<float> digits_, values_;
  std::uint64_t image_ = 0;
};

void bench_conversions(int rounds) {
  Array columns(false), cells(true);
  std::vector<double> of_columns, of_cells, general;
  for (int round = 0; round < rounds; ++round) {
    of_columns.push_back(columns.speed());
    of_cells.push_back(cells.speed());
    general.push_back(cells.general_speed());
  }
  const auto print = [](const char* what, double asked, double speed) {
    fmt::print("{:<40} {:>9.0f} asked {:>9.0f} products/CPU second, {:.2f} ns a conversion\n", what, asked, speed,
               1e9 / (8192 * speed));
  };
  print("dynamic errors, static columns", 120e3, median(of_columns));
  print("dynamic errors, static columns and cells", 60e3, median(of_cells));
  print("the same in fp32, the general way", 60e3, median(general));
}

/// Accuracy of one LeNet-5 on MNIST by composed and by bit-true products, over chips (methods.md §4.3: within 0.3
/// points). Needs ERRATA_DATA.
void bench_accuracy(int chips) {
  const char* root = std::getenv("ERRATA_DATA");
  if (root == nullptr) throw std::runtime_error("ERRATA_DATA is not set");
  const DataSet data = load_data_set("mnist", {.root = root, .train_images = 20000, .test_images = 1000});
  NetworkOptions options;
  options.quantization = {3, 4};
  const auto network = make_network(options, 1);
  TrainingOptions training;
  training.epochs = 2;
  training.optimizer.name = "adam";
  training.schedule.learning_rate = 0.003;
  Trainer(*network, data, training).run({});
  Batch batch;
  std::vector<std::uint32_t> numbers(16);
  std::iota(numbers.begin(), numbers.end(), 0u);
  fill_batch(data.train, data.shape, {numbers, 0, 0, {}, {}}, batch);
  fmt::print("LeNet-5 on MNIST, 1000 test images, {} chips; accuracy without errors {:.2f} %\n", chips,
             100.0 * evaluate(*network, data.test, {})->sums.accuracy());
  fmt::print("{:>22} {:>20} {:>20} {:>20}\n", "", "composed, %", "bit-true, %", "difference, points");
  const auto table = full_table();
  for (const double step : {1.0, 3.0})
    for (const double static_sigma : {0.1, 0.5, 1.0}) {
      auto changed = table;
      changed.column = {static_sigma * step * static_sigma * step, 0, 0, 0, 0.02, 0, 0, 0, 0.05};
      const TableConversion by_table(changed);
      const HardwareOptions hardware{128, 4, 3, 4, {step > 2 ? 5 : 6, step > 2 ? 48.0 : 32.0}};
      std::vector<double> composed, bit_true;
      for (std::uint64_t chip = 0; chip < static_cast<std::uint64_t>(chips); ++chip) {
        // The draws of bit-true chips, so that both see the same.
        ComposedHook hook(changed, {.hardware = hardware, .first_chip = chip, .schedule = ChipSchedule::kFixed});
        hook.calibrate(*network, batch.images);
        BitTrueHook exact(by_table, hardware, 1, chip);
        composed.push_back(100.0 * evaluate(*network, data.test, {.hook = &hook})->sums.accuracy());
        bit_true.push_back(100.0 * evaluate(*network, data.test, {.hook = &exact})->sums.accuracy());
      }
      std::vector<double> difference;
      for (std::size_t k = 0; k < composed.size(); ++k) difference.push_back(composed[k] - bit_true[k]);
      const auto text = [&](const std::vector<double>& v) {
        return fmt::format("{:.2f} ± {:.2f}", mean(v), standard_deviation(v) / std::sqrt(static_cast<double>(chips)));
      };
      fmt::print("step {:.0f}, static {:>3.1f} steps {:>20} {:>20} {:>20}\n", step, static_sigma, text(composed),
                 text(bit_true), text(difference));
      std::fflush(stdout);
    }
}

/// Probabilities far out, over 2³⁰ draws.
void bench_tails() {
  std::vector<float> values(1 << 16);
  constexpr std::uint64_t kBlocks = 1 << 14;
  constexpr double kLimits[] = {1, 2, 3, 4, 4.5, 4.89, 5.2, 5.5};
  double counts[std::size(kLimits)] = {};
  for (std::uint64_t b = 0; b < kBlocks; ++b) {
    fill_normals({1, 2, b, 4, 5}, values);
    std::uint32_t of_block[std::size(kLimits)] = {};
    for (const float v : values)
      for (std::size_t k = 0; k < std::size(kLimits); ++k) of_block[k] += v > static_cast<float>(kLimits[k]) ? 1 : 0;
    for (std::size_t k = 0; k < std::size(kLimits); ++k) counts[k] += of_block[k];
  }
  const double draws = static_cast<double>(kBlocks * values.size());
  fmt::print("{:.3g} draws\n{:>6} {:>12} {:>12} {:>8}\n", draws, "beyond", "observed", "normal", "z");
  for (std::size_t k = 0; k < std::size(kLimits); ++k) {
    const double p = normal_cdf(-kLimits[k]);
    fmt::print("{:>6} {:>12.4e} {:>12.4e} {:>8.2f}\n", kLimits[k], counts[k] / draws, p,
               (counts[k] - draws * p) / std::sqrt(draws * p * (1 - p)));
  }
}

/// The same of the read noise in 16 bits, as an ADC of sixteen steps to a σ sees it.
void bench_short_tails() {
  auto table = one_bit_table(false);
  table.axes = {-8, 8, 0, 1, 2, 2};
  table.mu.assign(4, 0.0);
  table.dynamic_sigma.assign(4, 1.0);
  table.chip = table.column = {};
  table.level = {0.0, 0.0};
  const HardwareOptions hardware{32, 2, 2, 1, {8, 8.0}, 1, SignedScheme::kOffsetColumn};
  Tile tile{.rows = 1, .columns = 31, .conversions = 32, .scheme = SignedScheme::kOffsetColumn};
  tile.plus.assign(32, 0);
  const auto plan = make_row_plan(table, {&tile, 1}, hardware, 1, 1);
  if (!plan) throw std::runtime_error("no plan");
  constexpr std::size_t kReads = 1 << 12;
  PackedReads packed;
  pack_reads(*plan, std::vector<std::uint8_t>(kReads, 0), 1, packed);
  std::vector<std::uint16_t> codes(kReads * RowPlan::kBlock);
  std::vector<double> counts(256, 0.0);
  constexpr std::uint64_t kImages = 1 << 13;
  for (std::uint64_t image = 0; image < kImages; ++image) {
    row_block(*plan, 0, {packed.places.data(), packed.activity.data(), kReads, 0}, ReadWords({1, 6, 1, image, 1}),
              ReadWords({1, 28, 1, image, 1}), codes.data(), RowPlan::kBlock);
    for (const auto code : codes) ++counts[code];
  }
  const double draws = static_cast<double>(kImages * codes.size());
  fmt::print("{:.3g} draws in 16 bits\n{:>8} {:>12} {:>12} {:>10} {:>8}\n", draws, "beyond", "observed", "normal",
             "relative", "z");
  for (const int edge : {4, 8, 16, 24, 32, 40, 48, 56, 64, 72, 76, 80, 84, 88}) {  // both sides
    double beyond = 0.0;
    for (int code = 0; code < 256; ++code)
      if (const int k = code + plan->first_code; k >= edge || k <= -edge)
        beyond += counts[static_cast<std::size_t>(code)];
    const double at = (edge - 0.5) / 16.0, p = 2.0 * normal_cdf(-at);
    fmt::print("{:>8.4f} {:>12.4e} {:>12.4e} {:>10.1e} {:>8.2f}\n", at, beyond / draws, p, beyond / draws / p - 1.0,
               (beyond - draws * p) / std::sqrt(draws * p * (1 - p)));
  }
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

/// Most memory of a process that trains one network, batch 64; asked for VGG-16: below 4 GiB.
void bench_memory(const std::string& name, const std::string& mode, int threads) {
  const auto arm_mode = mode == "composed"    ? Arm::Mode::kComposed
                        : mode == "quantised" ? Arm::Mode::kQuantized
                                              : Arm::Mode::kFloat;
  Arm arm(name, arm_mode, threads);
  const double seconds = arm.seconds(1);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("{} {}, batch 64, {} threads: peak resident memory {:.2f} GiB, {:.1f} CPU seconds a step\n", name, mode,
             threads, static_cast<double>(usage.ru_maxrss) / (1024.0 * 1024.0), seconds);
}

}  // namespace
}  // namespace errata::training

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "train";
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 7;
  if (what == "train") errata::training::bench_training(rounds);
  if (what == "infer") errata::training::bench_inference(rounds);
  if (what == "tails") errata::training::bench_tails(), errata::training::bench_short_tails();
  if (what == "accuracy") errata::training::bench_accuracy(argc > 2 ? rounds : 20);
  if (what == "conversions") errata::training::bench_conversions(rounds);
  if (what == "normals") errata::training::bench_normals(rounds);
  if (what == "memory") {
    const std::string name = argc > 2 ? argv[2] : "vgg16", mode = argc > 3 ? argv[3] : "fp32";
    errata::training::bench_memory(name, mode, argc > 4 ? std::atoi(argv[4]) : 2);
  }
  if (what == "one") {  // for a profiler: one arm alone
    errata::training::Arm arm(argv[3], static_cast<errata::training::Arm::Mode>(std::atoi(argv[4])), 1);
    fmt::print("{:.3f} ms\n", 1e3 * arm.seconds(rounds));
  }
  return 0;
}
