#include "circuit/campaign/noise_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace errata::circuit {

namespace {
using Real = std::span<const double>;
}

void save_cell_noise(Hdf5Writer& f, const CellSurface& cell, const CellNoise& noise) {
  if (noise.devices.empty()) return;
  const std::size_t volts = noise.bit_line_volts.size(), devices = noise.devices.size();
  f.write("/cell/noise/bit_line_voltage", Real(noise.bit_line_volts), {volts}, "V");
  f.write_strings("/cell/noise/devices", noise.devices);
  f.write("/cell/noise/variance", Real(noise.square_amperes),
          {cell.input_levels_volts.size(), cell.weight_levels.size(), volts, devices}, "A^2");
}

CellNoise load_cell_noise(const Hdf5Reader& f, const CellSurface& cell) {
  CellNoise noise;
  if (!f.has("/cell/noise/variance")) return noise;  // format 3.0
  noise.bit_line_volts = f.doubles("/cell/noise/bit_line_voltage");
  noise.devices = f.strings("/cell/noise/devices");
  noise.square_amperes = f.doubles("/cell/noise/variance", {cell.input_levels_volts.size(), cell.weight_levels.size(),
                                                            noise.bit_line_volts.size(), noise.devices.size()});
  return noise;
}

void save_noise_shares(Hdf5Writer& f, const ColumnMeasurements& m, std::string_view unit) {
  std::vector<std::string> names;
  std::vector<std::uint8_t> declared;
  std::vector<double> all;
  for (const NoiseShare& share : m.noise_shares) {
    names.push_back(share.name);
    declared.push_back(share.declared ? 1 : 0);
    all.insert(all.end(), share.variance.begin(), share.variance.end());
  }
  f.write_strings("/columns/noise_sources", names);
  f.write("/columns/noise_declared", std::span<const std::uint8_t>(declared), {names.size()}, "1");
  f.write("/columns/noise_shares", Real(all), {names.size(), m.noise_chips, m.columns, m.branches, m.noise_operands},
          fmt::format("{}^2", unit));
}

void load_noise_shares(const Hdf5Reader& f, ColumnMeasurements& m) {
  if (!f.has("/columns/noise_shares")) return;  // format 3.0
  const auto names = f.strings("/columns/noise_sources");
  const auto declared = f.bytes("/columns/noise_declared", {names.size()});
  const auto all =
      f.doubles("/columns/noise_shares", {names.size(), m.noise_chips, m.columns, m.branches, m.noise_operands});
  const std::size_t reads = m.noise_chips * m.columns * m.branches * m.noise_operands;
  for (std::size_t n = 0; n < names.size(); ++n) {
    const auto from = all.begin() + static_cast<std::ptrdiff_t>(n * reads);
    m.noise_shares.push_back({names[n], declared[n] != 0, {from, from + static_cast<std::ptrdiff_t>(reads)}});
  }
}

std::vector<MeanNoiseShare> mean_noise_shares(const Characterization& data) {
  const ColumnMeasurements& m = data.columns;
  std::vector<MeanNoiseShare> means;
  for (const NoiseShare& source : m.noise_shares) means.push_back({source.name});
  double all = 0.0, reads = 0.0;
  for (std::size_t r = 0; r < m.noise_square.size(); ++r) {
    const auto known = [r](const NoiseShare& source) { return std::isfinite(source.variance[r]); };
    if (!std::ranges::all_of(m.noise_shares, known)) continue;
    reads += 1.0;
    for (std::size_t n = 0; n < means.size(); ++n) means[n].share += m.noise_shares[n].variance[r];
  }
  for (const auto& mean : means) all += mean.share;
  for (auto& mean : means) mean = {mean.name, mean.share / all, std::sqrt(mean.share / reads)};
  std::ranges::stable_sort(means, [](const auto& a, const auto& b) { return a.share > b.share; });
  return means;
}

}  // namespace errata::circuit
