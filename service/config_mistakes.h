// The mistakes found in a configuration, each with its line, collected so that all are told at once. Pure.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace afterimage {

struct ConfigMistake {
  int line = 0;
  std::string text;  // what is wrong and what to do; begins with a capital, ends with a full stop
};

class ConfigMistakes {
 public:
  void add(int line, std::string text) { mistakes_.push_back({line, std::move(text)}); }
  bool empty() const { return mistakes_.empty(); }
  bool any_between(int first_line, int last_line) const {
    return std::ranges::any_of(mistakes_, [&](const ConfigMistake& m) { return m.line >= first_line && m.line <= last_line; });
  }
  // "dsm.xml line 12: ..." in the order of the file.
  std::vector<std::string> texts(const std::string& file) const {
    std::vector<ConfigMistake> sorted = mistakes_;
    std::ranges::stable_sort(sorted, {}, &ConfigMistake::line);
    std::vector<std::string> texts;
    for (const ConfigMistake& m : sorted) texts.push_back(file + (m.line > 0 ? " line " + std::to_string(m.line) : "") + ": " + m.text);
    return texts;
  }

 private:
  std::vector<ConfigMistake> mistakes_;
};

}  // namespace afterimage
