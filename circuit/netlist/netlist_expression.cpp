#include "circuit/netlist/netlist_expression.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

namespace errata::circuit {

namespace {

struct CannotEvaluate {};

double function_of(std::string_view name, const std::vector<double>& a, bool pspice) {
  const auto is = [&](const char* wanted, std::size_t count) { return name == wanted && a.size() == count; };
  if (is("sqr", 1)) return a[0] * a[0];
  if (is("sqrt", 1)) return std::sqrt(a[0]);
  if (is("exp", 1)) return std::exp(a[0]);
  if (is("ln", 1) || is("log", 1)) return std::log(a[0]);
  if (is("log10", 1)) return std::log10(a[0]);
  if (is("abs", 1)) return std::fabs(a[0]);
  if (is("int", 1)) return std::trunc(a[0]);
  if (is("nint", 1)) return std::nearbyint(a[0]);
  if (is("floor", 1)) return std::floor(a[0]);
  if (is("ceil", 1)) return std::ceil(a[0]);
  if (is("sgn", 1)) return a[0] > 0 ? 1.0 : a[0] < 0 ? -1.0 : 0.0;
  if (is("sin", 1)) return std::sin(a[0]);
  if (is("cos", 1)) return std::cos(a[0]);
  if (is("tan", 1)) return std::tan(a[0]);
  if (is("atan", 1) || is("arctan", 1)) return std::atan(a[0]);
  if (is("tanh", 1)) return std::tanh(a[0]);
  if (is("pow", 2)) return std::pow(a[0], a[1]);
  if (is("pwr", 2)) return std::pow(std::fabs(a[0]), a[1]);
  if (is("ternary_fcn", 3) || (is("if", 3) && pspice)) return a[0] != 0 ? a[1] : a[2];
  if (name == "min" && !a.empty()) return *std::ranges::min_element(a);
  if (name == "max" && !a.empty()) return *std::ranges::max_element(a);
  throw CannotEvaluate{};
}

/// Recursive descent, one function for each precedence.
class Evaluator {
 public:
  Evaluator(const ParameterLookup& lookup, const Dialect& dialect) : lookup_(lookup), dialect_(dialect) {}

  double whole(std::string_view expression) {
    constexpr std::size_t kLongest = 2000;  // the descent is as deep as parentheses are
    if (expression.size() > kLongest) throw CannotEvaluate{};
    const std::string_view outer = std::exchange(rest_, trimmed(expression));
    while (rest_.size() >= 2 &&
           ((rest_.front() == '{' && rest_.back() == '}') || (rest_.front() == '\'' && rest_.back() == '\'')))
      rest_ = trimmed(rest_.substr(1, rest_.size() - 2));
    const double value = choice();
    if (!trimmed(rest_).empty() || !std::isfinite(value)) throw CannotEvaluate{};
    rest_ = outer;
    return value;
  }

 private:
  bool take(std::string_view symbol) {
    rest_ = trimmed(rest_);
    if (!rest_.starts_with(symbol)) return false;
    rest_.remove_prefix(symbol.size());
    return true;
  }

  double choice() {
    const double condition = either();
    if (!take("?")) return condition;
    const double yes = choice();
    if (!take(":")) throw CannotEvaluate{};
    const double no = choice();
    return condition != 0 ? yes : no;
  }

  double either() {
    double value = both();
    while (take("||")) {
      const double other = both();
      value = value != 0 || other != 0;
    }
    return value;
  }

  double both() {
    double value = comparison();
    while (take("&&")) {
      const double other = comparison();
      value = value != 0 && other != 0;
    }
    return value;
  }

  double comparison() {
    double value = sum();
    for (;;) {
      if (take("==") || take("="))  // numparam takes one for two
        value = value == sum();
      else if (take("!=") || take("<>"))
        value = value != sum();
      else if (take("<="))
        value = value <= sum();
      else if (take(">="))
        value = value >= sum();
      else if (take("<"))
        value = value < sum();
      else if (take(">"))
        value = value > sum();
      else
        return value;
    }
  }

  double sum() {
    double value = product();
    for (;;) {
      if (take("+"))
        value += product();
      else if (take("-"))
        value -= product();
      else
        return value;
    }
  }

  double product() {
    double value = power();
    for (;;) {
      rest_ = trimmed(rest_);
      if (rest_.starts_with("**")) throw CannotEvaluate{};
      if (take("*"))
        value *= power();
      else if (take("/"))
        value /= power();
      else if (take("%"))
        value = std::fmod(value, power());
      else
        return value;
    }
  }

  double power() {
    double value = signed_atom();
    while (take("**") || take("^")) value = raised(value, signed_atom());
    return value;
  }

  double raised(double base, double exponent) const {
    if (dialect_.hspice)
      return base < 0 ? std::pow(base, std::round(exponent)) : base == 0 ? 0 : std::pow(base, exponent);
    if (!dialect_.ltspice) return std::pow(std::fabs(base), exponent);
    if (base >= 0) return std::pow(base, exponent);
    const double whole = std::round(exponent);
    return std::fabs(exponent - whole) < 1e-14 * std::fabs(whole) || exponent == whole ? std::pow(base, whole) : 0;
  }

