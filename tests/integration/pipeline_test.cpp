// The whole way with a reduced design: every stage real, by the same code path as a full run.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <thread>

#include "tests/support/cli_project.h"

namespace errata {
namespace {

using testing::bytes_of;
using testing::CliProject;
using testing::ProgramResult;

const char* const kArtifacts[] = {"metrics.jsonl", "characterization.h5", "behavioral.h5", "error_table.h5",
                                  "checkpoint.h5", "verification.h5",     "report.html"};

/// The verdict of so small a run may be inconclusive: status 1 says that a run was complete but not green.
void expect_complete(const ProgramResult& r) { EXPECT_TRUE(r.status == 0 || r.status == 1) << r.output; }

TEST(Pipeline, RunsRerunsAndTellsWhyItIsStale) {
  const CliProject p;
  const ProgramResult first = p.run("run", "--jobs 2");
  expect_complete(first);
  for (const char* name : kArtifacts)
    EXPECT_TRUE(std::filesystem::exists(p.artifact(name))) << name << "\n" << first.output;
  EXPECT_NE(first.output.find("report.html"), std::string::npos);

  const auto began = std::chrono::steady_clock::now();
  const ProgramResult again = p.run("run", "--jobs 2");
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
  EXPECT_EQ(again.output.find("runs"), std::string::npos) << again.output;
  EXPECT_NE(again.output.find("fresh"), std::string::npos);
  EXPECT_LT(seconds.count(), 1.0);

  const ProgramResult status = p.run("status", "--set hardware.adc_bits=7");
  EXPECT_NE(status.output.find("characterize  fresh"), std::string::npos) << status.output;
  EXPECT_NE(status.output.find("adc_bits"), std::string::npos) << status.output;

  const ProgramResult json = p.run("status", "--json");
  EXPECT_EQ(json.output.front(), '{') << json.output;
  const ProgramResult evaluated = p.run("evaluate", "--arm ideal --hardware table --chips 2 --images 20");
  EXPECT_EQ(evaluated.status, 0) << evaluated.output;
  for (const char* hardware : {"ideal", "composed", "gaussian", "behavioral"}) {
    const ProgramResult one = p.run("evaluate", std::string("--chips 2 --images 20 --hardware ") + hardware);
    EXPECT_EQ(one.status, 0) << one.output;
    EXPECT_NE(one.output.find(std::string("error_aware on ") + hardware), std::string::npos) << one.output;
  }
  const ProgramResult study =
      p.run("evaluate", "--hardware table --chips 3 --images 20 --sensitivity --recalibrate affine --json --quiet");
  EXPECT_EQ(study.status, 0) << study.output;
  for (const char* part : {"\"yield\"", "\"percentiles\"", "\"sensitivity\"", "\"recalibration\": \"affine\""})
    EXPECT_NE(study.output.find(part), std::string::npos) << study.output;
}

TEST(Pipeline, SameBytesForOneAndTwoJobs) {
  const CliProject one, two;
  expect_complete(one.run("run", "--jobs 1"));
  expect_complete(two.run("run", "--jobs 2"));
  for (const char* name : kArtifacts) EXPECT_EQ(bytes_of(one.artifact(name)), bytes_of(two.artifact(name))) << name;
}

/// Starts `errata run`, kills it as soon as `condition` holds, and says whether it was still running.
bool run_and_kill(const CliProject& p, const std::function<bool()>& condition) {
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string command = std::string("exec ") + ERRATA_PROGRAM + " run " + p.path().string() + " " +
                                CliProject::kReduced + " --set training.train_images=4000 >/dev/null 2>&1";
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  for (int k = 0; k < 3000 && !condition(); ++k) {
    if (::waitpid(child, nullptr, WNOHANG) == child) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // polls another process; no test depends on the time
  }
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status);
}

TEST(Pipeline, KilledRunsContinueToTheSameBytes) {
  const CliProject straight, killed;
  const std::string images = "--set training.train_images=4000";
  expect_complete(straight.run("run", images));
  const auto journal = killed.artifact("shards/characterization.journal");
  EXPECT_TRUE(run_and_kill(
      killed, [&] { return std::filesystem::exists(journal) && std::filesystem::file_size(journal) > 20000; }));
  EXPECT_FALSE(std::filesystem::exists(killed.artifact("characterization.h5")));
  EXPECT_NE(killed.run("status", images).output.find("partial"), std::string::npos);
  // Once more in the middle of training, after the first arm's shard has been written.
  EXPECT_TRUE(run_and_kill(killed, [&] {
    std::error_code none;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(killed.artifact("shards"), none))
      if (entry.path().filename() == "ideal.h5") return true;
    return false;
  }));
  expect_complete(killed.run("run", images));
  for (const char* name : kArtifacts)
    EXPECT_EQ(bytes_of(straight.artifact(name)), bytes_of(killed.artifact(name))) << name;
  EXPECT_FALSE(std::filesystem::exists(journal));
}

