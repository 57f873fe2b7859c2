#include "core/quantity.h"

#include <gtest/gtest.h>

#include <cmath>

namespace errata {
namespace {

struct Reading {
  const char* text;
  double value;
  Dimension dimension;
};

class QuantityReading : public ::testing::TestWithParam<Reading> {};

TEST_P(QuantityReading, IsInSiUnits) {
  const auto q = parse_quantity(GetParam().text);
  ASSERT_TRUE(q) << GetParam().text;
  // One rounding for the number, one for the prefix, one for the product: 4 units in the last place are enough.
  EXPECT_NEAR(q->value, GetParam().value, 4 * 2.3e-16 * std::fabs(GetParam().value)) << GetParam().text;
  EXPECT_EQ(q->dimension, GetParam().dimension) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    All, QuantityReading,
    ::testing::Values(Reading{"0.2 V", 0.2, dimension::kVoltage}, Reading{"1 MOhm", 1e6, dimension::kResistance},
                      Reading{"1 mOhm", 1e-3, dimension::kResistance}, Reading{"100 kOhm", 1e5, dimension::kResistance},
                      Reading{"3 Ω", 3, dimension::kResistance}, Reading{"3 kΩ", 3e3, dimension::kResistance},
                      Reading{"5 µA", 5e-6, dimension::kCurrent}, Reading{"5 μA", 5e-6, dimension::kCurrent},
                      Reading{"5uA", 5e-6, dimension::kCurrent}, Reading{"27 degC", 300.15, dimension::kTemperature},
                      Reading{"-40 °C", 233.15, dimension::kTemperature},
                      Reading{"300 K", 300, dimension::kTemperature}, Reading{"5 %", 0.05, dimension::kNone},
                      Reading{"0.05", 0.05, dimension::kNone}, Reading{"2.5 mV um", 2.5e-9, dimension::kVoltageLength},
                      Reading{"2.5 mV*um", 2.5e-9, dimension::kVoltageLength},
                      Reading{"45 nm", 45e-9, dimension::kLength}, Reading{"2 m", 2, dimension::kLength},
                      Reading{"2 mm", 2e-3, dimension::kLength}, Reading{"10 ns", 1e-8, dimension::kTime},
                      Reading{"1 /s", 1, dimension::kFrequency}, Reading{"1 GHz", 1e9, dimension::kFrequency},
                      Reading{"3 fF", 3e-15, dimension::kCapacitance}, Reading{"+1.5 V", 1.5, dimension::kVoltage},
                      Reading{"  -1e-3 V  ", -1e-3, dimension::kVoltage}, Reading{"4 V/A", 4, dimension::kResistance},
                      Reading{"1 A^2", 1, {{0, 0, 0, 2, 0}}}, Reading{"20 uS", 2e-5, dimension::kConductance}));

class QuantityRefusal : public ::testing::TestWithParam<const char*> {};

TEST_P(QuantityRefusal, IsEmpty) { EXPECT_FALSE(parse_quantity(GetParam())) << GetParam(); }

INSTANTIATE_TEST_SUITE_P(All, QuantityRefusal,
                         ::testing::Values("", " ", "V", "1 Volt", "0,2 V", "1 2 V", "nan V", "inf V", "1e400 V",
                                           "1e308 GV", "--1 V", "+-1 V", "0x10 V", "1 V/", "1 V*", "1 kkOhm", "1 Meg",
                                           "1 V^9", "1 V^x", "1 mdegC", "5 % V", "1 V;2"));

TEST(Quantity, MegaAndMilliDifferByABillion) {
  EXPECT_DOUBLE_EQ(parse_quantity("1 MOhm")->value / parse_quantity("1 mOhm")->value, 1e9);
}

TEST(Quantity, CoulombIsNoTemperature) { EXPECT_FALSE(parse_quantity("27 C")->dimension == dimension::kTemperature); }

TEST(FormatQuantity, ReadsWellAndReadsBack) {
  EXPECT_EQ(format_quantity(1e5, dimension::kResistance), "100 kOhm");
  EXPECT_EQ(format_quantity(1e6, dimension::kResistance), "1 MOhm");
  EXPECT_EQ(format_quantity(-0.0025, dimension::kVoltage), "-2.5 mV");
  EXPECT_EQ(format_quantity(0, dimension::kVoltage), "0 V");
  EXPECT_EQ(format_quantity(300.15, dimension::kTemperature), "300.15 K");
  EXPECT_EQ(format_quantity(0.05, dimension::kNone), "0.05");
  EXPECT_EQ(unit_symbol(dimension::kVoltageLength), "V m");
  EXPECT_EQ(unit_symbol({{9, 0, 0, 0, 0}}), "?");
}

}  // namespace
}  // namespace errata
