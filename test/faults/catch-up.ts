import type pg from 'pg'
import { until } from '../support/until.ts'

interface State {
  readonly events: string
  readonly sequenced: string
  /** Of each subscription: position and state. */
  readonly applied: readonly string[] | null
}

const limitMs = 120_000
/** Nothing has moved for so long: what was lost stays so, and nothing is gained by waiting. */
const stillMs = 30_000

/**
 * Waits until everything is sequenced and applied.
 *
 * @throws Error that says how far it came, when nothing moves any more.
 */
export async function untilCaughtUp(pool: pg.Pool, signal: AbortSignal): Promise<void> {
  let last = ''
  let movedAt = performance.now()
  const isCaughtUp = await until(
    'everything to be sequenced and applied',
    async (saw) => {
      signal.throwIfAborted()
      const state = await readState(pool)
      saw(state)
      const text = JSON.stringify(state)
      if (text !== last) movedAt = performance.now()
      last = text
      if (performance.now() - movedAt > stillMs) return 'still'
      return hasCaughtUp(state) && 'caught up'
    },
    { timeoutMs: limitMs, intervalMs: 100 },
  )
  if (isCaughtUp === 'still') throw new Error(`nothing moves: ${last}`)
}

function hasCaughtUp({ events, sequenced, applied }: State): boolean {
  const atHead = applied?.every((one) => one === `${sequenced} active`) ?? false
  return events === sequenced && atHead
}

async function readState(pool: pg.Pool): Promise<State> {
  const { rows } = await pool.query<State>(/* sql */ `
    select
      (select count(*) from tidemark.events) as events,
      (select position from tidemark.sequencer) as sequenced,
      (select array_agg(position || ' ' || state order by name, version) from tidemark.subscriptions)
        as applied`)
  return rows[0] as State
}
