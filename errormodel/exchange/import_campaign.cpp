#include "errormodel/exchange/import_campaign.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <optional>

#include "core/error.h"
#include "errormodel/exchange/import_csv.h"

namespace errata::errormodel {

namespace {

/// Names in the order that a person expects: by number where both are numbers.
struct NaturalOrder {
  using is_transparent = void;
  static bool number(std::string_view s) {
    return !s.empty() && std::ranges::all_of(s, [](char c) { return c >= '0' && c <= '9'; });
  }
  bool operator()(std::string_view a, std::string_view b) const {
    if (number(a) != number(b)) return number(a);
    if (number(a)) {
      const auto strip = [](std::string_view s) { return s.substr(std::min(s.find_first_not_of('0'), s.size() - 1)); };
      const auto p = strip(a), q = strip(b);
      if (p.size() != q.size()) return p.size() < q.size();
      if (p != q) return p < q;
    }
    return a < b;
  }
};
template <class T>
using ByName = std::map<std::string, T, NaturalOrder>;

/// Stored levels by chip and column; an empty name stands for all.
struct StoredPattern {
  std::vector<int> plus, minus;  ///< −1: not given
};
using StoredPatterns = ByName<ByName<StoredPattern>>;
using InputPatterns = ByName<std::vector<std::uint8_t>>;

void refuse_others(CsvFile& csv, std::span<const std::string_view> known) {
  const std::vector<std::string> names(known.begin(), known.end());
  for (const auto& other : csv.others(known)) {
    const std::string near = nearest_name(other, names);
    csv.report_header(fmt::format("unknown column '{}'", other), near.empty()
                                                                     ? fmt::format("known: {}", fmt::join(known, ", "))
                                                                     : fmt::format("did you mean '{}'?", near));
  }
}

std::optional<std::size_t> needed(CsvFile& csv, std::string_view name) {
  const auto column = csv.column(name);
  if (!column) csv.report_header(fmt::format("column '{}' is missing", name));
  return column;
}

StoredPatterns read_stored(const std::filesystem::path& path, const MeasuredHardware& hardware) {
  static constexpr std::string_view kKnown[] = {"chip", "column", "row", "plus", "minus"};
  CsvFile csv(path);
  refuse_others(csv, kKnown);
  const auto row = needed(csv, "row"), plus = needed(csv, "plus");
  const auto minus = hardware.differential ? needed(csv, "minus") : csv.column("minus");
  const auto chip = csv.column("chip"), column = csv.column("column");
  if (minus && !hardware.differential)
    csv.report_header("column 'minus': the project's columns are single-ended (hardware.signed_scheme)");
  csv.finish();
  const auto largest = static_cast<std::int64_t>(hardware.levels > 0 ? hardware.levels - 1 : 255);
  StoredPatterns patterns;
  while (csv.next()) {
    const auto r = csv.count(*row, 0, static_cast<std::int64_t>(hardware.rows) - 1), p = csv.count(*plus, 0, largest);
    const auto m = minus ? csv.count(*minus, 0, largest) : std::optional<std::int64_t>(0);
    if (!r || !p || !m) continue;
    StoredPattern& pattern =
        patterns[std::string(chip ? csv.text(*chip) : "")][std::string(column ? csv.text(*column) : "")];
    const auto at = static_cast<std::size_t>(*r);
    if (pattern.plus.size() <= at) {
      pattern.plus.resize(at + 1, -1);
      pattern.minus.resize(at + 1, -1);
    }
    if (pattern.plus[at] >= 0) csv.report(*row, fmt::format("row {} of this column stands twice", at));
    pattern.plus[at] = static_cast<int>(*p);
    pattern.minus[at] = static_cast<int>(*m);
  }
  for (const auto& [c, columns] : patterns)
    for (const auto& [k, pattern] : columns)
      for (std::size_t j = 0; j < pattern.plus.size(); ++j)
        if (pattern.plus[j] < 0) csv.report_header(fmt::format("chip '{}' column '{}': row {} is missing", c, k, j));
  csv.finish();
  return patterns;
}

InputPatterns read_inputs(const std::filesystem::path& path, const MeasuredHardware& hardware) {
  static constexpr std::string_view kKnown[] = {"operand", "row", "input"};
  CsvFile csv(path);
  refuse_others(csv, kKnown);
  const auto operand = needed(csv, "operand"), row = needed(csv, "row"), input = needed(csv, "input");
  csv.finish();
  const auto largest = static_cast<std::int64_t>(hardware.inputs > 0 ? hardware.inputs - 1 : 255);
  InputPatterns patterns;
  while (csv.next()) {
    const auto r = csv.count(*row, 0, static_cast<std::int64_t>(hardware.rows) - 1), x = csv.count(*input, 0, largest);
    if (!r || !x) continue;
    auto& levels = patterns[std::string(csv.text(*operand))];
    levels.resize(hardware.rows, 0);  // rows that are not named stay idle
    levels[static_cast<std::size_t>(*r)] = static_cast<std::uint8_t>(*x);
  }
  csv.finish();
  return patterns;
}

/// One line of the measurements, before the columns are put together.
struct Reading {
  std::int64_t read = 0;
  double value = 0.0;
  std::size_t line = 0;
};
struct Readings {
  double y = 0.0, a = 0.0;
  std::vector<Reading> reads;
};

class Reader {
 public:
  Reader(const MeasurementFiles& files, const MeasuredHardware& hardware)
      : hardware_(hardware), csv_(files.measurements) {
    if (files.stored.empty() != files.inputs.empty())
      csv_.report_header("stored levels and inputs belong together: only one of the two files is given");
    campaign_.patterns = !files.stored.empty() && !files.inputs.empty();
    if (campaign_.patterns) {
      stored_ = read_stored(files.stored, hardware);
      inputs_ = read_inputs(files.inputs, hardware);
    }
    read_header();
  }

