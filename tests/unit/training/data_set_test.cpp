#include "training/data_set.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <numeric>

#include "core/error.h"
#include "tests/unit/training/training_fixture.h"
#include "training/glyphs.h"
#include "training/idx_loader.h"

namespace errata::training {
namespace {

std::string big_endian(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

std::string image_header(std::uint32_t count, std::uint32_t rows, std::uint32_t columns) {
  return big_endian(0x803) + big_endian(count) + big_endian(rows) + big_endian(columns);
}

std::string label_file(const std::string& labels) {
  return big_endian(0x801) + big_endian(static_cast<std::uint32_t>(labels.size())) + labels;
}

class Idx : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  void write_gz(const std::string& name, const std::string& bytes) {
    gzFile file = gzopen((folder_ / name).c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
  }
  IdxImages load(const IdxLayout& layout) { return load_idx_images(folder_ / "images", folder_ / "labels", layout); }
  std::string code() {
    try {
      load({});
      return "read";
    } catch (const Error& failure) {
      return failure.code();
    }
  }

  TemporaryFolder folder_{"idx"};
};

TEST_F(Idx, ReadsPlainAndCompressedFiles) {
  const std::string images = image_header(2, 2, 3) + std::string("abcdefABCDEF");
  write("images", images);
  write_gz("labels.gz", label_file(std::string("\3\7", 2)));
  const IdxImages read = load({});
  EXPECT_EQ(read.shape, (ImageShape{2, 3, 1}));
  EXPECT_EQ(read.set.labels, (std::vector<std::uint8_t>{3, 7}));
  EXPECT_EQ(std::string(read.set.pixels.begin(), read.set.pixels.end()), "abcdefABCDEF");
}

TEST_F(Idx, TurnsLettersUpright) {
  write("images", image_header(1, 2, 3) + "abcdef");
  write("labels", label_file("\x1a"));
  const IdxImages read = load({.transposed = true, .first_label = 1, .classes = 26});
  EXPECT_EQ(read.shape, (ImageShape{3, 2, 1}));
  EXPECT_EQ(std::string(read.set.pixels.begin(), read.set.pixels.end()), "adbecf");
  EXPECT_EQ(read.set.labels[0], 25);
}

TEST_F(Idx, HostileFilesAreErrors) {
  const std::string good_labels = label_file(std::string("\3\7", 2)), good = image_header(2, 2, 3) + "abcdefABCDEF";
  write("labels", good_labels);
  EXPECT_EQ(code(), "E301");
  write("images", good);
  EXPECT_EQ(code(), "read");
  for (std::size_t size = 0; size < good.size(); ++size) {
    write("images", good.substr(0, size));
    EXPECT_EQ(code(), "E404") << size;
  }
  for (const std::string& bad :
       {good + "x", image_header(0xffffffff, 28, 28), image_header(0xffffffff, 0xffffffff, 0xffffffff),
        image_header(2, 0, 3), image_header(0, 2, 3), image_header(2, 5000, 1), big_endian(0x801) + good.substr(4),
        std::string(4096, '\xff')}) {
    write("images", bad);
    EXPECT_EQ(code(), "E404");
  }
  write("images", good);
  for (const std::string& bad :
       {label_file("\3"), label_file(std::string("\3\x0a", 2)), label_file(std::string("\3\7\1", 3)),
        good_labels.substr(0, 9), big_endian(0x801) + big_endian(0xffffffff) + "\3"}) {
    write("labels", bad);
    EXPECT_EQ(code(), "E404");
  }
}

TEST_F(Idx, HostileCompressedFilesAreErrors) {
  write("labels", label_file(std::string("\3\7", 2)));
  // A gzip bomb: 64 MiB of zeros in 64 KiB, behind an honest and behind a lying header.
  const std::string zeros(64u << 20, '\0');
  write_gz("images.gz", image_header(2, 2, 3) + zeros);
  EXPECT_EQ(code(), "E404");
  write_gz("images.gz", image_header(0x40000000, 1024, 1) + zeros);
  EXPECT_EQ(code(), "E404");
  write_gz("images.gz", image_header(2, 2, 3) + "abcdefABCDEF");
  EXPECT_EQ(code(), "read");
  std::ifstream stored(folder_ / "images.gz", std::ios::binary);
  const std::string packed{std::istreambuf_iterator<char>(stored), {}};
  for (std::size_t size = 0; size + 1 < packed.size(); ++size) {
    write("images.gz", packed.substr(0, size));
    EXPECT_NE(code(), "read") << size;
  }
  std::string flipped = packed;
  flipped[packed.size() - 6] = static_cast<char>(flipped[packed.size() - 6] ^ 1);  // checksum
  write("images.gz", flipped);
  EXPECT_EQ(code(), "E404");
}

TEST(DataSet, UnknownNamesAreErrors) {
  try {
    load_data_set("minst", {});
    FAIL();
  } catch (const Error& failure) {
    EXPECT_EQ(failure.code(), "E511");
  }
}

TEST(DataSet, ReadsTheOriginalFiles) {
  const char* root = std::getenv("ERRATA_DATA");
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
