// io: Xerces-C++ behind config_xml.h.
#include "service/config_xml.h"

#include <memory>
#include <xercesc/framework/MemBufInputSource.hpp>
#include <xercesc/sax/Locator.hpp>
#include <xercesc/sax/SAXParseException.hpp>
#include <xercesc/sax2/Attributes.hpp>
#include <xercesc/sax2/DefaultHandler.hpp>
#include <xercesc/sax2/SAX2XMLReader.hpp>
#include <xercesc/sax2/XMLReaderFactory.hpp>
#include <xercesc/util/PlatformUtils.hpp>
#include <xercesc/util/SecurityManager.hpp>
#include <xercesc/util/TransService.hpp>
#include <xercesc/util/XMLUni.hpp>

#include "service/config.h"
#include "service/config_schema.h"

namespace afterimage {
namespace {

using namespace xercesc;

// Deeper nesting than the schema has is not built into the tree, whatever the text holds.
constexpr std::size_t kMaxDepth = 8;
constexpr XMLSize_t kMaxEntityExpansions = 1;
constexpr std::size_t kMaxMistakes = 100;

std::string utf8(const XMLCh* text) {
  if (text == nullptr) return {};
  const TranscodeToStr converted(text, "UTF-8");
  return {reinterpret_cast<const char*>(converted.str()), converted.length()};
}

struct Refused {};  // leaves the parser from inside a handler

// The lines of the text, to find where a tag or an attribute begins (the parser tells only where a tag ends).
class Lines {
 public:
  explicit Lines(const std::string& text) {
    for (std::size_t begin = 0; begin <= text.size();) {
      std::size_t end = text.find('\n', begin);
      if (end == std::string::npos) end = text.size();
      lines_.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  int first_line_of_tag(const std::string& name, int last) const {
    for (int line = last; line >= 1; --line)
      if (contains(line, "<" + name)) return line;
    return last;
  }
  int line_of_attribute(const std::string& name, int first, int last) const {
    for (int line = first; line <= last; ++line)
      if (contains(line, name + "=") || contains(line, name + " =")) return line;
    return first;
  }

 private:
  bool contains(int line, const std::string& part) const {
    return line >= 1 && static_cast<std::size_t>(line) <= lines_.size() &&
           lines_[static_cast<std::size_t>(line - 1)].find(part) != std::string::npos;
  }
  std::vector<std::string> lines_;
};

class Builder : public DefaultHandler {
 public:
  Builder(XmlDocument& document, const std::string& text) : document_(document), lines_(text) {}

  void setDocumentLocator(const Locator* locator) override { locator_ = locator; }

  void startElement(const XMLCh* uri, const XMLCh* local, const XMLCh* qualified, const Attributes& attributes) override {
    if (open_.size() >= kMaxDepth) {
      document_.fatal.push_back(
          {here(), "The elements are nested more than " + std::to_string(kMaxDepth) + " deep: remove what is not described."});
      throw Refused();
    }
    XmlElement element;
    element.name = utf8(local);
    element.in_namespace = utf8(uri) == kConfigNamespace;
    element.last_line = here();
    element.first_line = lines_.first_line_of_tag(utf8(qualified), element.last_line);
    for (XMLSize_t i = 0; i < attributes.getLength(); ++i) {
      const std::string name = utf8(attributes.getQName(i));
      element.attributes.push_back(
          {name, utf8(attributes.getValue(i)), lines_.line_of_attribute(name, element.first_line, element.last_line)});
    }
    XmlElement* placed = &document_.root;
    if (open_.empty())
      document_.root = std::move(element);
    else
      placed = &open_.back()->children.emplace_back(std::move(element));
    open_.push_back(placed);
  }
  void endElement(const XMLCh*, const XMLCh*, const XMLCh*) override { open_.pop_back(); }

  void startDTD(const XMLCh*, const XMLCh*, const XMLCh*) override {
    document_.fatal.push_back({here(), "A configuration has no document type declaration: remove <!DOCTYPE ...>."});
    throw Refused();
  }

  InputSource* resolveEntity(const XMLCh*, const XMLCh*) override {
    document_.fatal.push_back({here(), "A configuration cannot include another file: remove the reference to it."});
    throw Refused();
  }

  void error(const SAXParseException& problem) override { schema_mistake(problem); }
  void warning(const SAXParseException& problem) override { schema_mistake(problem); }
  void fatalError(const SAXParseException& problem) override {
    document_.fatal.push_back(
        {line_of(problem), "This is not well-formed XML (" + utf8(problem.getMessage()) + "): correct it here or just before."});
    throw Refused();
  }
  void resetErrors() override {}

 private:
  int here() const { return locator_ == nullptr ? 1 : static_cast<int>(locator_->getLineNumber()); }
  static int line_of(const SAXParseException& problem) { return static_cast<int>(problem.getLineNumber()); }
  void schema_mistake(const SAXParseException& problem) {
    if (document_.schema.size() < kMaxMistakes) document_.schema.push_back({line_of(problem), utf8(problem.getMessage())});
  }

  XmlDocument& document_;
  Lines lines_;
  const Locator* locator_ = nullptr;
  std::vector<XmlElement*> open_;
};

class XercesSession {
 public:
  XercesSession() { XMLPlatformUtils::Initialize(); }
  ~XercesSession() { XMLPlatformUtils::Terminate(); }
};

void parse(const std::string& text, XmlDocument& document) {
  const std::unique_ptr<SAX2XMLReader> reader(XMLReaderFactory::createXMLReader());
  SecurityManager security;
  security.setEntityExpansionLimit(kMaxEntityExpansions);
  reader->setProperty(XMLUni::fgXercesSecurityManager, &security);
  reader->setFeature(XMLUni::fgSAX2CoreNameSpaces, true);
  reader->setFeature(XMLUni::fgSAX2CoreValidation, true);
  reader->setFeature(XMLUni::fgXercesDynamic, false);
  reader->setFeature(XMLUni::fgXercesSchema, true);
  reader->setFeature(XMLUni::fgXercesSchemaFullChecking, true);
  reader->setFeature(XMLUni::fgXercesLoadExternalDTD, false);
  reader->setFeature(XMLUni::fgXercesDisableDefaultEntityResolution, true);
  Builder builder(document, text);
  reader->setErrorHandler(&builder);
  const MemBufInputSource schema(reinterpret_cast<const XMLByte*>(kConfigSchema), sizeof(kConfigSchema) - 1, "afterimage.xsd");
  reader->loadGrammar(schema, Grammar::SchemaGrammarType, true);
  reader->setFeature(XMLUni::fgXercesUseCachedGrammarInParse, true);
  reader->setFeature(XMLUni::fgXercesLoadSchema, false);  // xsi:schemaLocation in the text must not bring in another schema
  reader->setContentHandler(&builder);
  reader->setLexicalHandler(&builder);
  reader->setEntityResolver(&builder);
  const MemBufInputSource source(reinterpret_cast<const XMLByte*>(text.data()), text.size(), "configuration");
  reader->parse(source);
}

}  // namespace

XmlDocument read_xml(const std::string& text) {
  const XercesSession session;
  XmlDocument document;
  try {
    parse(text, document);
  } catch (const Refused&) {
    document.root = {};
  } catch (const XMLException& problem) {
    document.fatal.push_back({1, "The XML cannot be read (" + utf8(problem.getMessage()) + ")."});
  } catch (const SAXException& problem) {
    document.fatal.push_back({1, "The XML cannot be read (" + utf8(problem.getMessage()) + ")."});
  }
  return document;
}

}  // namespace afterimage
