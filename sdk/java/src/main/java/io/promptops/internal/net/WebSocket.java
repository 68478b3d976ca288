package io.promptops.internal.net;

import java.io.Closeable;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.concurrent.locks.ReentrantLock;

/** A WebSocket (RFC 6455) for texts: one thread reads, any thread may write. */
public final class WebSocket implements Closeable {
    /** The code of a normal close. */
    public static final int NORMAL = 1000;

    private static final String ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    private static final SecureRandom RANDOM = new SecureRandom();

    private final Stream stream;
    private final Alarm alarm;
    private final long timeout;
    private final FrameReader frames;
    private final ReentrantLock writing = new ReentrantLock();
    private long silence;
    private boolean closeSent;

    private WebSocket(Stream stream, Alarm alarm, long timeout) {
        this.stream = stream;
        this.alarm = alarm;
        this.timeout = timeout;
        this.frames = new FrameReader(stream, this::answerPing);
    }

    /**
     * Connects and performs the handshake.
     *
     * @param path begins with a slash, and is encoded already
     * @param timeout in nanoseconds, for the whole handshake, and later for each write: a longer write ends
     *     the connection
     * @throws RefusedException for any other status than 101
     */
    public static WebSocket open(Connector connector, Requests requests, String path, long timeout, Alarm alarm)
            throws IOException {
        Stream stream = connector.openTunnel(System.nanoTime() + timeout);
        try {
            shakeHands(stream, requests, path);
            return new WebSocket(stream, alarm, timeout);
        } catch (IOException failed) {
            stream.close();
            throw failed;
        }
    }

    /**
     * Whether a message begins before the deadline; it can be received after that too.
     *
     * @param longestSilence as of receive, for a ping that begins before
     */
    public boolean awaitMessage(long deadline, long longestSilence) throws IOException {
        silence = longestSilence;
        do {
            stream.setDeadline(deadline);
            try {
                frames.nextOpcode();
            } catch (SocketTimeoutException nothing) {
                return false;
            }
            extendDeadline();
        } while (takeControl());
        return true;
    }

    /**
     * Returns the next message; throws SocketTimeoutException after so many nanoseconds without a message or
     * ping, after which nothing can be read.
     */
    public String receive(long longestSilence) throws IOException {
        silence = longestSilence;
        extendDeadline();
        try {
            return frames.nextText();
        } catch (ClosedByServerException closed) {
            answerClose(closed);
            throw closed;
        }
    }

    public void send(String text) throws IOException {
        write(FrameReader.TEXT, text.getBytes(StandardCharsets.UTF_8), timeout);
    }

    /** Sends a close frame; cuts the connection if that takes longer than so many nanoseconds. */
    public void sendClose(int code, long patience) throws IOException {
        write(FrameReader.CLOSE, ByteBuffer.allocate(2).putShort((short) code).array(), patience);
    }

    @Override
    public void close() {
        stream.close();
    }

    private static void shakeHands(Stream stream, Requests requests, String path) throws IOException {
        byte[] nonce = new byte[16];
        RANDOM.nextBytes(nonce);
        String key = Base64.getEncoder().encodeToString(nonce);
        stream.writeHead(requests.get(
                path,
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        + "Sec-WebSocket-Key: " + key + "\r\n"));
        Response response = new ResponseReader(stream).read();
        if (response.status() != 101) {
            throw new RefusedException(response);
        }
        if (!accepted(key).equals(response.header("sec-websocket-accept"))
                || !Response.has(response.headers(), "upgrade", "websocket")
                || !Response.has(response.headers(), "connection", "upgrade")) {
            throw new BadResponseException("the handshake's response is not from a WebSocket server");
        }
    }

    private boolean takeControl() throws IOException {
        try {
            return frames.takeControl();
        } catch (ClosedByServerException closed) {
            answerClose(closed);
            throw closed;
        }
    }

    private void extendDeadline() {
        stream.setDeadline(System.nanoTime() + silence);
    }

    private void answerPing(byte[] payload) throws IOException {
        extendDeadline();
        write(FrameReader.PONG, payload, timeout);
    }

    /** The server waits for the close frame before it ends the connection. */
    private void answerClose(ClosedByServerException closed) {
        try {
            if (closed.hasCode()) {
                sendClose(closed.code(), timeout);
            } else {
                write(FrameReader.CLOSE, new byte[0], timeout);
            }
        } catch (IOException gone) {
            // The server has not waited, or the client sent its close frame at the same moment.
            return;
        }
    }

    private static String accepted(String key) {
        try {
            MessageDigest sha1 = MessageDigest.getInstance("SHA-1");
            byte[] digest = sha1.digest((key + ACCEPT_SUFFIX).getBytes(StandardCharsets.US_ASCII));
            return Base64.getEncoder().encodeToString(digest);
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException("every Java has SHA-1", impossible);
        }
    }

    private void write(int opcode, byte[] payload, long patience) throws IOException {
        byte[] frame = masked(opcode, payload);
        // This also ends the wait for a running write.
        Runnable silenced = alarm.set(patience, stream::close);
        writing.lock();
        try {
            if (closeSent) {
                throw new IOException("the connection is closing");
            }
            closeSent = opcode == FrameReader.CLOSE;
            stream.write(frame);
        } finally {
            writing.unlock();
            silenced.run();
        }
    }

    private static byte[] masked(int opcode, byte[] payload) {
        byte[] mask = new byte[4];
        RANDOM.nextBytes(mask);
        ByteBuffer frame = ByteBuffer.allocate(14 + payload.length);
        frame.put((byte) (0x80 | opcode));
        if (payload.length < 126) {
            frame.put((byte) (0x80 | payload.length));
        } else if (payload.length < 1 << 16) {
            frame.put((byte) (0x80 | 126)).putShort((short) payload.length);
        } else {
            frame.put((byte) (0x80 | 127)).putLong(payload.length);
        }
        frame.put(mask);
        for (int i = 0; i < payload.length; i++) {
            frame.put((byte) (payload[i] ^ mask[i & 3]));
        }
        byte[] bytes = new byte[frame.position()];
        frame.flip().get(bytes);
        return bytes;
    }
}
