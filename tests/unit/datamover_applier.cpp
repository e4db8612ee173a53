// The applier and offline verification, on images made by Hercules's own dasdinit.
#include "datamover/applier.h"

#include <cppunit/TestFixture.h>

#include "channel/track.h"
#include "datamover/verify.h"
#include "datamover_support.h"

namespace afterimage::testing {
namespace {

class DatamoverApplier : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(DatamoverApplier);
  CPPUNIT_TEST(testA17_WritesAreAppliedToTheBytesTheyName);
  CPPUNIT_TEST(testNothingIsAppliedToAnImageThatIsNotFenced);
  CPPUNIT_TEST(testWhatDoesNotFitIsRefusedBeforeAnythingIsWritten);
  CPPUNIT_TEST(testA19_FenceIsSetAtEstablishmentAndLiftedAtRecovery);
  CPPUNIT_TEST(testVerifyTokenComparesTheTrack);
  CPPUNIT_TEST(testImagesThatCannotBeSecondaries);
  CPPUNIT_TEST(testVerifyEqualAndDifferent);
  CPPUNIT_TEST(testVerifyIgnoresWhatLiesBehindTheEndOfTrack);
  CPPUNIT_TEST(testVerifyRefusals);
  CPPUNIT_TEST_SUITE_END();

  static constexpr std::uint32_t kHeads = 15;

  static VolumeDescriptor descriptor(const std::string& path) {
    auto image = DasdImage::open(path, OpenFor::kRead);
    CPPUNIT_ASSERT_MESSAGE(image.status.text(), image.good());
    const Geometry& geometry = image.value->geometry();
    VolumeDescriptor volume;
    volume.volser = "PRIM01";
    volume.secondary_volser = "SEC001";
    volume.device_type = geometry.device_type;
    volume.cylinders = geometry.cylinders;
    volume.heads = geometry.heads;
    volume.track_bytes = geometry.track_bytes;
    return volume;
  }
  static std::unique_ptr<Applier> open(const std::vector<std::string>& paths) {
    std::vector<ApplierVolume> volumes;
    for (const std::string& path : paths) volumes.push_back({descriptor(path), path});
    auto applier = Applier::open(volumes);
    CPPUNIT_ASSERT_MESSAGE(applier.status.text(), applier.good());
    return std::move(applier.value);
  }
  static PendingWrite pending(Sequence sequence, VolumeId volume, std::uint32_t track, std::uint16_t offset, const Bytes& data) {
    PendingWrite write;
    write.token = write_token(sequence, volume, track, offset, static_cast<std::uint16_t>(data.size()));
    write.token.cylinder = static_cast<std::uint16_t>(track / kHeads);
    write.token.head = static_cast<std::uint16_t>(track % kHeads);
    write.condition = EntryCondition::kComplete;
    write.data = data;
    return write;
  }
  static Bytes track_of(const std::string& path, std::uint32_t track) {
    auto image = DasdImage::open(path, OpenFor::kRead);
    CPPUNIT_ASSERT(image.good());
    Bytes bytes(image.value->geometry().track_bytes);
    CPPUNIT_ASSERT(image.value->read_track(track, bytes).good());
    return bytes;
  }
  static void expect(const std::string& text, const std::string& part) {
    CPPUNIT_ASSERT_MESSAGE(text, text.find(part) != std::string::npos);
  }

 public:
  void testA17_WritesAreAppliedToTheBytesTheyName() {
    const TemporaryDirectory directory;
    const std::vector<std::string> paths{make_image(directory, "a.ckd", "3390", "PRIM01", 2),
                                         make_image(directory, "b.ckd", "3390", "PRIM02", 2)};
    std::vector<Bytes> expected{track_of(paths[0], 3), track_of(paths[1], 17), track_of(paths[1], 18)};
    auto applier = open(paths);
    CPPUNIT_ASSERT(applier->establish().good());
    CPPUNIT_ASSERT(applier->apply(pending(1, 0, 3, 100, bytes_of(50, 0xAA))).good());
    CPPUNIT_ASSERT(applier->apply(pending(2, 0, 3, 120, bytes_of(5, 0xBB))).good());
    PendingWrite two = pending(3, 1, 17, 40, bytes_of(10, 0xCC));
    two.token.range_count = 2;
    two.token.ranges[1] = {18, 60, 4};
    two.token.data_length = 14;
    two.data.insert(two.data.end(), 4, 0xDD);
    CPPUNIT_ASSERT(applier->apply(two).good());
    PendingWrite nothing = pending(4, 1, 17, 40, bytes_of(10, 0xEE));
    nothing.condition = EntryCondition::kVoid;
    CPPUNIT_ASSERT(applier->apply(nothing).good());
    CPPUNIT_ASSERT(applier->sync().good());
    std::fill_n(expected[0].begin() + 100, 50, 0xAA);
    std::fill_n(expected[0].begin() + 120, 5, 0xBB);
    std::fill_n(expected[1].begin() + 40, 10, 0xCC);
    std::fill_n(expected[2].begin() + 60, 4, 0xDD);
    CPPUNIT_ASSERT(track_of(paths[0], 3) == expected[0]);
    CPPUNIT_ASSERT(track_of(paths[1], 17) == expected[1]);
    CPPUNIT_ASSERT(track_of(paths[1], 18) == expected[2]);
  }

