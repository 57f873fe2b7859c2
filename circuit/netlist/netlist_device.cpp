#include "circuit/netlist/netlist_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace errata::circuit {

namespace {

class Parser {
 public:
  Parser(std::string_view line, const std::function<bool(std::string_view)>& is_model)
      : line_(line), is_model_(is_model), parts_(parts_of(line)) {}

  ParsedDevice parse() {
    Device& d = out_.device;
    d.name = parts_.words.empty() ? std::string() : std::string(parts_.words[0]);
    d.text = std::string(line_);
    for (const auto& [name, value] : parts_.pairs) d.parameters.emplace_back(name, value);
    terminals();
    if (d.type() != 'a') {  // whose %v(…) are ports
      for (const auto node : probes_in_expression(line_, 'v')) read(node);
      for (const auto source : probes_in_expression(line_, 'i')) out_.controls.emplace_back(source);
    }
    const auto has = [&](const char* word) { return line_.find(word) != std::string_view::npos; };
    out_.behavioral = d.type() == 'b' || d.type() == 'e' || d.type() == 'g' || !d.reads.empty() || has("i(") ||
                      has("temper") || has("time") || has("hertz");
    return std::move(out_);
  }

 private:
  std::size_t words() const { return parts_.words.size(); }
  std::string_view word(std::size_t i) const { return i < words() ? parts_.words[i] : std::string_view(); }

  void node(std::string_view name, Contact contact) {
    out_.device.nodes.emplace_back(name);
    out_.contacts.push_back(contact);
  }
  void read(std::string_view name) {
    if (std::ranges::find(out_.device.reads, name) == out_.device.reads.end()) out_.device.reads.emplace_back(name);
  }

  /// The first `count` words behind the name as nodes; false when there are fewer.
  bool nodes(std::size_t count, Contact contact = Contact::kConducts) {
    for (std::size_t i = 1; i <= count && i < words(); ++i) node(word(i), contact);
    if (words() > count) return true;
    out_.trouble =
        fmt::format("'{}' needs {} nodes and has {}", out_.device.name, count, words() == 0 ? 0 : words() - 1);
    return false;
  }

  void model(std::size_t at) {
    const std::string_view name = word(at);
    if (name.empty())
      out_.trouble = fmt::format("'{}' names no model", out_.device.name);
    else if (is_model_(name))
      out_.device.model = name;
    else
      out_.unknown_model = name;
  }

  void terminals() {
    switch (out_.device.type()) {
      case 'm':
        return transistor(4, 7, "mosfet");
      case 'q':
        return transistor(3, 5, "bipolar transistor");
      case 'd':
        return transistor(2, 3, "diode");
      case 'j':
      case 'z':
      case 'u':
        if (nodes(3)) model(4);
        return;
      case 'r':
      case 'l':
        if (nodes(2)) value_or_model();
        return;
      case 'c':
        if (nodes(2, Contact::kPlate)) value_or_model();
        return;
      case 'v':
      case 'i':
        if (nodes(2, out_.device.type() == 'v' ? Contact::kConducts : Contact::kPlate)) out_.value = word(3);
        return;
      case 'b':
        nodes(2, line_.find(" i") != std::string_view::npos && drives_current() ? Contact::kPlate : Contact::kConducts);
        return;
      case 'e':
      case 'g':
        if (nodes(2, out_.device.type() == 'e' ? Contact::kConducts : Contact::kPlate)) controls();
        return;
      case 'f':
      case 'h':
        if (nodes(2, out_.device.type() == 'h' ? Contact::kConducts : Contact::kPlate) && word(3) != "poly")
          out_.controls.emplace_back(word(3));
        return;
      case 's':
        switch_terminals();
        return;
      case 'w':
        if (nodes(2)) model(4);
        if (words() > 4) out_.controls.emplace_back(word(3));
        return;
      case 't':
        nodes(4);
        return;
      case 'o':
      case 'y':
        if (nodes(4)) model(5);
        return;
      case 'p':
        for (std::size_t i = 1; i + 1 < words(); ++i) node(word(i), Contact::kConducts);
        return;
      case 'a':
        return code_model();
      case 'x':
        return instance();
      case 'k':
        for (std::size_t i = 1; i < words(); ++i)
          if (word(i).front() == 'l') out_.controls.emplace_back(word(i));
        return;
      case 'n':
        out_.trouble = "Verilog-A (OSDI) devices are not in Debian's ngspice";
        return;
      default:
        out_.trouble = fmt::format("no element of ngspice begins with '{}'", out_.device.type());
    }
  }

