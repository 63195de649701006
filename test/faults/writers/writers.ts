import { createPool } from '../../../src/db/connect.ts'
import { pause } from '../../../src/db/wait.ts'
import { createStore } from '../../../src/index.ts'
import { type Random, seededRandom } from '../../support/random.ts'
import { Deposited, Withdrawn } from '../../worker/fixtures/accounts.ts'
import { promptIn } from '../definitions/projections.ts'
import type { Calm } from '../kinds/calm.ts'
import { pickWeighted, seedOf, type Weights } from '../weighted.ts'
import { isRefusedAsInline } from './is-refused-as-inline.ts'
import type { Journal } from './journal.ts'
import { type WayName, waysToAppend } from './ways-to-append.ts'
import { Writer } from './writer.ts'

export type WriterWeights = Weights<WayName>

/** How often each way is chosen. */
export const usualWays: WriterWeights = {
  single: 10,
  batch: 4,
  group: 4,
  'many streams': 5,
  conditional: 4,
  keyed: 4,
  'rolled back': 4,
  savepoint: 5,
  'late to append': 5,
  'held open': 1,
  'at one moment': 2,
  'raw insert': 4,
  asynchronous: 3,
  prepared: 1,
  unrelated: 3,
}

/** Those that only hold something for seconds: the writer goes on meanwhile, with so many at most. */
const slowWays: ReadonlySet<WayName> = new Set(['held open', 'prepared'])
const maxSlow = 1

/** So that a run of hours has a log that its oracle can hold in memory. */
const pauseMs = { min: 0, max: 20 }

export interface WritersOptions {
  readonly connectionString: string
  readonly journal: Journal
  readonly seed: number
  readonly count: number
  readonly weights: WriterWeights
  readonly calm: Pick<Calm, 'signal'>
  /** How many events projections are behind. */
  readonly lag: () => bigint
}

/** Writers rest while projections are further behind: so that these meet what happens while it happens. */
const mostLag = 500n

/** The chance of a transaction to be that of a process which knows of no inline projection. */
const unknowing = 0.2

/** Writes in every way until aborted; returns when all that was begun has ended. */
export async function runWriters(options: WritersOptions, signal: AbortSignal): Promise<void> {
  const { connectionString, journal, seed, count, weights, calm, lag } = options
  const applicationName = 'tidemark writers'
  const pool = createPool({ connectionString, applicationName, max: 40 })
  const events = [Deposited, Withdrawn]
  const knowing = await createStore({
    ...{ connectionString, events },
    inline: [promptIn(1), promptIn(2)],
  })
  const plain = await createStore({ connectionString, events })
  try {
    await Promise.all(
      Array.from({ length: count }, (_, index) => {
        const random = seededRandom(seed + index)
        // Each transaction draws for itself: how long it takes changes nothing for those after it.
        const begin = () => {
          const own = seededRandom(seedOf(random))
          const store = own.chance(unknowing) ? plain : knowing
          return new Writer({ store, pool, journal, calm, signal, random: own })
        }
        return write(begin, { weights, random, lag, signal })
      }),
    )
  } finally {
    await Promise.all([knowing.close(), plain.close(), pool.end()])
  }
}

interface Turns {
  readonly weights: WriterWeights
  readonly random: Random
  readonly lag: () => bigint
  readonly signal: AbortSignal
}

async function write(begin: () => Writer, turns: Turns): Promise<void> {
  const { weights, random, lag, signal } = turns
  const slow = new Set<Promise<void>>()
  while (!signal.aborted) {
    const way = pickWeighted(random, weights)
    const writer = begin()
    await pause(random.between(pauseMs.min, pauseMs.max), signal)
    while (lag() > mostLag && (await pause(50, signal)));
    if (!slowWays.has(way)) {
      await attempt(way, writer)
    } else if (slow.size < maxSlow) {
      const held = attempt(way, writer).finally(() => slow.delete(held))
      slow.add(held)
    }
  }
  await Promise.all(slow)
}

/** Makes one transaction. That it fails is no failure here: the journal has what became of it. */
async function attempt(way: WayName, writer: Writer): Promise<void> {
  try {
    await waysToAppend[way](writer)
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) throw error
    if (!isRefusedAsInline(error)) await pause(100, writer.signal)
  }
}
