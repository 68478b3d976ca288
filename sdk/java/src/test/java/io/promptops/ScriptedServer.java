package io.promptops;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Base64;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** A server on a real socket that sends the responses of the test, byte by byte. */
final class ScriptedServer implements AutoCloseable {
    static final String EPOCH = "e1";

    /** At the end of a response: cuts the connection there. */
    static final String CUT = "(cut)";

    private final ServerSocket listening;
    private final Thread accepting;
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();
    private final BlockingQueue<Request> requests = new LinkedBlockingQueue<>();
    private final BlockingQueue<Peer> peers = new LinkedBlockingQueue<>();
    private volatile Function<Request, byte[]> answer = request -> error(500, "no script");
    private volatile Function<Request, byte[]> refusal = request -> null;

    ScriptedServer() {
        this(0);
    }

    ScriptedServer(int port) {
        try {
            listening = new ServerSocket();
            listening.setReuseAddress(true);
            listening.bind(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), port));
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
        accepting = start(this::accept);
    }

    /** A request's target, its headers in lower case. */
    record Request(String target, Map<String, String> headers) {
        String key() {
            return target.replaceAll(".*/prompts/([^?]*).*", "$1");
        }
    }

    String url() {
        return "http://127.0.0.1:" + listening.getLocalPort();
    }

    int port() {
        return listening.getLocalPort();
    }

    /** Sets the response to fetches: a complete HTTP response; null cuts the connection. */
    void answer(Function<Request, byte[]> script) {
        answer = script;
    }

    /** Sets the response to handshakes, instead of a WebSocket unless it is null. */
    void refuse(Function<Request, byte[]> script) {
        refusal = script;
    }

    Request nextRequest() {
        return Await.next(requests);
    }

    boolean hasRequest() {
        return !requests.isEmpty();
    }

    /** The number of requests that were not taken. */
    int requests() {
        return requests.size();
    }

    /** Whether a request arrives in time; takes it. */
    boolean requestWithin(Duration longest) {
        try {
            return requests.poll(longest.toNanos(), TimeUnit.NANOSECONDS) != null;
        } catch (InterruptedException interrupted) {
            throw new IllegalStateException(interrupted);
        }
    }

    /** The next WebSocket that a client opens. */
    Peer nextPeer() {
        return Await.next(peers);
    }

    /** Returns the next WebSocket after its hello. */
    Peer nextPeer(long revision) {
        Peer peer = nextPeer();
        peer.hello(revision);
        return peer;
    }

    boolean hasPeer() {
        return !peers.isEmpty();
    }

    static byte[] prompt(String key, String version, String content, long revision) {
        return ok("{\"key\":\"" + key + "\",\"version\":\"" + version + "\",\"env\":\"prod\",\"model\":\"\",\"content\":\""
                + content + "\",\"kind\":\"text\",\"messages\":[],\"config\":{},\"variables\":[],\"rollout\":null}", revision);
    }

    static byte[] ok(String json, long revision) {
        return http(200, "ETag: \"" + json.hashCode() + "\"\r\nX-PromptOps-Revision: " + revision
                + "\r\nX-PromptOps-Epoch: " + EPOCH + "\r\n", json);
    }

    static byte[] notModified(long revision) {
        return ("HTTP/1.1 304 Not Modified\r\nX-PromptOps-Revision: " + revision + "\r\nX-PromptOps-Epoch: " + EPOCH
                + "\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1);
    }

    static byte[] error(int status, String words) {
        return http(status, "", "{\"error\":\"" + words + "\"}");
    }

    static byte[] notFound(long revision) {
        String headers = "X-PromptOps-Revision: " + revision + "\r\nX-PromptOps-Epoch: " + EPOCH + "\r\n";
        return http(404, headers, "{\"error\":\"none\",\"code\":\"not_found\"}");
    }

    static byte[] http(int status, String headers, String body) {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        String head = "HTTP/1.1 " + status + " Some Words\r\n" + headers + "Content-Length: " + bytes.length + "\r\n\r\n";
        return (head + new String(bytes, StandardCharsets.ISO_8859_1)).getBytes(StandardCharsets.ISO_8859_1);
    }

    @Override
    public void close() {
        try {
            listening.close();
            // A connection that arrives at the same moment is still accepted.
            accepting.join();
            for (Socket socket : open) {
                socket.close();
            }
        } catch (IOException | InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    private static Thread start(Runnable work) {
        Thread thread = new Thread(work, "scripted-server");
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    private void accept() {
        while (!listening.isClosed()) {
            try {
                Socket socket = listening.accept();
                open.add(socket);
                start(() -> serve(socket));
            } catch (IOException closed) {
                return;
            }
        }
    }

    private void serve(Socket socket) {
        try (socket) {
            InputStream in = new BufferedInputStream(socket.getInputStream());
            Request request;
            while ((request = request(in)) != null) {
                if (!request.target.startsWith("/ws")) {
                    requests.add(request);
                }
                byte[] bytes = request.target.startsWith("/ws") ? refusal.apply(request) : answer.apply(request);
                if (bytes == null && request.target.startsWith("/ws")) {
                    talk(request, socket, in);
                    return;
                }
                if (bytes == null) {
                    return;
                }
                if (!written(bytes, socket.getOutputStream())) {
                    return;
                }
            }
        } catch (IOException lost) {
            return;
        } finally {
            open.remove(socket);
        }
    }

    /** Handles a request; returns whether the connection continues. */
    private static boolean written(byte[] answer, OutputStream out) throws IOException {
        String text = new String(answer, StandardCharsets.ISO_8859_1);
        boolean isCut = text.endsWith(CUT);
        out.write(answer, 0, answer.length - (isCut ? CUT.length() : 0));
        return !isCut;
    }

    private void talk(Request request, Socket socket, InputStream in) throws IOException {
        String accepted = sha1(request.headers.get("sec-websocket-key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        socket.getOutputStream().write(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: " + accepted + "\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1));
        Peer peer = new Peer(request, socket);
        peers.add(peer);
        peer.readAll(in);
    }

    private static Request request(InputStream in) throws IOException {
        String first = line(in);
        if (first.isEmpty()) {
            return null;
        }
        Map<String, String> headers = new HashMap<>();
        String header;
        while (!(header = line(in)).isEmpty()) {
            int colon = header.indexOf(':');
            headers.put(header.substring(0, colon).toLowerCase(Locale.ROOT), header.substring(colon + 1).strip());
        }
        return new Request(first.split(" ")[1], headers);
    }

    private static String line(InputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        int next;
        while ((next = in.read()) >= 0 && next != '\n') {
            line.append((char) next);
        }
        return line.toString().strip();
    }

    private static String sha1(String text) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-1").digest(text.getBytes(StandardCharsets.US_ASCII));
            return Base64.getEncoder().encodeToString(digest);
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** A client's WebSocket. */
    static final class Peer {
        private static final String GONE = "(gone)";

        private final Request request;
        private final Socket socket;
        private final BlockingQueue<String> received = new LinkedBlockingQueue<>();

        private Peer(Request request, Socket socket) {
            this.request = request;
            this.socket = socket;
        }

        String target() {
            return request.target;
        }

        String header(String name) {
            return request.headers.get(name);
        }

        void hello(long revision) {
            send("{\"type\":\"hello\",\"epoch\":\"" + EPOCH + "\",\"revision\":" + revision + ",\"heartbeat_seconds\":10}");
        }

        void resync(String epoch, long revision) {
            send("{\"type\":\"resync\",\"epoch\":\"" + epoch + "\",\"revision\":" + revision + "}");
        }

        void heartbeat(long revision) {
            send("{\"type\":\"heartbeat\",\"revision\":" + revision + "}");
        }

        void event(String type, String key, long revision) {
            send("{\"type\":\"prompt." + type + "\",\"id\":\"i\",\"key\":\"" + key + "\",\"env\":\"prod\",\"version\":\"v\",\"revision\":"
                    + revision + "}");
        }

        void send(String text) {
            byte[] payload = text.getBytes(StandardCharsets.UTF_8);
            write(frame(0x81, payload));
        }

        void close(int code) {
            write(new byte[] {(byte) 0x88, 2, (byte) (code >> 8), (byte) code});
        }

        void write(byte[] bytes) {
            try {
                OutputStream out = socket.getOutputStream();
                out.write(bytes);
                out.flush();
            } catch (IOException error) {
                throw new IllegalStateException(error);
            }
        }

        void cut() {
            try {
                socket.close();
            } catch (IOException error) {
                throw new IllegalStateException(error);
            }
        }

        /** The next message of the client; for a close or a pong, its kind. */
        String next() {
            return Await.next(received);
        }

        void await(String message) {
            String last;
            do {
                last = next();
            } while (!last.equals(message));
        }

        void awaitClose() {
            await("(close)");
        }

        void awaitGone() {
            await(GONE);
        }

        static byte[] frame(int first, byte[] payload) {
            byte[] head = payload.length < 126
                    ? new byte[] {(byte) first, (byte) payload.length}
                    : new byte[] {(byte) first, 126, (byte) (payload.length >> 8), (byte) payload.length};
            byte[] frame = new byte[head.length + payload.length];
            System.arraycopy(head, 0, frame, 0, head.length);
            System.arraycopy(payload, 0, frame, head.length, payload.length);
            return frame;
        }

        private void readAll(InputStream in) {
            try {
                int first;
                while ((first = in.read()) >= 0) {
                    received.add(message(first & 0x0F, in));
                }
            } catch (IOException lost) {
                return;
            } finally {
                received.add(GONE);
            }
        }

        private static String message(int opcode, InputStream in) throws IOException {
            int length = in.read() & 0x7F;
            if (length == 126) {
                length = in.read() << 8 | in.read();
            }
            byte[] mask = in.readNBytes(4);
            byte[] payload = in.readNBytes(length);
            for (int i = 0; i < payload.length; i++) {
                payload[i] ^= mask[i & 3];
            }
            String text = new String(payload, StandardCharsets.UTF_8);
            return opcode == 8 ? "(close)" : opcode == 10 ? "(pong)" + text : text;
        }
    }
}
