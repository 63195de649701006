// Appends for a while, and may die before it commits what it has applied inline. Tells on its standard
// output which events a transaction is about to append, and what became of them.
import { writeSync } from 'node:fs'
import { createPool } from '../../../src/db/connect.ts'
import { isTransient } from '../../../src/db/sqlstate.ts'
import { createStore, isTidemarkError } from '../../../src/index.ts'
import { seededRandom } from '../../support/random.ts'
import { events as definitions } from '../definitions/levels.ts'
import { promptIn } from '../definitions/projections.ts'
import { type FailpointRule, obeyRule } from '../failpoint-rule.ts'
import { eventId } from '../writers/journal.ts'
import { type IdentifiedEvent, idsOf, Writer } from '../writers/writer.ts'

/** Given in the environment, as JSON. */
export interface AppenderSettings {
  readonly seed: number
  readonly rule: FailpointRule | null
  /** Which ids are its own. */
  readonly firstId: number
  readonly idCount: number
}

const transactions = 60
const mostEvents = 5

const settings = JSON.parse(process.env.TIDEMARK_FAULTS_APPENDER ?? '') as AppenderSettings
const { seed, rule, firstId, idCount } = settings
if (rule !== null) obeyRule(rule)
process.stdin.once('end', () => process.exit(1)).resume()

const connectionString = process.env.DATABASE_URL ?? ''
const signal = new AbortController().signal
let drawn = 0

try {
  const inline = [promptIn(1), promptIn(2)]
  await using store = await createStore({ connectionString, events: definitions, inline })
  await using stack = new AsyncDisposableStack()
  const pool = createPool({ connectionString, applicationName: 'tidemark appender', max: 2 })
  stack.defer(() => pool.end())
  const journal = { drawId, settle }
  const writer = new Writer({
    ...{ store, pool, journal, signal },
    random: seededRandom(seed),
    calm: { signal },
  })
  for (let n = 0; n < transactions; n += 1) await attempt(() => appendOnce(writer))
  tell('done')
} catch (error) {
  if (!isTidemarkError(error) && !isTransient(error)) throw error
  tell('refused')
}
process.stdin.destroy()

function drawId(): string {
  if (drawn === idCount) throw new RangeError(`it has ${idCount} ids`)
  drawn += 1
  return eventId(firstId + drawn - 1)
}

function settle(_kind: string, ids: readonly string[], fate: string): void {
  if (ids.length > 0) tell(`ended ${ids[0]} ${fate}`)
}

function begin(events: readonly IdentifiedEvent[]): void {
  tell(`begun ${idsOf(events).join(' ')}`)
}

/** Alone, with another stream, or in a transaction of its own making. */
async function appendOnce(writer: Writer): Promise<void> {
  const { random, store, pool } = writer
  const account = writer.account()
  const streamId = writer.streamOf(account)
  const makeEvents = async () => {
    const events = await writer.events(pool, account, random.between(1, mostEvents))
    begin(events)
    return events
  }
  if (random.chance(0.3)) {
    await writer.transaction('appender', async (tx) => {
      const events = await makeEvents()
      await store.append(streamId, events, { tx })
      return events
    })
    return
  }
  const events = await makeEvents()
  await writer.record('appender', events, () =>
    random.chance(0.5) ? store.append(streamId, events) : store.appendMany([{ streamId, events }]),
  )
}

/** The server may be away, or refuse: what became of it is told. */
async function attempt(append: () => Promise<void>): Promise<void> {
  try {
    await append()
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) throw error
  }
}

function tell(line: string): void {
  writeSync(1, `${line}\n`)
}
