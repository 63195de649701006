import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { event } from '../../src/core/event.ts'
import type { UnknownEvents } from '../../src/core/event-registry.ts'
import type { RecordedEvent, SequencedEvent } from '../../src/core/recorded-event.ts'
import type { EventReader } from '../../src/store/event-reader.ts'
import type { createStore, Store } from '../../src/worker/create-store.ts'

const Placed = event('order.placed').v(1, z.object({ cents: z.int() }))
const Paid = event('order.paid').v(1, z.object({ by: z.string() }))

type Definitions = typeof Placed | typeof Paid
type Recorded =
  | RecordedEvent<'order.placed', { cents: number }>
  | RecordedEvent<'order.paid', { by: string }>
type Sequenced =
  | SequencedEvent<'order.placed', { cents: number }>
  | SequencedEvent<'order.paid', { by: string }>

const reader = {} as EventReader<Definitions>

// Types only: nothing here is called.
const read = {
  stream: () => reader.readStream('order-1', { direction: 'backwards', maxEvents: 3 }),
  streamPage: () => reader.readStreamPage('order-1', { cursor: undefined }),
  last: () => reader.readLastEvent('order-1'),
  streamEvents: () => reader.streamEvents('order-1'),
  log: () => reader.readLog({ types: ['order.paid'] }),
  logEvents: () => reader.logEvents({ after: 3n }),
  causes: () => reader.readCauses('id'),
  rawStream: () => reader.readStream('order-1', { unknownEvents: 'raw' }),
  rawLog: () => reader.logEvents({ unknownEvents: 'raw' }),
  either: (unknownEvents: UnknownEvents) => reader.readLog({ unknownEvents }),
}

test('gives events as the union of the definitions', () => {
  expectTypeOf(read.stream).returns.resolves.toEqualTypeOf<readonly Recorded[]>()
  expectTypeOf(read.streamPage).returns.resolves.toEqualTypeOf<{
    readonly events: readonly Recorded[]
    readonly next: string | null
  }>()
  expectTypeOf(read.last).returns.resolves.toEqualTypeOf<Recorded | undefined>()
  expectTypeOf(read.causes).returns.resolves.toEqualTypeOf<readonly Recorded[]>()
  expectTypeOf(read.streamEvents).returns.toEqualTypeOf<AsyncGenerator<Recorded, void, undefined>>()
})

test('gives events of the log a position that is not null', () => {
  expectTypeOf(read.log)
    .returns.resolves.toHaveProperty('events')
    .toEqualTypeOf<readonly Sequenced[]>()
  expectTypeOf(read.logEvents).returns.toEqualTypeOf<AsyncGenerator<Sequenced, void, undefined>>()
})

test('narrows by the type of the event', () => {
  const cents = async () => {
    for await (const one of reader.logEvents())
      if (one.type === 'order.placed') return one.data.cents
    return 0
  }
  expectTypeOf(cents).returns.resolves.toEqualTypeOf<number>()
})

test('promises nothing of the data where unknown events may come raw', () => {
  expectTypeOf(read.rawStream).returns.resolves.toEqualTypeOf<readonly RecordedEvent[]>()
  expectTypeOf(read.rawLog).returns.toEqualTypeOf<AsyncGenerator<SequencedEvent, void, undefined>>()
  expectTypeOf(read.either)
    .returns.resolves.toHaveProperty('events')
    .toEqualTypeOf<readonly SequencedEvent[]>()
})

test('infers the definitions from the options of a store', () => {
  const open = (create: typeof createStore) =>
    create({ connectionString: '', events: [Placed, Paid] })
  expectTypeOf(open).returns.resolves.toEqualTypeOf<Store<Definitions>>()
  const openAny = (create: typeof createStore) => create({ connectionString: '' })
  expectTypeOf(openAny).returns.resolves.toEqualTypeOf<Store>()
  expectTypeOf<Store<Definitions>>().toExtend<Store>()
})

test('refuses options that are none', () => {
  const refused = () => {
    // @ts-expect-error there is no such option
    reader.readStream('order-1', { maxEvents: 1, maxEvent: 1 })
    // @ts-expect-error versions are bigints
    reader.readStream('order-1', { fromVersion: 1 })
    // @ts-expect-error an iterator has no cursor
    reader.logEvents({ cursor: '1' })
    // @ts-expect-error the log is read in one direction
    reader.readLog({ direction: 'backwards' })
  }
  expectTypeOf(refused).returns.toBeVoid()
})
