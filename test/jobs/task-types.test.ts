import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import {
  cron,
  event,
  type Job,
  reactor,
  type TaskContext,
  type TaskStore,
  task,
} from '../../src/index.ts'

const Placed = event('placed').v(1, z.object({ n: z.int() }))
const print = task('print', {
  payload: z.object({ n: z.int(), copies: z.int().default(1) }),
  run: async (payload, context) => {
    expectTypeOf(payload).toEqualTypeOf<{ n: number; copies: number }>()
    expectTypeOf(context).toEqualTypeOf<TaskContext>()
    expectTypeOf(context.store).toEqualTypeOf<TaskStore>()
    expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>()
    const id = await context.once('print', async () => ({ id: 'x' }))
    expectTypeOf(id).toEqualTypeOf<{ id: string }>()
    // @ts-expect-error JSON has no bigint
    await context.once('print', async () => 1n)
  },
})

test('a payload is what the schema takes, and a handler gets what it makes of it', () => {
  expectTypeOf(print).parameter(0).toEqualTypeOf<{ n: number; copies?: number | undefined }>()
  expectTypeOf(print({ n: 1 })).toEqualTypeOf<Job>()
  // @ts-expect-error there is no such option
  print({ n: 1 }, { retries: 3 })
  // @ts-expect-error an order is 'stream' or a key
  print({ n: 1 }, { order: 'events' })
})

test('a handler of a reactor gets the data of its event and returns jobs', () => {
  reactor('printing', {
    events: [Placed],
    on: {
      placed: ({ data }) => {
        expectTypeOf(data).toEqualTypeOf<{ n: number }>()
        return print(data)
      },
    },
  })
  // @ts-expect-error a handler returns jobs
  reactor('wrong', { events: [Placed], on: { placed: () => 'print' } })
})

test('an item of cron has the payload of its task', () => {
  cron(print, '0 4 * * *', { n: 1 })
  // @ts-expect-error a text where a number belongs
  if (Math.random() > 2) cron(print, '0 4 * * *', { n: '1' })
})
