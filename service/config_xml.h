// io: reads the XML of a configuration into a small tree with line numbers, validated against afterimage.xsd by Xerces-C++. No document
// type declaration, so no entities of its own, internal or external; nothing outside the given text is ever read. The only file that knows
// Xerces. Threads: one at a time.
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

XmlDocument read_xml(const std::string& text);

}  // namespace afterimage