  void testNothingIsAppliedToAnImageThatIsNotFenced() {
    const TemporaryDirectory directory;
    const std::string path = make_image(directory, "a.ckd", "3390", "PRIM01", 1);
    const Bytes before = read_file(path);
    auto applier = open({path});
    const auto refused = applier->apply(pending(1, 0, 3, 100, bytes_of(5, 1)));
    CPPUNIT_ASSERT(!refused.good());
    expect(refused.status.text(), "not fenced");
    CPPUNIT_ASSERT(read_file(path) == before);
  }

  void testWhatDoesNotFitIsRefusedBeforeAnythingIsWritten() {
    const TemporaryDirectory directory;
    const std::string path = make_image(directory, "a.ckd", "3390", "PRIM01", 1);
    auto applier = open({path});
    CPPUNIT_ASSERT(applier->establish().good());
    const Bytes before = read_file(path);
    const auto refused = [&](const PendingWrite& write, const std::string& part) {
      const auto outcome = applier->apply(write);
      CPPUNIT_ASSERT(!outcome.good());
      expect(outcome.status.text(), part);
      CPPUNIT_ASSERT(read_file(path) == before);
    };
    refused(pending(1, 1, 3, 100, bytes_of(5, 1)), "names volume number 1");
    refused(pending(1, 0, 15, 100, bytes_of(5, 1)), "cylinder 1 head 0");
    PendingWrite late = pending(1, 0, 3, 100, bytes_of(10, 1));  // the first range is right, the second is not
    late.token.range_count = 2;
    late.token.ranges[0].length = 5;
    late.token.ranges[1] = {3, 56830, 5};
    refused(late, "of track 3 of volume PRIM01");
    PendingWrite brief = pending(1, 0, 3, 100, bytes_of(5, 1));
    brief.data.pop_back();
    refused(brief, "has 4 bytes");
    PendingWrite early = pending(1, 0, 3, 100, bytes_of(5, 1));
    early.condition = EntryCondition::kIncomplete;
    refused(early, "has not arrived");
  }

  void testA19_FenceIsSetAtEstablishmentAndLiftedAtRecovery() {
    const TemporaryDirectory directory;
    const std::string path = make_image(directory, "a.ckd", "3390", "PRIM01", 1);
    const Bytes before = read_file(path);
    {
      auto applier = open({path});
      CPPUNIT_ASSERT(applier->establish().good());
      CPPUNIT_ASSERT(applier->establish().good());
      const auto second = Applier::open({{descriptor(path), path}});
      CPPUNIT_ASSERT(!second.good());  // never two writers of one image
      const Bytes fenced = read_file(path);
      CPPUNIT_ASSERT_EQUAL(std::string("DSM_P370"), std::string(fenced.begin(), fenced.begin() + 8));
    }
    auto applier = open({path});  // a restart
    CPPUNIT_ASSERT(applier->lift_fences().good());
    CPPUNIT_ASSERT(applier->lift_fences().good());
    CPPUNIT_ASSERT(read_file(path) == before);
    CPPUNIT_ASSERT(!applier->apply(pending(1, 0, 3, 100, bytes_of(5, 1))).good());
  }