  /// Nodes reach up to the first word that is a model, or else to the last word that may be one.
  void transistor(std::size_t fewest, std::size_t most, const char* what) {
    std::size_t at = std::max<std::size_t>(fewest, 3);
    while (at < words() && at <= most + 1 && !is_model_(word(at))) ++at;
    if (at >= words() || at > most + 1) {
      at = std::max<std::size_t>(words(), 1) - 1;
      while (at > fewest + 1 && (is_number(word(at)) || word(at) == "off")) --at;
    }
    const std::size_t count = at == 0 ? 0 : at - 1;
    for (std::size_t i = 1; i <= count; ++i)
      node(word(i), out_.device.type() == 'm' && i == 2 ? Contact::kGate : Contact::kConducts);
    if (count >= fewest) return model(at);
    out_.trouble =
        fmt::format("'{}', a {}, needs {} nodes before its model and has {}", out_.device.name, what, fewest, count);
    if (is_model_(word(at))) out_.device.model = word(at);
  }

  void value_or_model() {
    for (std::size_t at : {3u, 4u})
      if (!word(at).empty() && is_model_(word(at)) && out_.device.model.empty())
        out_.device.model = word(at);
      else if (at == 3)
        out_.value = word(at);
  }

  /// `i = …` with any blanks.
  bool drives_current() const {
    return std::ranges::any_of(parts_.pairs, [](const auto& pair) { return pair.first == "i"; });
  }

  void controls() {
    const std::string_view third = word(3);
    if (third == "poly") {
      std::size_t dimension = 0;
      const std::string_view count = word(4);
      std::from_chars(count.data(), count.data() + count.size(), dimension);
      for (std::size_t i = 5; i < 5 + 2 * std::min<std::size_t>(dimension, 20) && i < words(); ++i) read(word(i));
      return;
    }
    const bool expression = third.empty() || third == "table" || third.front() == '{' || third.front() == '\'';
    if (expression) return;
    for (std::size_t i = 3; i < 5 && i < words(); ++i) read(word(i));
  }

  void switch_terminals() {
    if (words() < 6) {
      out_.trouble = fmt::format("'{}', a switch, needs 4 nodes and a model", out_.device.name);
      return;
    }
    node(word(1), Contact::kConducts);
    node(word(2), Contact::kConducts);
    read(word(3));
    read(word(4));
    model(5);
  }

  void code_model() {
    for (std::size_t i = 1; i + 1 < words(); ++i) {
      std::string_view name = word(i);
      while (!name.empty() && (name.front() == '[' || name.front() == '~')) name.remove_prefix(1);
      while (!name.empty() && name.back() == ']') name.remove_suffix(1);
      if (!name.empty() && name.front() != '%') node(name, Contact::kConducts);
    }
    if (words() > 1) model(words() - 1);
  }

  void instance() {
    if (words() < 2) {
      out_.trouble = fmt::format("'{}' names no subcircuit", out_.device.name);
      return;
    }
    for (std::size_t i = 1; i + 1 < words(); ++i) out_.device.nodes.emplace_back(word(i));
    out_.subcircuit = word(words() - 1);
    if (out_.subcircuit == "optional:") out_.trouble = "ngspice has no OPTIONAL: nodes";
  }

  std::string_view line_;
  const std::function<bool(std::string_view)>& is_model_;
  StatementParts parts_;
  ParsedDevice out_;
};

}  // namespace

ParsedDevice parse_device(std::string_view line, const std::function<bool(std::string_view)>& is_model) {
  return Parser(line, is_model).parse();
}

}  // namespace errata::circuit
