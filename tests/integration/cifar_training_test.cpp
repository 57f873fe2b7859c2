// Training on CIFAR-10 files through the program: made ones, and the original ones where they are at hand.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/cli_project.h"
#include "tests/unit/training/data_files.h"

namespace errata {
namespace {

using testing::bytes_of;
using testing::CliProject;
using testing::ProgramResult;
using testing::TemporaryFolder;

constexpr const char* kCifar =
    " --set training.data_set=cifar-10 --set training.augmentation.flip=true --set training.shift=4 --set "
    "training.normalization=scale --set training.baselines=false ";

TEST(CifarTraining, TrainsAndNoticesOtherFiles) {
  const TemporaryFolder data;
  std::string records;
  for (int i = 0; i < 40; ++i) records += training::cifar_record(i % 10);
  for (int batch = 1; batch <= 5; ++batch)
    data.write("cifar-10/data_batch_" + std::to_string(batch) + ".bin.gz", training::gzip(records));
  data.write("cifar-10/test_batch.bin", records);
  const std::string more = kCifar + ("--data-dir " + data.path().string());

  const CliProject p;
  const ProgramResult made = p.run("run", "--to train" + more);
  ASSERT_EQ(made.status, 0) << made.output;
  for (const char* arm : {"ideal", "error_aware"}) {
    const auto events = p.artifact("tensorboard") / arm / "events.out.tfevents.0.errata";
    ASSERT_TRUE(std::filesystem::exists(events)) << events;
    const std::string bytes = bytes_of(events);
    for (const char* tag : {"brain.Event:2", "epoch/test_accuracy", "epoch/train_loss", "learning_rate"})
      EXPECT_NE(bytes.find(tag), std::string::npos) << tag;
  }
  const ProgramResult fresh = p.run("train", more);
  EXPECT_NE(fresh.output.find("fresh"), std::string::npos) << fresh.output;
  // Files of no concern leave it fresh, the data do not.
  data.write("cifar-10/readme.html", "text");
  EXPECT_NE(p.run("train", more).output.find("fresh"), std::string::npos);
  data.write("cifar-10/test_batch.bin", records + training::cifar_record(1));
  EXPECT_NE(p.run("status", more).output.find("data has changed"), std::string::npos) << p.run("status", more).output;
}

TEST(CifarTraining, OriginalFiles) {
  const char* root = std::getenv("ERRATA_DATA");
  if (root == nullptr) GTEST_SKIP() << "ERRATA_DATA is not set";
  if (!std::filesystem::exists(std::filesystem::path(root) / "cifar-10"))
    GTEST_SKIP() << "ERRATA_DATA holds no cifar-10";
  const CliProject p;
  const ProgramResult made = p.run("run", std::string("--to train --set training.network=lenet5") + kCifar);
  EXPECT_EQ(made.status, 0) << made.output;
}

}  // namespace
}  // namespace errata
