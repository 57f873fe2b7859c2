#include <cstring>

#include "circuit/campaign/journal.h"
#include "circuit/netlist/netlist.h"
#include "tests/property/property.h"
#include "tests/support/temporary_folder.h"

namespace errata::circuit {
namespace {

using testing::check_property;

TEST(Property, PointResultsSurviveTheWay) {
  check_property("decode(encode(r)) is r, bit by bit",
                 [](const std::vector<std::uint64_t>& bits, const std::string& log) {
                   PointResult r{.status = PointStatus::kSuspect, .values = {}, .log = log};
                   r.values.resize(bits.size());
                   if (!bits.empty())
                     std::memcpy(r.values.data(), bits.data(), 8 * bits.size());  // also NaNs with payload
                   const PointResult back = decode(encode(r));
                   RC_ASSERT(back.status == r.status);
                   RC_ASSERT(back.log == log);
                   RC_ASSERT(back.values.size() == r.values.size());
                   if (!bits.empty()) RC_ASSERT(std::memcmp(back.values.data(), r.values.data(), 8 * bits.size()) == 0);
                 });
}

TEST(Property, DamagedResultsAreNoticedOrDecoded) {
  check_property("decode of any bytes ends", [](const std::string& bytes) {
    try {
      decode(bytes);
    } catch (const std::out_of_range&) {
    }
  });
}

TEST(Property, WordsJoinBack) {
  check_property("words of words joined by blanks are the words", [] {
    const auto word =
        rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::elementOf(std::string("abcXYZ019=._:@[]+-*/"))));
    const auto words = *rc::gen::container<std::vector<std::string>>(word);
    std::string text;
    for (const auto& w : words) text += w + (text.size() % 2 == 0 ? "\t " : " ");
    RC_ASSERT(words_of(text) == words);
  });
}

TEST(Property, ContinuationLinesDoNotMatter) {
  const testing::TemporaryFolder folder;
  check_property("a statement cut into continuation lines has the same words", [&] {
    const auto value = rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::elementOf(std::string("123"))));
    const auto words = *rc::gen::container<std::vector<std::string>>(5, value);
    std::string one = "title\n.subckt cell a b\nr1 a b", many = one;
    for (const auto& w : words) {
      one += " " + w;
      many += *rc::gen::element<std::string>(" ", "\n+ ", "\n* remark\n+", "\r\n\n+\t") + w;
    }
    for (auto* text : {&one, &many}) *text += "\n.ends\n";
    const auto a = read_netlist(folder.write("a.cir", one), {}), b = read_netlist(folder.write("b.cir", many), {});
    RC_ASSERT(a.statements.size() == 3u && b.statements.size() == 3u);
    RC_ASSERT(words_of(a.statements[1].text) == words_of(b.statements[1].text));
  });
}

}  // namespace
}  // namespace errata::circuit