  Campaign run() {
    while (csv_.next()) read_line();
    csv_.finish();
    if (campaign_.readings == 0) {
      csv_.report_header("the file holds no measurements");
      csv_.finish();
    }
    assemble();
    csv_.finish();
    find_levels();
    return std::move(campaign_);
  }

 private:
  void read_header() {
    static constexpr std::string_view kKnown[] = {"chip", "column", "operand", "read", "y",
                                                  "a",    "value",  "mac",     "code"};
    std::vector<std::string_view> known(std::begin(kKnown), std::end(kKnown));
    for (const auto& name : csv_.header())
      if (name.starts_with("value[") || name.starts_with("value [")) {
        known.push_back(name);
        const auto open = name.find('['), close = name.find(']');
        if (close == std::string::npos || close < open + 2)
          csv_.report_header("the unit of 'value' is not closed");
        else
          unit_name_ = name;
      }
    refuse_others(csv_, known);
    chip_ = needed(csv_, "chip");
    column_ = needed(csv_, "column");
    operand_ = needed(csv_, "operand");
    read_ = csv_.column("read");
    y_ = csv_.column("y");
    a_ = csv_.column("a");
    std::vector<std::string> given;
    for (const auto& [name, quantity] : {std::pair{std::string("mac"), MeasuredQuantity::kMac},
                                         {"code", MeasuredQuantity::kCode},
                                         {"value", MeasuredQuantity::kValue},
                                         {unit_name_, MeasuredQuantity::kValue}})
      if (const auto column = name.empty() ? std::nullopt : csv_.column(name)) {
        given.push_back(name);
        value_ = *column;
        campaign_.quantity = quantity;
      }
    if (given.size() != 1)
      csv_.report_header(given.empty() ? "no column says what was measured" : "several columns say what was measured",
                         "one of: value (analog, any linear unit, e.g. value[V]), mac (MAC units), code (ADC codes)");
    if (!unit_name_.empty()) {
      const auto open = unit_name_.find('[');
      const std::string unit = unit_name_.substr(open + 1, unit_name_.find(']') - open - 1);
      campaign_.unit = unit == "a" ? "A" : unit == "v" ? "V" : unit;
    }
    if (!campaign_.patterns)
      for (const auto& [name, column] : {std::pair{"y", y_}, {"a", a_}})
        if (!column)
          csv_.report_header(
              fmt::format("column '{}' is missing", name),
              "y = Σ (w⁺ − w⁻) x is the ideal MAC value, a = Σ (w⁺ + w⁻) x (single-ended: Σ x) the second "
              "axis; both follow from measured_weights and measured_inputs");
    csv_.finish();
  }

  void read_line() {
    ++campaign_.readings;
    const AdcOptions& adc = hardware_.adc;
    for (const std::size_t k : {*chip_, *column_, *operand_})
      if (csv_.text(k).empty()) return csv_.report(k, fmt::format("'{}' is empty", csv_.header()[k]));
    Reading reading{.line = csv_.line()};
    if (campaign_.quantity == MeasuredQuantity::kCode) {
      const auto code = csv_.count(value_, adc.lowest_code(), adc.highest_code());
      if (!code) return;
      reading.value = static_cast<double>(*code);
    } else {
      const auto value = csv_.number(value_);
      if (!value) return;
      reading.value = *value;
    }
    Readings& all =
        data_[std::string(csv_.text(*chip_))][std::string(csv_.text(*column_))][std::string(csv_.text(*operand_))];
    reading.read = static_cast<std::int64_t>(all.reads.size());
    if (read_) {
      const auto read = csv_.count(*read_, 0, std::int64_t{1} << 53);
      if (!read) return;
      reading.read = *read;
    }
    read_axes(all);
    all.reads.push_back(reading);
  }

