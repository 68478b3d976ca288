package io.promptops.internal.net;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads the response to one GET of HTTP/1.1 (RFC 9112) from a stream, within bounds. */
final class ResponseReader {
    static final int LARGEST_BODY = 16 * 1024 * 1024;
    private static final int LONGEST_LINE = 16 * 1024;
    private static final int MOST_HEADERS = 200;
    private static final int SWITCHING_PROTOCOLS = 101;
    private static final Pattern STATUS_LINE = Pattern.compile("HTTP/1\\.([01]) ([1-5][0-9]{2})( .*)?");
    private static final Pattern LENGTH = Pattern.compile("[0-9]{1,18}");
    private static final Pattern CHUNK_LENGTH = Pattern.compile("([0-9a-fA-F]{1,15})[ \t]*(;.*)?");

    private final Stream stream;
    private final int largestBody;
    private boolean isHttp11;
    private boolean reusable;

    ResponseReader(Stream stream) {
        this(stream, LARGEST_BODY);
    }

    ResponseReader(Stream stream, int largestBody) {
        this.stream = stream;
        this.largestBody = largestBody;
    }

    /** Whether another request can be sent on the stream after the response. */
    boolean isReusable() {
        return reusable;
    }

    Response read() throws IOException {
        Response head = readHead();
        boolean keep = isHttp11 && !Response.has(head.headers(), "connection", "close");
        return new Response(head.status(), head.headers(), body(head.status(), head.headers(), keep));
    }

    /** Reads a response without a body, such as that to a CONNECT. */
    Response readHead() throws IOException {
        while (true) {
            Matcher line = STATUS_LINE.matcher(stream.readLine(LONGEST_LINE));
            if (!line.matches()) {
                throw new BadResponseException("the response is not HTTP");
            }
            int status = Integer.parseInt(line.group(2));
            Map<String, String> headers = headers();
            boolean isInterim = status < 200 && status != SWITCHING_PROTOCOLS;
            if (!isInterim) {
                isHttp11 = line.group(1).equals("1");
                return new Response(status, headers, new byte[0]);
            }
        }
    }

    private Map<String, String> headers() throws IOException {
        Map<String, String> headers = new HashMap<>();
        String line;
        int count = 0;
        while (!(line = stream.readLine(LONGEST_LINE)).isEmpty()) {
            int colon = line.indexOf(':');
            if (colon <= 0 || ++count > MOST_HEADERS) {
                throw new BadResponseException("the response's head is not HTTP");
            }
            String name = line.substring(0, colon).toLowerCase(Locale.ROOT);
            headers.merge(name, line.substring(colon + 1).strip(), (first, next) -> first + ", " + next);
        }
        return headers;
    }

    private byte[] body(int status, Map<String, String> headers, boolean keep) throws IOException {
        if (status == SWITCHING_PROTOCOLS || status == 204 || status == 304) {
            reusable = keep;
            return new byte[0];
        }
        String length = headers.get("content-length");
        if (Response.has(headers, "transfer-encoding", "chunked")) {
            byte[] body = chunks();
            reusable = keep;
            return body;
        }
        if (length == null) {
            return rest();
        }
        if (!LENGTH.matcher(length).matches()) {
            throw new BadResponseException("the response's length is not a number");
        }
        byte[] body = exactly(Long.parseLong(length), 0);
        reusable = keep;
        return body;
    }

    private byte[] chunks() throws IOException {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        while (true) {
            Matcher length = CHUNK_LENGTH.matcher(stream.readLine(LONGEST_LINE));
            if (!length.matches()) {
                throw new BadResponseException("a part of the response has no valid length");
            }
            long size = Long.parseLong(length.group(1), 16);
            if (size == 0) {
                headers();
                return body.toByteArray();
            }
            body.write(exactly(size, body.size()));
            if (!stream.readLine(LONGEST_LINE).isEmpty()) {
                throw new BadResponseException("a chunk of the response is longer than its length");
            }
        }
    }

    private byte[] exactly(long size, int before) throws IOException {
        checkSize(size + before);
        byte[] body = stream.readNBytes((int) size);
        if (body.length < size) {
            throw new EOFException("the connection broke during a response");
        }
        return body;
    }

    private byte[] rest() throws IOException {
        byte[] body = stream.readNBytes(largestBody + 1);
        checkSize(body.length);
        return body;
    }

    private void checkSize(long size) throws BadResponseException {
        if (size > largestBody) {
            throw new BadResponseException("the response has over " + largestBody + " bytes");
        }
    }
}
