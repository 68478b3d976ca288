// Prints a greeting, and prints it again whenever its prompt changes on the server.

import { PromptOpsClient } from "@promptops/client";

const KEY = "example-greeting";
const {
  PROMPTOPS_SERVER: server = "http://127.0.0.1:8080",
  PROMPTOPS_TOKEN: token = "promptops-dev-token",
  PROMPTOPS_NAMESPACE: namespace = "prod",
} = process.env;

const client = new PromptOpsClient({ server, token, namespace, appName: "example" });
const show = async () => console.log(await client.render(KEY, { who: "Ada" }));

client.on("update", ({ key }) => {
  if (key === KEY) void show();
});
await show();
await client.watch();
