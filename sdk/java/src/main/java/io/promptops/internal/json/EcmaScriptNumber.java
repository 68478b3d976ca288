package io.promptops.internal.json;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;

/**
 * Prints numbers like ECMAScript.
 *
 * <p>Source: ECMA-262, "Number::toString". {@link Double#toString(double)} is not sufficient: up to Java 18
 * it prints more digits than needed for some doubles (JDK-4511638).
 */
public final class EcmaScriptNumber {
    private static final long LARGEST_SAFE_INTEGER = (1L << 53) - 1;
    // Numbers from this power of ten on, and below 1e-6, have an exponent.
    private static final int LARGEST_POINT = 21;
    private static final int SMALLEST_POINT = -6;

    private EcmaScriptNumber() {}

    /** The text of the double nearest to the number. */
    public static String text(Number number) {
        double value = number.doubleValue();
        if (Double.isNaN(value)) {
            return "NaN";
        }
        if (Double.isInfinite(value)) {
            return value > 0 ? "Infinity" : "-Infinity";
        }
        if (value == Math.rint(value) && Math.abs(value) <= LARGEST_SAFE_INTEGER) {
            return Long.toString((long) value);
        }
        return (value < 0 ? "-" : "") + positive(shortest(Math.abs(value)));
    }

    private static String positive(BigDecimal shortest) {
        String digits = shortest.unscaledValue().toString();
        // The value is 0.DIGITS times ten to the power of this.
        int point = digits.length() - shortest.scale();
        if (point > LARGEST_POINT || point <= SMALLEST_POINT) {
            String fraction = digits.length() > 1 ? "." + digits.substring(1) : "";
            int exponent = point - 1;
            return digits.charAt(0) + fraction + (exponent < 0 ? "e" : "e+") + exponent;
        }
        if (point <= 0) {
            return "0." + "0".repeat(-point) + digits;
        }
        if (point >= digits.length()) {
            return digits + "0".repeat(point - digits.length());
        }
        return digits.substring(0, point) + "." + digits.substring(point);
    }

    /** The fewest digits that parse to this double; among those the nearest to it. */
    private static BigDecimal shortest(double value) {
        BigDecimal exact = new BigDecimal(value);
        BigDecimal shortest = new BigDecimal(Double.toString(value)).stripTrailingZeros();
        // If n digits parse to this double, so do n + 1, so the search can begin at Java's result.
        for (int digits = shortest.precision(); digits > 0; digits--) {
            BigDecimal nearest = nearest(exact, digits, value);
            if (nearest == null) {
                break;
            }
            shortest = nearest;
        }
        return shortest.stripTrailingZeros();
    }

    private static BigDecimal nearest(BigDecimal exact, int digits, double value) {
        BigDecimal below = exact.round(new MathContext(digits, RoundingMode.DOWN));
        BigDecimal above = exact.round(new MathContext(digits, RoundingMode.UP));
        // The nearer one may not parse to this double even if the other does: below a power of two doubles
        // are closer together than above.
        boolean belowReads = below.doubleValue() == value;
        boolean aboveReads = above.doubleValue() == value;
        if (belowReads && aboveReads) {
            int order = exact.subtract(below).compareTo(above.subtract(exact));
            return order < 0 || order == 0 && isEven(below.unscaledValue()) ? below : above;
        }
        if (belowReads) {
            return below;
        }
        return aboveReads ? above : null;
    }

    private static boolean isEven(BigInteger integer) {
        return !integer.testBit(0);
    }
}
