/** What a first program needs to fetch and watch one prompt. */
export interface FirstProgram {
  server: string
  workspace: string
  key: string
  env: string
  /** Null where the program takes it from its environment. */
  token: string | null
  variables: Record<string, string>
}

export interface Snippet {
  name: string
  write: (program: FirstProgram) => string
}

export const SNIPPETS: readonly Snippet[] = [
  { name: 'Python', write: python },
  { name: 'Node', write: node },
  { name: 'Java', write: java },
  { name: 'curl', write: curl },
]

const text = (value: string) => JSON.stringify(value)

function python({ server, workspace, key, env, token, variables }: FirstProgram): string {
  return [
    ...(token === null ? ['import os', ''] : []),
    'from promptops import PromptOpsClient',
    '',
    `variables = {${Object.entries(variables).map(([name, value]) => `${text(name)}: ${text(value)}`).join(', ')}}`,
    `with PromptOpsClient(${text(server)}, workspace=${text(workspace)}, namespace=${text(env)},`,
    `                     token=${token === null ? 'os.environ["PROMPTOPS_TOKEN"]' : text(token)}, app_name="first-program") as client:`,
    '    client.watch(lambda update: print("changed:", update["key"], update["prompt"]["version"]))',
    `    print(client.render_messages(${text(key)}, variables))`,
    '    input("Publish a version in the console, then press Enter ")',
    `    print(client.render_messages(${text(key)}, variables))`,
  ].join('\n')
}

function node({ server, workspace, key, env, token, variables }: FirstProgram): string {
  return [
    'import { PromptOpsClient } from "@promptops/client";',
    '',
    'const client = new PromptOpsClient({',
    `  server: ${text(server)}, workspace: ${text(workspace)}, namespace: ${text(env)},`,
    `  token: ${token === null ? 'process.env.PROMPTOPS_TOKEN' : text(token)}, appName: "first-program",`,
    '});',
    `const show = async () => console.log(await client.renderMessages(${text(key)}, ${JSON.stringify(variables)}));`,
    'client.on("update", show);',
    'await client.watch();',
    'await show();',
  ].join('\n')
}

function java({ server, workspace, key, env, token, variables }: FirstProgram): string {
  const values = Object.entries(variables).map(([name, value]) => `${text(name)}, ${text(value)}`).join(', ')
  return [
    `var client = PromptOpsClient.builder(${text(server)}).workspace(${text(workspace)}).namespace(${text(env)})`,
    `    .token(${token === null ? 'System.getenv("PROMPTOPS_TOKEN")' : text(token)}).appName("first-program").build();`,
    'client.watch(key -> System.out.println("changed: " + key));',
    `System.out.println(client.renderMessages(${text(key)}, Map.of(${values})));`,
  ].join('\n')
}

function curl({ server, workspace, key, env, token }: FirstProgram): string {
  const query = new URLSearchParams({ env, workspace }).toString()
  return [`curl -s -H "Authorization: Bearer ${token ?? '$PROMPTOPS_TOKEN'}" \\`, `  '${server}/api/sdk/prompts/${encodeURIComponent(key)}?${query}'`].join('\n')
}
