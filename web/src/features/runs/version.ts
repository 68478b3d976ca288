/** A definition's version as people write it: the log keeps a number of an agent or a workflow as it is, a prompt's with its `v`. */
export function versionLabel(version: string): string {
  return /^\d+$/.test(version) ? `v${version}` : version
}
