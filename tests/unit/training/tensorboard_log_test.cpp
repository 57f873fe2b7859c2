#include "training/logs/tensorboard_log.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>

#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace errata::training {
namespace {

using errata::testing::bytes_of;
using errata::testing::TemporaryFolder;

// A reader of its own, after the descriptions of TFRecord and of protobuf's wire format.

struct Event {
  double wall_time = 0.0;
  std::int64_t step = 0;
  std::string version;
  std::map<std::string, float> scalars;
};

std::uint32_t plain_crc32c(const std::string& bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const char byte : bytes)
    for (int bit = 0; bit < 8; ++bit) {
      const bool one = ((crc ^ (static_cast<std::uint8_t>(byte) >> bit)) & 1) != 0;
      crc >>= 1;
      if (one) crc ^= 0x82f63b78;
    }
  return crc ^ 0xffffffff;
}

std::uint32_t plain_mask(std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8; }

template <typename Value>
Value at(const std::string& bytes, std::size_t place) {
  Value value{};
  if (place + sizeof value > bytes.size()) throw std::out_of_range("event file");
  std::memcpy(&value, bytes.data() + place, sizeof value);
  return value;
}

/// Fields of a protobuf message: number and contents; varints as eight bytes.
std::vector<std::pair<int, std::string>> fields(const std::string& message) {
  std::vector<std::pair<int, std::string>> all;
  std::size_t place = 0;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = at<std::uint8_t>(message, place++);
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) return value;
    }
  };
  while (place < message.size()) {
    const std::uint64_t key = varint();
    const auto wire = key & 7;
    std::string contents;
    if (wire == 0) {
      const std::uint64_t value = varint();
      contents.assign(reinterpret_cast<const char*>(&value), sizeof value);
    } else {
      const std::size_t size = wire == 1 ? 8 : wire == 5 ? 4 : varint();
      contents = message.substr(place, size);
      if (contents.size() != size) throw std::out_of_range("event file");
      place += size;
    }
    all.emplace_back(static_cast<int>(key >> 3), contents);
  }
  return all;
}

Event decode(const std::string& message) {
  Event event;
  for (const auto& [number, contents] : fields(message)) {
    if (number == 1) event.wall_time = at<double>(contents, 0);
    if (number == 2) event.step = at<std::int64_t>(contents, 0);
    if (number == 3) event.version = contents;
    if (number != 5) continue;
    for (const auto& [one, value] : fields(contents)) {
      EXPECT_EQ(one, 1);
      std::string tag;
      float number_value = std::nanf("");
      for (const auto& [part, text] : fields(value)) {
        if (part == 1) tag = text;
        if (part == 2) number_value = at<float>(text, 0);
      }
      event.scalars[tag] = number_value;
    }
  }
  return event;
}

std::vector<Event> read(const std::filesystem::path& path) {
  const std::string bytes = bytes_of(path);
  std::vector<Event> events;
  for (std::size_t place = 0; place < bytes.size();) {
    const auto length = at<std::uint64_t>(bytes, place);
    EXPECT_EQ(at<std::uint32_t>(bytes, place + 8), plain_mask(plain_crc32c(bytes.substr(place, 8))));
    const std::string record = bytes.substr(place + 12, length);
    EXPECT_EQ(at<std::uint32_t>(bytes, place + 12 + length), plain_mask(plain_crc32c(record)));
    events.push_back(decode(record));
    place += 12 + length + 4;
  }
  return events;
}

MetricsRecord record(std::uint64_t step, std::uint64_t epoch, double loss) {
  return {step, epoch, "step", {{"train/loss", loss}, {"learning_rate", 1e-3}}};
}

TEST(Crc32c, AgreesWithPublishedValues) {
  // RFC 3720, appendix B.4, and the check value of the catalogues.
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(""), 0u);
}

