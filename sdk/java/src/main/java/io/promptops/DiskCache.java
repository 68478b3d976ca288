package io.promptops;

import io.promptops.internal.json.JsonException;
import io.promptops.internal.json.JsonReader;
import io.promptops.internal.json.JsonWriter;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.time.temporal.ChronoUnit;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The last known good copies, one file for each prompt, in a folder that clients of other languages may
 * share. docs/sdk-protocol.md has the format.
 */
final class DiskCache {
    private static final System.Logger LOGGER = System.getLogger("io.promptops");
    private static final int LARGEST_FILE = 17 * 1024 * 1024;
    private static final Set<PosixFilePermission> PRIVATE = PosixFilePermissions.fromString("rwx------");
    private static final String PREFIX = "prompt";
    private static final String SUFFIX = ".tmp";
    // No write takes this long.
    private static final Duration LEFT_BEHIND = Duration.ofHours(1);

    private final Path folder;
    private final String names;
    private final AtomicBoolean isFailing = new AtomicBoolean();

    /** Takes the server's address as the client normalizes it, and an empty workspace without one. */
    DiskCache(Path folder, String server, String workspace, String environment) {
        this.folder = folder;
        this.names = server + "\n" + workspace + "\n" + environment + "\n";
        removeLeftBehind();
    }

    /** A copy from disk; each of the last three may be null. */
    record Saved(FullPrompt fullPrompt, String epoch, Long revision, Instant at) {
        /** Whether it is newer, because another process has saved it. */
        boolean isNewerThan(FeedPosition position) {
            return epoch != null && revision != null && position != null
                    && position.isBefore(new FeedPosition(epoch, revision));
        }
    }

    /**
     * Replaces the copy atomically, unless it is at a later revision. A failure is only logged, because
     * nobody waits for it.
     */
    void save(String key, FullPrompt fullPrompt, FeedPosition position) {
        Saved previous = load(key);
        if (previous != null && previous.isNewerThan(position)) {
            return;
        }
        String head = "{\"sha256\":\"" + sha256(fullPrompt.json())
                + "\",\"saved_at\":\"" + Instant.now().truncatedTo(ChronoUnit.MILLIS)
                + "\",\"epoch\":" + JsonWriter.write(position == null ? null : position.epoch())
                + ",\"revision\":" + (position == null ? "null" : Long.toString(position.revision()))
                + ",\"prompt\":";
        try {
            makeFolder();
            Path written = Files.createTempFile(folder, PREFIX, SUFFIX);
            try {
                Uninterrupted.run(() -> Files.writeString(written, head + fullPrompt.json() + "}"));
                replace(written, file(key));
                isFailing.set(false);
            } finally {
                Files.deleteIfExists(written);
            }
        } catch (IOException error) {
            warnOnce(error);
        }
    }

    /** Returns the copy, or null if it is missing or invalid. */
    Saved load(String key) {
        try {
            return read(key, JsonReader.decode(Uninterrupted.run(() -> content(file(key)))));
        } catch (NoSuchFileException absent) {
            return null;
        } catch (IOException error) {
            warnOnce(error);
            return null;
        } catch (JsonException | ProtocolException | DateTimeParseException error) {
            String message = "ignored the saved copy of prompt '" + key + "': " + error.getMessage();
            LOGGER.log(System.Logger.Level.WARNING, message);
            return null;
        }
    }

    void delete(String key) {
        try {
            Files.deleteIfExists(file(key));
        } catch (IOException error) {
            warnOnce(error);
        }
    }

    Path file(String key) {
        return folder.resolve(sha256(names + key) + ".json");
    }

    private static Saved read(String key, String text) throws JsonException {
        Map<String, String> members = JsonReader.readMemberTexts(text);
        String json = members.getOrDefault("prompt", "");
        if (!sha256(json).equals(JsonReader.read(members.getOrDefault("sha256", "null")))) {
            throw Members.wrong("sha256");
        }
        FullPrompt fullPrompt = FullPrompt.read(json);
        fullPrompt.requireKey(key);
        Object epoch = JsonReader.read(members.getOrDefault("epoch", "null"));
        Object revision = JsonReader.read(members.getOrDefault("revision", "null"));
        Object at = JsonReader.read(members.getOrDefault("saved_at", "null"));
        return new Saved(
                fullPrompt,
                epoch instanceof String name ? name : null,
                revision instanceof Long number ? number : null,
                at instanceof String time ? OffsetDateTime.parse(time).toInstant() : null);
    }

    /** Removes temporary files of killed processes. */
    private void removeLeftBehind() {
        if (!Files.isDirectory(folder)) {
            return;
        }
        Instant latest = Instant.now().minus(LEFT_BEHIND);
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, PREFIX + "*" + SUFFIX)) {
            for (Path file : files) {
                if (Files.getLastModifiedTime(file).toInstant().isBefore(latest)) {
                    Files.deleteIfExists(file);
                }
            }
        } catch (IOException | DirectoryIteratorException error) {
            // Another process may have removed them at the same moment.
            LOGGER.log(System.Logger.Level.DEBUG, "temporary files in " + folder + " stay", error);
        }
    }

    /** Logs one line until a copy is saved again, whatever the number of prompts. */
    private void warnOnce(IOException error) {
        if (isFailing.compareAndSet(false, true)) {
            LOGGER.log(System.Logger.Level.WARNING, "prompts can't be kept in the folder " + folder + ": " + error);
        }
    }

    /** Creates the folder, which only the user may read. */
    private void makeFolder() throws IOException {
        if (Files.isDirectory(folder)) {
            return;
        }
        Path parent = folder.toAbsolutePath().getParent();
        if (parent != null) {
            Files.createDirectories(parent);
        }
        try {
            Files.createDirectory(folder, PosixFilePermissions.asFileAttribute(PRIVATE));
        } catch (UnsupportedOperationException notPosix) {
            Files.createDirectories(folder);
        } catch (FileAlreadyExistsException meanwhile) {
            // Another process created it at the same moment; other problems show when writing.
            return;
        }
    }

    private static byte[] content(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return in.readNBytes(LARGEST_FILE);
        }
    }

    private static void replace(Path written, Path file) throws IOException {
        try {
            Files.move(written, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (AtomicMoveNotSupportedException unsupported) {
            Files.move(written, file, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    private static String sha256(String text) {
        try {
            MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
            return HexFormat.of().formatHex(sha256.digest(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException("every Java has SHA-256", impossible);
        }
    }
}
