// A table for people: columns as wide as their widest cell.
#pragma once

#include <string>
#include <vector>

namespace kimi::runtime {

class TextTable {
public:
  /// A heading that starts with '>' aligns its column to the right (the mark is not printed).
  explicit TextTable(std::vector<std::string> headings);

  /// As many cells as headings.
  void addRow(std::vector<std::string> cells);

  /// Lines that end in newlines, each indented by two spaces.
  std::string text() const;

private:
  std::vector<bool> alignRight;
  std::vector<std::vector<std::string>> rows; // the headings first
};

} // namespace kimi::runtime
