// One client for the whole server, also while `next dev` loads modules again.

import { PromptOpsClient } from "@promptops/client";

const {
  PROMPTOPS_SERVER: server = "http://127.0.0.1:8080",
  PROMPTOPS_TOKEN: token = "promptops-dev-token",
  PROMPTOPS_NAMESPACE: namespace = "prod",
} = process.env;

const start = () => {
  const client = new PromptOpsClient({ server, token, namespace, appName: "nextjs-app" });
  void client.watch();
  return client;
};

export const prompts = (globalThis.promptopsClient ??= start());
