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

void compare(const Task& task, testing::PeerProcess& peer, int rounds) {
  Ours ours(task);
  std::vector<double> ours_cpu, peer_cpu, ours_wall, peer_wall, cpu_ratios, wall_ratios;
  for (int round = 0; round < rounds; ++round) {
    const Times mine = ours.run();
    const std::string answer =
        peer.ask(fmt::format("{} {} {} {}", task.network, task.mode, task.threads, task.batches));
    Times theirs;
    if (std::sscanf(answer.c_str(), "%lf %lf", &theirs.cpu_seconds, &theirs.wall_seconds) != 2)
      throw std::runtime_error("the peer answers: " + answer);
    ours_cpu.push_back(mine.cpu_seconds);
    ours_wall.push_back(mine.wall_seconds);
    peer_cpu.push_back(theirs.cpu_seconds);
    peer_wall.push_back(theirs.wall_seconds);
    cpu_ratios.push_back(theirs.cpu_seconds / mine.cpu_seconds);
    wall_ratios.push_back(theirs.wall_seconds / mine.wall_seconds);
  }
  const double images = static_cast<double>(kBatch) * task.batches;
  fmt::print("{:<10} {:<6} {:>2}  {:>9.0f} {:>9.0f}  {:>9.0f} {:>9.0f}   {:>5} {:>6.2f}x {:>8.2f}x\n", task.network,
             task.mode, task.threads, images / median(ours_cpu), images / median(peer_cpu), images / median(ours_wall),
             images / median(peer_wall), "1.2x", median(cpu_ratios), median(wall_ratios));
  std::fflush(stdout);
}

}  // namespace
}  // namespace errata::training

int main(int argc, char** argv) {
  using namespace errata;
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
  try {
    for (const char* format : {"contiguous", "channels_last"}) {
      testing::PeerProcess peer({"/usr/bin/python3", ERRATA_SOURCE_DIR "/tests/bench/torch_peer.py", format});
      fmt::print("\n{} ({}), batch 64, fp32, median of {} alternating runs\n", peer.greeting(), format, rounds);
      fmt::print("{:<10} {:<6} {:>2}  {:>19}  {:>19}   {:>5} {:>17}\n", "", "", "", "images/CPU second",
                 "images/second", "asked", "speed against it");
      fmt::print("{:<10} {:<6} {:>2}  {:>9} {:>9}  {:>9} {:>9}   {:>5} {:>7} {:>9}\n", "network", "mode", "th",
                 "errata", "torch", "errata", "torch", "", "CPU", "wall");
      for (const int threads : {1, 2})
        for (const auto& [network, mode, batches] :
             {std::tuple("lenet5", "train", 60), std::tuple("lenet5", "infer", 150),
              std::tuple("vgg_small", "train", 2), std::tuple("vgg_small", "infer", 5)})
          training::compare({network, mode, threads, batches}, peer, rounds);
    }
  } catch (const std::exception& failure) {
    fmt::print(stderr, "{}\n", failure.what());
    return 1;
  }
  return 0;
}
