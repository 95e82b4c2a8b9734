// Files on disk: read at an offset, written once with a hash, every failure one line that names the path.
// Thread rule: an object belongs to one thread at a time; InputFile::read may be called from any.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <functional>
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
  bool isReference = false; // a link to a file of the checkpoint
  bool isShape = false;     // there is no such file: its size is all there is
};

/// What a file is without its bytes. Whoever changes the bytes changes one of these: a change time cannot be set.
struct FileIdentity {
  std::string path; // absolute
  uint64_t bytes = 0, inode = 0;
  int64_t modified = 0, changed = 0; // ns since 1970
  bool operator==(const FileIdentity &) const = default;
};

/// An open file, closed by its destructor.
class InputFile {
public:
  /// Fills `bytes` with those from `offset` on.
  using Source = std::function<void(uint64_t offset, llvm::MutableArrayRef<char> bytes)>;
  /// A file that lies nowhere and whose bytes follow from `name`: that is its identity.
  static InputFile invented(std::string name, Source source);

  /// Regular files only. Reading is expected to go forward.
  static llvm::Expected<InputFile> open(const std::string &path);
  InputFile(InputFile &&other) noexcept;
  ~InputFile();

  /// Fills `bytes` from `offset`; a file that ends before that is an error.
  llvm::Error read(uint64_t offset, llvm::MutableArrayRef<char> bytes) const;
  /// Asks for bytes that will be read soon. Only advice.
  void readAhead(uint64_t offset, uint64_t bytes) const;
  /// Lets the kernel forget what it holds of the file and the disk has: reading it then reads the disk. Only advice.
  void dropCache() const;
  llvm::Expected<uint64_t> size() const;
  llvm::Expected<FileIdentity> identity() const;

private:
  InputFile(int descriptor, std::string path) : descriptor(descriptor), path(std::move(path)) {}
  int descriptor;
  std::string path;
  Source source; // of an invented file
};

/// A new file, hashed while it is written, sent to the disk steadily. Without finish() it is incomplete: write it
/// under another name.
class OutputFile {
public:
  /// `expectedBytes`, where known, are reserved on the disk at once: a disk too full is found before hours of work.
  static llvm::Expected<OutputFile> create(const std::string &path, uint64_t expectedBytes = 0);
  OutputFile(OutputFile &&other) noexcept;
  ~OutputFile();

  llvm::Error append(llvm::ArrayRef<char> bytes);
  /// Zeros up to a multiple of `alignment`.
  llvm::Error padTo(uint64_t alignment);
  /// Closes it. `relativePath` goes into the record.
  llvm::Expected<FileRecord> finish(llvm::StringRef relativePath);

private:
  OutputFile(int descriptor, std::string path, uint64_t expectedBytes)
      : descriptor(descriptor), path(std::move(path)), expectedBytes(expectedBytes) {}
  uint64_t availableBytes() const;
  llvm::Error writeError(int errorNumber) const;
  void sendToDisk();
  int descriptor;
  std::string path;
  uint64_t expectedBytes;
  uint64_t bytes = 0, sentBytes = 0, settledBytes = 0;
  Hasher hasher;
};

/// Writes, or copies, one whole file to `directory`/`relativePath`.
llvm::Expected<FileRecord> writeFile(const std::string &directory, llvm::StringRef relativePath,
                                     llvm::ArrayRef<char> bytes);
llvm::Expected<FileRecord> copyFile(const std::string &from, const std::string &directory,
                                    llvm::StringRef relativePath);

/// Hash and size of what lies there, as the disk has it. `progress` receives the size of every piece.
llvm::Expected<FileRecord> hashFile(const std::string &directory, llvm::StringRef relativePath,
                                    llvm::function_ref<void(uint64_t)> progress = [](uint64_t) {});

/// What a program without privileges may still write to the file system that `path` lies on.
llvm::Expected<uint64_t> freeBytes(const std::string &path);

/// "cannot WHAT PATH: REASON".
llvm::Error fileError(const llvm::Twine &what, llvm::StringRef path, int errorNumber);

} // namespace kimi::emit