  /// y and a where the file gives them; every line of an operand must agree.
  void read_axes(Readings& all) {
    const bool first = all.reads.empty();
    for (const auto& [column, member] : {std::pair{y_, &Readings::y}, {a_, &Readings::a}}) {
      if (!column) continue;
      const auto value = csv_.number(*column);
      if (!value) continue;
      if (!first && all.*member != *value)
        csv_.report(*column, fmt::format("{} differs from that of line {} for the same operand", csv_.header()[*column],
                                         all.reads.front().line));
      all.*member = *value;
    }
  }

  const StoredPattern* pattern_of(const std::string& chip, const std::string& column) const {
    for (const std::string* c : {&chip, &kAll})
      for (const std::string* k : {&column, &kAll})
        if (const auto at = stored_.find(*c); at != stored_.end())
          if (const auto found = at->second.find(*k); found != at->second.end()) return &found->second;
    return nullptr;
  }

  void problem_at(std::size_t line, std::string message, std::string hint = {}) {
    // The line has been read already: reported with its number, at its beginning.
    csv_.report_header(fmt::format("line {}: {}", line, message), std::move(hint));
  }

  void assemble() {
    for (auto& [chip, columns] : data_) {
      std::vector<MeasuredColumn> of_chip;
      for (auto& [column, operands] : columns) {
        MeasuredColumn c;
        const std::size_t line = operands.begin()->second.reads.front().line;
        if (campaign_.patterns) {
          const StoredPattern* pattern = pattern_of(chip, column);
          if (pattern == nullptr) {
            problem_at(line, fmt::format("no stored levels of chip '{}' column '{}'", chip, column));
            continue;
          }
          c.plus.assign(hardware_.rows, 0);
          std::ranges::copy(pattern->plus, c.plus.begin());
          if (hardware_.differential) {
            c.minus.assign(hardware_.rows, 0);
            std::ranges::copy(pattern->minus, c.minus.begin());
          }
        }
        for (auto& [name, readings] : operands) add_operand(c, name, readings);
        of_chip.push_back(std::move(c));
      }
      campaign_.chips.push_back(std::move(of_chip));
    }
  }

  void add_operand(MeasuredColumn& c, const std::string& name, Readings& readings) {
    std::ranges::stable_sort(readings.reads, {}, &Reading::read);
    for (std::size_t k = 1; k < readings.reads.size(); ++k)
      if (readings.reads[k].read == readings.reads[k - 1].read)
        return problem_at(readings.reads[k].line,
                          fmt::format("read {} of operand '{}' stands on line {} already", readings.reads[k].read, name,
                                      readings.reads[k - 1].line));
    MeasuredOperand o{readings.y, readings.a, {}, {}};
    if (campaign_.patterns) {
      const auto found = inputs_.find(name);
      if (found == inputs_.end())
        return problem_at(readings.reads.front().line, fmt::format("no inputs of operand '{}'", name));
      o.inputs = found->second;
      const ColumnOperands one{hardware_.rows, c.plus, c.minus, o.inputs};
      o.y = one.mac(0);
      o.a = one.second_axis(0, 0.0);
      if (y_ && std::fabs(readings.y - o.y) > 1e-6)
        return problem_at(
            readings.reads.front().line,
            fmt::format("y = {} of operand '{}', but its stored levels and inputs give {}", readings.y, name, o.y));
    }
    const AdcOptions& adc = hardware_.adc;
    for (const Reading& r : readings.reads) {
      o.clipped = o.clipped || (campaign_.quantity == MeasuredQuantity::kCode &&
                                (r.value <= adc.lowest_code() || r.value >= adc.highest_code()));
      o.reads.push_back(r.value);
    }
    campaign_.clipped += o.clipped ? 1 : 0;
    c.operands.push_back(std::move(o));
  }

  void find_levels() {
    std::size_t stored = 0, applied = 0;
    for (const auto& chip : campaign_.chips)
      for (const auto& column : chip) {
        for (const auto* branch : {&column.plus, &column.minus})
          for (const auto w : *branch) stored = std::max<std::size_t>(stored, w);
        for (const auto& o : column.operands)
          for (const auto x : o.inputs) applied = std::max<std::size_t>(applied, x);
      }
    campaign_.levels = hardware_.levels > 0 ? hardware_.levels : std::max<std::size_t>(2, stored + 1);
    campaign_.inputs = hardware_.inputs > 0 ? hardware_.inputs : std::bit_ceil(std::max<std::size_t>(2, applied + 1));
  }

  const std::string kAll;
  const MeasuredHardware& hardware_;
  CsvFile csv_;
  Campaign campaign_;
  StoredPatterns stored_;
  InputPatterns inputs_;
  std::optional<std::size_t> chip_, column_, operand_, read_, y_, a_;
  std::string unit_name_;
  std::size_t value_ = 0;
  ByName<ByName<ByName<Readings>>> data_;
};

}  // namespace

Campaign read_campaign(const MeasurementFiles& files, const MeasuredHardware& hardware) {
  return Reader(files, hardware).run();
}

}  // namespace errata::errormodel
