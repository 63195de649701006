import type pg from 'pg'
import { until } from '../support/until.ts'

interface State {
  readonly events: string
  readonly sequenced: string
  readonly messages: string
  readonly sequenced_messages: string
  /** Kind, name and version of each subscription. */
  readonly names: readonly string[]
  /** Of each that is behind, or whose keys are not divided as they are to be: where it stands. */
  readonly behind: readonly string[]
}

const limitMs = 120_000
/** Nothing has moved for so long: what was lost stays so, and nothing is gained by waiting. */
const stillMs = 30_000

/**
 * Waits until everything is sequenced and applied.
 *
 * @param names subscriptions that there have to be.
 * @throws Error that says how far it came, when nothing moves any more.
 */
export async function untilCaughtUp(
  pool: pg.Pool,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
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
      return hasCaughtUp(state, names) && 'caught up'
    },
    { timeoutMs: limitMs, intervalMs: 100 },
  )
  if (isCaughtUp === 'still') throw new Error(`nothing moves: ${last}`)
}

function hasCaughtUp(state: State, names: readonly string[]): boolean {
  const { events, sequenced, messages, sequenced_messages, behind } = state
  const areThere = names.every((name) => state.names.includes(name))
  const isSequenced = events === sequenced && messages === sequenced_messages
  return isSequenced && areThere && behind.length === 0
}

async function readState(pool: pg.Pool): Promise<State> {
  const { rows } = await pool.query<State>(/* sql */ `
    select
      (select count(*) from tidemark.events) as events,
      q.position as sequenced,
      (select count(*) from tidemark.outbox) as messages,
      q.outbox_position as sequenced_messages,
      array(
        select distinct concat_ws(' ', s.kind, s.name, s.version)
        from tidemark.subscriptions as s
      ) as names,
      array(
        select
          concat_ws(' ', s.name, s.version, s.partition, s.partitions, s.next_partitions, s.halt_at, s.position, s.state)
        from tidemark.subscriptions as s
        left join tidemark.projections as p
          on s.kind = 'projection' and p.name = s.name and p.version = s.version
        where s.next_partitions is not null
          or s.partitions <> coalesce(p.partitions, 1)
          or p.state = 'building'
          or (
            s.state <> 'inline'
            and (
              s.state <> 'active'
              or s.position <> case s.kind when 'relay' then q.outbox_position else q.position end
            )
          )
        order by s.name, s.version, s.partition
      ) as behind
    from tidemark.sequencer as q`)
  return rows[0] as State
}
