import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { pause } from '../../src/db/wait.ts'
import { type Background, inBackground } from '../sequencer/background.ts'
import { type Random, seededRandom } from '../support/random.ts'
import { applyParked } from './apply-parked.ts'
import { Broker } from './broker.ts'
import { untilCaughtUp } from './catch-up.ts'
import { publishing } from './definitions/messages.ts'
import { lastingSubscriptions } from './definitions/projections.ts'
import { AddedReactors } from './kinds/added-reactors.ts'
import { Calm } from './kinds/calm.ts'
import { runSchedule } from './kinds/schedule.ts'
import { countLedgerFailpoint, setLedgerFailpoint } from './ledger-failpoint.ts'
import { mutatedFiles } from './mutations.ts'
import { checkDatabase } from './oracle/check-database.ts'
import { FaultList, type Rule } from './oracle/fault-list.ts'
import type { RunSettings } from './run-settings.ts'
import { type FaultServer, startFaultServer } from './server.ts'
import { Tally } from './tally.ts'
import { Watcher } from './watcher.ts'
import { seedOf } from './weighted.ts'
import { drawWorkerPlan, quietWorkerPlan, type WorkerPlan } from './worker-plan.ts'
import { Workers } from './workers.ts'
import { Journal } from './writers/journal.ts'
import { runWriters } from './writers/writers.ts'

export interface RunOptions {
  readonly seed: number
  readonly minutes: number
  readonly workers: number
  readonly settings: RunSettings
  /** The run ends as soon as one of these is broken. Default: any. */
  readonly until?: readonly Rule[]
  readonly onProgress: (progress: Progress) => void
}

/** How far a run has come. */
export interface Progress {
  readonly seconds: number
  readonly transactions: number
  readonly position: bigint
  readonly faults: number
  readonly restarts: number
}

/** What happened in a run, and what was found that must not be. */
export interface RunResult extends Progress {
  readonly journal: Journal
  readonly faultTally: Tally
  readonly failpointTally: Tally
  /** What became of changes of subscriptions. */
  readonly changeTally: Tally
  /** Messages that came to the broker, and those of them that came again. */
  readonly messages: { readonly arrived: number; readonly repeated: number }
  readonly found: FaultList
}

const progressMs = 10_000
/** What is asked to end has that long, behind whatever it holds. */
const stopLimitMs = 60_000

/**
 * Runs the product on a server of its own, with everything that may happen to it, until the time is up
 * or something is found that must not be. Then lets it catch up, and asks the oracle.
 *
 * @throws the signal's reason when aborted. Nothing is left running then.
 */
export async function runFaults(options: RunOptions, signal: AbortSignal): Promise<RunResult> {
  await using stack = new AsyncDisposableStack()
  const server = stack.use(await startFaultServer())
  const broker =
    options.settings.projections === 'few'
      ? undefined
      : stack.use(await Broker.start(seededRandom(options.seed)))
  if (broker !== undefined) await server.pool.query(publishing)
  const run = new Run(options, server, broker)
  stack.defer(() => run.breakOff())
  return await run.run(signal)
}

class Run {
  readonly #options: RunOptions
  readonly #server: FaultServer
  readonly #broker: Broker | undefined
  readonly #random: Random
  readonly #journal = new Journal()
  readonly #found = new FaultList()
  readonly #faultTally = new Tally()
  readonly #failpointTally = new Tally()
  readonly #changeTally = new Tally()
  readonly #calm = new Calm()
  readonly #reactors = new AddedReactors()
  readonly #watcher: Watcher
  readonly #began = performance.now()
  readonly #over = new AbortController()
  readonly #workers: Workers[] = []

  constructor(options: RunOptions, server: FaultServer, broker: Broker | undefined) {
    this.#options = options
    this.#server = server
    this.#broker = broker
    this.#random = seededRandom(options.seed)
    this.#watcher = new Watcher(server.connectionString, this.#found, broker?.arrived)
  }

  async run(signal: AbortSignal): Promise<RunResult> {
    await this.#mutateDatabase()
    const watching = this.#background((stop) => this.#watcher.run(stop))
    await this.#misbehave(signal)
    if (!this.#isOver()) {
      await this.#catchUp(signal)
      await watching.stop()
      await this.#watcher.recheck(this.#server.pool)
      await checkDatabase(this.#server.pool, this.#found, {
        transactions: this.#journal.entries,
        reactors: this.#reactors.known,
        arrived: this.#broker?.arrived,
      })
    }
    for (const name of await countLedgerFailpoint(this.#server.postgres.logFile)) {
      this.#failpointTally.add(name)
    }
    return {
      ...this.#progress(),
      journal: this.#journal,
      faultTally: this.#faultTally,
      failpointTally: this.#failpointTally,
      changeTally: this.#changeTally,
      messages: {
        arrived: this.#broker?.arrived.size ?? 0,
        repeated: this.#broker?.repeated ?? 0,
      },
      found: this.#found,
    }
  }

