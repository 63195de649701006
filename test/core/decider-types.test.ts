import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import {
  type AnyDecider,
  type CommandOf,
  decider,
  type EvolvingEvent,
  type InputOf,
  type RejectionOf,
  type StateOf,
} from '../../src/core/decider.ts'
import { event } from '../../src/core/event.ts'
import { type Rejection, reject } from '../../src/core/rejection.ts'

const Placed = event('order.placed').v(1, z.object({ cents: z.int() }))
const Paid = event('order.paid').v(1, z.object({ by: z.string() }))
const Lost = event('order.lost').v(1, z.object({}))

const Order = decider('order', {
  events: [Placed, Paid],
  initial: () => ({ status: 'none' as 'none' | 'open' | 'paid' }),
  evolve: {
    'order.placed': (state, e) => {
      expectTypeOf(state).toEqualTypeOf<{ status: 'none' | 'open' | 'paid' }>()
      expectTypeOf(e).toEqualTypeOf<EvolvingEvent<'order.placed', { cents: number }>>()
      return { status: 'open' }
    },
    'order.paid': (s) => ({ ...s, status: 'paid' }),
  },
  commands: {
    place: (s, c: { cents: number }) => {
      expectTypeOf(s).toEqualTypeOf<{ status: 'none' | 'open' | 'paid' }>()
      return s.status === 'none' ? Placed(c) : reject('already-placed')
    },
    pay: (s, by?: string) => {
      if (s.status === 'open') return [Paid({ by: by ?? 'cash' })]
      return s.status === 'paid' ? [] : reject('not-payable', { status: s.status })
    },
    ping: () => [],
  },
})
type Order = typeof Order

test('infers name, state and commands', () => {
  expectTypeOf(Order.name).toEqualTypeOf<'order'>()
  expectTypeOf<StateOf<Order>>().toEqualTypeOf<{ status: 'none' | 'open' | 'paid' }>()
  expectTypeOf<CommandOf<Order>>().toEqualTypeOf<'place' | 'pay' | 'ping'>()
})

test('infers the input of each command', () => {
  expectTypeOf<InputOf<Order, 'place'>>().toEqualTypeOf<[c: { cents: number }]>()
  expectTypeOf<InputOf<Order, 'pay'>>().toEqualTypeOf<[by?: string | undefined]>()
  expectTypeOf<InputOf<Order, 'ping'>>().toEqualTypeOf<[]>()
})

test('infers the rejections of each command', () => {
  expectTypeOf<RejectionOf<Order, 'place'>>().toEqualTypeOf<
    Rejection<'already-placed', undefined>
  >()
  expectTypeOf<RejectionOf<Order, 'pay'>>().toEqualTypeOf<
    Rejection<'not-payable', { readonly status: 'none' }>
  >()
  expectTypeOf<RejectionOf<Order, 'ping'>>().toEqualTypeOf<never>()
})

test('takes every decider where any will do', () => {
  expectTypeOf(Order).toExtend<AnyDecider>()
})

test('wants a function for every event type, and for no other', () => {
  const initial = () => ({ n: 0 })
  const refused = () => {
    decider('a', {
      events: [Placed, Paid],
      initial,
      // @ts-expect-error order.paid is missing
      evolve: { 'order.placed': (s) => s },
      commands: {},
    })
    decider('a', {
      events: [Placed],
      initial,
      // @ts-expect-error order.lost is not among the events
      evolve: { 'order.placed': (s) => s, 'order.lost': (s) => s },
      commands: {},
    })
    decider('a', {
      events: [Placed],
      initial,
      // @ts-expect-error the state is another
      evolve: { 'order.placed': () => ({ n: '1' }) },
      commands: {},
    })
  }
  expectTypeOf(refused).returns.toBeVoid()
})

test('refuses a command that returns anything but events of the decider and rejections', () => {
  const common = {
    events: [Placed],
    initial: () => ({ n: 0 }),
    evolve: { 'order.placed': (s: { n: number }) => s },
  } as const
  const refused = () => {
    // @ts-expect-error order.lost is not among the events
    decider('a', { ...common, commands: { lose: () => Lost({}) } })
    // @ts-expect-error a command is synchronous
    decider('a', { ...common, commands: { place: async () => Placed({ cents: 1 }) } })
    // @ts-expect-error the event is not returned
    decider('a', { ...common, commands: { place: () => void Placed({ cents: 1 }) } })
    // @ts-expect-error nothing is an empty array
    decider('a', { ...common, commands: { place: () => undefined } })
    // @ts-expect-error the state has no such property
    decider('a', { ...common, commands: { place: (s) => (s.x ? [] : reject('no')) } })
  }
  expectTypeOf(refused).returns.toBeVoid()
})

test('infers what a snapshot holds', () => {
  const Dated = decider('dated', {
    events: [Placed],
    initial: () => ({ last: new Date(0) }),
    evolve: { 'order.placed': (s) => s },
    commands: {},
    snapshot: {
      every: 10,
      encode: (state) => {
        expectTypeOf(state).toEqualTypeOf<{ last: Date }>()
        return { last: state.last.toISOString() }
      },
      decode: (encoded) => {
        expectTypeOf(encoded).toEqualTypeOf<{ last: string }>()
        return { last: new Date(encoded.last) }
      },
    },
  })
  expectTypeOf<StateOf<typeof Dated>>().toEqualTypeOf<{ last: Date }>()
})

interface Basket {
  readonly status: 'empty' | 'full'
  readonly since: Date | null
  readonly kinds: readonly { readonly kind: 'fruit' | 'bread' }[]
}

test('reads the literals of an evolve function without parameters as those of the state', () => {
  const full = decider('full', {
    events: [Placed, Paid],
    initial: (): Basket => ({ status: 'empty', since: null, kinds: [] }),
    evolve: {
      'order.placed': () => ({ status: 'full', since: new Date(0), kinds: [{ kind: 'bread' }] }),
      'order.paid': (state) => state,
    },
    commands: { ping: () => [] },
  })
  expectTypeOf<StateOf<typeof full>>().toEqualTypeOf<Basket>()
  decider('letter', {
    events: [Placed],
    initial: (): 'a' | 'b' => 'a',
    evolve: { 'order.placed': () => 'b' },
    commands: {},
  })
  decider('wrong', {
    events: [Placed],
    initial: () => ({ status: 'none' as 'none' | 'open' }),
    // @ts-expect-error no such status
    evolve: { 'order.placed': () => ({ status: 'opened' }) },
    commands: {},
  })
  decider('lacking', {
    events: [Placed],
    initial: () => ({ status: 'none' as 'none' | 'open', count: 0 }),
    // @ts-expect-error a property is missing
    evolve: { 'order.placed': () => ({ status: 'open' }) },
    commands: {},
  })
})
