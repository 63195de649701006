import pg from 'pg'
import { expect, test } from 'vitest'
import { TidemarkError } from '../../../src/index.ts'
import { fateOf } from './fate-of.ts'

function serverError(severity: string): Error {
  return Object.assign(new pg.DatabaseError('said the server', 0, 'error'), { severity })
}

const conflict = { streamId: 's', expected: '1', actualVersion: 2n }

test.for<[string, Error, string]>([
  ['an error of the statement', serverError('ERROR'), 'absent'],
  ['the end of the backend', serverError('FATAL'), 'unknown'],
  ['a lost connection', new Error('Connection terminated unexpectedly'), 'unknown'],
  [
    'a refusal',
    new TidemarkError('STREAM_VERSION_CONFLICT', 'conflict', { details: conflict as never }),
    'absent',
  ],
  [
    'a refusal that stands for a lost connection',
    new TidemarkError('STREAM_VERSION_CONFLICT', 'conflict', {
      details: conflict as never,
      cause: serverError('FATAL'),
    }),
    'unknown',
  ],
])('after %s the events are %s', ([, error, fate]) => {
  expect(fateOf(error)).toBe(fate)
})