  /** Ends whatever still runs, at once. */
  breakOff(): void {
    this.#over.abort()
    for (const workers of this.#workers) workers.killAll()
  }

  /** Everything at once, until the time is up or a rule is broken. */
  async #misbehave(signal: AbortSignal): Promise<void> {
    const { settings, minutes } = this.#options
    const workers = this.#makeWorkers((random) => drawWorkerPlan(random, settings))
    const working = this.#background((stop) => workers.run(stop))
    const writing = this.#background((stop) => this.#write(stop))
    const faulting = this.#background((stop) => this.#doHarm(workers, stop))
    const deadline = this.#began + minutes * 60_000
    let nextProgress = this.#began + progressMs
    while (performance.now() < deadline && !this.#isOver()) {
      await delay(50, undefined, { signal })
      if (performance.now() < nextProgress) continue
      nextProgress += progressMs
      this.#options.onProgress(this.#progress())
    }
    if (this.#isOver()) return
    await faulting.stop()
    await setLedgerFailpoint(this.#server.pool, { kill: 0, stall: 0 })
    await writing.stop()
    await working.stop()
    this.#requireMutated(workers)
  }

  async #catchUp(signal: AbortSignal): Promise<void> {
    const { settings } = this.#options
    const workers = this.#makeWorkers(() => quietWorkerPlan(settings))
    const working = this.#background((stop) => workers.run(stop))
    const names = [...lastingSubscriptions(settings.projections), ...this.#reactors.names]
    try {
      await untilCaughtUp(this.#server.pool, names, signal)
      if (settings.projections === 'all') {
        await applyParked(this.#server.connectionString, signal)
      }
      await untilCaughtUp(this.#server.pool, names, signal)
    } catch (error) {
      signal.throwIfAborted()
      this.#found.add('stuck', `workers do not catch up: ${(error as Error).message}`)
    }
    await working.stop()
  }

  #write(stop: AbortSignal): Promise<void> {
    const { seed, settings } = this.#options
    const { connectionString } = this.#server
    const { writers: count, ways: weights } = settings
    const writers = {
      ...{ connectionString, seed, count, weights },
      ...{ journal: this.#journal, calm: this.#calm, lag: () => this.#watcher.lag },
    }
    return runWriters(writers, stop)
  }

  /** Not before the log moves: else a short run could end before it has begun. */
  async #doHarm(workers: Workers, stop: AbortSignal): Promise<void> {
    const { settings } = this.#options
    while (this.#watcher.position === 0n && (await pause(50, stop)));
    const context = {
      server: this.#server,
      workers,
      broker: this.#broker,
      faults: this.#found,
      failpoints: this.#failpointTally,
      changes: this.#changeTally,
      weights: settings.failpoints,
      journal: this.#journal,
      calm: this.#calm,
      reactors: this.#reactors,
      signal: stop,
    }
    const random = seededRandom(seedOf(this.#random))
    const position = () => this.#watcher.position
    await runSchedule({ context, random, settings, position, tally: this.#faultTally }, stop)
  }

  #makeWorkers(plan: (random: Random) => WorkerPlan): Workers {
    const workers = new Workers({
      env: this.#server.env,
      count: this.#options.workers,
      random: seededRandom(seedOf(this.#random)),
      plan,
      reactors: () => this.#reactors.definitions,
      brokerUrl: this.#broker?.url ?? null,
      faults: this.#found,
      failpoints: this.#failpointTally,
      changes: this.#changeTally,
    })
    this.#workers.push(workers)
    return workers
  }

  async #mutateDatabase(): Promise<void> {
    const { settings } = this.#options
    for (const { path, isSql, mutate } of mutatedFiles(settings.mutations)) {
      // Also of what the workers load, so that a text that is not there ends the run at once.
      const text = mutate(await readFile(path, 'utf8'))
      if (isSql) await this.#server.pool.query(text)
    }
    for (const statement of settings.statements) await this.#server.pool.query(statement)
  }

  #requireMutated(workers: Workers): void {
    const modules = mutatedFiles(this.#options.settings.mutations).filter(({ isSql }) => !isSql)
    if (modules.length > 0 && workers.mutated === 0) {
      throw new Error('no worker has loaded the mutated source')
    }
  }

  #isOver(): boolean {
    const { until } = this.#options
    return until === undefined ? !this.#found.isEmpty : this.#found.hasAny(until)
  }

  #background(run: (stop: AbortSignal) => Promise<void>): Background {
    const ended = (stop: AbortSignal) => AbortSignal.any([stop, this.#over.signal])
    return inBackground((stop) => run(ended(stop)), stopLimitMs)
  }

  #progress(): Progress {
    return {
      seconds: (performance.now() - this.#began) / 1_000,
      transactions: this.#journal.entries.length,
      position: this.#watcher.position,
      faults: this.#faultTally.total + this.#failpointTally.total,
      restarts: this.#workers.reduce((sum, workers) => sum + workers.restarts, 0),
    }
  }
}
