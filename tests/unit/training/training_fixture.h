#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "training/data/data_set.h"
#include "training/data/glyphs.h"
#include "training/network/network.h"
#include "training/trainer.h"

namespace errata::training {

/// A folder of its own, removed at the end.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() / ("errata-" + name + "-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A small data set whose last batch is short and whose last shard is shorter.
inline DataSet small_glyphs() { return make_glyphs({.seed = 3, .train_images = 300, .test_images = 70}); }

/// A network that uses every kind of layer.
inline NetworkOptions full_network(QuantizationOptions bits) {
  NetworkOptions options;
  options.quantization = bits;
  options.batch_norm = true;
  options.dropout = 0.2;
  return options;
}

inline TrainingOptions short_training(const std::string& optimizer) {
  TrainingOptions options;
  options.seed = 5;
  options.epochs = 4;
  options.optimizer.name = optimizer;
  options.optimizer.weight_decay = 1e-3;
  options.schedule.learning_rate = optimizer == "sgd" ? 0.02 : 2e-3;
  options.schedule.warmup_steps = 3;
  options.shift_pixels = 1;
  options.gradient_limit = 5.0;
  options.progress_steps = 3;
  return options;
}

/// Every value that training changes, in order.
inline std::vector<float> state_of(const Network& network) {
  std::vector<float> all;
  for (const Parameter* parameter : network.parameters())
    all.insert(all.end(), parameter->value.begin(), parameter->value.end());
  for (const StateBuffer& buffer : network.buffers())
    all.insert(all.end(), buffer.values->begin(), buffer.values->end());
  return all;
}

}  // namespace errata::training
