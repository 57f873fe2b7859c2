#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/diagnostic.h"

namespace errata::circuit {

/// What `ngbehavior` (circuit.compatibility) changes in how ngspice 39 reads text. ngspice looks for the letters
/// anywhere in the word; "ps" switches "hs" off.
struct Dialect {
  bool hspice = false;   ///< hs: signed powers, nested multipliers, bins chosen at the x line
  bool pspice = false;   ///< ps: `$` is a letter, `.lib FILE` includes
  bool ltspice = false;  ///< lt: `.lib FILE` includes, 4k7 is 4700
};
Dialect dialect_of(std::string_view compatibility);

/// The `ngbehavior` for a netlist whose includes are inlined: without the letter "a" ngspice translates PSPICE and
/// LTspice syntax in included files only, so it is added.
std::string inlined_compatibility(std::string_view compatibility);

std::string lower_case(std::string_view text);

Diagnostic netlist_problem(std::string code, SourcePosition at, std::string message, std::string hint);
Diagnostic netlist_warning(std::string code, SourcePosition at, std::string message, std::string hint);

/// Without blanks and tabs at both ends.
std::string_view trimmed(std::string_view text);

/// Without quotes (' or ") around it.
std::string_view unquoted(std::string_view text);

bool is_name_character(char c);  ///< letter, digit or underscore
bool is_number(std::string_view word);

/// Cuts a comment as ngspice does: from `;`, `//`, or `$` after a blank or comma (not in PSPICE mode, where `$` only
/// starts a whole line). Quotes protect nothing, except in paths of .include and .lib.
std::string_view without_comment(std::string_view line, const Dialect& dialect);

/// Positional words and name=value pairs of a statement. Blanks, commas and parentheses separate words, except inside
/// braces and quotes; a value extends over its parentheses.
struct StatementParts {
  std::vector<std::string_view> words;  ///< before the first pair
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  std::vector<std::string_view> strays;  ///< words behind the first pair that belong to none
};
StatementParts parts_of(std::string_view text);

/// An identifier of an expression.
struct ExpressionName {
  std::string_view name;
  std::size_t at = 0;        ///< where in the text
  bool is_function = false;  ///< a parenthesis follows
  std::string_view arguments;
};

/// Identifiers in an expression, those inside arguments too; not the suffixes of numbers, not node and source names
/// in v(…) and i(…), not what stands before a single '='.
std::vector<ExpressionName> names_of_expression(std::string_view expression);

/// Expressions of a statement: {…}, '…', and bare values of name=value that ngspice would evaluate.
std::vector<std::string_view> expressions_of(std::string_view text);

/// Names inside v(…) or i(…) of a lower-case text.
std::vector<std::string_view> probes_in_expression(std::string_view text, char probe);

/// Replaces agauss, gauss, aunif, unif and two-argument limit by their first argument; `count` of the result says how
/// many there were.
struct NominalText {
  std::string text;
  std::size_t count = 0;
};
NominalText with_nominal_values(std::string_view text);

}  // namespace errata::circuit
