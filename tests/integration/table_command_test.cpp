// export, diff, merge and inspect of error tables; a project that starts at measurements, without a netlist.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "errormodel/table/operating_point.h"
#include "tests/support/example_table.h"
#include "tests/support/measured_chips.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace errata {
namespace {

using testing::bytes_of;
using testing::example_table;
using testing::TemporaryFolder;

class TableCommands : public ::testing::Test {
 protected:
  TableCommands() {
    example_table().save(at("pair.h5"));
    example_table("offset_column").save(at("single.h5"));
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  testing::ProgramResult run(const std::string& arguments, int status = 0) const {
    const auto result = testing::errata(arguments);
    EXPECT_EQ(result.status, status) << arguments << "\n" << result.output;
    return result;
  }
  static void expect_says(const testing::ProgramResult& result, const std::string& text) {
    EXPECT_NE(result.output.find(text), std::string::npos) << "no '" << text << "' in:\n" << result.output;
  }
  TemporaryFolder folder_;
};

TEST_F(TableCommands, ExportsEveryFormat) {
  run("export " + at("pair.h5") + " --out " + at("t.csv"));
  EXPECT_TRUE(bytes_of(at("t.csv")).starts_with("operating_point,temperature_kelvin"));
  run("export " + at("pair.h5") + " --format csv --dataset /op[0]/det/level --out " + at("l.csv"));
  EXPECT_TRUE(bytes_of(at("l.csv")).starts_with("index0,index1,value [MAC unit]\n0,0,0\n0,1,1.02\n"));
  run("export " + at("pair.h5") + " --out " + at("t.json"));
  run("export " + at("pair.h5") + " --out " + at("t.npz"));
  const auto python = testing::run_shell(
      "/usr/bin/python3 -c \"import json, numpy; t = json.load(open('" + at("t.json") + "')); n = numpy.load('" +
      at("t.npz") + "'); assert n['op[0]/det/mu'].tolist() == t['op[0]']['det']['mu']['values']\"");
  EXPECT_EQ(python.status, 0) << python.output;
  const auto result = run("export " + at("single.h5") + " --format neurosim --out " + at("n.csv") + " --json");
  expect_says(result, "\"adc_precision\": 4");
  expect_says(result, "\"marginal\": true");
  EXPECT_TRUE(bytes_of(at("n.csv")).starts_with("output,mean,std,marginal_view_not_for_yield"));
  expect_says(run("export " + at("single.h5") + " --format neurosim --out " + at("n.csv")), "cannot speak of yield");
}

TEST_F(TableCommands, RefusedExportsSayWhy) {
  expect_says(run("export " + at("pair.h5") + " --format neurosim --out " + at("n.csv"), 4), "E408");
  expect_says(run("export " + at("pair.h5") + " --format jsn --out " + at("n.csv"), 2), "did you mean 'json'?");
  expect_says(run("export " + at("pair.h5") + " --out " + at("n"), 2), "neither --format nor --out");
  expect_says(run("export " + at("nothing.h5") + " --out " + at("n.csv"), 4), "does not exist");
  expect_says(run("export " + at("pair.h5") + " --format csv --dataset /op[0]/det/mo --out " + at("n.csv"), 2),
              "did you mean '/op[0]/det/mu'?");
  expect_says(run("export " + at("pair.h5") + " --out /nowhere/at/all.csv", 6), "E601");
  EXPECT_FALSE(std::filesystem::exists(at("n.csv")));
}

TEST_F(TableCommands, DiffTellsTermsApart) {
  expect_says(run("diff " + at("pair.h5") + " " + at("pair.h5")), "agree within their errors");
  errormodel::ErrorTable t = example_table();
  for (double& v : t.column) v *= 4.0;
  for (auto& i : t.column_interval) i = {4 * i.estimate, 4 * i.low, 4 * i.high};
  t.save(at("other.h5"));
  expect_says(run("diff " + at("pair.h5") + " " + at("other.h5"), 1), "differs (chance");
  const auto json = run("diff " + at("pair.h5") + " " + at("other.h5") + " --json", 1);
  expect_says(json, "\"significant\": true");
  expect_says(json, "\"term\": \"column\"");
  expect_says(run("diff " + at("pair.h5") + " " + at("single.h5"), 1), "different hardware: signed scheme");
  run("diff " + at("pair.h5"), 2);
  folder_.write("text.h5", "no table");
  run("diff " + at("pair.h5") + " " + at("text.h5"), 4);
}

TEST_F(TableCommands, MergeJoinsChipsAndOperatingPoints) {
  errormodel::ErrorTable t = example_table();
  t.provenance.seed = 8;
  t.save(at("more.h5"));
  expect_says(run("merge " + at("pair.h5") + " " + at("more.h5") + " --out " + at("both.h5") + " --json"),
              "\"chips\": 160");
  expect_says(run("merge " + at("pair.h5") + " " + at("pair.h5") + " --out " + at("x.h5"), 4), "same chips");
  expect_says(run("merge " + at("pair.h5") + " " + at("more.h5"), 2), "--out FILE");
  t.temperature_kelvin = 358.15;
  t.save(at("hot.h5"));
  expect_says(run("merge " + at("pair.h5") + " " + at("hot.h5") + " --out " + at("x.h5"), 4), "--operating-points");
  run("merge --operating-points " + at("pair.h5") + " " + at("hot.h5") + " --out " + at("points.h5"));
  EXPECT_EQ(errormodel::load_tables(at("points.h5")).size(), 2u);
  const auto inspected = run("inspect " + at("points.h5"));
  expect_says(inspected, "operating point 85 degC, 1 V");
  expect_says(inspected, "stuck cells:     1 % lowest");
  expect_says(run("inspect " + at("points.h5") + " --json"), "\"operating_points\"");
}

TEST(MeasuredProject, NeedsNoNetlist) {
  const testing::MeasuredChips chips{.chips = 12, .columns = 4, .operands = 24};
  const TemporaryFolder folder;
  chips.write(folder, 0, {"code", true});
  const std::string project = folder.path().string();
  const auto run = [&](const std::string& arguments, int status) {
    const auto result = testing::errata(arguments);
    EXPECT_EQ(result.status, status) << arguments << "\n" << result.output;
    return result.output;
  };
  EXPECT_NE(run("check " + project, 0).find("48 columns on 12 chips, with patterns"), std::string::npos);
  EXPECT_NE(run("fit " + project, 4).find("names no netlist"), std::string::npos);
  run("compile " + project, 0);
  EXPECT_NE(run("status " + project, 0).find("compile       fresh"), std::string::npos);
  const auto table = errormodel::ErrorTable::load(folder / "artifacts/error_table.h5");
  EXPECT_EQ(table.operands, "measured");
  ASSERT_EQ(table.provenance.inputs.size(), 3u);
  EXPECT_EQ(table.provenance.inputs[0].role, "measurements");
  const std::string train =
      " --set training.network=mlp --set training.train_images=300 --set training.test_images=60 --set "
      "training.epochs=1 "
      "--set training.adaptation_epochs=1 --set hardware.weight_bits=2";
  run("train " + project + train, 0);
  EXPECT_NE(run("evaluate " + project + train + " --chips 2 --images 20", 0).find("error_aware on table"),
            std::string::npos);
  // Another reading makes the table stale; a malformed one is named, and the table stays.
  std::string text = bytes_of(folder / "measurements.csv");
  folder.write("measurements.csv", text + "3,2,3.2.1,9,7\n");
  EXPECT_NE(run("status " + project, 0).find("measurements has changed"), std::string::npos);
  folder.write("measurements.csv", text + "3,2,3.2.1,9,seven\n");
  const auto failed = run("compile " + project, 3);
  EXPECT_NE(failed.find(fmt::format("measurements.csv:{}:13: error E110", 1 + 12 * 4 * 24 * 4 + 1)), std::string::npos)
      << failed;
  EXPECT_TRUE(std::filesystem::exists(folder / "artifacts/error_table.h5"));
}

TEST(MeasuredProject, FromCsvNeedsOnlyTheHardware) {
  const testing::MeasuredChips chips{.chips = 9, .columns = 3, .operands = 12};
  const TemporaryFolder folder;
  chips.write(folder, 0, {"mac", false});
  std::filesystem::create_directory(folder / "other");
  folder.write("other/errata.toml",
               "[project]\nname = \"x\"\n[array]\nrows = 32\n[hardware]\ncell_levels = 3\nadc_range = 24\n");
  const auto result = testing::errata("compile " + (folder / "other").string() + " --from-csv " +
                                      (folder / "measurements.csv").string());
  EXPECT_EQ(result.status, 0) << result.output;
  EXPECT_NE(result.output.find("without patterns"), std::string::npos) << result.output;
  EXPECT_FALSE(errormodel::ErrorTable::load(folder / "other/artifacts/error_table.h5").cells_separated);
}

}  // namespace
}  // namespace errata
