#include "circuit/netlist/netlist_text.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "circuit/netlist/netlist.h"

namespace errata::circuit {
namespace {

using Texts = std::vector<std::string>;

Texts names(std::string_view expression) {
  Texts all;
  for (const auto& n : names_of_expression(expression))
    all.push_back(std::string(n.name) + (n.is_function ? "()" : ""));
  return all;
}

Texts parts(std::string_view text) {
  const StatementParts p = parts_of(text);
  Texts all(p.words.begin(), p.words.end());
  for (const auto& [name, value] : p.pairs) all.push_back(std::string(name) + "|" + std::string(value));
  for (const auto stray : p.strays) all.push_back("?" + std::string(stray));
  return all;
}

template <typename Views>
Texts copies(const Views& views) {
  return {views.begin(), views.end()};
}

TEST(WordsOf, KeepsBracesAndQuotesTogether) {
  EXPECT_EQ(words_of("m1 a\tb  w={x + 1} l='y + 2' \"a b\""),
            (Texts{"m1", "a", "b", "w={x + 1}", "l='y + 2'", "\"a b\""}));
  EXPECT_TRUE(words_of("  \t ").empty());
}

TEST(DialectOf, LooksForLettersAsNgspiceDoes) {
  EXPECT_TRUE(dialect_of("hsa").hspice);
  EXPECT_TRUE(dialect_of("PSA").pspice);
  EXPECT_TRUE(dialect_of("ltpsa").ltspice && dialect_of("ltpsa").pspice);
  EXPECT_FALSE(dialect_of("hsps").hspice);  // the two exclude each other
  EXPECT_FALSE(dialect_of("spectre").pspice);
  EXPECT_FALSE(dialect_of("").hspice || dialect_of("ki").pspice);
}

TEST(InlinedCompatibility, TranslatesTheWholeDeck) {
  EXPECT_EQ(inlined_compatibility("ps"), "psa");
  EXPECT_EQ(inlined_compatibility("LTPS"), "ltpsa");
  EXPECT_EQ(inlined_compatibility("psa"), "psa");
  EXPECT_EQ(inlined_compatibility("hs"), "hs");
  EXPECT_EQ(inlined_compatibility(""), "");
}

TEST(WithoutComment, CutsWhereNgspiceDoes) {
  const auto cut = [](std::string_view line, const char* mode = "") {
    return std::string(without_comment(line, dialect_of(mode)));
  };
  EXPECT_EQ(cut("r1 a b ; x"), "r1 a b ");
  EXPECT_EQ(cut("r1 a b// x"), "r1 a b");
  EXPECT_EQ(cut("r1 a b $x"), "r1 a b ");
  EXPECT_EQ(cut("r1 a$b c"), "r1 a$b c");
  EXPECT_EQ(cut("r1 a $b c", "psa"), "r1 a $b c");
  EXPECT_EQ(cut("r1 a b '1 ; 2'"), "r1 a b '1 ");                                   // quotes protect nothing
  EXPECT_EQ(cut(".include \"a//b;c $d.inc\" $ x"), ".include \"a//b;c $d.inc\" ");  // but a path
  for (const char* line : {"* x", "  $ x", "# x", "; x", "// x"}) EXPECT_EQ(cut(line), "") << line;
}

TEST(PartsOf, FindsPairsAroundBlanksBracesAndParentheses) {
  EXPECT_EQ(parts("m1 (a, b) c d n w = 1u l={x + 1} ad='w * 2' off"),
            (Texts{"m1", "a", "b", "c", "d", "n", "w|1u", "l|{x + 1}", "ad|'w * 2'", "?off"}));
  EXPECT_EQ(parts(".param a=1, b=max(a, 2)*f(3) c =4"), (Texts{".param", "a|1", "b|max(a, 2)*f(3)", "c|4"}));
  EXPECT_EQ(parts(".model n nmos(level=54 version=4.8)"), (Texts{".model", "n", "nmos", "level|54", "version|4.8"}));
  EXPECT_EQ(parts(".param a = b * 1k"), (Texts{".param", "a|b", "?*", "?1k"}));
  EXPECT_EQ(parts("b1 a b i=v(a)==1 ? 2 : 3"), (Texts{"b1", "a", "b", "i|v(a)==1", "??", "?2", "?:", "?3"}));
  EXPECT_TRUE(parts("").empty());
  for (const char* broken : {"a={", "a='", "=", "a=", "(", "{{{", "a=b=c", "\"", "=}'"}) parts(broken);  // ends
}

TEST(NamesOfExpression, AreParametersAndFunctions) {
  EXPECT_EQ(names("a*2meg+1.5e-9*b_1-0.4u^c"), (Texts{"a", "b_1", "c"}));
  EXPECT_EQ(names("max(a, min(b,2))+v(n1,n2)*i(v1)"), (Texts{"max()", "a", "min()", "b"}));
  EXPECT_EQ(names("x>=1 ? y : (z==2)"), (Texts{"x", "y", "z"}));
  EXPECT_EQ(names("i = v(a)*gain tc1=k"), (Texts{"gain", "k"}));  // what stands before '=' is no name
  EXPECT_EQ(names("1e3x + .5u + 3.e4"), Texts{});
  EXPECT_EQ(names("\"text\" + s"), (Texts{"s"}));
  EXPECT_EQ(names(""), Texts{});
}

TEST(ExpressionsOf, AreBracesQuotesAndBareValues) {
  EXPECT_EQ(copies(expressions_of("r1 a b {x + 1} tc='y' w=z*2 l=-k s=\"str\" q=(a+b) m=2")),
            (Texts{"x + 1", "y", "z*2", "-k", "(a+b)", "2"}));
  for (const char* broken : {"{", "'", "a='", "a={x", "=", "}"}) expressions_of(broken);
  EXPECT_EQ(copies(expressions_of("a={x")), (Texts{"x"}));
}

TEST(ProbesInExpression, AreNodesAndSources) {
  EXPECT_EQ(copies(probes_in_expression("b1 a b i=v(n1)*v( n2 , n<3> )+i(v1)+dev(x)", 'v')),
            (Texts{"n1", "n2", "n<3>"}));
  EXPECT_EQ(copies(probes_in_expression("b1 a b i=v(n1)+i(v1)", 'i')), (Texts{"v1"}));
  for (const char* broken : {"v(", "v()", "v(,)", "v", "v(a"}) probes_in_expression(broken, 'v');
}

TEST(WithNominalValues, TakesTheFirstArgument) {
  const auto nominal = [](std::string_view text) { return with_nominal_values(text).text; };
  EXPECT_EQ(nominal("a=agauss(1k,10,3)*2"), "a=(1k)*2");
  EXPECT_EQ(nominal("a='Gauss( x*(1+y) , 0.1,3)+unif(2,1)'"), "a='( x*(1+y) )+(2)'");
  EXPECT_EQ(nominal("aunif(agauss(1,2,3),4)"), "((1))");
  EXPECT_EQ(with_nominal_values("aunif(agauss(1,2,3),4)").count, 2u);
  for (const char* other :
       {"limit(v(a),0,1)", "gauss", "agauss(1,2)", "my_agauss(1,2,3)", "agauss(1,2,3", "x.agauss(1,2,3)"})
    EXPECT_EQ(nominal(other), other);
}

}  // namespace
}  // namespace errata::circuit
