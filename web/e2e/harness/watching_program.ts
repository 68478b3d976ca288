import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { ROOT } from './platform.ts'

const PROGRAM = fileURLToPath(new URL('watching_program.py', import.meta.url))

/** A program that uses the Python SDK: what it has printed are the texts of the prompt, as it got them. */
export class WatchingProgram {
  readonly texts: string[] = []
  private readonly child: ChildProcess

  constructor(server: string, workspace: string, key: string) {
    this.child = spawn(join(ROOT, '.venv/bin/python'), [PROGRAM, server, workspace, key], {
      env: { ...process.env, PYTHONPATH: join(ROOT, 'sdk/python') },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    if (this.child.stdout) createInterface({ input: this.child.stdout }).on('line', (line) => this.texts.push(line))
  }

  get latest(): string | undefined {
    return this.texts.at(-1)
  }

  stop(): void {
    this.child.kill()
  }
}
