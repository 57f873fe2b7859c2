#include "training/data/data_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zlib.h>

#include <fstream>

#include "core/random_stream.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/training/data_files.h"

namespace errata::training {
namespace {

using errata::testing::expect_error;
using errata::testing::TemporaryFolder;

std::string whole(const std::filesystem::path& path, std::size_t most = 1 << 20) {
  DataFile file(path);
  std::vector<std::uint8_t> bytes(most);
  bytes.resize(file.read(bytes));
  file.expect_end();
  return {bytes.begin(), bytes.end()};
}

TEST(DataFile, ReadsPlainAndCompressedFilesInPieces) {
  const TemporaryFolder folder;
  std::string contents;
  for (unsigned i = 0; i < 100000; ++i) contents += static_cast<char>(i * i % 251);
  for (const auto& path : {folder.write("plain", contents), folder.write("packed", gzip(contents))}) {
    EXPECT_EQ(whole(path), contents);
    DataFile file(path);
    std::string pieces;
    std::vector<std::uint8_t> piece(777);
    while (const std::size_t got = file.read(piece))
      pieces.append(piece.begin(), piece.begin() + static_cast<long>(got));
    EXPECT_EQ(pieces, contents);
  }
  EXPECT_EQ(whole(folder.write("several", gzip("one ") + gzip("") + gzip("two"))), "one two");
  EXPECT_EQ(whole(folder.write("empty", "")), "");
  EXPECT_EQ(whole(folder.write("packed empty", gzip(""))), "");
}

TEST(DataFile, DamagedCompressionIsAnError) {
  const TemporaryFolder folder;
  const std::string good = gzip("some words that are packed, some words that are packed");
  for (std::size_t size = 2; size < good.size(); ++size) {
    const auto path = folder.write("file", good.substr(0, size));
    expect_error(ExitStatus::kArtifact, "E404", [&] { whole(path); });
  }
  for (const std::string& bad : {good + "x", good + std::string(1, '\x1f'), good + good.substr(0, 20)}) {
    const auto path = folder.write("file", bad);
    expect_error(ExitStatus::kArtifact, "E404", [&] { whole(path); });
  }
  // The last eight bytes are checksum and length.
  for (std::size_t back = 1; back <= 8; ++back) {
    std::string bad = good;
    bad[bad.size() - back] = static_cast<char>(bad[bad.size() - back] ^ 1);
    const auto path = folder.write("file", bad);
    expect_error(ExitStatus::kArtifact, "E404", [&] { whole(path); });
  }
}

TEST(DataFile, OnlyRegularFilesAreRead) {
  const TemporaryFolder folder;
  const auto message = [&](const std::filesystem::path& path) {
    return expect_error(ExitStatus::kArtifact, "E404", [&] { whole(path); });
  };
  EXPECT_NE(message(folder.path()).find("it is a folder"), std::string::npos);
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_NE(message(folder / "pipe").find("not a regular file"), std::string::npos);
  std::filesystem::create_symlink("/dev/zero", folder / "endless");
  EXPECT_NE(message(folder / "endless").find("not a regular file"), std::string::npos);
  // Opens, but reading it from its beginning fails: what a broken disk looks like.
  std::filesystem::create_symlink("/proc/self/mem", folder / "broken");
  EXPECT_NE(message(folder / "broken").find("cannot be read"), std::string::npos);
}

TEST(DataFile, FindsPlainBeforeCompressed) {
  const TemporaryFolder folder;
  EXPECT_FALSE(find_data_file(folder / "file"));
  expect_error(ExitStatus::kInvalidProject, "E301", [&] { require_data_file(folder / "file"); });
  std::filesystem::create_directory(folder / "file");
  EXPECT_EQ(*find_data_file(folder / "file"), folder / "file");
  folder.write("file.gz", "");
  EXPECT_EQ(*find_data_file(folder / "file"), folder / "file.gz");
  std::filesystem::remove(folder / "file");
  folder.write("file", "");
  EXPECT_EQ(*find_data_file(folder / "file"), folder / "file");
}

TEST(DataFile, ClaimedBytes) {
  const TemporaryFolder folder;
  EXPECT_EQ(claimed_bytes(folder.write("plain", "12345")), 5u);
  EXPECT_EQ(claimed_bytes(folder.write("packed", gzip(std::string(70000, 'a')))), 70000u);
  EXPECT_EQ(claimed_bytes(folder / "missing"), 0u);
  EXPECT_EQ(claimed_bytes(folder.write("stub", "\x1f\x8b")), 0u);
}

}  // namespace
}  // namespace errata::training
