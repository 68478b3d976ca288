package io.promptops.internal.net;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Masks addresses for messages and logs. */
public final class MaskedUrl {
    private static final Pattern SCHEME = Pattern.compile("[^/?#]*//");

    private MaskedUrl() {}

    /** Returns the address without its user, password, query and fragment. */
    public static String of(String url) {
        int at = url.lastIndexOf('@');
        String plain = url.substring(at + 1).split("[?#]", 2)[0];
        if (at < 0) {
            return plain;
        }
        Matcher scheme = SCHEME.matcher(url.substring(0, at));
        return (scheme.lookingAt() ? scheme.group() : "") + "***@" + plain;
    }
}
