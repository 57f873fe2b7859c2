#pragma once

#include <optional>
#include <string>
#include <vector>

#include "errormodel/error_table.h"

namespace errata::errormodel {

/// How far one term of two tables lies apart, and whether their errors explain it.
struct TermDifference {
  std::string term;
  double first = 0.0, second = 0.0;  ///< size of the term in each table, MAC units
  double distance = 0.0;  ///< Wasserstein-2 distance of the term's distributions over the common support, MAC units
  /// Probability of so large a difference by chance, from the stored intervals and standard errors, Bonferroni over the
  /// term's entries; empty where the table stores none.
  std::optional<double> chance;

  /// Whether it differs by more than its errors (chance below 0.001); where none are stored, by more than 5 %.
  bool significant() const;
};

struct TableDifference {
  std::string hardware;               ///< in what the hardware differs; then there are no terms
  std::vector<std::string> declared;  ///< operating point and declared terms that differ
  std::vector<std::string> notes;     ///< what to know when reading the distances
  std::vector<TermDifference> terms;

  /// Whether anything differs by more than its errors (chance below 0.001), or at all where there are none.
  bool significant() const;
};

/// Compares two tables term by term, in the MAC units and on the axes and support of the first.
TableDifference compare_tables(const ErrorTable& first, const ErrorTable& second);

/// As text, one line for each term.
std::string difference_report(const TableDifference& difference);

}  // namespace errata::errormodel
