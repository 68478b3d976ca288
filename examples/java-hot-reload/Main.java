import io.promptops.PromptOpsClient;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

/** Prints a greeting, and prints it again whenever its prompt changes on the server. */
public class Main {
    private static final String KEY = "example-greeting";

    public static void main(String[] arguments) throws Exception {
        var server = setting("PROMPTOPS_SERVER", "http://127.0.0.1:8080");
        var token = setting("PROMPTOPS_TOKEN", "promptops-dev-token");
        var namespace = setting("PROMPTOPS_NAMESPACE", "prod");
        var variables = Map.of("who", "Ada");
        try (var client = new PromptOpsClient(server, namespace, token, "example")) {
            System.out.println(client.render(KEY, variables));
            client.watch(key -> {
                if (key.equals(KEY)) {
                    System.out.println(client.render(KEY, variables));
                }
            });
            new CountDownLatch(1).await();
        }
    }

    private static String setting(String name, String other) {
        return System.getenv().getOrDefault(name, other);
    }
}
