#include "runtime/base/TextTable.h"

#include <algorithm>

namespace kimi::runtime {

/// Characters on screen: UTF-8 continuation bytes take no room.
static size_t widthOf(const std::string &text) {
  return size_t(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

TextTable::TextTable(std::vector<std::string> headings) {
  for (std::string &heading : headings) {
    alignRight.push_back(heading.starts_with('>'));
    if (alignRight.back())
      heading.erase(0, 1);
  }
  rows.push_back(std::move(headings));
}

void TextTable::addRow(std::vector<std::string> cells) {
  cells.resize(alignRight.size());
  rows.push_back(std::move(cells));
}

std::string TextTable::text() const {
  std::vector<size_t> widths(alignRight.size(), 0);
  for (const auto &row : rows)
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], widthOf(row[i]));
  std::string text;
  for (const auto &row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      std::string padding(widths[i] - widthOf(row[i]), ' ');
      line += "  " + (alignRight[i] ? padding + row[i] : row[i] + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

} // namespace kimi::runtime
