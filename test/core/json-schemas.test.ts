import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { event } from '../../src/core/event.ts'
import { jsonSchemas } from '../../src/core/json-schemas.ts'

const Placed = event('order.placed')
  .v(1, z.object({ total: z.number() }))
  .v(2, z.object({ cents: z.int(), note: z.string().default('') }), (v1) => ({
    cents: v1.total * 100,
    note: '',
  }))
const Paid = event('order.paid').v(1, z.object({ at: z.iso.datetime() }))

describe('JSON Schemas', () => {
  test('describe each version of each type, as it is stored', () => {
    expect(jsonSchemas([Placed, Paid])).toEqual({
      'order.placed': {
        1: expect.objectContaining({
          $schema: 'https://json-schema.org/draft/2020-12/schema',
          type: 'object',
          properties: { total: { type: 'number' } },
          required: ['total'],
        }),
        2: expect.objectContaining({
          properties: { cents: expect.anything(), note: { type: 'string', default: '' } },
          required: ['cents', 'note'],
        }),
      },
      'order.paid': {
        1: expect.objectContaining({
          properties: { at: expect.objectContaining({ type: 'string', format: 'date-time' }) },
        }),
      },
    })
  })

  test('are JSON', () => {
    const schemas = jsonSchemas([Placed, Paid])
    expect(JSON.parse(JSON.stringify(schemas))).toEqual(schemas)
  })

  test('are written in another dialect on request', () => {
    expect(jsonSchemas([Paid], { target: 'draft-07' })['order.paid']?.[1]).toMatchObject({
      $schema: 'http://json-schema.org/draft-07/schema#',
    })
  })

  test('are of any library that offers them', () => {
    const schema = {
      '~standard': {
        version: 1,
        vendor: 'own',
        validate: (value: unknown) => ({ value }),
        jsonSchema: { input: () => ({}), output: () => ({ title: 'mine' }) },
      },
    } satisfies StandardSchemaV1 & StandardJSONSchemaV1
    const Own = event('own').v(1, schema)
    expect(jsonSchemas([Own])).toEqual({ own: { 1: { title: 'mine' } } })
  })

  test('are refused for a library that does not offer them', () => {
    const schema: StandardSchemaV1 = {
      '~standard': { version: 1, vendor: 'own', validate: (value) => ({ value }) },
    }
    expect(() => jsonSchemas([event('own').v(1, schema)])).toThrow(
      expect.objectContaining({
        code: 'NOT_SUPPORTED',
        message:
          'schema version 1 of event "own": library "own" does not offer Standard JSON Schema',
      }),
    )
  })

  test.each([
    ['a date', z.object({ at: z.date() })],
    ['a transform', z.object({ n: z.string().transform((text) => text.length) })],
  ])('are refused for %s, with what the library says', (_, schema) => {
    expect(() => jsonSchemas([Placed, event('dated').v(1, schema)])).toThrow(
      expect.objectContaining({
        code: 'NOT_SUPPORTED',
        message: 'schema version 1 of event "dated": library "zod" cannot write it as JSON Schema',
        cause: expect.any(Error),
      }),
    )
  })

  test('are refused for two definitions of one type', () => {
    expect(() => jsonSchemas([Paid, event('order.paid').v(1, z.object({}))])).toThrow(
      expect.objectContaining({ code: 'DEFINITION_INVALID' }),
    )
  })
})
