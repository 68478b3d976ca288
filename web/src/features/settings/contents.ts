/** The pages that list what a workspace has, by the platform's noun for it. */
const PAGES: Record<string, string> = { prompt: 'prompts', agent: 'agents', workflow: 'workflows', connection: 'settings-providers', 'API key': 'settings-keys', run: 'runs' }

/** Name of the route that lists these, if the console has it. */
export function pageOf(noun: string, hasRoute: (name: string) => boolean): string | undefined {
  const name = PAGES[noun]
  return name && hasRoute(name) ? name : undefined
}
