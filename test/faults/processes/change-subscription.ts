// Changes a subscription while everything runs, and may die in between. A refusal, or a server that goes
// away, is said and no failure.
import { writeSync } from 'node:fs'
import { isTransient } from '../../../src/db/sqlstate.ts'
import { createStore, isTidemarkError, type Store } from '../../../src/index.ts'
import { projectionsOf } from '../definitions/projections.ts'
import { type FailpointRule, obeyRule } from '../failpoint-rule.ts'

/** What is done to a projection. */
export interface Change {
  readonly change: ChangeName
  readonly projection: string
  /** Default: 1. */
  readonly version?: number
  /** Partitions: that build a version, or that it gets. */
  readonly partitions?: number
  /** Whether events are applied by the code that cannot apply some of them. */
  readonly hasDefect?: boolean
}

/** Given in the environment, as JSON. */
export interface ChangeSettings extends Change {
  readonly rule: FailpointRule | null
}

const batchSize = 200

type CarryOut = (store: Store, change: Required<Change>, signal: AbortSignal) => Promise<unknown>

const changes = {
  rebuild: (store, change, signal) => {
    const { partitions: parallel } = change
    const options = { batchSize, signal, ...(parallel > 1 ? { parallel } : {}) }
    return store.rebuild(definitionOf(change), options)
  },
  /** From the beginning. */
  replay: (store, change, signal) =>
    store.replay(definitionOf(change), { from: 1n, batchSize, signal }),
  promote: (store, { projection, version }) => store.promote(projection, { version }),
  rollback: (store, { projection }) => store.rollback(projection),
  drop: (store, { projection, version }) => store.drop(projection, version),
  /** The projection goes. */
  remove: (store, { projection, version }) => store.drop(projection, version, { live: true }),
  inline: (store, { projection }) => store.setMode(projection, 'inline'),
  async: (store, { projection }) => store.setMode(projection, 'async'),
  repartition: (store, { projection, version, partitions }, signal) =>
    store.repartition(projection, partitions, { version, signal }),
  retry: async (store, change, signal) => {
    const { applied } = await store.parked.retry(definitionOf(change), { signal })
    tell(`applied ${applied}`)
  },
} as const satisfies Record<string, CarryOut>

export type ChangeName = keyof typeof changes

const limitMs = 30_000

const settings = JSON.parse(process.env.TIDEMARK_FAULTS_CHANGE ?? '') as ChangeSettings
if (settings.rule !== null) obeyRule(settings.rule)
process.stdin.once('end', () => process.exit(1)).resume()

try {
  await using store = await createStore({ connectionString: process.env.DATABASE_URL ?? '' })
  const carryOut: CarryOut = changes[settings.change]
  const change = { version: 1, partitions: 1, hasDefect: false, ...settings }
  await carryOut(store, change, AbortSignal.timeout(limitMs))
  tell('done')
} catch (error) {
  if (!isTidemarkError(error) && !isTransient(error)) throw error
  tell('refused')
}
process.stdin.destroy()

function definitionOf({ projection, version, hasDefect }: Required<Change>) {
  const all = projectionsOf('all', hasDefect)
  const found = all.find((one) => one.name === projection && one.version === version)
  if (found === undefined) throw new RangeError(`nobody defines "${projection}" version ${version}`)
  return found
}

function tell(line: string): void {
  writeSync(1, `${line}\n`)
}
