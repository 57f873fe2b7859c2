#include "cli/report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace errata::report {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kMinus = "−";

/// Length of the UTF-8 sequence at the start of `text`; 0 when it is not one.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xC2 ? 0
                             : first < 0xE0 ? 2
                             : first < 0xF0 ? 3
                             : first < 0xF5 ? 4
                                            : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  if (length == 3 && first == 0xE0 && byte(1) < 0xA0) return 0;                      // overlong
  if (length == 3 && first == 0xED && byte(1) >= 0xA0) return 0;                     // surrogates
  if (length == 3 && first == 0xEF && byte(1) == 0xBF && byte(2) >= 0xBE) return 0;  // not characters in XML
  if (length == 4 && first == 0xF0 && byte(1) < 0x90) return 0;
  if (length == 4 && first == 0xF4 && byte(1) >= 0x90) return 0;
  return length;
}

/// "-1.50" to "−1.50"; "-0.00" to "0.00".
std::string typeset(std::string text) {
  if (!text.empty() && text[0] == '-') {
    text.erase(0, 1);
    if (text.find_first_of("123456789") != std::string::npos) text.insert(0, kMinus);
  }
  return text;
}

std::string superscript(int exponent) {
  static constexpr std::array<std::string_view, 10> kDigits{"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = exponent < 0 ? "⁻" : "";
  for (const char c : std::to_string(std::abs(exponent))) text += kDigits[static_cast<std::size_t>(c - '0')];
  return text;
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = sequence_length(text.substr(i));
    const char c = text[i];
    const bool control = static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t';
    if (length == 0 || control)
      out += kReplacement;
    else if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else
      out += text.substr(i, length);
    i += std::max<std::size_t>(length, 1);
  }
  return out;
}

std::string number(double value, int digits) {
  if (!std::isfinite(value)) return "n/a";
  std::string text = fmt::format("{:.{}g}", value, digits);
  const auto e = text.find('e');
  if (e == std::string::npos) return typeset(std::move(text));
  const int exponent = std::stoi(text.substr(e + 1));
  const std::string mantissa = text.substr(0, e);
  return (mantissa == "1"    ? ""
          : mantissa == "-1" ? std::string(kMinus)
                             : typeset(mantissa) + "×") +
         "10" + superscript(exponent);
}

std::string fixed(double value, int decimals) {
  return std::isfinite(value) ? typeset(fmt::format("{:.{}f}", value, decimals)) : "n/a";
}

std::string with_interval(const Interval& i, int decimals) {
  if (!std::isfinite(i.estimate)) return "n/a";
  if (!std::isfinite(i.low) || !std::isfinite(i.high)) return fixed(i.estimate, decimals);
  return fmt::format("{} [{}, {}]", fixed(i.estimate, decimals), fixed(i.low, decimals), fixed(i.high, decimals));
}

std::string with_interval(const Interval& i) {
  const double width = i.high - i.low;
  if (!(width > 0) || !std::isfinite(width)) return number(i.estimate, 4);
  const int decimals = 1 - static_cast<int>(std::floor(std::log10(width)));
  if (decimals > 6 || decimals < -3)
    return fmt::format("{} [{}, {}]", number(i.estimate), number(i.low), number(i.high));
  return with_interval(i, std::max(0, decimals));
}

std::string short_hash(std::string_view hash) {
  if (hash.size() <= 12) return fmt::format("<code>{}</code>", escape(hash));
  return fmt::format("<code title=\"{}\">{}…</code>", escape(hash), escape(hash.substr(0, 12)));
}

std::string counted(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

UnitScale unit_scale(double largest, std::string_view unit) {
  static constexpr std::array<std::string_view, 11> kPrefixes{"a", "f", "p", "n", "µ", "m", "", "k", "M", "G", "T"};
  largest = std::fabs(largest);
  if (!(largest > 0) || !std::isfinite(largest)) return {1.0, std::string(unit)};
  // The small excess keeps 0.001 at "1 m" although its logarithm rounds to just below −3.
  const int thousands = std::clamp(static_cast<int>(std::floor(std::log10(largest) / 3 + 1e-9)), -6, 4);
  return {std::pow(10.0, -3 * thousands),
          fmt::format("{}{}", kPrefixes[static_cast<std::size_t>(thousands + 6)], unit)};
}

std::string quantity(double value, std::string_view unit, int digits) {
  const UnitScale scale = unit_scale(value, unit);
  return std::isfinite(value) ? fmt::format("{}\u00a0{}", number(value * scale.factor, digits), scale.unit) : "n/a";
}

}  // namespace errata::report
