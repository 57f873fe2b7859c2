#pragma once

#include <cstdint>

#include "behavioral/model.h"
#include "core/random_stream.h"

namespace errata::testing {

struct VirtualDesign {
  std::size_t chips = 8, columns = 2, operands = 24;
  double noise = 0.0;  ///< σ added to each line's output, in its unit
  std::uint64_t seed = 1;
};

/// Columns as a model gives them, in the form of a characterisation without cell data.
inline circuit::Characterization virtual_columns(const behavioral::BehavioralModel& truth, const VirtualDesign& v) {
  circuit::Characterization data;
  data.provenance = truth.provenance;
  data.provenance.seed = v.seed;
  data.array = truth.array;
  data.mismatch = truth.mismatch;
  data.noise = truth.noise;
  data.cell.input_levels_volts.assign(truth.input_levels(), 0.0);
  data.cell.weight_levels.assign(truth.levels(), 0.0);
  data.cell.cell_terms = truth.cell_terms;
  auto& m = data.columns;
  m.chips = v.chips, m.columns = v.columns, m.operands = v.operands, m.branches = truth.branches;
  const OperandDesign design{.rows = truth.array.rows,
                             .levels = truth.levels(),
                             .operands = v.operands,
                             .input_levels = truth.input_levels(),
                             .differential = truth.branches == 2};
  RandomStream noise(v.seed, StreamPurpose::kTest, 77);
  std::vector<double> output(v.operands);
  for (std::size_t chip = 0; chip < v.chips; ++chip)
    for (std::size_t column = 0; column < v.columns; ++column) {
      m.designs.push_back(make_operands(design, v.seed, chip, column));
      for (std::size_t b = 0; b < m.branches; ++b) {
        const LineId id{chips::kCharacterization + chip, m.branches * column + b};
        truth.prepare(v.seed, id, m.designs.back().branch(b))->read(m.designs.back().inputs, truth.array.rows, output);
        for (const double value : output) m.output.push_back(value + v.noise * noise.normal());
      }
    }
  m.status.assign(m.output.size(), 0);
  return data;
}

}  // namespace errata::testing
