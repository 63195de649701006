import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { pause } from '../../src/db/wait.ts'
import { type Random, seededRandom } from '../support/random.ts'
import { Child, type Exit } from './child.ts'
import type { LateReactor } from './definitions/late-reactor.ts'
import type { FaultList } from './oracle/fault-list.ts'
import type { WorkerSettings } from './processes/worker.ts'
import type { Tally } from './tally.ts'
import { seedOf } from './weighted.ts'
import type { WorkerPlan } from './worker-plan.ts'

export interface WorkersOptions {
  /** What each needs to know. */
  readonly env: Readonly<Record<string, string>>
  readonly count: number
  readonly random: Random
  /** Draws how the next worker of a place is started. */
  readonly plan: (random: Random) => WorkerPlan
  /** Reactors that were added, for those that start now. */
  readonly reactors: () => readonly LateReactor[]
  /** Where messages are published to; null when none are. */
  readonly brokerUrl: string | null
  readonly faults: FaultList
  /** Failpoints that were reached. */
  readonly failpoints: Tally
  /** What became of events. */
  readonly changes: Tally
}

const program = join(import.meta.dirname, 'processes/worker.ts')
const mutate = pathToFileURL(join(import.meta.dirname, 'processes/mutate.ts')).href

/** Exits that are a fault's doing or asked for. */
type Expectation = 'killed' | 'asked to end' | 'not started'

/** One worker after the other, each started when the one before has ended. */
class Place {
  /** Of its own, so that when another place starts a worker changes nothing for it. */
  readonly random: Random
  child: Child | undefined
  /** The last time it said that it leads. */
  ledAt = 0
  isStopped = false
  expected: Expectation | undefined

  constructor(random: Random) {
    this.random = random
  }
}

/** Keeps a number of workers running, whatever befalls them. */
export class Workers {
  readonly #options: WorkersOptions
  readonly #places: readonly Place[]
  #restarts = 0
  #mutated = 0

  constructor(options: WorkersOptions) {
    this.#options = options
    this.#places = Array.from({ length: options.count }, () => {
      return new Place(seededRandom(seedOf(options.random)))
    })
  }

  /** Workers that were started in the place of one that had ended. */
  get restarts(): number {
    return this.#restarts
  }

  /** Files that were loaded with a mutation. */
  get mutated(): number {
    return this.#mutated
  }

  /** Runs them until aborted; then asks each to end, and waits for that. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#places.map((place) => this.#keep(place, signal)))
  }

  /** The worker that led last, if it still runs and is not stopped, else any that does; else undefined. */
  choose(random: Random, leader: boolean): Place | undefined {
    const running = this.#places.filter(
      ({ child, isStopped, expected }) =>
        child !== undefined && !child.hasEnded && !isStopped && expected === undefined,
    )
    if (running.length === 0) return undefined
    const drawn = random.pick(running)
    const last = running.toSorted((a, b) => b.ledAt - a.ledAt)[0]
    return leader && last !== undefined && last.ledAt > 0 ? last : drawn
  }

  kill(place: Place): void {
    place.expected = 'killed'
    place.child?.kill('SIGKILL')
  }

  /** Asks one to end in good order; the next may be of another mode. */
  ask(place: Place): void {
    place.expected = 'asked to end'
    place.child?.kill('SIGTERM')
  }

  /** Stops a process as it stands. It holds whatever it holds until it is woken. */
  stop(place: Place): void {
    place.isStopped = true
    place.child?.kill('SIGSTOP')
  }

  wake(place: Place): void {
    place.isStopped = false
    place.child?.kill('SIGCONT')
  }

  /** For when the run is broken off. */
  killAll(): void {
    for (const place of this.#places) this.kill(place)
  }

  async #keep(place: Place, signal: AbortSignal): Promise<void> {
    const { plan } = this.#options
    while (!signal.aborted) {
      place.expected = undefined
      place.isStopped = false
      place.ledAt = 0
      place.child = this.#start(place, plan(seededRandom(seedOf(place.random))))
      const ask = () => this.ask(place)
      signal.addEventListener('abort', ask, { once: true })
      const exit = await place.child.exit
      signal.removeEventListener('abort', ask)
      this.#judge(place, exit)
      if (!signal.aborted) this.#restarts += 1
      await pause(20, signal)
    }
  }

  #start(place: Place, plan: WorkerPlan): Child {
    const { mode, rule, mutations, waitsForStandby, projections, hasDefect } = plan
    const { brokerUrl } = this.#options
    const reactors = this.#options.reactors()
    const settings: WorkerSettings = { mode, rule, projections, hasDefect, reactors, brokerUrl }
    return new Child({
      program,
      imports: mutations.length > 0 ? [mutate] : [],
      env: {
        ...this.#options.env,
        TIDEMARK_FAULTS_WORKER: JSON.stringify(settings),
        TIDEMARK_FAULTS_MUTATIONS: mutations.join(','),
        ...(waitsForStandby ? {} : { PGOPTIONS: '-c synchronous_commit=local' }),
      },
      onLine: (line) => this.#hear(place, line),
    })
  }

  #hear(place: Place, line: string): void {
    const { failpoints, faults, changes } = this.#options
    const [word = '', ...rest] = line.split(' ')
    if (word === 'leading') place.ledAt = performance.now()
    if (word === 'mutated') this.#mutated += 1
    if (word === 'parked') changes.add('keys parked')
    if (line === 'not started') place.expected = 'not started'
    if (word === 'error') faults.add('stuck', `a worker gave something up: ${rest.join(' ')}`)
    if (word !== 'failpoint') return
    failpoints.add(rest.join(' '))
    if (rest[1] === 'kill') place.expected ??= 'killed'
  }

  #judge({ expected }: Place, { code, signal, errors }: Exit): void {
    // SIGTERM itself ends a worker that was asked before it listened.
    const isEnded = code === 0 || signal === 'SIGKILL' || signal === 'SIGTERM'
    if (isEnded && expected !== undefined) return
    const how = signal ?? `exit code ${code}`
    this.#options.faults.add('stuck', `a worker ended by itself with ${how}: ${errors}`)
  }
}
