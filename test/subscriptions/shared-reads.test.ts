import { expect, test } from 'vitest'
import type { SequencedEvent } from '../../src/core/recorded-event.ts'
import type { FetchedRun } from '../../src/subscriptions/read-run.ts'
import { SharedReads } from '../../src/subscriptions/shared-reads.ts'
import type { Subscriber } from '../../src/subscriptions/subscriber.ts'

function subscriber(name: string, types: readonly string[], fetches = true): Subscriber {
  const id = { kind: 'process', name, version: 1 } as const
  return { id, types, fetches, durable: false, lanes: [], upcast: (event) => event }
}

function noted(position: bigint, type: string): SequencedEvent {
  return {
    type,
    position,
    data: { nested: { n: 1 } },
    streamId: 's',
    version: position,
    id: `${position}`,
    schemaVersion: 1,
    metadata: {},
    tags: [],
    recordedAt: new Date(0),
  }
}

/** A log of five events of types a, b, a, b, a, and what was asked of it. */
function makeLog() {
  const asked: (readonly string[])[] = []
  const read = async (types: readonly string[]): Promise<FetchedRun> => {
    asked.push(types)
    const all = [1n, 2n, 3n, 4n, 5n].map((position) => noted(position, position % 2n ? 'a' : 'b'))
    return {
      events: all.filter(({ type }) => types.includes(type)),
      end: { position: 5n, insertId: '9' },
    }
  }
  return { asked, read }
}

const start = { position: 0n, insertId: null }
const positions = (events: readonly SequencedEvent[] | null | undefined) =>
  events?.map(({ position }) => position)

test('one alone reads for itself, several read once, and each gets its own', async () => {
  const { asked, read } = makeLog()
  const reads = new SharedReads()
  const [a, b] = [subscriber('a', ['a']), subscriber('b', ['b'])]
  expect(await reads.read(a, 'run', start, read)).toBeUndefined()
  const ofB = await reads.read(b, 'run', start, read)
  const ofA = await reads.read(a, 'run', start, read)
  expect(asked).toEqual([['a', 'b']])
  expect(positions(ofA?.events)).toEqual([1n, 3n, 5n])
  expect(positions(ofB?.events)).toEqual([2n, 4n])
  expect([ofA?.end, ofB?.end]).toEqual([
    { position: 5n, insertId: '9' },
    { position: 5n, insertId: '9' },
  ])
})

test('a run is gone when all have got it', async () => {
  const { asked, read } = makeLog()
  const reads = new SharedReads()
  const [a, b] = [subscriber('a', ['a']), subscriber('b', ['b'])]
  await reads.read(a, 'run', start, read)
  for (let i = 0; i < 2; i += 1) {
    await reads.read(b, 'run', start, read)
    await reads.read(a, 'run', start, read)
  }
  expect(asked).toHaveLength(2)
})

test('what was read from another run of the server is not given', async () => {
  const { asked, read } = makeLog()
  const reads = new SharedReads()
  const [a, b] = [subscriber('a', ['a']), subscriber('b', ['b'])]
  await reads.read(a, 'before', start, read)
  await reads.read(b, 'before', start, read)
  await reads.read(a, 'after', start, read)
  expect(asked).toHaveLength(2)
})

test('who reads other types than were read, or fails, reads for itself', async () => {
  const { read } = makeLog()
  const reads = new SharedReads()
  const [a, b, c] = [subscriber('a', ['a']), subscriber('b', ['b']), subscriber('c', ['c'])]
  await reads.read(a, 'run', start, read)
  await reads.read(b, 'run', start, read)
  expect(await reads.read(c, 'run', start, read)).toBeUndefined()

  const failing = async () => {
    throw new Error('no connection')
  }
  const later = { position: 5n, insertId: null }
  await expect(reads.read(a, 'run', later, failing)).rejects.toThrow('no connection')
  expect((await reads.read(b, 'run', later, read))?.end.position).toBe(5n)
})

test('who reads in the server hears only whether there is anything to read', async () => {
  const { read } = makeLog()
  const reads = new SharedReads()
  const [a, b] = [subscriber('a', ['a'], false), subscriber('b', ['b'])]
  const c = subscriber('c', ['c'], false)
  for (const one of [b, c]) await reads.read(one, 'run', { ...start, position: 9n }, read)
  await reads.read(a, 'run', start, read)
  expect((await reads.read(a, 'run', start, read))?.events).toBeNull()
  expect((await reads.read(c, 'run', start, read))?.events).toEqual([])
})

test('few runs are kept, whoever never asks for them', async () => {
  const { asked, read } = makeLog()
  const reads = new SharedReads()
  const [a, b] = [subscriber('a', ['a']), subscriber('b', ['b'])]
  await reads.read(b, 'run', start, read)
  const at = (position: bigint) => ({ position, insertId: null })
  for (let position = 0n; position < 10n; position += 1n) {
    await reads.read(a, 'run', at(position), read)
  }
  const before = asked.length
  await reads.read(b, 'run', at(9n), read)
  expect(asked).toHaveLength(before)
  await reads.read(b, 'run', at(0n), read)
  expect(asked).toHaveLength(before + 1)
})

test('who comes behind ends its run where the others read on', async () => {
  const { read } = makeLog()
  const reads = new SharedReads()
  const [a, b] = [subscriber('a', ['a']), subscriber('b', ['b'])]
  await reads.read(a, 'run', start, read)
  await reads.read(b, 'run', { position: 3n, insertId: null }, read)
  const run = await read(['a'])
  const met = reads.meet('run', start, run)
  expect(positions(met.events)).toEqual([1n, 3n])
  expect(met.end).toEqual({ position: 3n, insertId: null })
  expect(reads.meet('another run', start, run)).toBe(run)
})

test('a handler cannot change an event for the others', async () => {
  const { read } = makeLog()
  const reads = new SharedReads()
  const [a, b] = [subscriber('a', ['a']), subscriber('b', ['b'])]
  await reads.read(b, 'run', start, read)
  const run = await reads.read(a, 'run', start, read)
  const data = run?.events?.[0]?.data as { nested: { n: number } }
  expect(() => {
    data.nested.n = 2
  }).toThrow(TypeError)
})
