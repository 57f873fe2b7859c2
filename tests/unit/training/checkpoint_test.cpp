#include "training/checkpoint.h"

#include <gtest/gtest.h>

#include <bit>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>

#include "core/error.h"
#include "tests/unit/training/training_fixture.h"

namespace errata::training {
namespace {

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Attributes and values of a whole checkpoint, as text.
std::string content_of(const std::filesystem::path& path) {
  const Hdf5Reader file(path);
  std::ostringstream text;
  const std::function<void(const std::string&)> add = [&](const std::string& name) {
    if (file.is_group(name)) {
      for (const auto& [key, value] : file.attributes(name)) text << name << " " << key << " = " << value << "\n";
      for (const auto& child : file.children(name)) add(name == "/" ? "/" + child : name + "/" + child);
      return;
    }
    if (name.ends_with("/layers")) {
      for (const auto& line : file.strings(name)) text << line << "\n";
      return;
    }
    std::uint64_t hash = 0;
    for (const float value : file.floats(name)) hash = hash * 0x100000001b3ULL + std::bit_cast<std::uint32_t>(value);
    text << name << " " << hash << "\n";
  };
  add("/");
  return text.str();
}

struct ResumeCase {
  const char* label;
  QuantizationOptions bits;
  const char* optimizer;
  std::uint64_t stop_at;  // steps; an epoch has 5
  void (*change)(TrainingOptions&) = [](TrainingOptions&) {};
};

/// Everything that came after the first version: an epoch has 4 steps, 60 images being held out.
void use_everything(TrainingOptions& options) {
  options.optimizer.nesterov = options.optimizer.name == "sgd";
  options.label_smoothing = 0.1;
  options.average_decay = 0.9;
  options.validation_images = 60;
  options.keep = Keep::kBest;
  options.patience = 3;
}

/// Weights on devices behind a smooth staircase whose temperature falls from step to step.
QuantizationOptions on_devices() {
  QuantizationOptions bits{4, 4};
  bits.device.levels = {0.5, 1.0, 2.0, 3.5, 4.0, 5.0, 6.0, 6.5};
  bits.device.asymmetry = 0.9;
  bits.device.gradient = DeviceGradient::kSmooth;
  return bits;
}

void average_only(TrainingOptions& options) { options.average_decay = 0.99; }

class Resume : public testing::TestWithParam<ResumeCase> {};

TEST_P(Resume, EqualsTrainingWithoutInterruption) {
  const auto& tested = GetParam();
  const TemporaryFolder folder(std::string("resume-") + tested.label);
  const DataSet data = small_glyphs();
  auto options = short_training(tested.optimizer);
  tested.change(options);

  auto whole = make_network(full_network(tested.bits), 9);
  {
    MetricsLog metrics(folder / "whole.jsonl", 0, 0);
    Trainer trainer(*whole, data, options);
    TrainingSinks sinks;
    sinks.metrics = &metrics;
    trainer.run(sinks);
    save_checkpoint(folder / "whole.h5", trainer);
  }
  {
    auto network = make_network(full_network(tested.bits), 9);
    MetricsLog metrics(folder / "parts.jsonl", 0, 0);
    Trainer trainer(*network, data, options);
    TrainingSinks sinks;
    sinks.metrics = &metrics;
    sinks.threads = 2;
    bool saved = false;
    sinks.checkpoint_steps = 1;
    sinks.checkpoint = [&](const Trainer& now) {
      if (now.position().step != tested.stop_at || saved) return;
      save_checkpoint(folder / "part.h5", now);
      saved = true;
    };
    // Goes on for some steps after the save, as before a crash.
    sinks.should_stop = [&] { return trainer.position().step >= tested.stop_at + 2; };
    EXPECT_EQ(trainer.run(sinks), Trainer::Outcome::kStopped);
    ASSERT_TRUE(saved);
  }
  const Hdf5Reader file(folder / "part.h5");
  check_checkpoint_header(file);
  auto network = read_network(file);
  Trainer trainer(*network, data, options);
  read_training_state(file, trainer);
  EXPECT_EQ(trainer.position().step, tested.stop_at);
  MetricsLog metrics(folder / "parts.jsonl", trainer.position().step, trainer.position().epoch);
  TrainingSinks sinks;
  sinks.metrics = &metrics;
  EXPECT_EQ(trainer.run(sinks), Trainer::Outcome::kFinished);
  save_checkpoint(folder / "parts.h5", trainer);

  EXPECT_EQ(state_of(*whole), state_of(*network));
  EXPECT_EQ(content_of(folder / "whole.h5"), content_of(folder / "parts.h5"));
  EXPECT_TRUE(bytes_of(folder / "whole.jsonl") == bytes_of(folder / "parts.jsonl"));
}

INSTANTIATE_TEST_SUITE_P(Cases, Resume,
                         testing::Values(ResumeCase{"float_adam_mid_epoch", {0, 0}, "adam", 7},
                                         ResumeCase{"quantised_adamw_mid_epoch", {4, 4}, "adamw", 11},
                                         ResumeCase{"quantised_sgd_first_step", {4, 4}, "sgd", 1},
                                         ResumeCase{"quantised_adam_two_epochs", {4, 4}, "adam", 10},
                                         ResumeCase{"everything_mid_epoch", {4, 4}, "sgd", 7, use_everything},
                                         ResumeCase{"everything_after_epoch", {0, 0}, "adamw", 8, use_everything},
                                         ResumeCase{"devices_mid_epoch", on_devices(), "adam", 7},
                                         ResumeCase{"average_mid_epoch", {4, 4}, "adam", 12, average_only}),
                         [](const auto& tested) { return tested.param.label; });

TEST(Checkpoint, StoppedTrainingSavesOnceAndGoesOn) {
  const TemporaryFolder folder("stopped");
  const DataSet data = small_glyphs();
  const auto options = short_training("adam");
  auto whole = make_network(full_network({4, 4}), 9);
  Trainer(*whole, data, options).run({});

  auto network = make_network(full_network({4, 4}), 9);
  int rounds = 0;
  for (; rounds < 100; ++rounds) {
    Trainer trainer(*network, data, options);
    if (rounds > 0) {
      const Hdf5Reader file(folder / "c.h5");
      network = read_network(file);
      Trainer again(*network, data, options);
      read_training_state(file, again);
      int asked = 0;
      TrainingSinks sinks;
      sinks.should_stop = [&] { return ++asked > 3; };  // stops between batches and between test batches
      sinks.checkpoint = [&](const Trainer& now) { save_checkpoint(folder / "c.h5", now); };
      if (again.run(sinks) == Trainer::Outcome::kFinished) break;
      continue;
    }
    save_checkpoint(folder / "c.h5", trainer);
  }
  EXPECT_GT(rounds, 3);
  EXPECT_LT(rounds, 100);
  EXPECT_EQ(state_of(*whole), state_of(*network));
}

class Hostile : public testing::Test {
 protected:
  Hostile() : network_(make_network(full_network({4, 4}), 9)), trainer_(*network_, data_, short_training("adam")) {
    save_checkpoint(folder_ / "good.h5", trainer_);
  }