  double signed_atom() {
    if (take("-")) return -signed_atom();
    if (take("+")) return signed_atom();
    if (take("!")) return signed_atom() == 0;
    return atom();
  }

  double atom() {
    if (take("(")) {
      const double value = choice();
      if (!take(")")) throw CannotEvaluate{};
      return value;
    }
    std::size_t end = 0;
    while (end < rest_.size() &&
           (is_name_character(rest_[end]) || rest_[end] == '.' ||
            (end > 1 && (rest_[end] == '-' || rest_[end] == '+') && (rest_[end - 1] == 'e' || rest_[end - 1] == 'E') &&
             is_number(rest_.substr(0, end - 1)) && end + 1 < rest_.size() && rest_[end + 1] >= '0' &&
             rest_[end + 1] <= '9')))
      ++end;
    const std::string_view word = rest_.substr(0, end);
    rest_.remove_prefix(end);
    if (const auto number = spice_number(word)) return *number;
    if (word.empty()) throw CannotEvaluate{};
    return take("(") ? call(lower_case(word)) : parameter(lower_case(word));
  }

  double call(const std::string& name) {
    std::vector<double> arguments;
    do arguments.push_back(choice());
    while (take(","));
    if (!take(")")) throw CannotEvaluate{};
    return function_of(name, arguments, dialect_.pspice);
  }

  double parameter(const std::string& name) {
    constexpr std::size_t kDeepest = 50;
    const auto definition = lookup_(name);
    if (!definition || open_.size() > kDeepest || std::ranges::find(open_, name) != open_.end()) throw CannotEvaluate{};
    open_.push_back(name);
    const double value = whole(*definition);
    open_.pop_back();
    return value;
  }

  const ParameterLookup& lookup_;
  const Dialect& dialect_;
  std::string_view rest_;
  std::vector<std::string> open_;
};

}  // namespace

std::optional<double> evaluate_expression(std::string_view expression, const ParameterLookup& lookup,
                                          const Dialect& dialect) {
  try {
    return Evaluator(lookup, dialect).whole(expression);
  } catch (const CannotEvaluate&) {
    return std::nullopt;
  }
}

std::optional<double> spice_number(std::string_view text) {
  double value = 0;
  const auto [stop, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || text.empty() ||
      !((text[0] >= '0' && text[0] <= '9') || text[0] == '.' || text[0] == '-'))
    return std::nullopt;
  const std::string suffix = lower_case(text.substr(static_cast<std::size_t>(stop - text.data())));
  if (!std::ranges::all_of(suffix, [](char c) { return c >= 'a' && c <= 'z'; })) return std::nullopt;
  if (suffix.empty()) return value;
  if (suffix.starts_with("meg")) return value * 1e6;
  static constexpr std::string_view kSuffixes = "tgkmunpf";
  static constexpr double kScales[] = {1e12, 1e9, 1e3, 1e-3, 1e-6, 1e-9, 1e-12, 1e-15};
  const auto at = kSuffixes.find(suffix[0]);
  return at == std::string_view::npos ? value : value * kScales[at];
}

bool is_builtin_function(std::string_view name, const Dialect& dialect) {
  // numparam's functions, then those of behavioural sources only.
  static constexpr std::array<std::string_view, 55> kNames = {"sqr",         "sqrt",   "sin",
                                                              "cos",         "exp",    "ln",
                                                              "arctan",      "abs",    "pow",
                                                              "pwr",         "max",    "min",
                                                              "int",         "log",    "log10",
                                                              "sinh",        "cosh",   "tanh",
                                                              "ternary_fcn", "agauss", "sgn",
                                                              "gauss",       "unif",   "aunif",
                                                              "limit",       "ceil",   "floor",
                                                              "asin",        "acos",   "atan",
                                                              "asinh",       "acosh",  "atanh",
                                                              "tan",         "nint",   "u",
                                                              "uramp",       "u2",     "pwl",
                                                              "eq0",         "ne0",    "gt0",
                                                              "lt0",         "ge0",    "le0",
                                                              "ddt",         "table",  "v",
                                                              "i",           "poly",   "pwl_derivative",
                                                              "temper",      "time",   "hertz",
                                                              "laplace"};
  static constexpr std::array<std::string_view, 3> kPspice = {"if", "pwrs", "stp"};
  static constexpr std::array<std::string_view, 4> kLtspice = {"uplim", "dnlim", "uplim_tanh", "dnlim_tanh"};
  return std::ranges::find(kNames, name) != kNames.end() ||
         (dialect.pspice && std::ranges::find(kPspice, name) != kPspice.end()) ||
         (dialect.ltspice && std::ranges::find(kLtspice, name) != kLtspice.end());
}

}  // namespace errata::circuit
