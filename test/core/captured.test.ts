import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { captured } from '../../src/core/captured.ts'
import { decider } from '../../src/core/decider.ts'
import type { EventOf } from '../../src/core/event.ts'
import { given } from '../../src/testing/given.ts'

const Row = z.object({ id: z.string(), status: z.enum(['new', 'paid']) })
const orders = captured('order', Row)
type OrderRow = { id: string; status: 'new' | 'paid' }

describe('the events of a captured table', () => {
  test('have types, and data by the schema of a row', () => {
    expect(Object.values(orders).map(({ type }) => type)).toEqual([
      'order.captured',
      'order.created',
      'order.changed',
      'order.deleted',
    ])
    expectTypeOf<EventOf<typeof orders.changed>['data']>().toEqualTypeOf<{
      readonly row: OrderRow
      readonly old: OrderRow
    }>()
    expectTypeOf<EventOf<typeof orders.deleted>['data']>().toEqualTypeOf<{
      readonly old: OrderRow
    }>()
    expectTypeOf(orders.created.type).toEqualTypeOf<'order.created'>()
  })

  test('are made with what the schema makes of a row, or refused where it refuses', () => {
    const trimmed = captured('name', z.object({ name: z.string().trim() }))
    expect(trimmed.created({ row: { name: ' a ' } }).data).toEqual({ row: { name: 'a' } })
    expect(() => orders.changed({ row: { id: '1', status: 'new' } } as never)).toThrow(
      expect.objectContaining({ code: 'EVENT_DATA_INVALID' }),
    )
    const refuse = (data: unknown) => {
      try {
        orders.created(data as never)
      } catch (error) {
        return (error as { details: { issues: { path: string }[] } }).details.issues.map(
          ({ path }) => path,
        )
      }
      return []
    }
    expect(refuse({ row: { id: '1', status: 'lost' } })).toEqual(['row.status'])
    expect(refuse({ row: { id: '1', status: 'new' }, old: {} })).toEqual(['old'])
    expect(refuse('row')).toHaveLength(1)
  })

  test('are folded by deciders, and extended by schema versions', () => {
    const Order = decider('order', {
      events: [orders.captured, orders.created, orders.changed, orders.deleted],
      initial: () => null as OrderRow | null,
      evolve: {
        'order.captured': (_, { data }) => data.row,
        'order.created': (_, { data }) => data.row,
        'order.changed': (_, { data }) => data.row,
        'order.deleted': () => null,
      },
      commands: {},
    })
    const row = { id: '1', status: 'new' } as const
    const paid = { ...row, status: 'paid' } as const
    given(Order, orders.created({ row }), orders.changed({ old: row, row: paid })).thenState(paid)
    given(Order, orders.captured({ row }), orders.deleted({ old: row })).thenState(null)
    const later = orders.created.v(
      2,
      z.object({ row: z.object({ id: z.string() }) }),
      ({ row: { id } }) => ({
        row: { id },
      }),
    )
    expect(later.upcast(1, { row })).toEqual({ row: { id: '1' } })
  })
})
