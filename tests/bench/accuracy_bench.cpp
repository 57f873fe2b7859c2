// Accuracies in floating point beside those of PyTorch: same network, data, optimiser and schedule, own initial weights
// and own order. Asked: the mean of five seeds is not more than one point below PyTorch's.
//   scripts/build bench && build/bench/tests/errata_accuracy_bench [mnist|fashion-mnist|emnist [lenet5|mlp [IMAGES
//   [EPOCHS [SEEDS]]]]]
// $ERRATA_DATA holds the data sets. docs/methods/training.md says what was measured.
#include <fmt/format.h>
#include <stdlib.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/statistics.h"
#include "tests/support/method_targets.h"
#include "tests/support/peer_process.h"

namespace errata::testing {
namespace {

constexpr double kRate = 2e-3;

struct Comparison {
  std::string data = "mnist", network = "lenet5";
  std::size_t images = 10000, epochs = 3, seeds = 5;
};

/// The images where the peer reads them; gone at the end.
class SharedImages {
 public:
  explicit SharedImages(const training::DataSet& data) {
    std::string pattern = (std::filesystem::temp_directory_path() / "errata-accuracy-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a folder " + pattern);
    folder_ = pattern;
    write("train", data.train);
    write("test", data.test);
  }
  ~SharedImages() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  SharedImages(const SharedImages&) = delete;
  SharedImages& operator=(const SharedImages&) = delete;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  void write(const std::string& name, const training::ImageSet& set) const {
    const auto bytes = [&](const char* kind, const std::vector<std::uint8_t>& values) {
      std::ofstream(folder_ / (name + kind), std::ios::binary)
          .write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size()));
    };
    bytes(".pixels", set.pixels);
    bytes(".labels", set.labels);
  }
  std::filesystem::path folder_;
};

double own_accuracy(const Comparison& c, const training::DataSet& data, std::uint64_t seed) {
  training::NetworkOptions n;
  n.name = c.network;
  n.input = data.shape;
  n.classes = data.classes;
  if (c.network == "mlp") n.hidden = {256, 128};
  const auto network = training::make_network(n, seed);
  training::TrainingOptions o;
  o.seed = seed;
  o.epochs = c.epochs;
  o.schedule.learning_rate = kRate;
  training::Trainer(*network, data, o).run({});
  return accuracy(*network, data, nullptr, 1);
}

/// Welch's interval of mean(a) − mean(b).
Interval difference_interval(const std::vector<double>& a, const std::vector<double>& b, double confidence) {
  const double va = variance(a) / static_cast<double>(a.size()), vb = variance(b) / static_cast<double>(b.size());
  const double freedom = (va + vb) * (va + vb) /
                         (va * va / static_cast<double>(a.size() - 1) + vb * vb / static_cast<double>(b.size() - 1));
  const double middle = mean(a) - mean(b),
               half = student_t_quantile(0.5 + 0.5 * confidence, freedom) * std::sqrt(va + vb);
  return {middle, middle - half, middle + half};
}

int run(const Comparison& c) {
  training::DataSetOptions options;
  const char* root = std::getenv("ERRATA_DATA");
  options.root = root == nullptr ? "/usr/share/errata" : root;
  options.train_images = c.images;
  const auto data = training::load_data_set(c.data, options);
  const SharedImages shared(data);
  constexpr std::size_t kBatch = 64;
  PeerProcess peer({"/usr/bin/python3", ERRATA_SOURCE_DIR "/tests/bench/torch_accuracy.py", shared.folder().string(),
                    c.network, std::to_string(c.epochs), std::to_string(kBatch), fmt::format("{}", kRate)});
  fmt::print("{} on {}, {} training and {} test images, {} epochs, Adam, cosine from {}, batch {}, {}\n", c.network,
             c.data, data.train.count(), data.test.count(), c.epochs, kRate, kBatch, peer.greeting());
  std::vector<double> ours, theirs;
  for (std::uint64_t seed = 1; seed <= c.seeds; ++seed) {
    ours.push_back(own_accuracy(c, data, seed));
    theirs.push_back(std::strtod(peer.ask(std::to_string(seed)).c_str(), nullptr));
    fmt::print("seed {}: errata {:.2f} %, torch {:.2f} %\n", seed, ours.back(), theirs.back());
    std::fflush(stdout);
  }
  if (c.seeds < 2) return 0;
  const Interval a = mean_interval(ours, 0.95), b = mean_interval(theirs, 0.95),
                 d = difference_interval(ours, theirs, 0.95);
  fmt::print("means of {} seeds: errata {:.2f} % [{:.2f}, {:.2f}], torch {:.2f} % [{:.2f}, {:.2f}]\n", c.seeds,
             a.estimate, a.low, a.high, b.estimate, b.low, b.high);
  fmt::print("errata - torch: {:+.2f} points, 95 % interval [{:+.2f}, {:+.2f}]\n", d.estimate, d.low, d.high);
  return 0;
}

}  // namespace
}  // namespace errata::testing

int main(int argc, char** argv) {
  using namespace errata;
  testing::Comparison c;
  if (argc > 1) c.data = argv[1];
  if (argc > 2) c.network = argv[2];
  std::size_t* const numbers[] = {&c.images, &c.epochs, &c.seeds};
  for (int i = 3; i < argc && i < 6; ++i) *numbers[i - 3] = std::strtoull(argv[i], nullptr, 10);
  try {
    return testing::run(c);
  } catch (const Error& e) {
    fmt::print(stderr, "{}\n  {}\n", e.what(), e.hint());
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
  }
  return 1;
}
