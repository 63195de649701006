import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import {
  type AnyEventDefinition,
  type EventOf,
  event,
  type NewEvent,
} from '../../src/core/event.ts'
import type { RecordedEvent, SequencedEvent } from '../../src/core/recorded-event.ts'

const Placed = event('order.placed')
  .v(1, z.object({ orderId: z.string(), total: z.number() }))
  .v(2, z.object({ orderId: z.string(), cents: z.int() }), (v1) => {
    expectTypeOf(v1).toEqualTypeOf<{ orderId: string; total: number }>()
    return { orderId: v1.orderId, cents: Math.round(v1.total * 100) }
  })
const Paid = event('order.paid').v(
  1,
  z.object({ orderId: z.string(), note: z.string().default('') }),
)

test('infers the event from the newest schema', () => {
  expectTypeOf(Placed).returns.toEqualTypeOf<
    NewEvent<'order.placed', { orderId: string; cents: number }>
  >()
  expectTypeOf(Placed).parameter(0).toEqualTypeOf<{ orderId: string; cents: number }>()
  expectTypeOf(Placed.type).toEqualTypeOf<'order.placed'>()
})

test('takes what the schema accepts and gives what it makes of it', () => {
  expectTypeOf(Paid).parameter(0).toEqualTypeOf<{ orderId: string; note?: string | undefined }>()
  expectTypeOf(Paid({ orderId: '1' }).data).toEqualTypeOf<{ orderId: string; note: string }>()
})

test('narrows a recorded event to its type and data', () => {
  const recorded = { type: 'order.paid', data: Paid({ orderId: '1' }).data } as RecordedEvent
  if (Paid.is(recorded)) {
    expectTypeOf(recorded.type).toEqualTypeOf<'order.paid'>()
    expectTypeOf(recorded.data.note).toEqualTypeOf<string>()
  } else {
    expectTypeOf(recorded.data).toEqualTypeOf<unknown>()
  }
})

test('narrows a union of events by type', () => {
  type OrderEvent = EventOf<typeof Placed | typeof Paid>
  expectTypeOf<OrderEvent>().toEqualTypeOf<
    | SequencedEvent<'order.placed', { orderId: string; cents: number }>
    | SequencedEvent<'order.paid', { orderId: string; note: string }>
  >()
  const read = (recorded: OrderEvent) =>
    recorded.type === 'order.placed' ? recorded.data.cents : recorded.data.note
  expectTypeOf(read).returns.toEqualTypeOf<number | string>()
})

test('gives a sequenced event a position that is not null', () => {
  expectTypeOf<EventOf<typeof Paid>['position']>().toEqualTypeOf<bigint>()
  expectTypeOf<RecordedEvent['position']>().toEqualTypeOf<bigint | null>()
})

test('takes every definition where any will do', () => {
  expectTypeOf(Placed).toExtend<AnyEventDefinition>()
  expectTypeOf(Paid).toExtend<AnyEventDefinition>()
})

test('gives an upcaster the version before, and wants the new one from it', () => {
  const first = event('counted').v(1, z.object({ n: z.number() }))
  first.v(2, z.object({ n: z.string() }), (v1) => ({ n: v1.n.toFixed() }))

  // @ts-expect-error the upcaster returns a number where the schema makes a string
  first.v(2, z.object({ n: z.string() }), (v1) => ({ n: v1.n }))
  // @ts-expect-error the upcaster reads what the version before does not have
  first.v(2, z.object({ n: z.string() }), (v1) => ({ n: v1.name }))
  first.v(
    2,
    z.object({ n: z.string() }),
    // @ts-expect-error the upcaster leaves a property out
    () => ({}),
  )
})

test('wants no upcaster for the first version', () => {
  const start = event('counted')
  // @ts-expect-error there is nothing to upcast from
  start.v(1, z.object({}), (data) => data)
  expectTypeOf(start.v).parameter(0).toEqualTypeOf<1>()
})

test('refuses data of another shape, and of an older version', () => {
  const refused = () => {
    // @ts-expect-error the property is of another type
    Placed({ orderId: '1', cents: '4200' })
    // @ts-expect-error this is what version 1 looked like
    Placed({ orderId: '1', total: 42 })
    // @ts-expect-error a property is missing
    Placed({ orderId: '1' })
    // @ts-expect-error data is missing
    Placed()
    // @ts-expect-error the type is not the caller's to choose
    Placed({ orderId: '1', cents: 1 }, { type: 'order.paid' })
    // @ts-expect-error metadata is JSON
    Placed({ orderId: '1', cents: 1 }, { metadata: { at: new Date() } })
  }
  expectTypeOf(refused).returns.toBeVoid()
})
