#pragma once

#include <string_view>

#include "circuit/characterization.h"

namespace errata::circuit {

/// The noise in characterization.h5: of the cell by device, of columns by source. Files of format 3.0 have neither.
void save_cell_noise(Hdf5Writer& file, const CellSurface& cell, const CellNoise& noise);
CellNoise load_cell_noise(const Hdf5Reader& file, const CellSurface& cell);
void save_noise_shares(Hdf5Writer& file, const ColumnMeasurements& columns, std::string_view unit);
void load_noise_shares(const Hdf5Reader& file, ColumnMeasurements& columns);

}  // namespace errata::circuit
