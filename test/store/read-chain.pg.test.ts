import { v7 as uuidV7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createStore, type Store } from '../../src/worker/create-store.ts'
import { sequenceNow } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { Noted, newStream } from './fixtures.ts'

const database = useDatabase()
let store: Store

beforeAll(async () => {
  store = await createStore({ connectionString: database.connectionString, events: [Noted] })
})

afterAll(() => store.close())

interface Link {
  readonly id?: string
  readonly cause?: string
  readonly correlation?: string
}

/** Appends one event to a stream of its own. */
async function link({ id = uuidV7(), cause, correlation }: Link): Promise<string> {
  const metadata = {
    ...(cause !== undefined && { causationId: cause }),
    ...(correlation !== undefined && { correlationId: correlation }),
  }
  await store.append(newStream(), Noted({ n: 1 }, { id, metadata }))
  return id
}

const ids = (events: readonly { readonly id: string }[]) => events.map(({ id }) => id)

describe('a chain of causes', () => {
  test('goes back from an event to the root, which comes first', async () => {
    const root = await link({})
    const second = await link({ cause: root, correlation: root })
    const third = await link({ cause: second, correlation: root })
    const fourth = await link({ cause: third, correlation: root })
    await link({ cause: third, correlation: root })
    expect(ids(await store.readCauses(fourth))).toEqual([root, second, third])
    expect(await store.readCauses(root)).toEqual([])
  })

  test('follows a cause of another correlation', async () => {
    const other = await link({ correlation: 'one' })
    const effect = await link({ cause: other, correlation: 'two' })
    expect(ids(await store.readCauses(effect))).toEqual([other])
  })

  test.each(['not-a-uuid', uuidV7()])('ends at a cause that is no event: %s', async (command) => {
    const first = await link({ cause: command })
    const second = await link({ cause: first })
    expect(ids(await store.readCauses(second))).toEqual([first])
  })

  test('ends where it would go round', async () => {
    const [one, two, three] = [uuidV7(), uuidV7(), uuidV7()]
    await link({ id: one, cause: three })
    await link({ id: two, cause: one })
    await link({ id: three, cause: two })
    expect(ids(await store.readCauses(three))).toEqual([one, two])
  })

  test('has the nearest causes when there are more than wanted', async () => {
    const list = [await link({})]
    for (let n = 0; n < 5; n += 1) list.push(await link({ cause: list.at(-1) ?? '' }))
    const causes = await store.readCauses(list.at(-1) ?? '', { maxEvents: 2 })
    expect(ids(causes)).toEqual(list.slice(3, 5))
  })
})

describe('the effects of an event', () => {
  test('are all that followed, in the order of the log', async () => {
    const root = await link({})
    const [a, b] = [
      await link({ cause: root, correlation: root }),
      await link({ cause: root, correlation: root }),
    ]
    const ofB = await link({ cause: b, correlation: root })
    const ofA = await link({ cause: a, correlation: root })
    await link({ correlation: root })
    await sequenceNow(database.pool)
    const effects = await store.readEffects(root)
    expect(ids(effects)).toEqual([a, b, ofB, ofA])
    const positions = effects.map(({ position }) => position ?? 0n)
    expect(positions).toEqual(positions.toSorted((x, y) => (x < y ? -1 : 1)))
    expect(positions[0]).toBeGreaterThan(0n)
    expect(ids(await store.readEffects(b))).toEqual([ofB])
    expect(await store.readEffects(ofA)).toEqual([])
  })

  test('are found by the id of a cause in capitals, and once if they go round', async () => {
    const [one, two] = [uuidV7(), uuidV7()]
    await link({ id: one, cause: two.toUpperCase(), correlation: 'round' })
    await link({ id: two, cause: one.toUpperCase(), correlation: 'round' })
    expect(ids(await store.readEffects(one.toUpperCase()))).toEqual([two])
  })

  test('are not looked for in other correlations', async () => {
    const cause = await link({ correlation: 'here' })
    await link({ cause, correlation: 'there' })
    expect(await store.readEffects(cause)).toEqual([])
  })

  test('that are not sequenced yet come last, without a position', async () => {
    const root = await link({})
    const done = await link({ cause: root, correlation: root })
    await sequenceNow(database.pool)
    const client = await database.client()
    await client.query('begin')
    const id = uuidV7()
    const metadata = { causationId: done, correlationId: root }
    await store.append(newStream(), Noted({ n: 2 }, { id, metadata }), { tx: client })
    const effects = await store.readEffects(root, { tx: client })
    expect(effects.map((event) => [event.id, event.position === null])).toEqual([
      [done, false],
      [id, true],
    ])
    expect(ids(await store.readCauses(id, { tx: client }))).toEqual([root, done])
    expect(ids(await store.readEffects(root))).toEqual([done])
    await client.query('rollback')
    await client.end()
  })

  test('are those that appends with `causedBy` have written', async () => {
    const streamId = newStream()
    await store.append(streamId, Noted({ n: 1 }))
    const cause = await store.readLastEvent(streamId)
    if (cause === undefined) throw new Error('the stream is empty')
    const other = newStream()
    await store.append(other, Noted({ n: 2 }), { causedBy: cause })
    const effect = await store.readLastEvent(other)
    await store.append(newStream(), Noted({ n: 3 }), { causedBy: effect ?? cause })
    const effects = await store.readEffects(cause.id)
    expect(effects.map(({ data }) => data)).toEqual([{ n: 2 }, { n: 3 }])
  })
})

test.each(['readCauses', 'readEffects'] as const)('%s refuses an id that is none', async (read) => {
  const unknown = uuidV7()
  await expect(store[read](unknown)).rejects.toMatchObject({
    code: 'EVENT_UNKNOWN',
    details: { eventId: unknown },
  })
  await expect(store[read]('order-1')).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    details: { option: 'eventId' },
  })
  await expect(store[read](unknown, { maxEvents: 0 })).rejects.toMatchObject({
    code: 'OPTION_INVALID',
  })
})
