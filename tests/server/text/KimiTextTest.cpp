// The program kimi-text, run as a user runs it.
#include "tests/server/text/SmallModel.h"

#include <cstdlib>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

namespace kimi::text {

namespace {

struct Outcome {
  int exitCode;
  std::string out, err;
};

class KimiText : public testing::Test {
protected:
  void SetUp() override { writeSmallModel(folder); }

  Outcome run(std::string_view arguments, std::string_view input = "") const {
    folder.write("in", input);
    const std::string path = folder.path().string();
    const std::string command = fmt::format("'{}' {} < '{}/in' > '{}/out' 2> '{}/err'", KIMI_TEXT_PROGRAM,
                                            arguments, path, path, path);
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, folder.read("out"), folder.read("err")};
  }

  Outcome runModel(std::string_view arguments, std::string_view input) const {
    return run(fmt::format("{} --model '{}'", arguments, folder.path().string()), input);
  }

  const TemporaryFolder folder;
};

constexpr std::string_view kHello =
    R"({"messages": [{"role": "user", "content": "<|im_end|>"}], "add_generation_prompt": false})"
    "\n";

} // namespace

TEST_F(KimiText, EncodesLines) {
  const Outcome run = runModel("encode", "{\"text\": \"hello\"}\n\n{\"text\": \"<think>\"}");
  EXPECT_EQ(run.out, "{\"ids\":[259]}\n{\"ids\":[60,116,104,105,110,107,62]}\n");
  EXPECT_EQ(run.exitCode, 0);
  EXPECT_EQ(run.err, "");
  EXPECT_EQ(runModel("encode --specials", "{\"text\": \"<think>\"}\n").out, "{\"ids\":[286]}\n");
}

TEST_F(KimiText, DecodesLines) {
  EXPECT_EQ(runModel("decode", "{\"ids\": [259, 286, 262]}\n").out, "{\"text\":\"hello<think>\uFFFD\"}\n");
}

TEST_F(KimiText, RendersRequests) {
  const std::string text = R"({"text":"<|im_user|>user<|im_middle|><|im_end|><|im_end|>","ids":[)";
  const std::string user = "267,117,115,101,114,281,";
  EXPECT_EQ(runModel("render --chat-format k2.5", kHello).out,
            text + user + "60,124,105,109,95,101,110,100,124,62,266]}\n");
  EXPECT_EQ(runModel("render --chat-format k2.5 --specials", kHello).out, text + user + "266,266]}\n");
}

TEST_F(KimiText, BadLinesAreNamedAndTheOthersDone) {
  const Outcome run = runModel("encode", "{\"text\": \"hello\"}\nnonsense\n[]\n{}\n{\"text\": \"hello\"}\n");
  EXPECT_EQ(run.exitCode, 1);
  EXPECT_TRUE(run.out.starts_with("{\"ids\":[259]}\n{\"error\":\"line 2: is not JSON at byte "));
  EXPECT_TRUE(
      run.out.ends_with("{\"error\":\"line 3: expected a JSON object\"}\n"
                        "{\"error\":\"line 4: expected {\\\"text\\\": \\\"…\\\"}\"}\n{\"ids\":[259]}\n"))
      << run.out;
  EXPECT_TRUE(run.err.contains("kimi-text: line 3: expected a JSON object\n"));
}

TEST_F(KimiText, BadIds) {
  const Outcome run =
      runModel("decode", "{\"ids\": [1, 520]}\n{\"ids\": [-1]}\n{\"ids\": [4294967296]}\n{\"ids\": \"x\"}\n");
  EXPECT_EQ(run.exitCode, 1);
  EXPECT_EQ(run.err, "kimi-text: line 1: ids[1] is 520, but the vocabulary has ids 0 to 519\n"
                     "kimi-text: line 2: ids[0] is -1, but the vocabulary has ids 0 to 519\n"
                     "kimi-text: line 3: ids[0] is 4294967296, expected an id from 0 to 519\n"
                     "kimi-text: line 4: expected {\"ids\": [1, 2, 3]}\n");
}

TEST_F(KimiText, BadRequests) {
  const Outcome run = runModel("render --chat-format k2.5", "{\"messages\": []}\n");
  EXPECT_EQ(run.exitCode, 1);
  EXPECT_EQ(run.err, "kimi-text: line 1: messages: found an empty list, expected at least one message\n");
}

TEST_F(KimiText, BadModels) {
  EXPECT_EQ(run("encode --model /nonexistent").exitCode, 1);
  EXPECT_EQ(run("encode --model /nonexistent").err,
            "kimi-text: /nonexistent/config.json: cannot open: No such file or directory\n");
  const Outcome unknown = runModel("render --chat-format chatml", kHello);
  EXPECT_EQ(unknown.exitCode, 1);
  EXPECT_TRUE(unknown.err.starts_with("kimi-text: unknown chat format \"chatml\"; choose one of: "))
      << unknown.err;
}

TEST_F(KimiText, Usage) {
  EXPECT_EQ(run("").exitCode, 2);
  EXPECT_EQ(run("encode").exitCode, 2);
  EXPECT_EQ(run("encode --model x --what").exitCode, 2);
  EXPECT_EQ(run("translate").exitCode, 2);
  const Outcome help = run("--help");
  EXPECT_EQ(help.exitCode, 0);
  for (const char *word : {"encode", "decode", "render", "Exit codes"})
    EXPECT_TRUE(help.out.contains(word)) << word;
  EXPECT_TRUE(run("render --help").out.contains("k2-instruct-0905"));
  EXPECT_EQ(run("--version").out, "kimi-text " KIMI_VERSION "\n");
}

} // namespace kimi::text
