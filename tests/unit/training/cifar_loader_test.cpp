#include "training/data/cifar_loader.h"

#include <gtest/gtest.h>

#include "core/random_stream.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/training/data_files.h"

namespace errata::training {
namespace {

using errata::testing::expect_error;

class Cifar : public ::testing::Test {
 protected:
  ImageSet load(const std::vector<std::string>& names, int threads = 1) {
    std::vector<std::filesystem::path> files;
    for (const auto& name : names) files.push_back(folder_ / name);
    return load_cifar(files, threads);
  }
  std::string refusal(const std::string& contents) {
    folder_.write("bad", contents);
    return expect_error(ExitStatus::kArtifact, "E404", [&] { load({"bad"}); });
  }

  errata::testing::TemporaryFolder folder_;
};

TEST_F(Cifar, ChannelsComeLast) {
  folder_.write("one", cifar_record(4));
  const ImageSet set = load({"one"});
  ASSERT_EQ(set.labels, std::vector<std::uint8_t>{4});
  ASSERT_EQ(set.pixels.size(), 3072u);
  for (std::size_t y = 0; y < 32; ++y)
    for (std::size_t x = 0; x < 32; ++x)
      for (std::size_t c = 0; c < 3; ++c)
        ASSERT_EQ(set.pixels[(y * 32 + x) * 3 + c], (4 + 7 * y + 3 * x + 101 * c) % 256) << y << " " << x << " " << c;
}

TEST_F(Cifar, AnyNumberOfRecordsPlainOrPackedInOrder) {
  std::string many;
  for (int i = 0; i < 600; ++i) many += cifar_record(i % 10);  // more than are read at once
  folder_.write("a", many);
  folder_.write("b.gz", gzip(cifar_record(3) + cifar_record(9)));
  folder_.write("c", cifar_record(5));
  const ImageSet set = load({"a", "b", "c"});
  ASSERT_EQ(set.count(), 603u);
  for (std::size_t i = 0; i < 600; ++i) EXPECT_EQ(set.labels[i], i % 10);
  EXPECT_EQ(set.labels[600], 3);
  EXPECT_EQ(set.labels[602], 5);
  EXPECT_EQ(set.pixels[602 * 3072], 5);
  EXPECT_EQ(load({"a", "b", "c"}, 3).pixels, set.pixels);
}

TEST_F(Cifar, WrongFilesAreErrors) {
  const std::string record = cifar_record(1);
  expect_error(ExitStatus::kInvalidProject, "E301", [&] { load({"missing"}); });
  EXPECT_NE(refusal("").find("empty"), std::string::npos);
  EXPECT_NE(refusal(record.substr(0, 3072)).find("whole records"), std::string::npos);
  EXPECT_NE(refusal(record + record.substr(0, 1)).find("whole records"), std::string::npos);
  EXPECT_NE(refusal(record + cifar_record(10)).find("record 1 has label 10"), std::string::npos);
  EXPECT_NE(refusal(gzip(record + record).substr(0, 200)).find("truncated"), std::string::npos);
  std::string hundred = std::string(1, '\7') + record;  // CIFAR-100 has two labels a record
  EXPECT_NE(refusal(hundred).find("whole records"), std::string::npos);
  refusal(idx_images(2, 2, 3, "abcdefABCDEF"));
}

TEST_F(Cifar, ABombIsStoppedEarly) {
  // Zeros are good records of class 0, so only their number can tell: 330 MB in 1.5 MB.
  const std::string zeros(kCifarRecordBytes * 1000, '\0');
  std::string bomb;
  for (int i = 0; i < 108; ++i) bomb += gzip(zeros);
  EXPECT_NE(refusal(bomb).find("more than 100000 records"), std::string::npos);
}

TEST_F(Cifar, DamagedBytesNeverCrash) {
  const std::string good = cifar_record(1) + cifar_record(2), packed = gzip(good);
  RandomStream stream(12, StreamPurpose::kTest);
  for (int round = 0; round < 200; ++round) {
    std::string bad = round % 2 == 0 ? good : packed;
    for (std::uint64_t flips = 1 + stream.below(4); flips > 0; --flips)
      bad[stream.below(bad.size())] = static_cast<char>(stream.below(256));
    if (round % 5 == 0) bad.resize(stream.below(bad.size() + 1));
    folder_.write("file", bad);
    try {
      EXPECT_EQ(load({"file"}).count(), 2u);
    } catch (const Error& failure) {
      EXPECT_EQ(failure.code(), "E404") << failure.what();
    }
  }
}

}  // namespace
}  // namespace errata::training
