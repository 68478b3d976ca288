package io.promptops.internal.json;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EcmaScriptNumberTest {
    // Java 17 itself prints more digits for some of them (JDK-4511638).
    @ParameterizedTest
    @CsvSource({
        "2e23, 2e+23",
        "1.0E23, 1e+23",
        "8.41E21, 8.41e+21",
        "2.2E-322, 2.2e-322",
        "2.0E-3, 0.002",
        "4.9E-324, 5e-324",
        "9.5367431640625E-7, 9.5367431640625e-7",
        "5.684341886080802E-14, 5.684341886080802e-14",
        "2.2250738585072014E-308, 2.2250738585072014e-308",
        "1.7976931348623157E308, 1.7976931348623157e+308",
        "123456.789, 123456.789",
        "-0.000001, -0.000001",
        "-1.0E21, -1e+21",
        "999999999999999868928, 999999999999999900000",
        "-0.0, 0",
        "NaN, NaN",
        "-Infinity, -Infinity"
    })
    void printsAsEcmaScript(double value, String text) {
        assertEquals(text, EcmaScriptNumber.text(value));
    }

    @Test
    void printsOtherTypesAsTheNearestDouble() {
        assertEquals("9007199254740992", EcmaScriptNumber.text(new BigInteger("9007199254740993")));
        assertEquals("0.1", EcmaScriptNumber.text(new BigDecimal("0.1000000000000000055511151231257827")));
        assertEquals("Infinity", EcmaScriptNumber.text(BigInteger.TEN.pow(400)));
        assertEquals("7", EcmaScriptNumber.text((byte) 7));
        assertEquals("0.5", EcmaScriptNumber.text(0.5f));
    }

    @Test
    void everyDoubleReadsBackAndHasNoDigitTooMany() {
        Random random = new Random(20260101);
        for (int round = 0; round < 30_000; round++) {
            double value = Double.longBitsToDouble(random.nextLong());
            if (Double.isFinite(value)) {
                check(value);
            }
        }
        for (int exponent = -1074; exponent <= 1023; exponent++) {
            check(Math.scalb(1.0, exponent));
            check(Math.nextDown(Math.scalb(1.0, exponent)));
        }
    }

    private static void check(double value) {
        String text = EcmaScriptNumber.text(value);
        assertEquals(value, Double.parseDouble(text), text);
        int digits = new BigDecimal(text).stripTrailingZeros().precision();
        assertTrue(digits <= new BigDecimal(Double.toString(value)).stripTrailingZeros().precision(), text);
        if (digits > 1) {
            String shorter = String.format("%." + (digits - 2) + "e", new BigDecimal(value));
            assertTrue(Double.parseDouble(shorter) != value, text + " but " + shorter + " is shorter");
        }
    }
}
