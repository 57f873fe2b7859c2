// Malformed measurement files: every problem is named with its place.
#include "errormodel/exchange/import_csv.h"

#include <gtest/gtest.h>

#include "errormodel/exchange/import_campaign.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace errata::errormodel {
namespace {

using errata::testing::diagnostics_of;
using errata::testing::places;
using errata::testing::TemporaryFolder;

const MeasuredHardware kHardware{.rows = 4, .levels = 2, .inputs = 2, .differential = true, .adc = {4, 8}};

std::vector<Diagnostic> problems(const std::string& text) {
  const TemporaryFolder folder;
  const auto path = folder.write("m.csv", text);
  return diagnostics_of([&] { read_campaign({path, {}, {}}, kHardware); });
}

Campaign campaign(const std::string& text) {
  const TemporaryFolder folder;
  return read_campaign({folder.write("m.csv", text), {}, {}}, kHardware);
}

TEST(ImportCsv, ReadsWhatAMeasurementProgramWrites) {
  // Byte-order mark, CR LF, comments, semicolons, quotes, columns in another order, names in capitals, no read column.
  const Campaign c = campaign(
      "\xEF\xBB\xBF# lot 7\r\n\r\nCode;Chip;Column;Operand;Y;A\r\n3;\"die 10\";0;p1;2.5;4\r\n-2;die "
      "9;0;p1;1;4\r\n4;\"die "
      "10\";0;p1;2.5;4\r\n");
  EXPECT_EQ(c.quantity, MeasuredQuantity::kCode);
  EXPECT_EQ(c.readings, 3u);
  ASSERT_EQ(c.chips.size(), 2u);
  EXPECT_EQ(c.chips[0][0].operands[0].reads, (std::vector<double>{3, 4}));
  EXPECT_EQ(c.chips[0][0].operands[0].y, 2.5);
  EXPECT_EQ(c.chips[1][0].operands[0].reads, (std::vector<double>{-2}));
}

TEST(ImportCsv, ChipsAreOrderedByNumber) {
  const Campaign c =
      campaign("chip,column,operand,y,a,mac\n10,0,0,1,1,10\n2,0,0,1,1,2\n2,11,0,1,1,211\n2,3,0,1,1,23\n");
  EXPECT_EQ(c.chips[0][0].operands[0].reads[0], 2);
  EXPECT_EQ(c.chips[0][1].operands[0].reads[0], 23);
  EXPECT_EQ(c.chips[0][2].operands[0].reads[0], 211);
  EXPECT_EQ(c.chips[1][0].operands[0].reads[0], 10);
}

TEST(ImportCsv, EveryMalformedLineIsNamed) {
  const auto d = problems(
      "chip,column,operand,read,y,a,code\n"
      "0,0,0,0,1.5,2,3\n"
      "0,0,0,1,1.5,2,99\n"
      "0,0,0,2,1.5,2,2.5\n"
      "0,0,0,3,1.5,2\n"
      "0,0,0,4,one,2,3\n"
      "0,0,0,5,1.75,2,3\n"
      "0,,0,6,1.5,2,3\n"
      "0,0,0,-1,1.5,2,3\n"
      "0,0,0,7,nan,2,3\n"
      "0,0,0,8,1.5,2,\n"
      "0,0,1,0,1.5,2,\"3\n");
  EXPECT_EQ(places(d), (std::vector<std::string>{"E110 3:15", "E110 4:15", "E110 5:13", "E110 6:9", "E110 7:9",
                                                 "E110 8:3", "E110 9:7", "E110 10:9", "E110 11:15", "E110 12:15"}));
  EXPECT_NE(d[0].message.find("-8 to 7"), std::string::npos) << d[0].message;
  EXPECT_NE(d[4].message.find("line 2"), std::string::npos) << d[4].message;
}

TEST(ImportCsv, HeadersAreJudgedAsAWhole) {
  const auto d = problems("chip,colum,operand,y,cod\n0,0,0,1,1\n");
  ASSERT_EQ(d.size(), 5u);
  EXPECT_EQ(d[0].hint, "did you mean 'column'?");
  EXPECT_NE(d[2].message.find("'column' is missing"), std::string::npos);
  EXPECT_NE(d[3].message.find("no column says what was measured"), std::string::npos);
  EXPECT_NE(d[4].message.find("'a' is missing"), std::string::npos);
  EXPECT_NE(problems("chip,column,operand,y,a,code,mac\n")[0].message.find("several columns"), std::string::npos);
  EXPECT_NE(problems("chip,chip,operand,y,a,code\n")[0].message.find("stands twice"), std::string::npos);
}

TEST(ImportCsv, EmptyAndMissingFiles) {
  EXPECT_NE(problems("")[0].message.find("no header"), std::string::npos);
  EXPECT_NE(problems("# only a comment\n")[0].message.find("no header"), std::string::npos);
  EXPECT_NE(problems("chip,column,operand,y,a,code\n")[0].message.find("no measurements"), std::string::npos);
  const auto d = diagnostics_of([] { read_campaign({"/nowhere/m.csv", {}, {}}, kHardware); });
  EXPECT_NE(d[0].message.find("does not exist"), std::string::npos);
}

TEST(ImportCsv, DecimalCommasAreExplained) {
  const auto d = problems("chip;column;operand;y;a;mac\n0;0;0;1;2;3,5\n");
  EXPECT_EQ(places(d), std::vector<std::string>{"E110 2:11"});
  EXPECT_EQ(d[0].hint, "write numbers with a decimal point");
}

TEST(ImportCsv, AReadStandsOnce) {
  const auto d = problems("chip,column,operand,read,y,a,mac\n0,0,0,1,1,2,3\n0,0,0,1,1,2,3\n");
  ASSERT_EQ(d.size(), 1u);
  EXPECT_NE(d[0].message.find("line 3: read 1 of operand '0' stands on line 2"), std::string::npos) << d[0].message;
}

TEST(ImportCsv, ThousandProblemsAreCounted) {
  std::string text = "chip,column,operand,y,a,mac\n";
  for (int k = 0; k < 1000; ++k) text += "0,0,0,1,2,x\n";
  const auto d = problems(text);
  EXPECT_EQ(d.size(), 21u);
  EXPECT_NE(d.back().message.find("980 more"), std::string::npos);
}

class Patterns : public ::testing::Test {
 protected:
  std::vector<Diagnostic> run(const std::string& weights, const std::string& inputs,
                              const std::string& data = "chip,column,operand,y,a,mac\n0,0,p,1,1,1.1\n") {
    return diagnostics_of([&] { read(weights, inputs, data); });
  }
  Campaign read(const std::string& weights, const std::string& inputs, const std::string& data) {
    const auto w = folder_.write("w.csv", weights), i = folder_.write("i.csv", inputs),
               m = folder_.write("m.csv", data);
    return read_campaign({m, w, i}, kHardware);
  }
  TemporaryFolder folder_;
  const std::string weights_ = "row,plus,minus\n0,1,0\n1,0,1\n2,1,0\n3,0,0\n", inputs_ = "operand,row,input\np,0,1\n";
};

TEST_F(Patterns, GiveTheIdealValues) {
  const Campaign c =
      read(weights_, "operand,row,input\np,0,1\np,1,1\np,2,1\n", "chip,column,operand,mac\n0,0,p,1.1\n1,0,p,0.9\n");
  ASSERT_EQ(c.chips.size(), 2u);  // one pattern for all chips and columns
  EXPECT_TRUE(c.patterns);
  EXPECT_EQ(c.chips[1][0].operands[0].y, 1.0);
  EXPECT_EQ(c.chips[1][0].operands[0].a, 3.0);
  EXPECT_EQ(c.chips[1][0].operands[0].inputs, (std::vector<std::uint8_t>{1, 1, 1, 0}));
}

TEST_F(Patterns, MustBelongTogether) {
  EXPECT_NE(run(weights_, inputs_, "chip,column,operand,mac\n0,0,q,1\n")[0].message.find("no inputs of operand 'q'"),
            std::string::npos);
  EXPECT_NE(run(weights_, inputs_, "chip,column,operand,y,mac\n0,0,p,2,1\n")[0].message.find("give 1"),
            std::string::npos);
  EXPECT_NE(run("chip,column,row,plus,minus\n7,0,0,1,0\n", inputs_)[0].message.find("no stored levels of chip '0'"),
            std::string::npos);
  EXPECT_EQ(places(run("row,plus,minus\n0,2,0\n", inputs_)), std::vector<std::string>{"E110 2:3"});
  EXPECT_EQ(places(run("row,plus,minus\n9,1,0\n", inputs_)), std::vector<std::string>{"E110 2:1"});
  EXPECT_NE(run("row,plus,minus\n1,1,0\n", inputs_)[0].message.find("row 0 is missing"), std::string::npos);
  EXPECT_NE(run("row,plus,minus\n0,1,0\n0,1,0\n", inputs_)[0].message.find("twice"), std::string::npos);
  EXPECT_NE(run("row,plus\n0,1\n", inputs_)[0].message.find("'minus' is missing"), std::string::npos);
}

}  // namespace
}  // namespace errata::errormodel
