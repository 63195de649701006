import { describe, expect, expectTypeOf, test } from 'vitest'
import { type ErrorCode, isTidemarkError, TidemarkError } from '../../src/core/tidemark-error.ts'

const details = { streamId: 'order-1', expectedVersion: '3', actualVersion: 5n }
const conflict = new TidemarkError('STREAM_VERSION_CONFLICT', 'stream "order-1" moved', { details })

describe('a tidemark error', () => {
  test('is an error with a code, details and a name', () => {
    expect(conflict).toBeInstanceOf(Error)
    expect(conflict.name).toBe('TidemarkError')
    expect(conflict.code).toBe('STREAM_VERSION_CONFLICT')
    expect(conflict.details).toBe(details)
    expect(String(conflict)).toBe('TidemarkError: stream "order-1" moved')
    expect(conflict.stack).toContain(import.meta.filename)
  })

  test('keeps its cause', () => {
    const cause = new Error('connection refused')
    const options = { details: { token: 'x' }, cause }
    expect(new TidemarkError('TOKEN_INVALID', 'no', options).cause).toBe(cause)
  })

  test('has no cause when there was none', () => {
    expect('cause' in conflict).toBe(false)
  })

  test('ties the details to the code', () => {
    expectTypeOf(conflict.details.actualVersion).toEqualTypeOf<bigint>()
    const refused = () => {
      // @ts-expect-error these are the details of another code
      new TidemarkError('TOKEN_INVALID', '', { details })
      // @ts-expect-error there is no such code
      new TidemarkError('ANYTHING', '', { details: {} })
      // @ts-expect-error details are never left out
      new TidemarkError('TOKEN_INVALID', '')
    }
    expectTypeOf(refused).returns.toBeVoid()
  })
})

describe('isTidemarkError', () => {
  test('recognises every code, or one', () => {
    expect(isTidemarkError(conflict)).toBe(true)
    expect(isTidemarkError(conflict, 'STREAM_VERSION_CONFLICT')).toBe(true)
    expect(isTidemarkError(conflict, 'TOKEN_INVALID')).toBe(false)
  })

  test.each([
    new Error('other'),
    { code: 'TOKEN_INVALID', details: {} },
    'TOKEN_INVALID',
    null,
    undefined,
  ])('does not take %o for one', (value) => {
    expect(isTidemarkError(value)).toBe(false)
  })

  test('narrows to the details of a code', () => {
    const caught: unknown = conflict
    if (isTidemarkError(caught)) expectTypeOf(caught.code).toEqualTypeOf<ErrorCode>()
    if (isTidemarkError(caught, 'STREAM_VERSION_CONFLICT')) {
      expectTypeOf(caught.details.actualVersion).toEqualTypeOf<bigint>()
      expect(caught.details.actualVersion).toBe(5n)
    }
  })
})
