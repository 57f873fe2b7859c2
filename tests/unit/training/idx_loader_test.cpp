#include "training/data/idx_loader.h"

#include <gtest/gtest.h>

#include "core/random_stream.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/training/data_files.h"

namespace errata::training {
namespace {

using errata::testing::expect_error;

class Idx : public ::testing::Test {
 protected:
  IdxImages load(const IdxLayout& layout = {}) {
    return load_idx_images(folder_ / "images", folder_ / "labels", layout);
  }
  /// Code of the error that loading throws, or "read".
  std::string code() {
    try {
      load();
      return "read";
    } catch (const Error& failure) {
      message_ = failure.what();
      return failure.code();
    }
  }

  errata::testing::TemporaryFolder folder_;
  std::string message_;
  const std::string images_ = idx_images(2, 2, 3, "abcdefABCDEF"), labels_ = idx_labels("\3\7");
};

TEST_F(Idx, ReadsPlainAndCompressedFiles) {
  folder_.write("images", images_);
  folder_.write("labels.gz", gzip(labels_));
  const IdxImages read = load();
  EXPECT_EQ(read.shape, (ImageShape{2, 3, 1}));
  EXPECT_EQ(read.set.labels, (std::vector<std::uint8_t>{3, 7}));
  EXPECT_EQ(std::string(read.set.pixels.begin(), read.set.pixels.end()), "abcdefABCDEF");
}

TEST_F(Idx, TurnsLettersUpright) {
  folder_.write("images", idx_images(1, 2, 3, "abcdef"));
  folder_.write("labels", idx_labels("\x1a"));
  const IdxImages read = load({.transposed = true, .first_label = 1, .classes = 26});
  EXPECT_EQ(read.shape, (ImageShape{3, 2, 1}));
  EXPECT_EQ(std::string(read.set.pixels.begin(), read.set.pixels.end()), "adbecf");
  EXPECT_EQ(read.set.labels[0], 25);
}

TEST_F(Idx, LettersAreNumberedFromOne) {
  folder_.write("images", idx_images(1, 1, 1, "a"));
  const IdxLayout letters{.transposed = true, .first_label = 1, .classes = 26};
  for (const char bad : {'\0', '\x1b'}) {
    folder_.write("labels", idx_labels(std::string(1, bad)));
    expect_error(ExitStatus::kArtifact, "E404", [&] { load(letters); });
  }
}

TEST_F(Idx, HostileFilesAreErrors) {
  folder_.write("labels", labels_);
  EXPECT_EQ(code(), "E301");
  folder_.write("images", images_);
  EXPECT_EQ(code(), "read");
  for (std::size_t size = 0; size < images_.size(); ++size) {
    folder_.write("images", images_.substr(0, size));
    EXPECT_EQ(code(), "E404") << size;
  }
  for (const std::string& bad :
       {images_ + "x", idx_images(0xffffffff, 28, 28, ""), idx_images(0xffffffff, 0xffffffff, 0xffffffff, ""),
        idx_images(2, 0, 3, ""), idx_images(0, 2, 3, ""), idx_images(2, 5000, 1, ""),
        big_endian(0x801) + images_.substr(4), std::string(4096, '\xff'), std::string(4096, '\0')}) {
    folder_.write("images", bad);
    EXPECT_EQ(code(), "E404");
  }
  folder_.write("images", images_);
  for (const std::string& bad : {idx_labels("\3"), idx_labels("\3\x0a"), idx_labels("\3\7\1"), labels_.substr(0, 9),
                                 big_endian(0x801) + big_endian(0xffffffff) + "\3", idx_labels("")}) {
    folder_.write("labels", bad);
    EXPECT_EQ(code(), "E404");
  }
}

TEST_F(Idx, HeadersAreComparedBeforeMemoryIsTaken) {
  // 2³² images of 16 MiB each, and as many labels: more than there is memory.
  folder_.write("images", idx_images(0xffffffff, 4096, 4096, "x"));
  folder_.write("labels", big_endian(0x801) + big_endian(0xffffffff) + "x");
  EXPECT_EQ(code(), "E404");
  EXPECT_NE(message_.find("4 GiB"), std::string::npos) << message_;
}

TEST_F(Idx, SwappedFilesAreNamed) {
  folder_.write("images", labels_);
  folder_.write("labels", images_);
  EXPECT_EQ(code(), "E404");
  EXPECT_NE(message_.find("swapped"), std::string::npos) << message_;
}

TEST_F(Idx, AFolderInPlaceOfAFile) {
  std::filesystem::create_directory(folder_ / "images");
  folder_.write("labels", labels_);
  EXPECT_EQ(code(), "E404");
  EXPECT_NE(message_.find("folder"), std::string::npos) << message_;
}

TEST_F(Idx, GzipBombsAreStoppedEarly) {
  folder_.write("labels", labels_);
  const std::string zeros(64u << 20, '\0');  // 300 KB when packed
  folder_.write("images.gz", gzip(images_.substr(0, 16) + zeros));
  EXPECT_EQ(code(), "E404");
  EXPECT_NE(message_.find("beyond"), std::string::npos) << message_;
  // A header that lies to justify it is held against the labels first, then against what deflate can do.
  folder_.write("images.gz", gzip(idx_images(0x40000000, 1024, 1, zeros)));
  EXPECT_EQ(code(), "E404");
  folder_.write("images.gz", gzip(idx_images(2, 4096, 4096, "x")));
  EXPECT_EQ(code(), "E404");
  EXPECT_NE(message_.find("can hold"), std::string::npos) << message_;
}

TEST_F(Idx, DamagedBytesNeverCrash) {
  RandomStream stream(11, StreamPurpose::kTest);
  for (const bool packed : {false, true})
    for (int round = 0; round < 200; ++round) {
      std::string images = packed ? gzip(images_) : images_, labels = packed ? gzip(labels_) : labels_;
      std::string& victim = round % 2 == 0 ? images : labels;
      for (std::uint64_t flips = 1 + stream.below(4); flips > 0; --flips)
        victim[stream.below(victim.size())] = static_cast<char>(stream.below(256));
      if (round % 5 == 0) victim.resize(stream.below(victim.size() + 1));
      // Anew, for truncating a file in use costs a write to the disk each time.
      for (const char* old : {"images", "labels"}) std::filesystem::remove(folder_ / old);
      folder_.write("images", images);
      folder_.write("labels", labels);
      const std::string result = code();
      EXPECT_TRUE(result == "read" || result == "E404") << result;
    }
}

TEST_F(Idx, WritesWhatItReads) {
  const IdxImages made{{2, 3, 1}, {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255}, {9, 0}}};
  const std::uint32_t sizes[] = {2, 2, 3};
  write_idx(folder_ / "images", made.set.pixels, sizes);
  write_idx(folder_ / "labels", made.set.labels, std::span(sizes).first(1));
  EXPECT_EQ(load().set.pixels, made.set.pixels);
  EXPECT_EQ(load().set.labels, made.set.labels);
  EXPECT_EQ(idx_sizes(folder_ / "images"), (std::vector<std::uint32_t>{2, 2, 3}));
  expect_error(ExitStatus::kEnvironment, "E601", [&] { write_idx(folder_ / "labels" / "file", {}, sizes); });
}

}  // namespace
}  // namespace errata::training
