#include "core/operand_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "core/random_stream.h"
#include "core/sha256.h"

namespace errata {

namespace {

[[noreturn]] void damaged(const Hdf5Reader& f, const std::string& what) {
  throw Error(ExitStatus::kArtifact, "E403", fmt::format("{}: {}", f.path().string(), what),
              "capture it again with `errata evaluate --capture-operands`");
}

std::vector<std::uint8_t> padded(const std::vector<std::uint8_t>& values, std::size_t rows) {
  std::vector<std::uint8_t> out = values;
  out.resize(values.empty() ? 0 : rows, 0);
  return out;
}

}  // namespace

void OperandSet::save(const std::filesystem::path& path) const {
  const std::size_t branches = columns.empty() ? 2 : columns.front().branches(),
                    operands = columns.empty() ? 0 : columns.front().count();
  std::vector<std::uint8_t> stored, applied;
  for (const auto& c : columns) {
    if (c.branches() != branches || c.count() != operands || c.rows != rows)
      throw Error(ExitStatus::kBug, "E700", "columns of an operand set differ in shape");
    stored.insert(stored.end(), c.plus.begin(), c.plus.end());
    stored.insert(stored.end(), c.minus.begin(), c.minus.end());
    applied.insert(applied.end(), c.inputs.begin(), c.inputs.end());
  }
  Hdf5Writer f(path);
  write_provenance(f, provenance);
  f.attribute("/", "stored_levels", static_cast<std::int64_t>(levels));
  f.attribute("/", "input_levels", static_cast<std::int64_t>(inputs));
  const std::vector<std::int64_t> layers(layer.begin(), layer.end());
  f.write("/columns/layer", std::span<const std::int64_t>(layers), {layers.size()}, "1");
  f.write("/columns/stored_level", std::span<const std::uint8_t>(stored), {columns.size(), branches, rows}, "1");
  f.write("/columns/input_level", std::span<const std::uint8_t>(applied), {columns.size(), operands, rows}, "1");
  f.commit();
}

OperandSet OperandSet::load(const std::filesystem::path& path) {
  const Hdf5Reader f(path);
  OperandSet s;
  s.provenance = read_provenance(f, kFormat, kMajor);
  const auto levels = f.integer("/", "stored_levels"), inputs = f.integer("/", "input_levels");
  if (levels < 2 || levels > 256 || inputs < 2 || inputs > 256) damaged(f, "an impossible number of levels");
  s.levels = static_cast<std::size_t>(levels);
  s.inputs = static_cast<std::size_t>(inputs);
  const Shape shape = f.shape("/columns/input_level"), stored_shape = f.shape("/columns/stored_level");
  if (shape.size() != 3 || stored_shape.size() != 3 || shape[0] == 0 || shape[1] == 0 || shape[2] == 0 ||
      stored_shape[1] < 1 || stored_shape[1] > 2)
    damaged(f, "the columns have no shape that can be used");
  const std::size_t count = shape[0], operands = shape[1], branches = stored_shape[1];
  s.rows = shape[2];
  const auto stored = f.bytes("/columns/stored_level", {count, branches, s.rows});
  const auto applied = f.bytes("/columns/input_level");
  for (const auto l : f.integers("/columns/layer", {count})) s.layer.push_back(static_cast<std::size_t>(l));
  const auto beyond = [](const std::vector<std::uint8_t>& values, std::size_t limit) {
    return std::ranges::any_of(values, [limit](std::uint8_t v) { return v >= limit; });
  };
  if (beyond(stored, s.levels) || beyond(applied, s.inputs)) damaged(f, "levels beyond those of the hardware");
  const auto part = [](const std::vector<std::uint8_t>& all, std::size_t first, std::size_t size) {
    const auto at = all.begin() + static_cast<std::ptrdiff_t>(first);
    return std::vector<std::uint8_t>(at, at + static_cast<std::ptrdiff_t>(size));
  };
  for (std::size_t k = 0; k < count; ++k) {
    ColumnOperands c;
    c.rows = s.rows;
    c.plus = part(stored, k * branches * s.rows, s.rows);
    if (branches == 2) c.minus = part(stored, (k * 2 + 1) * s.rows, s.rows);
    c.inputs = part(applied, k * operands * s.rows, operands * s.rows);
    s.columns.push_back(std::move(c));
  }
  return s;
}

ColumnOperands OperandSet::column(std::size_t k, std::size_t array_rows, std::size_t operands, std::uint64_t seed,
                                  std::uint64_t chip) const {
  const ColumnOperands& from = columns[k % columns.size()];
  ColumnOperands c;
  c.rows = array_rows;
  c.plus = padded(from.plus, array_rows);
  c.minus = padded(from.minus, array_rows);
  std::vector<std::uint32_t> order(from.count());
  std::iota(order.begin(), order.end(), 0u);
  RandomStream(seed, StreamPurpose::kOperandInputs, k, 1, chip).shuffle(order);
  order.resize(std::min(operands, order.size()));
  for (const auto p : order) {
    c.inputs.insert(c.inputs.end(), from.input(p), from.input(p) + from.rows);
    c.inputs.resize(c.inputs.size() + array_rows - from.rows, 0);
  }
  return c;
}

std::vector<ArtifactInput> operand_input(const Settings& s, std::string_view key) {
  if (!s.has(key)) return {};
  const auto path = s.folder() / s.text(key);
  if (!std::filesystem::exists(path))
    throw ProjectError({Diagnostic{.code = "E109",
                                   .position = s.value(key).position,
                                   .message = fmt::format("{} does not exist", path.string()),
                                   .hint = "`errata evaluate --capture-operands FILE` writes one"}});
  return {{"operands", sha256_of_file(path)}};
}

OperandSet project_operands(const Settings& s, std::string_view key, std::size_t rows, std::size_t levels,
                            std::size_t inputs) {
  OperandSet set = OperandSet::load(s.folder() / s.text(key));
  if (set.rows > rows || set.levels > levels || set.inputs != inputs)
    throw ProjectError({Diagnostic{
        .code = "E109",
        .position = s.value(key).position,
        .message = fmt::format("{} is for {} rows, {} stored and {} input levels; this hardware has {}, {} and {}",
                               s.text(key), set.rows, set.levels, set.inputs, rows, levels, inputs),
        .hint = "capture it again for this hardware"}});
  return set;
}

}  // namespace errata
