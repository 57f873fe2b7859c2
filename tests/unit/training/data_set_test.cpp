#include "training/data/data_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "core/sha256.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/training/data_files.h"
#include "training/data/data_catalogue.h"
#include "training/data/glyphs.h"

namespace errata::training {
namespace {

using errata::testing::expect_error;
using errata::testing::TemporaryFolder;

TEST(DataSet, UnknownNamesAreErrors) {
  expect_error(ExitStatus::kInvalidProject, "E511", [] { load_data_set("minst", {}); });
  try {
    data_set_entry("minst");
  } catch (const Error& failure) {
    EXPECT_EQ(failure.hint(), "did you mean 'mnist'?");
  }
}

void write_cifar(const TemporaryFolder& folder) {
  for (int i = 1; i <= 5; ++i) {
    std::string records;
    for (int k = 0; k < i; ++k) records += cifar_record(i);
    const std::string name = "cifar-10/data_batch_" + std::to_string(i) + ".bin";
    i % 2 == 0 ? folder.write(name, records) : folder.write(name + ".gz", gzip(records));
  }
  folder.write("cifar-10/test_batch.bin", cifar_record(0) + cifar_record(9));
}

TEST(DataSet, Cifar10) {
  const TemporaryFolder folder;
  write_cifar(folder);
  const DataSet data = load_data_set("cifar-10", {.root = folder.path(), .threads = 2});
  EXPECT_EQ(data.shape, (ImageShape{32, 32, 3}));
  EXPECT_EQ(data.classes, 10u);
  EXPECT_EQ(data.train.labels, (std::vector<std::uint8_t>{1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5}));
  EXPECT_EQ(data.test.labels, (std::vector<std::uint8_t>{0, 9}));
  const DataSet few = load_data_set("cifar-10", {.root = folder.path(), .train_images = 4, .test_images = 1});
  EXPECT_EQ(few.train.pixels.size(), 4u * 3072);
  EXPECT_EQ(few.test.count(), 1u);
  std::filesystem::remove(folder / "cifar-10/data_batch_3.bin.gz");
  const std::string message =
      expect_error(ExitStatus::kInvalidProject, "E301", [&] { load_data_set("cifar-10", {.root = folder.path()}); });
  EXPECT_NE(message.find("data_batch_3.bin"), std::string::npos);
}

TEST(DataSet, TrainingAndTestImagesOfOneSize) {
  const TemporaryFolder folder;
  folder.write("mnist/train-images-idx3-ubyte", idx_images(1, 2, 2, "abcd"));
  folder.write("mnist/train-labels-idx1-ubyte", idx_labels("\1"));
  folder.write("mnist/t10k-images-idx3-ubyte", idx_images(1, 2, 1, "ab"));
  folder.write("mnist/t10k-labels-idx1-ubyte", idx_labels("\1"));
  expect_error(ExitStatus::kArtifact, "E404", [&] { load_data_set("mnist", {.root = folder.path()}); });
}

TEST(DataCatalogue, TellsWhatAFolderHolds) {
  const TemporaryFolder folder;
  const DataSetEntry& cifar = data_set_entry("cifar-10");
  EXPECT_EQ(find_data_set(cifar, folder.path()).missing.size(), 6u);
  write_cifar(folder);
  FoundDataSet found = find_data_set(cifar, folder.path());
  EXPECT_EQ(found.train_images, 15u);
  EXPECT_EQ(found.test_images, 2u);
  EXPECT_EQ(found.files[0], folder / "cifar-10/data_batch_1.bin.gz");
  EXPECT_TRUE(found.problem.empty());
  folder.write("cifar-10/data_batch_2.bin", "x");
  EXPECT_NE(find_data_set(cifar, folder.path()).problem.find("data_batch_2.bin"), std::string::npos);
  std::filesystem::remove(folder / "cifar-10/test_batch.bin");
  EXPECT_EQ(find_data_set(cifar, folder.path()).missing, std::vector<std::string>{"test_batch.bin"});

  const DataSetEntry& mnist = data_set_entry("mnist");
  folder.write("mnist/train-images-idx3-ubyte", idx_images(7, 28, 28, ""));
  folder.write("mnist/train-labels-idx1-ubyte", "");
  folder.write("mnist/t10k-images-idx3-ubyte.gz", gzip(idx_images(3, 28, 28, "")));
  folder.write("mnist/t10k-labels-idx1-ubyte", "");
  found = find_data_set(mnist, folder.path());
  EXPECT_EQ(found.train_images, 7u);
  EXPECT_EQ(found.test_images, 3u);
  for (const std::string& bad : {std::string(), idx_labels("\1"), std::string("a page that says not found")}) {
    folder.write("mnist/train-images-idx3-ubyte", bad);
    found = find_data_set(mnist, folder.path());
    EXPECT_FALSE(found.problem.empty());
    EXPECT_EQ(found.train_images, 0u);
  }
}

TEST(DataCatalogue, EntriesAreComplete) {
  for (const auto& entry : data_catalogue()) {
    EXPECT_FALSE(entry.licence.empty() || entry.citation.empty()) << entry.name;
    EXPECT_EQ(entry.files.empty(), entry.format == DataSetFormat::kBuiltIn) << entry.name;
    EXPECT_EQ(entry.remote.empty(), entry.format == DataSetFormat::kBuiltIn) << entry.name;
    for (const auto& remote : entry.remote) {
      EXPECT_TRUE(remote.address.starts_with("http")) << remote.address;
      EXPECT_EQ(remote.sha256.size(), 64u) << remote.address;
      EXPECT_EQ(remote.sha256.find_first_not_of("0123456789abcdef"), std::string::npos) << remote.address;
      EXPECT_GT(remote.bytes, 0u) << remote.address;
    }
  }
}

/// Folder of the original files; tests that need it are skipped without.
const char* original_files() { return std::getenv("ERRATA_DATA"); }

TEST(DataSet, ReadsTheOriginalFiles) {
  const char* root = original_files();
  if (root == nullptr) GTEST_SKIP() << "ERRATA_DATA is not set";
  struct Expected {
    const char* name;
    std::size_t train, test, classes;
    std::uint8_t first_label;
  };
  for (const auto& expected : {Expected{"mnist", 60000, 10000, 10, 5}, Expected{"fashion-mnist", 60000, 10000, 10, 9},
                               Expected{"emnist", 124800, 20800, 26, 22}}) {
    const DataSet data = load_data_set(expected.name, {.root = root});
    EXPECT_EQ(data.train.count(), expected.train);
    EXPECT_EQ(data.test.count(), expected.test);
    EXPECT_EQ(data.classes, expected.classes);
    EXPECT_EQ(data.train.labels[0], expected.first_label);
    EXPECT_EQ(data.shape, (ImageShape{28, 28, 1}));
  }
  EXPECT_EQ(load_data_set("mnist", {.root = root, .train_images = 100, .test_images = 7}).test.pixels.size(), 7u * 784);
}

TEST(DataSet, ReadsTheOriginalCifar10) {
  const char* root = original_files();
  if (root == nullptr) GTEST_SKIP() << "ERRATA_DATA is not set";
  const FoundDataSet found = find_data_set(data_set_entry("cifar-10"), root);
  if (!found.missing.empty()) GTEST_SKIP() << "ERRATA_DATA holds no cifar-10";
  const DataSet data = load_data_set("cifar-10", {.root = root, .threads = 2});
  EXPECT_EQ(data.train.count(), found.train_images);
  EXPECT_EQ(data.test.count(), found.test_images);
  EXPECT_EQ(data.train.labels[0], 6);   // a frog
  EXPECT_EQ(data.test.labels[0], 3);    // a cat
  EXPECT_EQ(data.train.pixels[0], 59);  // the frog's upper left pixel is (59, 62, 63)
  EXPECT_EQ(data.train.pixels[1], 62);
  EXPECT_EQ(data.train.pixels[2], 63);
  // Channel means of the training images, 0.4914, 0.4822, 0.4465 for the complete set; a few missing images may move
  // them by 0.0005 at most.
  const double expected[] = {0.4914, 0.4822, 0.4465};
  for (std::size_t c = 0; c < 3; ++c) {
    double sum = 0.0;
    for (std::size_t i = c; i < data.train.pixels.size(); i += 3) sum += data.train.pixels[i];
    EXPECT_NEAR(3.0 * sum / 255.0 / static_cast<double>(data.train.pixels.size()), expected[c], 0.0005);
  }
}

TEST(DataCatalogue, KnowsTheOriginalFiles) {
  const char* root = original_files();
  if (root == nullptr) GTEST_SKIP() << "ERRATA_DATA is not set";
  for (const char* name : {"mnist", "fashion-mnist"})
    for (const auto& remote : data_set_entry(name).remote) {
      const auto file = std::filesystem::path(root) / name / remote.address.substr(remote.address.rfind('/') + 1);
      EXPECT_EQ(std::filesystem::file_size(file), remote.bytes) << file;
      EXPECT_EQ(sha256_of_file(file), remote.sha256) << file;
    }
}

TEST(Glyphs, DependOnSeedAndNumberAlone) {
  const DataSet one = make_glyphs({.seed = 4, .train_images = 50, .test_images = 20, .threads = 1});
  const DataSet more = make_glyphs({.seed = 4, .train_images = 90, .test_images = 20, .threads = 3});
  EXPECT_TRUE(std::equal(one.train.pixels.begin(), one.train.pixels.end(), more.train.pixels.begin()));
  EXPECT_EQ(one.test.pixels, more.test.pixels);
  EXPECT_NE(one.train.pixels, make_glyphs({.seed = 5, .train_images = 50, .test_images = 20}).train.pixels);
  EXPECT_FALSE(std::equal(one.test.pixels.begin(), one.test.pixels.end(), one.train.pixels.begin()));
  for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(one.train.labels[i], i % 10);
}

TEST(Glyphs, HaveInkOnPaper) {
  const DataSet data = make_glyphs({.seed = 4, .train_images = 200, .test_images = 10});
  for (std::size_t i = 0; i < 200; ++i) {
    const auto image = std::span(data.train.pixels).subspan(i * 784, 784);
    const double mean = std::accumulate(image.begin(), image.end(), 0.0) / 784.0;
    EXPECT_GT(mean, 3.0) << i;
    EXPECT_LT(mean, 140.0) << i;
    EXPECT_GT(*std::ranges::max_element(image), 80) << i;
  }
}

}  // namespace
}  // namespace errata::training
