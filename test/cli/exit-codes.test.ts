import { expect, test } from 'vitest'
import { exitCodeOf, exitCodeOfError, exitCodes } from '../../src/cli/exit-codes.ts'
import { TidemarkError } from '../../src/core/tidemark-error.ts'

const cancelled = new TidemarkError('OPERATION_CANCELLED', 'stopped', {
  details: { operation: 'rebuild' },
})

test('gives every error code one of the documented exit codes, and none of them success', () => {
  const documented: readonly number[] = Object.values(exitCodes)
  for (const [code, exitCode] of Object.entries(exitCodeOfError)) {
    expect(documented, code).toContain(exitCode)
    expect(exitCode, code).not.toBe(exitCodes.ok)
  }
})

test.for([
  ['CONFIG_INVALID', 2],
  ['OPTION_INVALID', 2],
  ['CONNECTION_FAILED', 3],
  ['SCHEMA_NOT_INSTALLED', 3],
  ['PROJECTION_UNKNOWN', 4],
  ['PROJECTION_BEHIND', 4],
  ['PROJECTION_DRIFTED', 4],
  ['LOCK_TIMED_OUT', 4],
  ['SUBSCRIPTION_FAILED', 5],
  ['HANDLER_FAILED', 5],
  ['LOG_MOVED', 4],
  ['LOG_INCONSISTENT', 1],
] as const)('exits with %s as %i', ([code, exitCode]) => {
  expect(exitCodeOfError[code]).toBe(exitCode)
})

test('tells who cancelled', () => {
  expect(exitCodeOf(cancelled)).toBe(130)
  expect(exitCodeOf(cancelled, 'SIGINT')).toBe(130)
  expect(exitCodeOf(cancelled, 'SIGTERM')).toBe(143)
})

test.for([[new Error('boom')], ['boom'], [undefined]])('calls %s unexpected', ([error]) => {
  expect(exitCodeOf(error)).toBe(1)
})

test('keeps the code of an error that comes after a signal', () => {
  const refused = new TidemarkError('LOCK_TIMED_OUT', 'in use', {
    details: { resource: 'views', timeoutMs: 1 },
  })
  expect(exitCodeOf(refused, 'SIGTERM')).toBe(4)
})
