package io.promptops.internal.net;

import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;

/** Reads one head of a request on each connection, and responds with the same bytes. */
final class RawServer implements AutoCloseable {
    /** A placeholder for the accepted key of a handshake. */
    static final String ACCEPTED = "(accepted)";

    private final ServerSocket listening;
    private final List<Socket> open = new CopyOnWriteArrayList<>();

    RawServer(String answer) {
        this((socket, key) -> socket.getOutputStream()
                .write(answer.replace(ACCEPTED, accepted(key)).getBytes(StandardCharsets.ISO_8859_1)));
    }

    private RawServer(Script script) {
        try {
            listening = new ServerSocket(0, 50, InetAddress.getByName("127.0.0.1"));
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
        Thread thread = new Thread(() -> accept(script));
        thread.setDaemon(true);
        thread.start();
    }

    /** Sends this head immediately, then one byte each millisecond, and does not read. */
    static RawServer dripping(byte[] head) {
        return new RawServer((socket, key) -> {
            OutputStream out = socket.getOutputStream();
            out.write(head);
            while (true) {
                out.write(0);
                LockSupport.parkNanos(1_000_000);
            }
        });
    }

    private interface Script {
        void play(Socket socket, String key) throws IOException;
    }

    String url() {
        return "http://127.0.0.1:" + listening.getLocalPort();
    }

    int connections() {
        return open.size();
    }

    @Override
    public void close() {
        try {
            listening.close();
            for (Socket socket : open) {
                socket.close();
            }
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    private void accept(Script script) {
        while (!listening.isClosed()) {
            try {
                Socket socket = listening.accept();
                open.add(socket);
                Thread thread = new Thread(() -> serve(socket, script));
                thread.setDaemon(true);
                thread.start();
            } catch (IOException closed) {
                return;
            }
        }
    }

    private static void serve(Socket socket, Script script) {
        try {
            script.play(socket, key(socket));
        } catch (IOException lost) {
            return;
        }
    }

    /** The key of a handshake, or nothing; a TLS record does not end like an HTTP head. */
    private static String key(Socket socket) throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            int next = socket.getInputStream().read();
            if (next < 0 || head.length() == 0 && next != 'G') {
                return "";
            }
            head.append((char) next);
        }
        return head.toString().replaceAll("(?s).*Sec-WebSocket-Key: (\\S*).*", "$1");
    }

    private static String accepted(String key) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-1")
                    .digest((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").getBytes(StandardCharsets.US_ASCII));
            return Base64.getEncoder().encodeToString(digest);
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
    }
}
