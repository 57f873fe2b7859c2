#pragma once

#include <cstddef>

namespace errata::behavioral {

/// Which end of every word line its driver feeds. Column 0 is the left one.
enum class WordLineDrive { kLeft, kRight, kBothEnds };

/// At which end of every bit line its current is taken. Row 0 is the top one.
enum class BitLineSense { kBottom, kTop, kBothEnds };

/// How the nodal equations are solved. All give the same accuracy.
enum class CrossbarBackend {
  kAutomatic,   ///< kDissection: the faster one
  kDissection,  ///< own nested dissection of the grid, subtraction-free
  kCholmod,     ///< CHOLMOD's supernodal Cholesky; only in builds with ERRATA_WITH_CHOLMOD
};

/// An array of rows × columns two-terminal cells between word lines and bit lines (methods.md §5.3).
///
/// A segment of wire joins neighbouring cells of a line; from the last cell on, a driven or sensed end has its driver
/// or sense resistance only. Drive and sense together give the four corners (left/bottom, left/top, right/bottom,
/// right/top) and the styles with both ends: one source feeds both ends of a word line through a driver resistance
/// each; the two ends of a bit line end in a sense resistance each and their currents add up.
/// Every resistance may be 0: the nodes are then one, exactly.
struct CrossbarOptions {
  std::size_t rows = 0;
  std::size_t columns = 0;      ///< bit lines; interleaved ± pairs are two of them, + first
  double word_wire_ohms = 0.0;  ///< one segment
  double bit_wire_ohms = 0.0;   ///< one segment
  double driver_ohms = 0.0;     ///< at each driven end
  double sense_ohms = 0.0;      ///< at each sensed end
  WordLineDrive drive = WordLineDrive::kLeft;
  BitLineSense sense = BitLineSense::kBottom;
  CrossbarBackend backend = CrossbarBackend::kAutomatic;
};

}  // namespace errata::behavioral
