import type pg from 'pg'
import { onTestFinished } from 'vitest'
import type { SequencedEvent } from '../../src/core/recorded-event.ts'
import { createPool } from '../../src/db/connect.ts'
import { logNames } from '../../src/db/log-names.ts'
import { createCheckpoint } from '../../src/subscriptions/checkpoint.ts'
import type { Chunk } from '../../src/subscriptions/lane.ts'
import { LogSession } from '../../src/subscriptions/log-session.ts'
import { runSubscription, type SubscriptionEnd } from '../../src/subscriptions/run-subscription.ts'
import type { Subscriber } from '../../src/subscriptions/subscriber.ts'
import type { SubscriptionContext } from '../../src/subscriptions/subscription-context.ts'
import type { SubscriptionId } from '../../src/subscriptions/subscription-id.ts'
import { type Background, inBackground } from '../sequencer/background.ts'
import { type CapturedLog, captureLog } from '../sequencer/captured-log.ts'
import { until } from '../support/until.ts'

export const names = logNames()

export interface RunOptions extends Partial<SubscriptionContext> {
  readonly connectionString: string
  /** Believes that it owns the subscription, whoever else does. */
  readonly forced?: boolean
}

export interface RunningSubscription extends Background {
  readonly log: CapturedLog
  /** Positions at which chunks ended. */
  readonly chunks: readonly bigint[]
  readonly result: Promise<SubscriptionEnd>
}

/** Runs a subscription as one process would, with a pool and a session of its own. */
export function startSubscription(
  subscriber: Subscriber,
  options: RunOptions,
): RunningSubscription {
  const { connectionString, forced, ...context } = options
  const log = captureLog()
  const pool = createPool({ connectionString, applicationName: 'tidemark worker' })
  const session = new LogSession({ connectionString, names, logger: log, pollIntervalMs: 50 })
  if (forced === true) {
    session.own = async (_id, signal) => {
      await session.head.beyond(0n, signal)
      const lease = { lost: new AbortController().signal, release: async () => {} }
      return signal.aborted ? undefined : lease
    }
  }
  const chunks: bigint[] = []
  const { promise, resolve } = Promise.withResolvers<SubscriptionEnd>()
  const background = inBackground(async (signal) => {
    const over = new AbortController()
    const ended = AbortSignal.any([signal, over.signal])
    const running = session.run(ended)
    try {
      resolve(
        await runSubscription(
          subscriber,
          {
            pool,
            names,
            session,
            logger: log,
            owner: 'test',
            batchSize: 100,
            maxAttempts: 3,
            onChunk: (position) => chunks.push(position),
            ...context,
          },
          signal,
        ),
      )
    } finally {
      over.abort()
      await running
      await pool.end()
    }
  })
  onTestFinished(() => background.stop())
  return { ...background, log, chunks, result: promise }
}

export interface AsksCheckpoint {
  query(text: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>
}

export interface SubscriptionRow {
  readonly position: bigint
  readonly state: string
  readonly error: Record<string, unknown> | null
}

export async function readSubscription(
  asks: AsksCheckpoint,
  name: string,
): Promise<SubscriptionRow | undefined> {
  const { rows } = await asks.query(
    'select position::text, state, error from tidemark.subscriptions where name = $1',
    [name],
  )
  const [row] = rows
  return (
    row && {
      position: BigInt(row.position as string),
      state: row.state as string,
      error: row.error as Record<string, unknown> | null,
    }
  )
}

/** Waits until a checkpoint is at a position. */
export async function untilAt(
  asks: AsksCheckpoint,
  name: string,
  position: bigint,
  timeoutMs = 10_000,
): Promise<void> {
  await until(
    `subscription "${name}" to be at ${position}`,
    async (saw) => {
      const row = await readSubscription(asks, name)
      saw(row)
      return row?.position === position
    },
    { timeoutMs },
  )
}

/**
 * A subscriber that writes down what it applies, in the order in which it does. The table has no
 * constraint: what is applied twice stands there twice.
 */
export async function recordingSubscriber(
  asks: AsksCheckpoint & Parameters<typeof createCheckpoint>[0],
  name: string,
  options: { readonly types?: readonly string[]; readonly from?: bigint } = {},
): Promise<Subscriber> {
  const id: SubscriptionId = { kind: 'process', name, version: 1 }
  await asks.query(/* sql */ `
    create table if not exists applied (
      n bigint generated always as identity, name text, position bigint, event text
    )`)
  await createCheckpoint(asks, names, id, options.from ?? 0n)
  return {
    id,
    types: options.types ?? ['noted', 'odd', 'even'],
    fetches: true,
    durable: true,
    upcast: (event) => event,
    lanes: [{ name: 'applied', keyOf: (event) => event.streamId, apply, ...uncached }],
  }

  async function apply(client: pg.ClientBase, { events }: Chunk): Promise<void> {
    await client.query(
      /* sql */ `
        insert into applied (name, position, event)
        select $1, e.position, e.event
        from unnest($2::bigint[], $3::text[]) with ordinality as e (position, event, n)
        order by e.n`,
      [
        name,
        events?.map((event) => event.position.toString()),
        events?.map((event) => `${event.streamId}/${event.version}`),
      ],
    )
  }
}

const uncached = { committed: () => {}, reset: () => {} }

/** Applies events as a subscriber with one lane does. */
export type Apply = (client: pg.ClientBase, events: readonly SequencedEvent[]) => Promise<void>

/** The subscriber with one lane that applies otherwise. */
export function applyingBy(subscriber: Subscriber, apply: Apply): Subscriber {
  const lanes = subscriber.lanes.map((lane) => ({
    ...lane,
    apply: (client: pg.ClientBase, { events }: Chunk) => apply(client, events ?? []),
  }))
  return { ...subscriber, lanes }
}

/** How a subscriber applies events itself. */
export function applyOf({ lanes: [lane] }: Subscriber): Apply {
  return async (client, events) => lane?.apply(client, { after: 0n, upto: 0n, events })
}

/** What a recording subscriber wrote down. */
export async function readApplied(
  asks: AsksCheckpoint,
  name: string,
): Promise<{ position: bigint; event: string }[]> {
  const { rows } = await asks.query(
    'select position::text, event from applied where name = $1 order by n',
    [name],
  )
  return rows.map((row) => ({
    position: BigInt(row.position as string),
    event: row.event as string,
  }))
}
