// pack.jsonl: what every weight file of a directory was made from. It lets a compilation take over what another one
// finished. Only kimic reads it. Thread rule: PackLog is a value; PackLogWriter::append may be called from any thread.
#pragma once

#include "compiler/emit/Files.h"

#include "llvm/ADT/StringMap.h"

#include <vector>

namespace kimi::emit {

inline constexpr llvm::StringLiteral kPackLogName = "pack.jsonl";

/// One line: {"recipe":"5d41..","path":"weights/9a0b...bin","bytes":4096,"weight":"moe.q_a_proj 3"}.
struct PackLogLine {
  std::string recipe; // see WeightRecipe.h
  FileRecord file;
  std::string weight; // and layer: for people
};

/// The log of one directory. What it says of a file holds once the file's hash was found to be its name.
class PackLog {
public:
  /// Lines that are not whole (a kill, a crash of the machine) are passed over; without a log it is empty.
  static PackLog read(const std::string &directory);

  const std::string &getDirectory() const { return directory; }
  /// Null where `recipe` is not in it.
  const FileRecord *find(llvm::StringRef recipe) const;

private:
  std::string directory;
  llvm::StringMap<FileRecord> files;
};

/// Adds lines to the log of a directory that is being written, each at once.
class PackLogWriter {
public:
  /// Goes on with the log that is there.
  static llvm::Expected<PackLogWriter> open(const std::string &directory);
  PackLogWriter(PackLogWriter &&other) noexcept;
  ~PackLogWriter();

  llvm::Error append(const PackLogLine &line);

private:
  PackLogWriter(int descriptor, std::string path) : descriptor(descriptor), path(std::move(path)) {}
  int descriptor;
  std::string path;
};

/// Replaces the log by these lines.
llvm::Error writePackLog(const std::string &directory, llvm::ArrayRef<PackLogLine> lines);

/// The name of the weight file with this hash.
std::string weightPath(llvm::StringRef hash);

} // namespace kimi::emit
