#include "circuit/campaign/journal.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace errata::circuit {
namespace {

using testing::bytes_of;
using testing::TemporaryFolder;

const std::string kFingerprint(64, 'f');

PointResult result_of(std::size_t item) {
  return {.status = item % 2 == 0 ? PointStatus::kOk : PointStatus::kFailed,
          .values = {0.1 * static_cast<double>(item), -1.0},
          .log = std::string(item, 'l')};
}

std::map<std::size_t, PointResult> replay(const std::filesystem::path& path,
                                          const std::string& fingerprint = kFingerprint) {
  std::map<std::size_t, PointResult> found;
  Journal journal(path, fingerprint, [&](std::size_t item, PointResult r) { found[item] = std::move(r); });
  return found;
}

void write_items(const std::filesystem::path& path, std::size_t from, std::size_t to) {
  Journal journal(path, kFingerprint, [](std::size_t, PointResult) {});
  for (std::size_t i = from; i < to; ++i) journal.append(i, result_of(i));
}

TEST(Encode, RoundTrip) {
  PointResult r{.status = PointStatus::kSuspect,
                .values = {1.5, -0.0, std::numeric_limits<double>::infinity()},
                .log = std::string("a\0b", 3)};
  const PointResult back = decode(encode(r));
  EXPECT_EQ(back.status, r.status);
  EXPECT_EQ(back.values, r.values);
  EXPECT_TRUE(std::signbit(back.values[1]));
  EXPECT_EQ(back.log, r.log);
  const std::string bytes = encode(r);
  for (std::size_t n = 0; n + r.log.size() < bytes.size(); ++n)
    EXPECT_THROW(decode(bytes.substr(0, n)), std::out_of_range) << n;
  std::string hostile = bytes;
  hostile[1] = hostile[2] = hostile[3] = hostile[4] = '\xff';  // four billion values
  EXPECT_THROW(decode(hostile), std::out_of_range);
}

TEST(Journal, ReplaysWhatWasAppendedAndGoesOn) {
  const TemporaryFolder folder;
  const auto path = folder / "shards/x.journal";
  write_items(path, 0, 5);
  write_items(path, 5, 8);
  const auto found = replay(path);
  ASSERT_EQ(found.size(), 8u);
  for (const auto& [item, r] : found) {
    EXPECT_EQ(r.status, result_of(item).status);
    EXPECT_EQ(r.values, result_of(item).values);
    EXPECT_EQ(r.log, result_of(item).log);
  }
}

TEST(Journal, TruncatedAnywhereKeepsTheWholeRecordsAndGoesOn) {
  const TemporaryFolder folder;
  const auto path = folder / "x.journal";
  write_items(path, 0, 4);
  const std::string whole = bytes_of(path);
  std::size_t last = 0;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    folder.write("x.journal", whole.substr(0, size));
    const std::size_t kept = replay(path).size();
    EXPECT_GE(kept, last) << size;
    last = kept;
    write_items(path, kept, 4);  // the cut record is overwritten
    ASSERT_TRUE(bytes_of(path) == whole) << size;
  }
  EXPECT_EQ(last, 4u);
}

TEST(Journal, EveryDamagedByteIsNoticed) {
  const TemporaryFolder folder;
  write_items(folder / "x.journal", 0, 3);
  const std::string whole = bytes_of(folder / "x.journal");
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] ^= 0x10;
    const auto found = replay(folder.write("y.journal", damaged));
    EXPECT_LT(found.size(), 3u) << at;
    for (const auto& [item, r] : found) EXPECT_EQ(r.values, result_of(item).values) << at;
  }
}

TEST(Journal, OfAnotherFingerprintStartsAnew) {
  const TemporaryFolder folder;
  write_items(folder / "x.journal", 0, 3);
  EXPECT_TRUE(replay(folder / "x.journal", std::string(64, 'g')).empty());
  EXPECT_TRUE(replay(folder / "x.journal").empty());  // the old points are gone
}

TEST(Journal, DiscardRemovesTheFile) {
  const TemporaryFolder folder;
  Journal journal(folder / "x.journal", kFingerprint, [](std::size_t, PointResult) {});
  EXPECT_TRUE(std::filesystem::exists(folder / "x.journal"));
  journal.discard();
  EXPECT_FALSE(std::filesystem::exists(folder / "x.journal"));
}

TEST(Journal, SaysWhenItCannotWrite) {
  const TemporaryFolder folder;
  folder.write("file", "");
  testing::expect_error(ExitStatus::kEnvironment, "E601", [&] { replay(folder / "file/below.journal"); });
  testing::expect_error(ExitStatus::kEnvironment, "E601", [&] {
    Journal full("/dev/full", kFingerprint, [](std::size_t, PointResult) {});
    full.append(0, result_of(0));
  });
}

}  // namespace
}  // namespace errata::circuit
