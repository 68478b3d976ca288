// Compiled like a user's program without Node's types, which the package's declarations must not need.
import { NotFoundError, type Prompt, PromptOpsClient, type Prompts, renderTemplate } from "@promptops/client";
import { FakePromptOpsClient } from "@promptops/client/testing";

interface Visitor {
  readonly who: string;
  visits?: number;
}

export async function welcome(prompts: Prompts, visitor: Visitor): Promise<string[]> {
  const options: { default: string | null } = { default: null };
  // @ts-expect-error text is not an object
  await prompts.render("greeting", "Ada");
  // @ts-expect-error neither is a number
  await prompts.renderMessages("greeting", 7);
  // @ts-expect-error a list has no names
  renderTemplate("{{a}}", ["Ada"]);
  // @ts-expect-error nor does what a Map holds
  await prompts.render("greeting", new Map([["who", "Ada"]]));
  return [await prompts.render("greeting", visitor, options), renderTemplate("{{who}}", visitor)];
}

export async function greet(prompts: Prompts, who: string): Promise<string> {
  return prompts.render("greeting", { who }, { subject: who, strict: true, default: "Hello {{who}}!" });
}

export async function program(): Promise<string[]> {
  const client = new PromptOpsClient({ server: "http://127.0.0.1:8080", namespace: "prod", token: "t", appName: "a" });
  client.on("update", ({ key, prompt, event }) => [key, prompt.version, event.type] satisfies string[]);
  client.on("error", (error) => error.code satisfies string);
  // @ts-expect-error there is no such event
  client.on("updated", () => undefined);
  // @ts-expect-error a key is text
  await client.getPrompt(1);
  const prompt: Prompt = await client.getPrompt("greeting", { refresh: true });
  const age: number | null = prompt.age;
  await client.close();
  const texts = [await greet(new FakePromptOpsClient({ greeting: "Hi {{who}}" }), "Ada"), await greet(client, "Bob")];
  return [...texts, renderTemplate("{{a}}", { a: age }), NotFoundError.name];
}
