#pragma once

#include <span>

#include "errormodel/estimation/estimation_record.h"

namespace errata::errormodel {

/// Repeated reads of operands, [chips][operands of a chip][reads].
struct RepeatedReads {
  std::span<const double> value;
  std::size_t chips = 0, reads = 0;
  std::size_t operands() const { return value.size() / (chips * reads); }
};

/// Sample variance of each operand's reads, [chips][operands], MAC unit².
std::vector<double> read_variances(const RepeatedReads& reads);

/// Memory of the reads from their pooled variogram. Fewer than eight reads, or a correlation of successive reads whose
/// 95 % interval over chips holds 0: none. Else AR(1) beside fresh noise, or a 1/f part where that fits better.
ReadMemory read_memory(const RepeatedReads& reads);

/// Correlation of reads `lag` apart by a memory.
double read_correlation(const ReadMemory& memory, std::size_t lag);

/// σ_D² over the expected sample variance of `reads` reads: above 1 with memory, which shows less in few reads.
double variance_correction(const ReadMemory& memory, std::size_t reads);

/// Variance of the mean of `reads` reads over σ_D².
double mean_variance(const ReadMemory& memory, std::size_t reads);

}  // namespace errata::errormodel
