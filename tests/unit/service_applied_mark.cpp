// The mark of what the images may hold: kept, replaced, refused when damaged, its bytes.
#include <cppunit/extensions/HelperMacros.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "service/applied_mark.h"

namespace afterimage {

class ServiceAppliedMark : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ServiceAppliedMark);
  CPPUNIT_TEST(testKeptAndReplaced);
  CPPUNIT_TEST(testGoldenBytes);
  CPPUNIT_TEST(testEveryDamageIsRefused);
  CPPUNIT_TEST(testASizeWithoutItsBytesIsNoMark);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override {
    char name[] = "/tmp/afterimage-mark.XXXXXX";
    folder_ = ::mkdtemp(name);
    path_ = folder_ + "/applied.mark";
  }
  void tearDown() override { std::filesystem::remove_all(folder_); }

  void testKeptAndReplaced() {
    {
      auto mark = AppliedMark::open(path_);
      CPPUNIT_ASSERT(mark.good());
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, mark.value->found().epoch);
      CPPUNIT_ASSERT(mark.value->write({77, 10}).good());
      CPPUNIT_ASSERT(mark.value->write({77, 4000000000000}).good());
    }
    auto again = AppliedMark::open(path_);
    CPPUNIT_ASSERT(again.good());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{77}, again.value->found().epoch);
    CPPUNIT_ASSERT_EQUAL(Sequence{4000000000000}, again.value->found().sequence);
  }

  void testGoldenBytes() {
    CPPUNIT_ASSERT(AppliedMark::open(path_).value->write({0x0102030405060708, 0x0A0B0C}).good());
    const std::string bytes = content();
    CPPUNIT_ASSERT_EQUAL(std::size_t{24}, bytes.size());
    CPPUNIT_ASSERT_EQUAL(std::string("AIAM\x01\x02\x03\x04\x05\x06\x07\x08\0\0\0\0\0\x0A\x0B\x0C", 20), bytes.substr(0, 20));
  }

  void testEveryDamageIsRefused() {
    CPPUNIT_ASSERT(AppliedMark::open(path_).value->write({77, 10}).good());
    const std::string good = content();
    for (std::size_t i = 0; i < good.size(); ++i) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ 1);
      std::ofstream(path_, std::ios::trunc | std::ios::binary) << bad;
      const auto mark = AppliedMark::open(path_);
      CPPUNIT_ASSERT(!mark.good());
      CPPUNIT_ASSERT(mark.status.text().find(path_) != std::string::npos);
      std::ofstream(path_, std::ios::trunc | std::ios::binary) << good.substr(0, i + 1).substr(0, i == 0 ? 1 : i);
      CPPUNIT_ASSERT(!AppliedMark::open(path_).good());
    }
  }

  // A loss of the host's page cache right after the first write.
  void testASizeWithoutItsBytesIsNoMark() {
    std::ofstream(path_, std::ios::binary) << std::string(24, '\0');
    auto mark = AppliedMark::open(path_);
    CPPUNIT_ASSERT_MESSAGE(mark.status.text(), mark.good());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, mark.value->found().epoch);
    CPPUNIT_ASSERT(mark.value->write({77, 10}).good());
    CPPUNIT_ASSERT_EQUAL(Sequence{10}, AppliedMark::open(path_).value->found().sequence);
    for (const std::size_t size : {1, 23}) {
      std::ofstream(path_, std::ios::trunc | std::ios::binary) << std::string(size, '\0');
      CPPUNIT_ASSERT(!AppliedMark::open(path_).good());
    }
  }

 private:
  std::string content() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string folder_, path_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(ServiceAppliedMark);

}  // namespace afterimage
