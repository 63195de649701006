import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import {
  createStore,
  type ImportedEvent,
  type ImportProgress,
  isTidemarkError,
  type Store,
} from '../../../src/index.ts'
import { useDatabase } from '../../support/database.ts'
import { seededRandom } from '../../support/random.ts'
import { until } from '../../support/until.ts'
import { described, Noted, plainSource, readImported } from './sources.ts'

const database = useDatabase()
let store: Store<typeof Noted>

beforeAll(async () => {
  const { connectionString } = database
  store = await createStore({ connectionString, events: [Noted] })
})

afterAll(() => store.close())

/** Ends the import's session, whatever it is doing. */
async function terminate(): Promise<void> {
  await database.pool.query(/* sql */ `
    select pg_terminate_backend(pid)
    from pg_stat_activity
    where application_name = 'tidemark import'
      and datname = current_database()`)
}

function* breaking(events: Iterable<ImportedEvent>, at: number): Generator<ImportedEvent> {
  let count = 0
  for (const given of events) {
    if (count === at) throw new Error('the source broke')
    count += 1
    yield given
  }
}

describe('an import that is cut off goes on exactly where it was', () => {
  test('when its source breaks after any number of events', async () => {
    for (let at = 0; at < 20; at += 1) {
      const key = `broken ${at}`
      const source = () => plainSource(key, 20, 3)
      const first = store.importEvents(breaking(source(), at), { key, batchSize: 6 })
      await expect(first).rejects.toThrow('the source broke')
      const kept = at - (at % 6)
      expect(await readImported(database.pool, key)).toHaveLength(kept)
      const result = await store.importEvents(source(), { key, batchSize: 7 })
      expect(result).toMatchObject({ imported: 20n, skipped: BigInt(kept) })
      expect(await readImported(database.pool, key)).toEqual(described(source()))
    }
  })

  test('when it is stopped, also while its source hangs', async () => {
    const stop = new AbortController()
    async function* hanging(): AsyncGenerator<ImportedEvent> {
      yield* plainSource('hanging', 30)
      stop.abort()
      await new Promise(() => {})
    }
    const stopped = store.importEvents(hanging(), {
      key: 'hanging',
      batchSize: 10,
      signal: stop.signal,
    })
    await expect(stopped).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' })
    const { imported } = await store.importEvents(plainSource('hanging', 40), { key: 'hanging' })
    expect(imported).toBe(40n)
    expect(await readImported(database.pool, 'hanging')).toEqual(
      described(plainSource('hanging', 40)),
    )
  })

  test('when its signal was aborted before it began', async () => {
    const signal = AbortSignal.abort()
    const stopped = store.importEvents(plainSource('early', 5), { key: 'early', signal })
    await expect(stopped).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' })
    expect(await readImported(database.pool, 'early')).toEqual([])
  })

  test('when its connection is lost at any moment', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const random = seededRandom(seed)
    let losses = 0
    for (let round = 0; losses < 10; round += 1) {
      const key = `lost ${seed} ${round}`
      const source = () => plainSource(key, 600, 5)
      for (;;) {
        const cutAt = BigInt(60 * random.between(1, 9))
        const delayMs = random.between(0, 4)
        const cuts: Promise<unknown>[] = []
        const onProgress = ({ imported }: ImportProgress) => {
          if (imported === cutAt) cuts.push(setTimeout(delayMs).then(terminate))
        }
        const outcome = await store.importEvents(source(), { key, batchSize: 60, onProgress }).then(
          () => 'done',
          (error: unknown) => error,
        )
        await Promise.all(cuts)
        if (outcome === 'done') break
        // A defect, rather than the loss of a connection.
        if (isTidemarkError(outcome, 'IMPORT_INVALID')) throw outcome
        losses += 1
      }
      expect(await readImported(database.pool, key), `seed ${seed}`).toEqual(described(source()))
    }
  })
})

describe('of two imports under one key at once', () => {
  test('each event comes in once, and one of them is told', async () => {
    const source = () => plainSource('twice', 400)
    const outcomes = await Promise.allSettled([
      store.importEvents(source(), { key: 'twice', batchSize: 20 }),
      store.importEvents(source(), { key: 'twice', batchSize: 20 }),
    ])
    expect(await readImported(database.pool, 'twice')).toEqual(described(source()))
    const refused = outcomes.filter(({ status }) => status === 'rejected')
    expect(refused).toMatchObject([
      { reason: { code: 'IMPORT_INVALID', message: expect.stringContaining('another process') } },
    ])
  })
})

describe('an import and appends at once', () => {
  async function openTransaction() {
    const client = await database.client()
    onTestFinished(() => client.end())
    await client.query('begin')
    return client
  }

  async function untilWaiting(): Promise<void> {
    await until('a session to wait for a lock', async (saw) => {
      const { rows } = await database.pool.query(/* sql */ `
        select application_name, query
        from pg_stat_activity
        where datname = current_database() and wait_event = 'advisory'`)
      saw(rows)
      return rows.length === 1
    })
  }

  test('take turns on a stream that an open transaction is writing', async () => {
    const client = await openTransaction()
    await store.append('turns-0', Noted({ text: 'appended' }), { tx: client })
    const source = [{ streamId: 'turns-0', event: Noted({ text: 'imported' }) }]
    const importing = store.importEvents(source, { key: 'turns' })
    importing.catch(() => {})
    await untilWaiting()
    await client.query('commit')
    await importing
    const events = await store.readStream('turns-0')
    expect(events.map(({ data }) => data.text)).toEqual(['appended', 'imported'])
  })

  test('find that a given version was taken meanwhile', async () => {
    const client = await openTransaction()
    await store.append('taken-0', Noted({ text: 'appended' }), { tx: client })
    const importing = store.importEvents(plainSource('taken', 7), { key: 'taken' })
    importing.catch(() => {})
    await untilWaiting()
    await client.query('commit')
    await expect(importing).rejects.toMatchObject({
      code: 'IMPORT_INVALID',
      message:
        'event 1 of the import is version 1 of stream "taken-0", which is at version 1: 2 is next',
    })
  })

  test('do not hold each other up on different streams', async () => {
    const client = await openTransaction()
    await store.append('apart-held', Noted({ text: 'appended' }), { tx: client })
    await store.importEvents(plainSource('apart', 50), { key: 'apart' })
    expect(await readImported(database.pool, 'apart')).toHaveLength(50)
    await client.query('rollback')
  })

  test('of the same streams all succeed', async () => {
    function* unversioned(): Generator<ImportedEvent> {
      for (const { version: _, ...given } of plainSource('busy', 700)) yield given
    }
    const importing = store.importEvents(unversioned(), { key: 'busy', batchSize: 50 })
    let isOver = false
    const appending = Array.from({ length: 4 }, async (_, n) => {
      let count = 0
      while (!isOver) {
        await store.append(`busy-${n}`, Noted({ text: 'appended' }))
        count += 1
      }
      return count
    })
    await importing.finally(() => {
      isOver = true
    })
    const counts = await Promise.all(appending)
    for (const [n, count] of counts.entries()) {
      const events = await store.readStream(`busy-${n}`, { maxEvents: 100_000 })
      expect(events).toHaveLength(100 + count)
      const imported = events.map(({ data }) => data.text).filter((text) => text !== 'appended')
      expect(imported).toEqual(Array.from({ length: 100 }, (_, i) => `busy ${n + 7 * i}`))
    }
  })
})