TEST(Pipeline, InstalledTreeWorksWithoutTheCheckout) {
  const testing::TemporaryFolder folder;
  const auto prefix = folder / "prefix";
  const auto build = std::filesystem::path(ERRATA_PROGRAM).parent_path().parent_path();
  const ProgramResult installed =
      testing::run_shell("cmake --install " + build.string() + " --prefix " + prefix.string());
  ASSERT_EQ(installed.status, 0) << installed.output;
  const std::string program = (prefix / "bin/errata").string(), project = (folder / "chip").string();
  EXPECT_EQ(testing::run_shell(program + " init " + project).status, 0);
  const ProgramResult run = testing::run_shell(program + " run " + project + " " + CliProject::kReduced);
  expect_complete(run);
  EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(project) / "artifacts/report.html")) << run.output;
  const ProgramResult doctor = testing::run_shell(program + " doctor");
  EXPECT_EQ(doctor.status, 0) << doctor.output;
  EXPECT_NE(doctor.output.find((prefix / "share/errata/netlists").string()), std::string::npos) << doctor.output;
}

TEST(Pipeline, InterruptedRunsSayThatTheyCanContinue) {
  const CliProject p;
  // Interrupted once the first points are in the journal, however slow the machine.
  const std::string journal = p.path().string() + "/artifacts/shards/characterization.journal";
  const ProgramResult r = testing::run_shell(
      std::string(ERRATA_PROGRAM) + " run " + p.path().string() + " " + CliProject::kReduced +
      " --set circuit.design.operands=20000 --set circuit.strategy=point_by_point --jobs 1 & run=$!; "
      "while [ ! -s " +
      journal + " ] && kill -0 $run; do sleep 0.02; done; kill -INT $run; wait $run; echo status $?");
  EXPECT_NE(r.output.find("continues"), std::string::npos) << r.output;
  EXPECT_NE(r.output.find("status 130"), std::string::npos) << r.output;
  EXPECT_TRUE(std::filesystem::exists(journal));
}

TEST(Cli, EveryCommandHasHelpWithAnExample) {
  const ProgramResult all = testing::errata("help");
  EXPECT_EQ(all.status, 0);
  for (const char* command : {"init", "check", "plan", "characterize", "fit", "compile", "train", "verify", "report",
                              "run", "status", "evaluate", "inspect", "data", "doctor", "explain", "completion"}) {
    EXPECT_NE(all.output.find(command), std::string::npos);
    const ProgramResult one = testing::errata(std::string("help ") + command);
    EXPECT_EQ(one.status, 0);
    EXPECT_NE(one.output.find("example: errata "), std::string::npos) << command;
    EXPECT_EQ(testing::errata(std::string(command) + " --help").output, one.output);
  }
  EXPECT_NE(testing::errata("--version").output.find("errata 0."), std::string::npos);
}

TEST(Cli, ReferencePageIsTheCommittedOne) {
  // docs/reference/project-file.md is generated: `errata help project-file > docs/reference/project-file.md`.
  EXPECT_EQ(testing::errata("help project-file").output,
            bytes_of(std::filesystem::path(ERRATA_SOURCE_DIR) / "docs/reference/project-file.md"));
}

}  // namespace
}  // namespace errata
