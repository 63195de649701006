import type pg from 'pg'
import { isTidemarkError } from '../../../src/index.ts'
import { isRefusedAsInline } from './is-refused-as-inline.ts'
import { prepareAndFinish } from './prepared.ts'
import { type IdentifiedEvent, idsOf, type Writer } from './writer.ts'

/** How long one of two transactions that are to end at one moment waits for the other. */
const patienceMs = 200

/** One transaction. Throws when it failed, with the journal kept. */
export type WayToAppend = (writer: Writer) => Promise<void>

/** Every way to append that the product allows. */
export const waysToAppend = {
  single: (writer) => appendOwn(writer, 'single', 1),

  batch: (writer) => appendOwn(writer, 'batch', writer.random.between(2, 30)),

  /** Several calls at once, which share commits, each with an outcome of its own. */
  group: async (writer) => {
    const calls = Array.from({ length: writer.random.between(2, 6) }, () =>
      appendOwn(writer, 'group', writer.random.between(1, 3)),
    )
    throwFirst(await Promise.allSettled(calls))
  },

  'many streams': async (writer) => {
    const accounts = [...new Set([writer.account(), writer.account(), writer.account()])]
    const appends = await appendsTo(writer, accounts)
    const events = appends.flatMap((append) => append.events)
    await writer.record('many streams', events, () => writer.store.appendMany(appends))
  },

  /** Under the condition that nothing has matched a query since it was read. */
  conditional: async (writer) => {
    const account = writer.account()
    const query = { tags: [`account:${account}`] }
    const { token } = await writer.store.readQuery(query)
    const events = await writer.events(writer.pool, account, 2)
    const condition = { query, after: token }
    const streamId = writer.streamOf(account)
    try {
      await writer.record('conditional', events, () =>
        writer.store.append(streamId, events, { condition }),
      )
    } catch (error) {
      if (!isTidemarkError(error, 'APPEND_CONDITION_FAILED')) throw error
    }
  },

  /** Tried again under its key until it is acknowledged, or refused for what is inline: it is there once. */
  keyed: async (writer) => {
    const account = writer.account()
    const events = await writer.events(writer.pool, account, 2)
    const key = `key of ${events[0]?.id}`
    const streamId = writer.streamOf(account)
    await writer.record('keyed', events, async () => {
      for (;;) {
        try {
          await writer.store.append(streamId, events, { key })
          return
        } catch (error) {
          if (isRefusedAsInline(error)) throw error
          if (writer.signal.aborted) throw new Error('nobody knows', { cause: error })
          await writer.hold(50, 500)
        }
      }
    })
  },

  'rolled back': (writer) =>
    writer.transaction('rolled back', (client) => appendIn(writer, client, 3), 'rollback'),

  /** A part of the transaction is rolled back or kept, before more is written. */
  savepoint: (writer) =>
    writer.transaction('savepoint', async (client) => {
      const before = await appendIn(writer, client, 1)
      await client.query('savepoint one')
      const between = await appendIn(writer, client, 2)
      const keeps = writer.random.chance(0.5)
      await client.query(keeps ? 'release savepoint one' : 'rollback to savepoint one')
      if (!keeps) writer.journal.settle('savepoint rolled back', idsOf(between), 'absent')
      const after = await appendIn(writer, client, 1)
      return [...before, ...(keeps ? between : []), ...after]
    }),

  /** Has written to another table, and so has its id, long before it appends. */
  'late to append': (writer) =>
    writer.transaction('late to append', async (client) => {
      await client.query("insert into faults.unrelated (filler) values ('early')")
      await writer.hold(2, 60)
      return appendIn(writer, client, writer.random.between(1, 3))
    }),

  /** Stays open for seconds after it has appended, to an account of its own. */
  'held open': (writer) =>
    writer.transaction('held open', async (client) => {
      const events = await appendOwned(writer, client, 2)
      await writer.hold(300, 4_000)
      return events
    }),

  /**
   * Two that end at one moment, so that the record of one's commit may begin where the other's ends. The
   * first does not wait for its flush, so that both go to disk, and to the stream, together. They wait for
   * each other here, where the server does not see it, so neither may have to wait for a lock there; and
   * for a moment only, as the second waits behind whoever waits for all that append, also for the first.
   */
  'at one moment': async (writer) => {
    const ready = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const both = Promise.all(ready.map(({ promise }) => promise))
    const transactions = ready.map(({ resolve }, index) =>
      writer
        .transaction(
          'at one moment',
          async (client) => {
            const events = await appendUnshared(writer, client)
            resolve()
            await Promise.race([both, writer.hold(patienceMs, patienceMs)])
            return events
          },
          index === 0 ? 'commit asynchronously' : 'commit',
        )
        .finally(resolve),
    )
    throwFirst(await Promise.allSettled(transactions))
  },

  /** Rows by COPY or insert go through the same guards. */
  'raw insert': (writer) =>
    writer.transaction('raw insert', async (client) => {
      const account = writer.account()
      const [event] = await writer.events(client, account, 1)
      if (event === undefined) return []
      await client.query(
        /* sql */ `
        insert into tidemark.events (stream_id, version, event_id, type, data, metadata)
        select $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5
        from tidemark.events
        where stream_id = $1`,
        [`raw-${account}`, event.id, event.type, event.data, event.metadata],
      )
      return [event]
    }),

  asynchronous: (writer) =>
    writer.transaction(
      'asynchronous',
      (client) => appendIn(writer, client, 2),
      'commit asynchronously',
    ),

  prepared: (writer) => prepareAndFinish(writer, (client) => appendOwned(writer, client, 2)),

  /** Writes nothing that concerns the log, in bulk. */
  unrelated: async (writer) => {
    await writer.pool.query(
      "insert into faults.unrelated (filler) select repeat('x', 500) from generate_series(1, $1)",
      [writer.random.between(1, 200)],
    )
  },
} as const satisfies Record<string, WayToAppend>