  void testVerifyTokenComparesTheTrack() {
    const TemporaryDirectory directory;
    const std::string path = make_image(directory, "a.ckd", "3390", "PRIM01", 1);
    auto applier = open({path});
    CPPUNIT_ASSERT(applier->establish().good());
    PendingWrite verify = pending(1, 0, 4, 0, track_digest(track_of(path, 4)));
    verify.token.kind = TokenKind::kVerify;
    verify.token.ranges[0].length = 100;
    auto outcome = applier->apply(verify);
    CPPUNIT_ASSERT_MESSAGE(outcome.status.text(), outcome.good());
    CPPUNIT_ASSERT(outcome.value.compared && outcome.value.equal);
    CPPUNIT_ASSERT(applier->apply(pending(2, 0, 4, 7, Bytes{9})).good());
    outcome = applier->apply(verify);
    CPPUNIT_ASSERT(outcome.good() && outcome.value.compared && !outcome.value.equal);
    expect(outcome.value.detail, "Cylinder 0 head 4 of volume PRIM01 differs");
  }

  void testImagesThatCannotBeSecondaries() {
    const TemporaryDirectory directory;
    const std::string small = make_image(directory, "a.ckd", "3390", "PRIM01", 1),
                      large = make_image(directory, "b.ckd", "3390", "PRIM01", 2),
                      packed = make_image(directory, "c.cckd", "3390", "PRIM01", 1, "-z");
    const auto refused = [&](const std::string& path, const std::string& part) {
      const auto applier = Applier::open({{descriptor(small), path}});
      CPPUNIT_ASSERT(!applier.good());
      expect(applier.status.text(), part);
      expect(applier.status.text(), path);
    };
    refused(large, "same type and size");
    refused(packed, "ompressed");
    refused(directory / "absent", "absent");
    write_text(directory / "text", "not an image at all");
    refused(directory / "text", "text");
  }

  void testVerifyEqualAndDifferent() {
    const TemporaryDirectory directory;
    const std::string left = make_image(directory, "a.ckd", "3390", "PRIM01", 2), right = directory / "b.ckd";
    std::filesystem::copy_file(left, right);
    auto report = verify_images(left, right, 5);
    CPPUNIT_ASSERT_MESSAGE(report.status.text(), report.good());
    CPPUNIT_ASSERT(report.value.equal());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{30}, report.value.tracks);
    {
      auto applier = open({right});
      CPPUNIT_ASSERT(applier->establish().good());
      for (const std::uint32_t track : {2u, 16u, 17u}) CPPUNIT_ASSERT(applier->apply(pending(1, 0, track, 8, Bytes{0x77})).good());
    }
    report = verify_images(left, right, 2);  // fenced, and compared like any other
    CPPUNIT_ASSERT(report.good() && !report.value.equal());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, report.value.different);
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, report.value.first.size());
    CPPUNIT_ASSERT_EQUAL(1u, report.value.first[1].cylinder);
    CPPUNIT_ASSERT_EQUAL(1u, report.value.first[1].head);
    const auto lines = verify_lines(report.value);
    expect(lines[0], "TRACKS=30 DIFFERENT=3 NOT EQUAL");
    expect(lines[1], "CC 0000 HH 0002 ");
    expect(lines[3], "1 MORE NOT SHOWN");
  }

  void testVerifyIgnoresWhatLiesBehindTheEndOfTrack() {
    const TemporaryDirectory directory;
    const std::string left = make_image(directory, "a.ckd", "3390", "PRIM01", 1), right = directory / "b.ckd";
    std::filesystem::copy_file(left, right);
    {
      auto applier = open({right});
      CPPUNIT_ASSERT(applier->establish().good());
      CPPUNIT_ASSERT(applier->apply(pending(1, 0, 5, 50000, bytes_of(20, 0x77))).good());
      CPPUNIT_ASSERT(applier->lift_fences().good());
    }
    CPPUNIT_ASSERT(read_file(left) != read_file(right));
    CPPUNIT_ASSERT(verify_images(left, right, 5).value.equal());
  }

  void testVerifyRefusals() {
    const TemporaryDirectory directory;
    const std::string one = make_image(directory, "a.ckd", "3390", "PRIM01", 1), two = make_image(directory, "b.ckd", "3390", "PRIM01", 2),
                      packed = make_image(directory, "c.cckd", "3390", "PRIM01", 1, "-z");
    expect(verify_images(one, two, 1).status.text(), "cannot be compared");
    expect(verify_images(one, packed, 1).status.text(), "compressed");
    CPPUNIT_ASSERT(!verify_images(one, directory / "absent", 1).good());
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DatamoverApplier);

}  // namespace
}  // namespace afterimage::testing
