import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface ChildOptions {
  /** A program of this suite. */
  readonly program: string
  /** Modules that are imported before it. */
  readonly imports?: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly onLine: (line: string) => void
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The end of what it said on its standard error. */
  readonly errors: string
}

const keptErrors = 4_000

/** A process of this suite. It ends with us: its standard input is a pipe that closes then. */
export class Child {
  readonly exit: Promise<Exit>
  readonly #process: ChildProcess
  #hasEnded = false

  constructor({ program, imports = [], env, onLine }: ChildOptions) {
    const flags = imports.flatMap((module) => ['--import', module])
    this.#process = spawn(process.execPath, [...flags, program], {
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#process.stdin?.on('error', () => {})
    this.exit = this.#run(onLine)
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Does nothing once it has ended. */
  kill(signal: NodeJS.Signals): void {
    if (!this.#hasEnded) this.#process.kill(signal)
  }

  async #run(onLine: (line: string) => void): Promise<Exit> {
    const { stdout, stderr } = this.#process
    let errors = ''
    if (stdout !== null) createInterface(stdout).on('line', onLine)
    stderr?.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-keptErrors)
    })
    const [code, signal] = (await once(this.#process, 'close')) as [
      number | null,
      NodeJS.Signals | null,
    ]
    this.#hasEnded = true
    return { code, signal, errors: errors.trim() }
  }
}