export type WayName = keyof typeof waysToAppend

async function appendOwn(writer: Writer, kind: string, count: number): Promise<void> {
  const account = writer.account()
  const events = await writer.events(writer.pool, account, count)
  const streamId = writer.streamOf(account)
  await writer.record(kind, events, () => writer.store.append(streamId, events))
}

async function appendIn(
  writer: Writer,
  client: pg.PoolClient,
  count: number,
): Promise<readonly IdentifiedEvent[]> {
  const account = writer.account()
  const events = await writer.events(client, account, count)
  const streamId = writer.streamOf(account)
  if (writer.random.chance(0.3)) {
    await writer.store.appendMany([{ streamId, events }], { tx: client })
  } else {
    await writer.store.append(streamId, events, { tx: client })
  }
  return events
}

/** Appends to an account of its own: nobody waits for its stream or its rows. */
async function appendOwned(
  writer: Writer,
  client: pg.PoolClient,
  count: number,
): Promise<readonly IdentifiedEvent[]> {
  const account = writer.ownAccount()
  const events = await writer.events(client, account, count)
  await writer.store.append(writer.streamOf(account), events, { tx: client })
  return events
}

/**
 * Without tags, too: a condition that waits for the lock of a tag makes everybody wait who comes after it,
 * even who would share the lock with its holder.
 */
async function appendUnshared(
  writer: Writer,
  client: pg.PoolClient,
): Promise<readonly IdentifiedEvent[]> {
  const account = writer.ownAccount()
  const [tagged] = await writer.events(client, account, 1)
  const event = { ...tagged, tags: [] } as IdentifiedEvent
  await writer.store.append(writer.streamOf(account), event, { tx: client })
  return [event]
}

async function appendsTo(writer: Writer, accounts: readonly string[]) {
  const appends = []
  for (const account of accounts) {
    const events = await writer.events(writer.pool, account, 2)
    appends.push({ streamId: writer.streamOf(account), events })
  }
  return appends
}

function throwFirst(results: readonly PromiseSettledResult<void>[]): void {
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
