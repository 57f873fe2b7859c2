#pragma once

#include <cctype>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace errata::testing {

/// What is wrong with a text as XML, or empty: tags nest and close, attributes are quoted and not repeated, & starts an
/// entity that XML knows, ids are unique. A small reader of its own, so that the writer is not tested with itself.
class XmlChecker {
 public:
  static std::string fault(std::string_view text) { return XmlChecker(text).run(); }

 private:
  explicit XmlChecker(std::string_view text) : text_(text) {}

  std::string run() {
    if (text_.starts_with("<!DOCTYPE html>")) at_ = text_.find('>') + 1;
    while (at_ < text_.size() && fault_.empty()) {
      if (text_[at_] == '<')
        tag();
      else
        character();
    }
    if (fault_.empty() && !open_.empty()) fail("not closed: " + open_.back());
    return fault_;
  }

  void fail(const std::string& what) {
    if (fault_.empty()) fault_ = what + " near: " + std::string(text_.substr(at_ > 30 ? at_ - 30 : 0, 80));
  }

  void character() {
    const auto byte = static_cast<unsigned char>(text_[at_]);
    if (byte < 0x20 && byte != '\n' && byte != '\t') fail("control character");
    if (text_[at_] == '&') {
      const auto end = text_.find(';', at_);
      static const std::set<std::string_view> kKnown{"&amp", "&lt", "&gt", "&quot", "&#39"};
      if (end == std::string_view::npos || !kKnown.contains(text_.substr(at_, end - at_)))
        return fail("unknown entity");
      at_ = end;
    }
    if (open_.empty() && !std::isspace(byte)) fail("text outside of the root");
    ++at_;
  }

  std::string name() {
    const auto from = at_;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '-' || text_[at_] == ':'))
      ++at_;
    return std::string(text_.substr(from, at_ - from));
  }
  void spaces() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void tag() {
    ++at_;
    if (take('/')) {
      const std::string closed = name();
      if (open_.empty() || open_.back() != closed) return fail("closes what is not open: " + closed);
      open_.pop_back();
      if (!take('>')) fail("end tag not closed");
      return;
    }
    const std::string element = name();
    if (element.empty()) return fail("bare <");
    attributes();
    const bool empty_element = take('/');
    if (!take('>')) return fail("start tag not closed: " + element);
    if (!empty_element) open_.push_back(element);
  }

  void attributes() {
    std::set<std::string> seen;
    for (spaces(); at_ < text_.size() && text_[at_] != '>' && text_[at_] != '/' && fault_.empty(); spaces()) {
      const std::string attribute = name();
      if (attribute.empty() || !take('=') || !take('"')) return fail("attribute without quoted value: " + attribute);
      if (!seen.insert(attribute).second) return fail("attribute twice: " + attribute);
      const auto from = at_;
      while (at_ < text_.size() && text_[at_] != '"' && fault_.empty()) {
        if (text_[at_] == '<') return fail("< in attribute");
        ++at_;
      }
      if (attribute == "id" && !ids_.insert(std::string(text_.substr(from, at_ - from))).second)
        return fail("id twice");
      if (!take('"')) return fail("value not closed");
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::string> open_;
  std::set<std::string> ids_;
  std::string fault_;
};

}  // namespace errata::testing