TEST(TensorboardLog, WritesWhatAnotherReaderReads) {
  const TemporaryFolder folder;
  const auto path = folder / "events.out.tfevents.0.errata";
  double now = 1.7e9;
  {
    TensorboardLog log(path, 0, 0, [&] { return now += 0.25; });
    log.append(record(100, 0, 1.5));
    log.append(record(300, 1, 0.125));
    log.append(record(std::uint64_t{1} << 40, 2, -7.0));
  }
  const auto events = read(path);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].version, "brain.Event:2");
  EXPECT_EQ(events[1].step, 100);
  EXPECT_EQ(events[1].wall_time, 1.7e9 + 0.5);
  EXPECT_EQ(events[1].scalars,
            (std::map<std::string, float>{{"epoch", 0.0f}, {"train/loss", 1.5f}, {"learning_rate", 1e-3f}}));
  EXPECT_EQ(events[2].step, 300);
  EXPECT_EQ(events[2].scalars.at("epoch"), 1.0f);
  EXPECT_EQ(events[3].step, std::int64_t{1} << 40);
  EXPECT_EQ(events[3].scalars.at("train/loss"), -7.0f);
}

TEST(TensorboardLog, ResumesAtAPlaceOfTheTraining) {
  const TemporaryFolder folder;
  const auto whole = folder / "whole.tfevents", parts = folder / "parts.tfevents";
  const auto clock = [] { return 5.0; };
  {
    TensorboardLog log(whole, 0, 0, clock);
    for (std::uint64_t step = 1; step <= 6; ++step) log.append(record(step, step / 3, 1.0 / static_cast<double>(step)));
  }
  {
    TensorboardLog log(parts, 0, 0, clock);
    for (std::uint64_t step = 1; step <= 4; ++step) log.append(record(step, step / 3, 1.0 / static_cast<double>(step)));
  }
  {
    // From the checkpoint at step 3, before the epoch's end was recorded.
    TensorboardLog log(parts, 3, 0, clock);
    for (std::uint64_t step = 3; step <= 6; ++step) log.append(record(step, step / 3, 1.0 / static_cast<double>(step)));
  }
  EXPECT_EQ(bytes_of(parts), bytes_of(whole));
  // Without a checkpoint it begins anew.
  { const TensorboardLog log(parts, 0, 0, clock); }
  EXPECT_EQ(read(parts).size(), 1u);
}

TEST(TensorboardLog, ATornOrDamagedEndIsDropped) {
  const TemporaryFolder folder;
  const auto path = folder / "events.tfevents";
  const auto clock = [] { return 5.0; };
  std::size_t first = 0;
  {
    TensorboardLog log(path, 0, 0, clock);
    log.append(record(1, 0, 1.0));
    first = bytes_of(path).size();
    log.append(record(2, 0, 2.0));
  }
  const std::string good = bytes_of(path);
  for (std::size_t size = first; size < good.size(); ++size) {
    folder.write("events.tfevents", good.substr(0, size));
    { const TensorboardLog log(path, 10, 10, clock); }
    EXPECT_EQ(bytes_of(path), good.substr(0, first)) << size;
  }
  for (std::size_t place = first; place < good.size(); ++place) {
    std::string bad = good;
    bad[place] = static_cast<char>(bad[place] ^ 0x10);
    folder.write("events.tfevents", bad);
    { const TensorboardLog log(path, 10, 10, clock); }
    EXPECT_EQ(bytes_of(path), good.substr(0, first)) << place;
  }
  folder.write("events.tfevents", "no event file at all, but long enough to look at");
  { const TensorboardLog log(path, 10, 10, clock); }
  EXPECT_EQ(read(path).size(), 1u);
}

TEST(TensorboardLog, AFileThatCannotBeWrittenIsAnError) {
  const TemporaryFolder folder;
  folder.write("blocked", "");
  errata::testing::expect_error(ExitStatus::kEnvironment, "E601",
                                [&] { TensorboardLog(folder / "blocked" / "events.tfevents", 0, 0); });
}

}  // namespace
}  // namespace errata::training
