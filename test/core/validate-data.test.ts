import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describe, expect, onTestFinished, test } from 'vitest'
import { validateData } from '../../src/core/validate-data.ts'

/** A schema of no library. */
function schema(validate: StandardSchemaV1.Props['validate']): StandardSchemaV1<unknown> {
  return { '~standard': { version: 1, vendor: 'test', validate } }
}

function issuesOf(...issues: StandardSchemaV1.Issue[]) {
  return () =>
    validateData(
      'noted',
      7,
      schema(() => ({ issues })),
      {},
    )
}

describe('any Standard Schema', () => {
  test('gives the value that it made', () => {
    const doubled = schema((value) => ({ value: Number(value) * 2 }))
    expect(validateData('noted', 1, doubled, 21)).toBe(42)
  })

  test('may make undefined of the data', () => {
    expect(
      validateData(
        'noted',
        1,
        schema(() => ({ value: undefined })),
        1,
      ),
    ).toBeUndefined()
  })

  test.each<[string, StandardSchemaV1.Issue['path'], string]>([
    ['no path', undefined, ''],
    ['an empty path', [], ''],
    ['keys', ['a', 0, 'b'], 'a.0.b'],
    ['path segments', [{ key: 'a' }, { key: 1 }], 'a.1'],
    ['a symbol', [Symbol('secret')], 'Symbol(secret)'],
  ])('may report issues with %s', (_, path, expected) => {
    expect(issuesOf({ message: 'is wrong', path })).toThrow(
      expect.objectContaining({
        code: 'EVENT_DATA_INVALID',
        message: `data of event "noted" (schema version 7) is invalid at "${expected}": is wrong`,
        details: {
          type: 'noted',
          schemaVersion: 7,
          issues: [{ path: expected, message: 'is wrong' }],
        },
      }),
    )
  })

  test('counts the issues that its message leaves out', () => {
    const first = { message: 'is wrong', path: ['a'] }
    expect(issuesOf(first, first)).toThrow(/"a": is wrong \(and 1 more\)$/)
    expect(issuesOf(first, first, first)).toThrow(/"a": is wrong \(and 2 more\)$/)
  })

  test('is refused even when it names no issue', () => {
    expect(issuesOf()).toThrow(expect.objectContaining({ code: 'EVENT_DATA_INVALID' }))
  })
})

test('an asynchronous schema that fails later does not end the process', async () => {
  const unhandled: unknown[] = []
  const listeners = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', (reason) => unhandled.push(reason))
  onTestFinished(() => {
    process.removeAllListeners('unhandledRejection')
    for (const listener of listeners) process.on('unhandledRejection', listener)
  })

  const failing = schema(() => Promise.reject(new Error('the look-up failed')))
  expect(() => validateData('checked', 1, failing, {})).toThrow(
    expect.objectContaining({ code: 'NOT_SUPPORTED' }),
  )
  // A rejection that nobody handles is reported once the microtasks have run.
  await new Promise((resolve) => setImmediate(resolve))
  expect(unhandled).toEqual([])
})