  /// Writes a whole checkpoint, lets `spoil` change it, and returns the code of the failure to read it.
  std::string code_after(const std::function<void(Hdf5Writer&)>& spoil) {
    {
      Hdf5Writer file(folder_ / "bad.h5");
      write_checkpoint_header(file);
      write_network(file, *network_);
      write_training_state(file, trainer_);
      spoil(file);
      file.commit();
    }
    return code_of(folder_ / "bad.h5");
  }

  std::string code_of(const std::filesystem::path& path) {
    try {
      const Hdf5Reader file(path);
      check_checkpoint_header(file);
      auto network = read_network(file);
      Trainer trainer(*network, data_, short_training("adam"));
      read_training_state(file, trainer);
      return "read";
    } catch (const Error& failure) {
      return failure.code();
    }
  }

  TemporaryFolder folder_{"hostile"};
  DataSet data_ = small_glyphs();
  std::unique_ptr<Network> network_;
  Trainer trainer_;
};

TEST_F(Hostile, OtherOptionsAreNamed) {
  const std::string path = folder_ / "good.h5";
  for (const auto& [change, part] :
       {std::pair<void (*)(TrainingOptions&), const char*>{[](TrainingOptions& o) { o.average_decay = 0.5; },
                                                           "average_decay = 0 in the file, 0.5 now"},
        {[](TrainingOptions& o) { o.label_smoothing = 0.1; }, "label_smoothing"},
        {[](TrainingOptions& o) { o.optimizer.nesterov = true; }, "nesterov = 0 in the file, 1 now"},
        {[](TrainingOptions& o) {
           o.validation_images = 20;
           o.keep = Keep::kBest;
           o.patience = 4;
         },
         "keep = last in the file, best now"}}) {
    auto options = short_training("adam");
    change(options);
    Trainer other(*network_, data_, options);
    try {
      read_training_state(Hdf5Reader(path), other);
      FAIL() << part;
    } catch (const Error& failure) {
      EXPECT_EQ(failure.code(), "E405");
      EXPECT_NE(std::string(failure.what()).find(part), std::string::npos) << failure.what();
    }
  }
}

TEST_F(Hostile, WrongAttributesAreErrors) {
  const auto number = [](const char* group, const char* name, std::int64_t value) {
    return [=](Hdf5Writer& file) { file.attribute(group, name, value); };
  };
  EXPECT_EQ(code_after([](Hdf5Writer&) {}), "read");
  EXPECT_EQ(code_after(number("/network", "classes", -1)), "E403");
  EXPECT_EQ(code_after(number("/network", "classes", 11)), "E403");
  EXPECT_EQ(code_after(number("/network", "weight_bits", 1 << 30)), "E403");
  EXPECT_EQ(code_after(number("/network", "batch_norm", 0)),
            "read");  // fewer parameters than stored: harmless
  EXPECT_EQ(code_after(number("/network", "batch_norm", 7)), "E403");
  EXPECT_EQ(code_after(number("/progress", "step", 3)), "E403");
  EXPECT_EQ(code_after(number("/progress", "epoch", 1000)), "E403");
  EXPECT_EQ(code_after(number("/progress", "best_epoch", 7)), "E403");
  EXPECT_EQ(code_after(number("/progress", "batch_size", 32)), "E405");
  EXPECT_EQ(code_after([](Hdf5Writer& file) { file.attribute("/network", "dropout", 1.5); }), "E403");
  EXPECT_EQ(code_after([](Hdf5Writer& file) { file.attribute("/", "errata_format", "error_table"); }), "E405");
  const std::vector<std::int64_t> later{2, 0}, sides{4096, 4096, 1};
  EXPECT_EQ(code_after([&](Hdf5Writer& file) { file.attribute("/", "format_version", later); }), "E405");
  EXPECT_EQ(code_after([&](Hdf5Writer& file) { file.attribute("/network", "input", sides); }), "E403");
}

/// A network as files of version 1.0 had it, without its layers; `layers` adds some of one's own.
void write_version_1_0(Hdf5Writer& file, const Network& network, const std::vector<std::string>& layers = {}) {
  write_checkpoint_header(file);
  const std::vector<std::int64_t> version{1, 0}, input{28, 28, 1}, hidden{120, 84};
  file.attribute("/", "format_version", std::span<const std::int64_t>(version));
  file.attribute("/network", "name", network.options().name);
  file.attribute("/network", "input", std::span<const std::int64_t>(input));
  file.attribute("/network", "classes", std::int64_t{10});
  file.attribute("/network", "hidden", std::span<const std::int64_t>(hidden));
  file.attribute("/network", "weight_bits", std::int64_t{4});
  file.attribute("/network", "input_bits", std::int64_t{4});
  file.attribute("/network", "batch_norm", std::int64_t{1});
  file.attribute("/network", "dropout", 0.2);
  for (const Parameter* p : network.parameters())
    file.write("/network/parameters/" + p->name, std::span<const float>(p->value), p->shape, "1");
  for (const StateBuffer& b : network.buffers())
    file.write("/network/buffers/" + b.name, std::span<const float>(*b.values), {b.values->size()}, "1");
  if (!layers.empty()) file.write_strings("/network/layers", layers);
}

TEST_F(Hostile, FilesOfVersion1_0AreRead) {
  {
    Hdf5Writer file(folder_ / "old.h5");
    write_version_1_0(file, *network_);
    file.commit();
  }
  const Hdf5Reader file(folder_ / "old.h5");
  check_checkpoint_header(file);
  const auto network = read_network(file);
  EXPECT_EQ(network->description(), network_->description());
  EXPECT_EQ(state_of(*network), state_of(*network_));
  const auto code = [&](const std::function<void(Hdf5Writer&)>& spoil) {
    {
      Hdf5Writer bad(folder_ / "bad.h5");
      write_version_1_0(bad, *network_);
      spoil(bad);
      bad.commit();
    }
    return code_of(folder_ / "bad.h5");
  };
  const std::vector<std::int64_t> hidden{65536, 65536};
  EXPECT_EQ(code([](Hdf5Writer& bad) { bad.attribute("/network", "name", "resnet"); }), "E403");
  EXPECT_EQ(code([&](Hdf5Writer& bad) { bad.attribute("/network", "hidden", std::span(hidden)); }), "E403");
}

TEST_F(Hostile, LayersThatDoNotFitAreErrors) {
  const auto code = [&](const std::vector<std::string>& layers) {
    {
      Hdf5Writer bad(folder_ / "bad.h5");
      write_version_1_0(bad, *network_, layers);
      bad.commit();
    }
    return code_of(folder_ / "bad.h5");
  };
  EXPECT_EQ(code({"[[layer"}), "E403");
  EXPECT_EQ(code({"[[layer]]", "type = \"linear\"", "features = 11"}), "E403");
  EXPECT_EQ(code({"[[layer]]", "type = \"linear\"", "features = 65536", "[[layer]]", "type = \"linear\"",
                  "features = 65536", "[[layer]]", "type = \"linear\"", "features = 10"}),
            "E403");
  EXPECT_EQ(code({"[[layer]]", "type = \"linear\"", "name = \"elsewhere\"", "features = 10"}), "E403");
}

TEST_F(Hostile, MissingGroupsAreErrors) {
  {
    Hdf5Writer file(folder_ / "bad.h5");
    write_checkpoint_header(file);
    file.commit();
  }
  EXPECT_EQ(code_of(folder_ / "bad.h5"), "E403");
  {
    Hdf5Writer file(folder_ / "bad.h5");
    write_checkpoint_header(file);
    write_network(file, *network_);
    file.commit();
  }
  EXPECT_EQ(code_of(folder_ / "bad.h5"), "E403");
  EXPECT_EQ(code_of(folder_ / "absent.h5"), "E401");
}

TEST_F(Hostile, ValuesThatAreNotFiniteAreErrors) {
  network_->matrix_layers()[1]->weight().value[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(code_after([](Hdf5Writer&) {}), "E403");
}

TEST_F(Hostile, TruncatedFilesAreErrors) {
  const std::string good = bytes_of(folder_ / "good.h5");
  for (const std::size_t size : {std::size_t{0}, std::size_t{10}, good.size() / 2, good.size() - 100}) {
    std::ofstream(folder_ / "bad.h5", std::ios::binary) << good.substr(0, size);
    EXPECT_TRUE(code_of(folder_ / "bad.h5").starts_with("E4")) << size;
  }
}

}  // namespace
}  // namespace errata::training
