// Plain fp32 training and inference against PyTorch, in alternation: docs/methods/training.md says what was measured.
//   scripts/build bench && build/bench/tests/errata_training_bench [rounds]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/random_stream.h"
#include "tests/support/peer_process.h"
#include "training/network/network.h"
#include "training/optimization/optimizer.h"

namespace errata::training {
namespace {

constexpr std::size_t kBatch = 64;

struct Task {
  std::string network, mode;
  int threads;
  int batches;  ///< in one timed piece: some tenths of a second
};

struct Times {
  double cpu_seconds = 0.0, wall_seconds = 0.0;
};

double process_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Our side of a task: the same batch again and again, as the peer does it.
class Ours {
 public:
  explicit Ours(const Task& task) : task_(task) {
    NetworkOptions options;
    options.name = task.network;
    if (task.network != "lenet5") options.input = {32, 32, 3};
    network_ = make_network(options, 1);
    images_.resize(kBatch, options.input);
    RandomStream stream(1, StreamPurpose::kTest);
    for (float& value : images_.values()) value = static_cast<float>(stream.uniform());
    for (std::size_t i = 0; i < kBatch; ++i) labels_.push_back(static_cast<std::uint8_t>(stream.below(10)));
    optimizer_ = std::make_unique<Optimizer>(OptimizerOptions{.name = "sgd"}, network_->parameters());
    for (int i = 0; i < 3; ++i) batch();
  }

  Times run() {
    const double cpu = process_seconds();
    const auto wall = std::chrono::steady_clock::now();
    for (int i = 0; i < task_.batches; ++i) batch();
    return {process_seconds() - cpu, std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count()};
  }

 private:
  void batch() {
    const bool training = task_.mode == "train";
    network_->forward(images_, {.context = {.training = training}, .threads = task_.threads});
    if (!training) return;
    loss_ += network_->loss(labels_).loss;
    network_->backward(labels_);
    optimizer_->step(1e-3);
  }

  Task task_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<Optimizer> optimizer_;
  Tensor images_;
  std::vector<std::uint8_t> labels_;
  double loss_ = 0.0;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// PyTorch with one layout of its activations.
struct Peer {
  std::string format;
  testing::PeerProcess process;

  explicit Peer(const std::string& layout)
      : format(layout), process({"/usr/bin/python3", ERRATA_SOURCE_DIR "/tests/bench/torch_peer.py", layout}) {}
  Times run(const Task& task) {
    const std::string answer =
        process.ask(fmt::format("{} {} {} {}", task.network, task.mode, task.threads, task.batches));
    Times times;
    if (std::sscanf(answer.c_str(), "%lf %lf", &times.cpu_seconds, &times.wall_seconds) != 2)
      throw std::runtime_error("the peer answers: " + answer);
    return times;
  }
};

/// Speeds of one program over all rounds, and ours against it in each.
struct Speeds {
  std::vector<double> cpu, wall, cpu_ratios, wall_ratios;

  void add(const Times& own, const Times& ours) {
    cpu.push_back(own.cpu_seconds);
    wall.push_back(own.wall_seconds);
    cpu_ratios.push_back(own.cpu_seconds / ours.cpu_seconds);
    wall_ratios.push_back(own.wall_seconds / ours.wall_seconds);
  }
};

void compare(const Task& task, std::vector<std::unique_ptr<Peer>>& peers, int rounds) {
  Ours ours(task);
  std::vector<Speeds> speeds(peers.size() + 1);
  for (int round = 0; round < rounds; ++round) {
    const Times mine = ours.run();
    speeds[0].add(mine, mine);
    for (std::size_t p = 0; p < peers.size(); ++p) speeds[p + 1].add(peers[p]->run(task), mine);
  }
  const double images = static_cast<double>(kBatch) * task.batches;
  std::string line = fmt::format("{:<10} {:<6} {:>2}", task.network, task.mode, task.threads);
  for (const Speeds& s : speeds) line += fmt::format(" {:>10.0f}", images / median(s.cpu));
  for (const Speeds& s : speeds) line += fmt::format(" {:>10.0f}", images / median(s.wall));
  for (std::size_t p = 1; p < speeds.size(); ++p)
    line += fmt::format("  {:>6.2f}x {:>6.2f}x", median(speeds[p].cpu_ratios), median(speeds[p].wall_ratios));
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

void compare_all(int rounds) {
  std::vector<std::unique_ptr<Peer>> peers;
  for (const char* format : {"contiguous", "channels_last"}) peers.push_back(std::make_unique<Peer>(format));
  fmt::print(
      "{}: contiguous (its default) and channels_last; batch 64, fp32, median of {} alternating runs; asked: "
      "1.2 times its default\n",
      peers[0]->process.greeting(), rounds);
  fmt::print("{:<20} {:>32} {:>32}  {:>15}  {:>15}\n", "", "images/CPU second", "images/second", "speed/default",
             "/channels_last");
  fmt::print("{:<10} {:<6} {:>2} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}  {:>7} {:>7}  {:>7} {:>7}\n", "network",
             "mode", "th", "errata", "default", "ch_last", "errata", "default", "ch_last", "CPU", "wall", "CPU",
             "wall");
  for (const int threads : {1, 2})
    for (const auto& [network, mode, batches] :
         {std::tuple("lenet5", "train", 60), std::tuple("lenet5", "infer", 150), std::tuple("vgg_small", "train", 2),
          std::tuple("vgg_small", "infer", 5)})
      compare({network, mode, threads, batches}, peers, rounds);
}

}  // namespace
}  // namespace errata::training

int main(int argc, char** argv) {
  using namespace errata;
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
  try {
    training::compare_all(rounds);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "{}\n", failure.what());
    return 1;
  }
  return 0;
}
