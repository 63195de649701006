import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Chance } from './chance.ts'

export interface WorkersOptions {
  /** The worker's source file. It says something on standard output when it begins. */
  readonly program: URL
  readonly count: number
  readonly env: Readonly<Record<string, string>>
  readonly chance: Chance
}

/** How long a worker lives, once it has begun. */
const lifeMs = { shortest: 200, longest: 3_000 }

/** How long a worker may take to end when it is asked to. */
const endMs = 20_000

/** Where workers find what others of them have compiled: they start often. */
const compileCache = fileURLToPath(new URL('../../node_modules/.cache/examples', import.meta.url))

/** Worker processes that are killed at random and started again. */
export class Workers implements AsyncDisposable {
  readonly #options: WorkersOptions
  readonly #calm = new AbortController()
  readonly #stop = new AbortController()
  readonly #begun: PromiseWithResolvers<void>[] = []
  readonly #places: Promise<void>[] = []
  readonly #faults: string[] = []
  #started = 0
  #killed = 0

  constructor(options: WorkersOptions) {
    this.#options = options
    for (let place = 0; place < options.count; place += 1) {
      const begun = Promise.withResolvers<void>()
      this.#begun.push(begun)
      this.#places.push(this.#keep(begun.resolve, options.chance.named(`worker ${place}`)))
    }
  }

  /** Processes that were started. */
  get started(): number {
    return this.#started
  }

  /** Processes that were killed by SIGKILL. */
  get killed(): number {
    return this.#killed
  }

  /** Workers that ended by themselves, and why. */
  get faults(): readonly string[] {
    return this.#faults
  }

  /** Waits until the first of each place has begun, or has ended. */
  async begun(): Promise<void> {
    await Promise.all(this.#begun.map(({ promise }) => promise))
  }

  /** Kills no more: the workers that run now go on to the end. */
  calm(): void {
    this.#calm.abort()
  }

  /** Asks all workers to end, and waits for that. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#places)
  }

  /** One worker after the other. */
  async #keep(onBegun: () => void, chance: Chance): Promise<void> {
    while (!this.#stop.signal.aborted) await this.#run(onBegun, chance)
  }

  async #run(onBegun: () => void, chance: Chance): Promise<void> {
    const { program, env } = this.#options
    const worker = spawn(process.execPath, [fileURLToPath(program)], {
      env: { NODE_COMPILE_CACHE: compileCache, ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#started += 1
    let said = ''
    worker.stderr.on('data', (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(-2_000)
    })
    const ended = new AbortController()
    const closed = once(worker, 'close').finally(() => ended.abort())
    await once(worker.stdout, 'data', { signal: ended.signal }).catch(() => {})
    onBegun()
    const isKilled = await this.#end(worker, chance, ended.signal)
    const [code, signal] = (await closed) as [number | null, NodeJS.Signals | null]
    if (isKilled) this.#killed += 1
    else if (code !== 0) this.#faults.push(`a worker ended with ${signal ?? code}: ${said.trim()}`)
  }

  /** Ends a worker by SIGKILL when its time is over; in calm, by request when all are to end. */
  async #end(worker: ChildProcess, chance: Chance, ended: AbortSignal): Promise<boolean> {
    const life = chance.between(lifeMs.shortest, lifeMs.longest)
    const [calm, stop] = [this.#calm.signal, this.#stop.signal]
    await pause(life, AbortSignal.any([ended, calm, stop]))
    if (!ended.aborted && !calm.aborted && !stop.aborted) return worker.kill('SIGKILL')
    const over = AbortSignal.any([ended, stop])
    if (!over.aborted) await once(over, 'abort')
    worker.kill('SIGTERM')
    await pause(endMs, ended)
    if (!ended.aborted) this.#faults.push(`a worker did not end within ${endMs} ms`)
    worker.kill('SIGKILL')
    return false
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {})
}
