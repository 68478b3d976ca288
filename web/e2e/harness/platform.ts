import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
export const TOKEN = 'promptops-dev-token'
const START_SECONDS = 180
const STOP_SECONDS = 60
const ASK_AGAIN_MS = 200

/** A port of 127.0.0.1 on which nothing listens at the moment. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** A real platform in processes of its own, with a data folder of its own; it can be killed and started again. */
export class Platform {
  readonly url: string
  readonly data = mkdtempSync(join(tmpdir(), 'promptops-browser-'))
  private process: ChildProcess | undefined

  private constructor(
    private readonly command: string[],
    private readonly port: number,
    private readonly prefectPort: number,
  ) {
    this.url = `http://127.0.0.1:${port}`
  }

  /** `command` starts it, such as `make up`, in the project's folder. */
  static async start(command: string[]): Promise<Platform> {
    const platform = new Platform(command, await freePort(), await freePort())
    try {
      await platform.launch()
    } catch (error) {
      await platform.stop()
      throw error
    }
    return platform
  }

  /** Start it and wait until it serves; runs wait by themselves until Prefect is there. */
  async launch(): Promise<void> {
    const output = openSync(this.output, 'a')
    const [executable, ...rest] = this.command
    this.process = spawn(executable as string, rest, {
      cwd: ROOT,
      env: { ...process.env, PROMPTOPS_ADDR: `127.0.0.1:${this.port}`, PROMPTOPS_DATA: this.data, PROMPTOPS_PREFECT_PORT: String(this.prefectPort) },
      stdio: ['ignore', output, output],
      detached: true,
    })
    const end = Date.now() + START_SECONDS * 1000
    while (Date.now() < end) {
      if (this.process.exitCode !== null) throw new Error(`The platform ended with ${this.process.exitCode}:\n${this.log}`)
      if (await isFine(`${this.url}/ready`)) return
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS))
    }
    throw new Error(`The platform is not ready after ${START_SECONDS} s:\n${this.log}`)
  }

  /** End all its processes at once, as a crash would. */
  async kill(): Promise<void> {
    await this.end('SIGKILL')
  }

  /** End it in good order and remove its files. */
  async stop(): Promise<void> {
    await this.end('SIGTERM')
    rmSync(this.data, { recursive: true, force: true })
  }

  /** What it has printed and logged. */
  get log(): string {
    return readFileSync(this.output, 'utf8')
  }

  private get output(): string {
    return join(this.data, 'output.log')
  }

  private async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.process
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    process.kill(-child.pid, signal)
    const late = setTimeout(() => process.kill(-(child.pid as number), 'SIGKILL'), STOP_SECONDS * 1000)
    await ended
    clearTimeout(late)
  }
}

async function isFine(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  } catch {
    return false
  }
}
