package io.promptops.internal.net;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * An entry of NO_PROXY: a host including its subdomains, a network such as 10.0.0.0/8, or an asterisk; a host
 * may have a port.
 */
record NoProxyEntry(String entry) {
    private static final Pattern HOST =
            Pattern.compile("(?:\\*?\\.)?(?:\\[(?<bracketed>.*)]|(?<name>[^:]*))(?::(?<port>[0-9]{1,5}))?");
    private static final Pattern NETWORK = Pattern.compile("\\[?(?<address>[^/\\]]*)]?(?:/(?<bits>[0-9]{1,3}))?");
    private static final String OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    private static final Pattern IPV4 = Pattern.compile(OCTET + "(?:\\." + OCTET + "){3}");

    boolean covers(String host, int port) {
        String server = host.toLowerCase(Locale.ROOT).replaceFirst("\\.$", "");
        String lower = entry.toLowerCase(Locale.ROOT);
        return lower.equals("*") || isNetworkOf(lower, server) || isHost(lower, server, port);
    }

    private static boolean isHost(String entry, String server, int port) {
        Matcher parts = HOST.matcher(entry);
        if (!parts.matches() || parts.group("port") != null && Integer.parseInt(parts.group("port")) != port) {
            return false;
        }
        String name = parts.group("name") == null ? parts.group("bracketed") : parts.group("name");
        return !name.isEmpty() && (server.equals(name) || server.endsWith("." + name));
    }

    private static boolean isNetworkOf(String entry, String server) {
        Matcher parts = NETWORK.matcher(entry);
        byte[] address = octets(server);
        byte[] network = parts.matches() ? octets(parts.group("address")) : null;
        if (address == null || network == null || address.length != network.length) {
            return false;
        }
        int most = network.length * Byte.SIZE;
        int bits = parts.group("bits") == null ? most : Integer.parseInt(parts.group("bits"));
        return bits <= most && Arrays.equals(prefix(address, bits), prefix(network, bits));
    }

    private static byte[] prefix(byte[] address, int bits) {
        byte[] prefix = new byte[address.length];
        for (int bit = 0; bit < bits; bit++) {
            prefix[bit / Byte.SIZE] |= (byte) (address[bit / Byte.SIZE] & 0x80 >> bit % Byte.SIZE);
        }
        return prefix;
    }

    /** Null if it is not an address, because names must not be looked up here. */
    private static byte[] octets(String text) {
        if (text.indexOf(':') < 0 && !IPV4.matcher(text).matches()) {
            return null;
        }
        try {
            return InetAddress.getByName(text).getAddress();
        } catch (UnknownHostException notAnAddress) {
            return null;
        }
    }
}
