// Runs every CppUnit test registered in the program; "unit_x NAME" runs those whose path contains NAME.
#include <cppunit/BriefTestProgressListener.h>
#include <cppunit/CompilerOutputter.h>
#include <cppunit/TestResult.h>
#include <cppunit/TestResultCollector.h>
#include <cppunit/TestRunner.h>
#include <cppunit/extensions/TestFactoryRegistry.h>

#include <iostream>
#include <string>

namespace {
int add_matching(CppUnit::Test* test, const std::string& part, CppUnit::TestRunner& runner) {
  if (test->getChildTestCount() == 0) {
    if (test->getName().find(part) == std::string::npos) return 0;
    runner.addTest(test);
    return 1;
  }
  int added = 0;
  for (int i = 0; i < test->getChildTestCount(); ++i) added += add_matching(test->getChildTestAt(i), part, runner);
  return added;
}
}  // namespace

int main(int argc, char** argv) {
  CppUnit::TestResult controller;
  CppUnit::TestResultCollector collector;
  CppUnit::BriefTestProgressListener progress;
  controller.addListener(&collector);
  controller.addListener(&progress);
  auto* all = CppUnit::TestFactoryRegistry::getRegistry().makeTest();
  auto* runner = new CppUnit::TestRunner;  // owns the tests it is given; never freed because parts of `all` may be in it twice
  if (argc > 1) {
    if (add_matching(all, argv[1], *runner) == 0) {
      std::cerr << "No test's name contains '" << argv[1] << "'.\n";
      return 8;
    }
  } else {
    runner->addTest(all);
  }
  runner->run(controller);
  CppUnit::CompilerOutputter(&collector, std::cerr).write();
  if (collector.runTests() == 0) {
    std::cerr << "No test ran.\n";
    return 8;
  }
  return collector.wasSuccessful() ? 0 : 1;
}
