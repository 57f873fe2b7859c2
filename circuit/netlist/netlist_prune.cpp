// What of a netlist goes into a deck.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "circuit/netlist/netlist_check.h"

namespace errata::circuit {

namespace {

/// Follows names from the kept subcircuits to the models, parameters and functions that they need.
class Pruner {
 public:
  explicit Pruner(const NetlistAnalysis& a) : a_(a), keep_(a.index.statements().size(), false) {}

  std::vector<bool> run() {
    const Scope& top = a_.index.scopes()[0];
    for (std::size_t s = 1; s < a_.index.scopes().size(); ++s)
      if (keeps(s)) keep_scope(s);
    index_top(top);
    for (std::size_t i = 0; i < keep_.size() && a_.prunes; ++i)
      if (keep_[i]) open_.push_back(i);
    while (!open_.empty()) {
      const std::size_t i = open_.back();
      open_.pop_back();
      follow(a_.index.lower(i));
    }
    for (std::size_t i = 0; i < keep_.size(); ++i)
      if (a_.index.ignored(i)) keep_[i] = false;
    return std::move(keep_);
  }

 private:
  bool keeps(std::size_t s) const { return !a_.index.scopes()[s].duplicate && (a_.reachable[s] || !a_.prunes); }

  /// The lines of a subcircuit, without those of the ones nested in it.
  void keep_scope(std::size_t s) {
    const Scope& scope = a_.index.scopes()[s];
    keep_[scope.begin] = keep_[scope.end] = true;
    std::size_t i = scope.begin + 1;
    std::vector<std::pair<std::size_t, std::size_t>> inner;
    for (const auto& [name, child] : scope.children)
      inner.emplace_back(a_.index.scopes()[child].begin, a_.index.scopes()[child].end);
    std::ranges::sort(inner);
    for (const auto& [begin, end] : inner) {
      for (; i < begin; ++i) keep_[i] = true;
      i = end + 1;
    }
    for (; i < scope.end; ++i) keep_[i] = true;
    // A subcircuit is nothing without those around it.
    for (std::size_t outer = scope.parent; outer != 0; outer = a_.index.scopes()[outer].parent)
      if (!keep_[a_.index.scopes()[outer].begin]) keep_scope(outer);
  }

  void index_top(const Scope& top) {
    for (const std::size_t i : top.others) {
      const std::string& text = a_.index.lower(i);
      const bool named = text.starts_with(".model") || text.starts_with(".cmodel") || text.starts_with(".para") ||
                         text.starts_with(".func");
      if (!named || !a_.prunes) {
        keep_[i] = true;
      } else if (text.starts_with(".para") && text.find('(') > text.find('=')) {
        for (const auto& [name, value] : parts_of(text).pairs) needed_by_[std::string(name)].push_back(i);
      } else {
        const auto words = parts_of(text).words;
        if (words.size() > 1) needed_by_[std::string(words[1])].push_back(i);
      }
    }
    if (a_.prunes)
      for (const auto& [base, cards] : top.bins)
        needed_by_[base].insert(needed_by_[base].end(), cards.begin(), cards.end());
    for (std::size_t i = 0; i < keep_.size(); ++i)
      if (a_.index.is_command(i) || a_.index.lower(i).starts_with(".global")) keep_[i] = true;
  }

  /// Any word may be a name: what is kept in vain costs nothing but time.
  void follow(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
      if (!is_name_character(text[i])) {
        ++i;
        continue;
      }
      std::size_t end = i;
      while (end < text.size() && is_name_character(text[end])) ++end;
      need(text.substr(i, end - i));
      i = end;
    }
    for (const auto word : parts_of(text).words) need(word);
  }

  void need(std::string_view name) {
    const auto found = needed_by_.find(std::string(name));
    if (found == needed_by_.end()) return;
    for (const std::size_t i : found->second)
      if (!keep_[i]) {
        keep_[i] = true;
        open_.push_back(i);
      }
    needed_by_.erase(found);
  }

  const NetlistAnalysis& a_;
  std::vector<bool> keep_;
  std::unordered_map<std::string, std::vector<std::size_t>> needed_by_;
  std::vector<std::size_t> open_;
};

bool is_plain_name(const std::string& name) {
  return std::ranges::all_of(name, [](char c) { return is_name_character(c) || c == '[' || c == ']'; });
}

/// `text` with the word at `at` replaced.
void replace_word(Statement& s, std::size_t at, std::size_t length, const std::string& word) {
  s.text.replace(at, length, word);
  s.first_line_length = 0;
}

}  // namespace

std::vector<bool> kept_statements(const NetlistAnalysis& analysis) { return Pruner(analysis).run(); }

void rename_subcircuits(const NetlistAnalysis& a, std::vector<Statement>& statements,
                        std::map<std::string, Subcircuit>& subcircuits) {
  const auto& scopes = a.index.scopes();
  std::unordered_map<std::string, std::size_t> count;
  std::unordered_set<std::string> taken, parameters;
  for (const Scope& s : scopes) {
    if (!s.duplicate && !s.name.empty()) ++count[s.name];
    taken.insert(s.name);
    for (const auto& [name, value] : s.parameters) parameters.insert(name);
  }
  std::map<std::size_t, std::string> renamed;
  for (std::size_t s = 1; s < scopes.size(); ++s) {
    if (scopes[s].duplicate) continue;
    const bool confused = scopes[s].parent != 0 && count[scopes[s].name] > 1;
    if (!parameters.contains(scopes[s].name) && !confused && is_plain_name(scopes[s].name)) continue;
    std::string name;
    for (const char c : scopes[s].key) name += is_name_character(c) ? c : '_';
    while (taken.contains(name) || parameters.contains(name)) name += "_";
    taken.insert(name);
    renamed[s] = name;
    subcircuits.at(scopes[s].key).deck_name = name;
    const auto words = parts_of(a.index.lower(scopes[s].begin)).words;
    replace_word(statements[scopes[s].begin],
                 static_cast<std::size_t>(words[1].data() - a.index.lower(scopes[s].begin).data()), words[1].size(),
                 name);
  }
  if (renamed.empty()) return;
  for (std::size_t s = 1; s < scopes.size(); ++s)
    for (std::size_t k = 0; k < a.targets[s].size(); ++k) {
      const auto found = renamed.find(a.targets[s][k]);
      if (found == renamed.end()) continue;
      const std::size_t at = scopes[s].devices[k];
      const auto word = parts_of(a.index.lower(at)).words.back();
      replace_word(statements[at], static_cast<std::size_t>(word.data() - a.index.lower(at).data()), word.size(),
                   found->second);
    }
}

}  // namespace errata::circuit
