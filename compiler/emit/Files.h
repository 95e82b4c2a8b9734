// Files on disk: read at an offset, written once with a hash, every failure one line that names the path.
// Thread rule: an object belongs to one thread at a time; InputFile::read may be called from any.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <memory>
#include <string>

namespace kimi::emit {

/// XXH3-128 of everything that went through update(), as the artifact writes it: 32 lower-case hex digits.
class Hasher {
public:
  Hasher();
  Hasher(Hasher &&) noexcept;
  ~Hasher();
  void update(llvm::ArrayRef<char> bytes);
  std::string hex() const;

private:
  struct State;
  std::unique_ptr<State> state;
};

std::string hashOf(llvm::ArrayRef<char> bytes);

/// A file as the artifact records it.
struct FileRecord {
  std::string path; // relative to the artifact
  uint64_t bytes = 0;
  std::string hash;
};

/// An open file, closed by its destructor.
class InputFile {
public:
  static llvm::Expected<InputFile> open(const std::string &path);
  InputFile(InputFile &&other) noexcept;
  ~InputFile();

  /// Fills `bytes` from `offset`; a file that ends before that is an error.
  llvm::Error read(uint64_t offset, llvm::MutableArrayRef<char> bytes) const;
  llvm::Expected<uint64_t> size() const;

private:
  InputFile(int descriptor, std::string path) : descriptor(descriptor), path(std::move(path)) {}
  int descriptor;
  std::string path;
};

/// A new file, hashed while it is written. Without finish() it is incomplete; the directory it lies in is thrown away.
class OutputFile {
public:
  static llvm::Expected<OutputFile> create(const std::string &path);
  OutputFile(OutputFile &&other) noexcept;
  ~OutputFile();

  llvm::Error append(llvm::ArrayRef<char> bytes);
  /// Zeros up to a multiple of `alignment`.
  llvm::Error padTo(uint64_t alignment);
  /// Closes it. `relativePath` goes into the record.
  llvm::Expected<FileRecord> finish(llvm::StringRef relativePath);

private:
  OutputFile(int descriptor, std::string path) : descriptor(descriptor), path(std::move(path)) {}
  int descriptor;
  std::string path;
  uint64_t bytes = 0;
  Hasher hasher;
};

/// Writes, or copies, one whole file to `directory`/`relativePath`.
llvm::Expected<FileRecord> writeFile(const std::string &directory, llvm::StringRef relativePath,
                                     llvm::ArrayRef<char> bytes);
llvm::Expected<FileRecord> copyFile(const std::string &from, const std::string &directory,
                                    llvm::StringRef relativePath);

/// Hash and size of what lies there.
llvm::Expected<FileRecord> hashFile(const std::string &directory, llvm::StringRef relativePath);

/// "cannot WHAT PATH: REASON".
llvm::Error fileError(const llvm::Twine &what, llvm::StringRef path, int errorNumber);

} // namespace kimi::emit
