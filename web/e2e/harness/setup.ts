import { Platform } from './platform.ts'

/** One platform for all tests, as `make up` starts it; tests keep apart by workspaces of their own. */
export default async function setup(): Promise<() => Promise<void>> {
  const platform = await Platform.start(['make', '--silent', 'up'])
  process.env.PROMPTOPS_BROWSER_URL = platform.url
  process.env.PROMPTOPS_BROWSER_DATA = platform.data
  return () => platform.stop()
}
