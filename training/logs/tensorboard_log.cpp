#include "training/logs/tensorboard_log.h"

#include <array>
#include <bit>
#include <chrono>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace errata::training {

namespace {

// Fields of TensorFlow's event.proto and summary.proto: number · 8 + wire type.
enum Field : std::uint8_t {
  kWallTime = 1 << 3 | 1,
  kStep = 2 << 3 | 0,
  kFileVersion = 3 << 3 | 2,
  kSummary = 5 << 3 | 2,
  kSummaryValue = 1 << 3 | 2,
  kValueTag = 1 << 3 | 2,
  kSimpleValue = 2 << 3 | 5,
};
constexpr std::string_view kVersion = "brain.Event:2", kEpochTag = "epoch";

template <typename Word>
std::string little_endian(Word word) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof word; ++i) bytes += static_cast<char>(word >> (8 * i) & 0xff);
  return bytes;
}

std::uint64_t from_little_endian(std::string_view bytes) {
  std::uint64_t word = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) word = word << 8 | static_cast<std::uint8_t>(bytes[i]);
  return word;
}

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7f) | 0x80);
  return bytes + static_cast<char>(value);
}

std::string text_field(Field field, std::string_view text) {
  return std::string(1, static_cast<char>(field)) + varint(text.size()) + std::string(text);
}

std::string wall_time_field(double seconds) {
  return std::string(1, static_cast<char>(kWallTime)) + little_endian(std::bit_cast<std::uint64_t>(seconds));
}

std::string scalar(std::string_view name, double value) {
  return text_field(kSummaryValue, text_field(kValueTag, name) + static_cast<char>(kSimpleValue) +
                                       little_endian(std::bit_cast<std::uint32_t>(static_cast<float>(value))));
}

std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return std::rotr(crc, 15) + 0xa282ead8u;
}

std::string frame(std::string_view record) {
  const std::string length = little_endian(std::uint64_t{record.size()});
  return length + little_endian(masked_crc(length)) + std::string(record) + little_endian(masked_crc(record));
}

constexpr std::size_t kHead = 8 + 4, kTail = 4;

/// The record of the frame that `bytes` begins with; empty where it is torn or damaged.
std::optional<std::string_view> first_record(std::string_view bytes) {
  if (bytes.size() < kHead + kTail) return std::nullopt;
  const std::uint64_t length = from_little_endian(bytes.substr(0, 8));
  if (from_little_endian(bytes.substr(8, 4)) != masked_crc(bytes.substr(0, 8))) return std::nullopt;
  if (length > bytes.size() - kHead - kTail) return std::nullopt;
  const std::string_view record = bytes.substr(kHead, length);
  if (from_little_endian(bytes.substr(kHead + length, kTail)) != masked_crc(record)) return std::nullopt;
  return record;
}

/// Fields of a message that this class wrote, one after the other.
class Message {
 public:
  explicit Message(std::string_view text) : rest_(text) {}
  /// Goes to the next field; false at the end, or where the message is none of ours.
  bool next() {
    if (rest_.empty()) return false;
    field = static_cast<std::uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    constexpr int kVarint = 0, kEight = 1, kText = 2, kFour = 5;
    const int wire = field & 7;
    if (wire == kVarint) return take_varint(number);
    std::uint64_t size = wire == kEight ? 8 : 4;
    if (wire == kText && !take_varint(size)) return false;
    if ((wire != kEight && wire != kText && wire != kFour) || size > rest_.size()) return false;
    bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }

  std::uint8_t field = 0;
  std::uint64_t number = 0;  ///< of a varint field
  std::string_view bytes;    ///< of any other

 private:
  bool take_varint(std::uint64_t& value) {
    value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<std::uint8_t>(rest_[0]);
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  std::string_view rest_;
};

/// Value of the scalar `name` in a summary.
std::optional<float> scalar_of(std::string_view summary, std::string_view name) {
  for (Message values(summary); values.next();) {
    std::string_view tag;
    float value = 0.0f;
    for (Message parts(values.bytes); parts.next();) {
      if (parts.field == kValueTag) tag = parts.bytes;
      if (parts.field == kSimpleValue)
        value = std::bit_cast<float>(static_cast<std::uint32_t>(from_little_endian(parts.bytes)));
    }
    if (tag == name) return value;
  }
  return std::nullopt;
}

/// Whether a record lies at or before this place of the training.
bool is_kept(std::string_view record, std::uint64_t steps, std::uint64_t epochs) {
  std::uint64_t step = 0;
  double epoch = 0.0;
  for (Message event(record); event.next();) {
    if (event.field == kStep) step = event.number;
    if (event.field == kSummary) epoch = scalar_of(event.bytes, kEpochTag).value_or(0.0f);
  }
  return step <= steps && epoch <= static_cast<double>(epochs);
}

/// The path, after the file has been cut back; a file without records gets the one that tells the version.
const std::filesystem::path& trimmed(const std::filesystem::path& path, std::uint64_t steps, std::uint64_t epochs,
                                     double now) {
  std::string all;
  {
    std::ifstream file(path, std::ios::binary);
    all.assign(std::istreambuf_iterator<char>(file), {});
  }
  std::string kept;
  std::string_view rest = all;
  while (const auto record = first_record(rest)) {
    const std::size_t size = kHead + record->size() + kTail;
    if (is_kept(*record, steps, epochs)) kept += rest.substr(0, size);
    rest.remove_prefix(size);
  }
  if (kept.empty()) kept = frame(wall_time_field(now) + text_field(kFileVersion, kVersion));
  if (kept != all) replace_file(path, kept);
  return path;
}

}  // namespace

double wall_clock_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

TensorboardLog::TensorboardLog(const std::filesystem::path& path, std::uint64_t keep_steps, std::uint64_t keep_epochs,
                               std::function<double()> clock)
    : clock_(std::move(clock)), file_(trimmed(path, keep_steps, keep_epochs, clock_())) {}

void TensorboardLog::append(const MetricsRecord& record) {
  std::string summary = scalar(kEpochTag, static_cast<double>(record.epoch));
  for (const auto& [name, value] : record.values) summary += scalar(name, value);
  file_.append(frame(wall_time_field(clock_()) + static_cast<char>(kStep) + varint(record.step) +
                     text_field(kSummary, summary)));
}

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
      std::uint32_t crc = i;
      for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
      table[i] = crc;
    }
    return table;
  }();
  std::uint32_t crc = ~0u;
  for (const char byte : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<std::uint8_t>(byte)) & 0xff];
  return ~crc;
}

}  // namespace errata::training
