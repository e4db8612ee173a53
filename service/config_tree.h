// The XML of a configuration as a small tree with line numbers. Pure.
#pragma once

#include <string>
#include <vector>

namespace afterimage {

struct XmlAttribute {
  std::string name, value;
  int line = 0;
};

struct XmlElement {
  std::string name;                   // local name; "" stands for no document at all
  bool in_namespace = false;          // of kConfigNamespace
  int first_line = 0, last_line = 0;  // of its start tag
  std::vector<XmlAttribute> attributes;
  std::vector<XmlElement> children;
};

struct XmlMistake {
  int line = 0;
  std::string text;  // without file and line
};

struct XmlDocument {
  XmlElement root;
  std::vector<XmlMistake> schema;  // what the schema does not allow
  std::vector<XmlMistake> fatal;   // not XML, or XML that is refused: `root` is not whole then
};

}  // namespace afterimage
