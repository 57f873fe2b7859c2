// Accuracy targets of the methods: devices (§4.2's grid), curves (§4.1), and floating point. Every line states its
// images and epochs. Usage:
//   scripts/build bench && nice build/bench/tests/errata_method_targets devices mnist grid.csv
//   … errata_method_targets table mnist grid.csv
//   … errata_method_targets curves mnist lenet5 | curves cifar-10 vgg8
//   … errata_method_targets float mnist lenet5 EPOCHS SEEDS
// `devices` appends each point to the file when it is done and leaves out those that stand there, so it can be stopped
// at any time and go on; `table` makes Markdown of the file.
// $ERRATA_DATA holds the data sets; $THREADS (1) threads; $IMAGES and $TEST_IMAGES (all) images; $FLOAT_EPOCHS,
// $IDEAL_EPOCHS, $EPOCHS epochs; $RATE (0.001) learning rate on devices; $FIRST (0) and $STRIDE (1) take every n-th
// point, in an order that mixes the grid.
#include "tests/support/method_targets.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>

#include "core/error.h"
#include "core/statistics.h"
#include "tests/support/device_grid_file.h"

namespace errata::testing {
namespace {

std::size_t number_in(const char* name, std::size_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<std::size_t>(std::strtoull(text, nullptr, 10));
}

double real_in(const char* name, double otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtod(text, nullptr);
}

int threads() { return static_cast<int>(number_in("THREADS", 1)); }

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

training::DataSet load(const std::string& name) {
  training::DataSetOptions o;
  const char* root = std::getenv("ERRATA_DATA");
  o.root = root == nullptr ? "/usr/share/errata" : root;
  o.train_images = number_in("IMAGES", 0);
  o.test_images = number_in("TEST_IMAGES", 0);
  o.threads = threads();
  auto data = training::load_data_set(name, o);
  fmt::print("{}: {} training images, {} test images\n", name, data.train.count(), data.test.count());
  return data;
}

training::NetworkOptions options_for(const std::string& network, const training::DataSet& data) {
  training::NetworkOptions o;
  o.name = network;
  o.input = data.shape;
  o.classes = data.classes;
  if (network == "mlp") o.hidden = {256, 128};
  o.batch_norm = network == "vgg8";
  if (data.shape.channels == 3) o.normalization = training::scale_normalization(data.train, data.shape.channels);
  return o;
}

void flush(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

double allowed_loss(const std::string& data_name) { return data_name == "emnist" ? 1.0 : 0.5; }

/// How §4.2's grid is trained: one network in floating point, from it one for each pair of bits with exact levels, and
/// from that every point.
struct GridPhases {
  TrainingPhase floating{number_in("FLOAT_EPOCHS", 12), 2e-3, threads()},
      ideal{number_in("IDEAL_EPOCHS", 6), 1e-3, threads()},
      adapt{number_in("EPOCHS", 4), real_in("RATE", 1e-3), threads()};
};

/// The networks that several points of the grid begin with.
class GridNetworks {
 public:
  GridNetworks(const training::DataSet& data, const GridPhases& phases, std::uint64_t seed)
      : data_(data),
        phases_(phases),
        seed_(seed),
        floating_(training::make_network(options_for("mlp", data), seed)),
        accuracy_(train(*floating_, data, phases.floating, nullptr, seed)) {}

  double floating_accuracy() const { return accuracy_; }

  struct Ideal {
    std::unique_ptr<training::Network> network;
    double accuracy = 0.0;
  };
  const Ideal& ideal(int magnitude_bits, int input_bits) {
    Ideal& start = ideals_[{magnitude_bits, input_bits}];
    if (start.network != nullptr) return start;
    start.network = training::with_quantization(*floating_, {magnitude_bits + 1, input_bits});
    start.accuracy = train(*start.network, data_, phases_.ideal, nullptr, seed_);
    return start;
  }

 private:
  const training::DataSet& data_;
  GridPhases phases_;
  std::uint64_t seed_;
  std::unique_ptr<training::Network> floating_;
  double accuracy_;
  std::map<std::pair<int, int>, Ideal> ideals_;
};

int devices(const std::string& data_name, const std::string& path) {
  const auto data = load(data_name);
  constexpr std::uint64_t kSeed = 1;
  const GridPhases phases;
  const bool straight = std::getenv("STRAIGHT_THROUGH") != nullptr;
  GridFile file(
      path, fmt::format("{}, {} training and {} test images; MLP {}-256-128-{}; epochs: {} floating point, {} exact "
                        "levels, {} on devices (rate {:g}{}); seed {}",
                        data_name, data.train.count(), data.test.count(), data.shape.size(), data.classes,
                        phases.floating.epochs, phases.ideal.epochs, phases.adapt.epochs, phases.adapt.learning_rate,
                        straight ? ", straight through" : "", kSeed));
  std::vector<DevicePoint> left;
  const auto grid = device_grid();
  constexpr std::size_t kJump = 37;  // without a divisor of 162: a run that ends early has points of all kinds
  for (std::size_t i = number_in("FIRST", 0); i < grid.size(); i += number_in("STRIDE", 1))
    if (const DevicePoint& p = grid[i * kJump % grid.size()]; !file.has(p)) left.push_back(p);
  flush(fmt::format("{} points done, {} to do", file.results().size(), left.size()));
  if (left.empty()) return 0;

  GridNetworks networks(data, phases, kSeed);
  flush(fmt::format("floating point: {:.2f} % ({:.0f} CPU seconds)", networks.floating_accuracy(), cpu_seconds()));
  const auto gradient = straight ? training::DeviceGradient::kStraightThrough : training::DeviceGradient::kSmooth;
  for (const DevicePoint& p : left) {
    const auto& ideal = networks.ideal(p.magnitude_bits, p.input_bits);
    const DeviceResult r = device_point(*ideal.network, data, p, gradient, phases.adapt, kSeed);
    file.append({p, networks.floating_accuracy(), ideal.accuracy, r.naive, r.adapted});
    flush(fmt::format("{} ({:.0f} CPU seconds)", grid_line(file.results().back()), cpu_seconds()));
  }
  return 0;
}

int table(const std::string& data_name, const std::string& path) {
  const std::string text = text_of(path);
  flush(fmt::format("{}\n\n{}", text.substr(0, text.find('\n')),
                    grid_table(grid_results(text), allowed_loss(data_name))));
  return 0;
}

int curves(const std::string& data_name, const std::string& name) {
  const auto data = load(data_name);
  constexpr std::uint64_t kSeed = 1;
  const TrainingPhase first{number_in("FLOAT_EPOCHS", 4), 2e-3, threads()},
      phase{number_in("EPOCHS", 2), 1e-3, threads()};
  auto options = options_for(name, data);
  options.quantization = {4, 4};
  const auto network = training::make_network(options, kSeed);
  train(*network, data, first, nullptr, kSeed);
  const double clipped = real_in("CLIPPED", 0.2);
  const int adc_bits = static_cast<int>(number_in("ADC_BITS", 6));
  const auto linear = neuron(*network, data, 1 << 16, adc_bits, clipped);
  // The network learns to use the range that it is given, as one whose neurons are measured has.
  training::NonlinearHook straight(linear);
  train(*network, data, phase, &straight, kSeed);
  flush(
      fmt::format("{}, 4-bit weights and inputs, one {}-bit ADC for each neuron, its range clips {:g} of the sums; {} "
                  "epochs without ADCs, {} through them, then {}\n",
                  name, adc_bits, clipped, first.epochs, phase.epochs, phase.epochs));
  flush("| curve | linear % | naive % | linear, trained on % | through the curve % | left |");
  flush("|---|---|---|---|---|---|");
  const std::pair<const char*, training::NonlinearCurve> tested[] = {
      {"s − 0.1 s³", {training::CurveForm::kPolynomial, {0, 0, 0, -0.1}}},
      {"s − 0.3 s³", {training::CurveForm::kPolynomial, {0, 0, 0, -0.3}}},
      {"s/(1 + 0.111 |s|)", {training::CurveForm::kRational, {1.0 / 9.0}}},
      {"s/(1 + 0.429 |s|)", {training::CurveForm::kRational, {3.0 / 7.0}}}};
  for (const auto& [label, curve] : tested) {
    const CurveResult r = curve_recovery(*network, data, linear, curve, phase, kSeed);
    flush(fmt::format("| {} | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {:.2f} |", label, r.linear, r.naive, r.linear_longer,
                      r.adapted, r.linear_longer - r.adapted));
  }
  flush(fmt::format("\n{:.0f} CPU seconds", cpu_seconds()));
  return 0;
}

int floating_point(const std::string& data_name, const std::string& name, std::size_t epochs, std::size_t seeds) {
  const auto data = load(data_name);
  std::vector<double> accuracies;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto network = training::make_network(options_for(name, data), seed);
    accuracies.push_back(train(*network, data, {epochs, 2e-3, threads()}, nullptr, seed));
    flush(fmt::format("{} on {}, floating point, {} epochs, seed {}: {:.2f} % ({:.0f} CPU seconds so far)", name,
                      data_name, epochs, seed, accuracies.back(), cpu_seconds()));
  }
  if (seeds < 2) return 0;
  const Interval i = mean_interval(accuracies, 0.95);
  flush(fmt::format("mean of {} seeds {:.2f} % [{:.2f}, {:.2f}]", seeds, i.estimate, i.low, i.high));
  return 0;
}

int run(const std::vector<std::string>& a) {
  const auto count = [&](std::size_t i, std::size_t otherwise) {
    return i < a.size() ? static_cast<std::size_t>(std::strtoull(a[i].c_str(), nullptr, 10)) : otherwise;
  };
  if (a.size() >= 3 && a[0] == "devices") return devices(a[1], a[2]);
  if (a.size() >= 3 && a[0] == "table") return table(a[1], a[2]);
  if (a.size() >= 3 && a[0] == "curves") return curves(a[1], a[2]);
  if (a.size() >= 3 && a[0] == "float") return floating_point(a[1], a[2], count(3, 10), count(4, 1));
  fmt::print(stderr,
             "usage: errata_method_targets devices DATA FILE.csv | table DATA FILE.csv | curves DATA NETWORK | "
             "float DATA NETWORK [EPOCHS SEEDS]\n");
  return 2;
}

}  // namespace
}  // namespace errata::testing

int main(int argc, char** argv) {
  try {
    return errata::testing::run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const errata::Error& e) {
    fmt::print(stderr, "{}\n  {}\n", e.what(), e.hint());
    return 1;
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}
